//! The status line: what is under the pointer, and what runs.

use dinoscope_engine::dispatch::RequestId;
use egui::{Align, Layout, ProgressBar, Ui};

use crate::gui::shared::Shared;

/// Shows the line; the command that is to be stopped, if any.
pub fn show(ui: &mut Ui, shared: &Shared) -> Option<RequestId> {
    let mut stop = None;
    ui.horizontal_centered(|ui| {
        match &shared.canvas.pointer {
            Some(pointer) => {
                if let Some(patch) = pointer.patch {
                    ui.monospace(format!("row {} col {}", patch.row, patch.col));
                }
                ui.monospace(format!("px {:.0}, {:.0}", pointer.pixel.x.floor(), pointer.pixel.y.floor()));
                if let Some(readout) = &pointer.readout {
                    ui.monospace(readout);
                }
            }
            None => {
                ui.weak("Point at the picture");
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let megabytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
            let (used, budget) = (megabytes(shared.cache.used()), megabytes(shared.cache.budget()));
            ui.weak(format!("features {used:.0} / {budget:.0} MB")).on_hover_text("Memory taken by features");
            for (&id, running) in &shared.running {
                if ui.small_button("Cancel").clicked() {
                    stop = Some(id);
                }
                if let Some(progress) = &running.progress {
                    if let Some(total) = progress.total.filter(|&total| total > 0) {
                        ui.add(
                            ProgressBar::new(progress.done as f32 / total as f32).desired_width(96.0).show_percentage(),
                        );
                    }
                    ui.weak(&progress.stage);
                } else {
                    ui.weak(&running.label);
                }
            }
        });
    });
    stop
}
