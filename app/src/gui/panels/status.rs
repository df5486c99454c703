//! The status line: what is under the pointer, and what runs.

use dinoscope_engine::dispatch::PictureId;
use egui::{
    Align, Align2, Button, Color32, FontId, Layout, Popup, PopupCloseBehavior, ProgressBar, Rect, Slider, Ui, pos2,
    vec2,
};
use egui_material_icons::icons;

use crate::gui::running::{self, LEAST_SHOWN, Work, works};
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Least and greatest memory for features, in MB.
const CACHE_RANGE: std::ops::RangeInclusive<usize> = 256..=65_536;

/// Works shown at once.
const MOST_SHOWN: usize = 2;

/// Shows the line.
pub fn show(ui: &mut Ui, shared: &mut Shared, shown: &[PictureId]) {
    ui.horizontal_centered(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            cache(ui, shared, shown);
            let works = works(shared);
            let long = works.iter().filter(|work| work.elapsed >= LEAST_SHOWN).take(MOST_SHOWN);
            let mut stopped = Vec::new();
            for work in long {
                ui.separator();
                if running_work(ui, work) {
                    stopped.extend_from_slice(&work.ids);
                }
            }
            if works.iter().any(|work| work.elapsed < LEAST_SHOWN) {
                ui.ctx().request_repaint_after(LEAST_SHOWN);
            }
            shared.stop(&stopped);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| under_pointer(ui, shared));
        });
    });
}

fn under_pointer(ui: &mut Ui, shared: &Shared) {
    let Some(pointer) = &shared.canvas.pointer else {
        ui.weak(match shared.documents.active() {
            None => "Nothing is open",
            Some(document) if document.loaded().is_none() => "",
            Some(_) => "Point at the picture",
        });
        return;
    };
    let mut parts = Vec::new();
    if let Some(patch) = pointer.patch {
        parts.push(format!("row {} col {}", patch.row, patch.col));
    }
    parts.push(format!("px {:.0}, {:.0}", pointer.pixel.x.floor(), pointer.pixel.y.floor()));
    parts.extend(pointer.readout.clone());
    ui.add(egui::Label::new(egui::RichText::new(parts.join(" · ")).monospace()).truncate());
}

/// One work from right to left; whether it is to be stopped.
fn running_work(ui: &mut Ui, work: &Work) -> bool {
    let cancel = ui.add(Button::new(icons::ICON_CLOSE.rich_text()).frame(false));
    let name = format!("Cancel {}", work.label);
    cancel.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    let is_cancelled = cancel.on_hover_text(name).clicked();
    if let Some(left) = work.left {
        ui.weak(running::left_text(left));
    }
    match work.fraction {
        Some(fraction) => {
            ui.weak(format!("{:.0} %", fraction * 100.0));
            ui.add(ProgressBar::new(fraction).desired_width(80.0).desired_height(6.0));
        }
        None => {
            ui.add(egui::Spinner::new().size(12.0));
        }
    }
    ui.weak(&work.label);
    is_cancelled
}

/// Memory taken by features; a click opens its slider.
fn cache(ui: &mut Ui, shared: &mut Shared, shown: &[PictureId]) {
    let (used, budget) = (shared.cache.used(), shared.cache.budget());
    let text = egui::RichText::new(format!("features {} of {}", memory(used), memory(budget))).weak();
    let button = ui.add(Button::new(text).frame_when_inactive(false));
    let button = button.on_hover_text("Memory for features: a picture that is kept needs no second run of the model");
    Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        ui.set_width(280.0);
        ui.strong("Memory for features");
        let mut megabytes = shared.settings.cache_mb;
        let slider = Slider::new(&mut megabytes, CACHE_RANGE).logarithmic(true).suffix(" MB");
        let slider = ui.add(slider).on_hover_text("Features used least recently go first. Double click resets.");
        if slider.double_clicked() {
            megabytes = crate::gui::settings::Settings::default().cache_mb;
        }
        if megabytes != shared.settings.cache_mb {
            shared.settings.cache_mb = megabytes;
            shared.cache.set_budget(shared.settings.cache_bytes(), shown);
        }
        if ui.button("Forget all").on_hover_text("Lets all features go; those on the canvas are made again").clicked() {
            let all: Vec<PictureId> = shared.documents.iter().map(|document| document.id).collect();
            all.into_iter().for_each(|id| shared.cache.forget(id));
        }
    });
}

/// "12 MB", "2.0 GB"
fn memory(bytes: usize) -> String {
    const GIGABYTE: f64 = (1u64 << 30) as f64;
    let bytes = bytes as f64;
    if bytes < GIGABYTE {
        format!("{:.0} MB", bytes / f64::from(1 << 20))
    } else {
        format!("{:.1} GB", bytes / GIGABYTE)
    }
}

/// A slim bar at the upper edge of the canvas while something takes long.
pub fn bar_over_canvas(ui: &Ui, shared: &Shared, canvas: Rect) {
    let works = works(shared);
    let Some(work) = works.iter().find(|work| work.elapsed >= LEAST_SHOWN) else { return };
    const HEIGHT: f32 = 3.0;
    let colour = theme::accent(ui.ctx().theme());
    let painter = ui.painter_at(canvas);
    let bar = Rect::from_min_size(canvas.min, vec2(canvas.width(), HEIGHT));
    painter.rect_filled(bar, 0.0, Color32::from_black_alpha(90));
    let (start, end) = match work.fraction {
        Some(fraction) => (0.0, fraction),
        None => {
            ui.ctx().request_repaint();
            let phase = (ui.input(|input| input.time) * 0.6).fract() as f32;
            ((phase * 1.3 - 0.3).max(0.0), (phase * 1.3).min(1.0))
        }
    };
    let at = |share: f32| canvas.left() + canvas.width() * share;
    let done = Rect::from_min_max(pos2(at(start), bar.top()), pos2(at(end), bar.bottom()));
    painter.rect_filled(done, 0.0, colour);
    let text = match (work.fraction, work.left) {
        (Some(fraction), Some(left)) => {
            format!("{}  {:.0} %  {}", work.label, fraction * 100.0, running::left_text(left))
        }
        (Some(fraction), None) => format!("{}  {:.0} %", work.label, fraction * 100.0),
        (None, _) => work.label.clone(),
    };
    // Names of pictures stand at the left.
    let place = canvas.center_top() + vec2(0.0, HEIGHT + 8.0);
    let galley = painter.layout_no_wrap(text, FontId::proportional(11.5), Color32::WHITE);
    let text = Align2::CENTER_TOP.anchor_size(place, galley.size());
    painter.rect_filled(text.expand2(vec2(6.0, 3.0)), 4.0, Color32::from_black_alpha(150));
    painter.galley(text.min, galley, Color32::WHITE);
}
