//! Sentences over the canvas: what went wrong, with a button that mends it.

use dinoscope_engine::dispatch::Remedy;
use egui::{Area, Context, Frame, Id, Order, Rect, vec2};

use crate::gui::notices::Notices;

/// Shows what there is to say at the lower edge of the canvas; the remedy that was asked for, if any.
pub fn show(context: &Context, notices: &mut Notices, canvas: Rect) -> Option<Remedy> {
    let mut asked = None;
    let mut dismissed = None;
    let current = notices.current().to_vec();
    if current.is_empty() {
        return None;
    }
    let position = canvas.left_bottom() + vec2(12.0, -12.0);
    Area::new(Id::unique("notices"))
        .order(Order::Foreground)
        .pivot(egui::Align2::LEFT_BOTTOM)
        .fixed_pos(position)
        .show(context, |ui| {
            ui.set_max_width((canvas.width() - 24.0).min(560.0));
            for (index, notice) in current.iter().enumerate() {
                Frame::popup(ui.style()).show(ui, |ui| {
                    ui.horizontal(|ui| {
                        ui.label(&notice.message);
                        if let Some(remedy) = &notice.remedy
                            && ui.button(remedy_text(remedy)).clicked()
                        {
                            asked = Some(remedy.clone());
                            dismissed = Some(index);
                        }
                        if ui.small_button("Dismiss").clicked() {
                            dismissed = Some(index);
                        }
                    });
                });
            }
        });
    if let Some(index) = dismissed {
        notices.dismiss(index);
    }
    asked
}

fn remedy_text(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Download(name) => format!("Download {name}…"),
        Remedy::UseCpu => "Use CPU".to_owned(),
        Remedy::GiveToken(_) => "Enter a token…".to_owned(),
    }
}
