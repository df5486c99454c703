//! While files hover over the window: what will happen to them.

use std::path::PathBuf;

use egui::{Align2, Area, Color32, Context, Frame, Id, Margin, Order, Rect, RichText, Stroke, StrokeKind, Vec2};
use egui_material_icons::icons;

use crate::gui::files::{Circumstances, Found};
use crate::gui::theme;

/// Files that hover over the window.
pub struct Hovering {
    /// The files, as far as the system tells.
    pub paths: Vec<PathBuf>,
    /// What their meaning depends on.
    pub circumstances: Circumstances,
    /// What they are, once that is known.
    pub found: Option<Found>,
}

/// Shows the sentence over the canvas.
pub fn show(context: &Context, hovering: &Hovering, canvas: Rect) {
    let theme = context.theme();
    let is_useful = hovering.found.as_ref().is_none_or(Found::is_useful);
    let colour = if is_useful { theme::accent(theme) } else { theme::danger(theme) };
    let sentence = match &hovering.found {
        Some(found) => found.announcement(),
        None => "Drop to open".to_owned(),
    };
    let can_be_mask = hovering.found.as_ref().is_some_and(|found| found.pictures.len() == 1 && found.mask.is_none())
        && hovering.circumstances.active_size.is_some();
    let painter = context.layer_painter(egui::LayerId::new(Order::Foreground, Id::unique("drop zone shade")));
    let shade = Color32::from_black_alpha(if theme == egui::Theme::Dark { 120 } else { 60 });
    painter.rect_filled(canvas, 0.0, shade);
    painter.rect_stroke(canvas.shrink(12.0), 12.0, Stroke::new(2.0, colour), StrokeKind::Inside);
    Area::new(Id::unique("drop zone"))
        .order(Order::Tooltip)
        .pivot(Align2::CENTER_CENTER)
        .fixed_pos(canvas.center())
        .interactable(false)
        .show(context, |ui| {
            Frame::popup(ui.style()).inner_margin(Margin::same(24)).show(ui, |ui| {
                ui.set_max_width((canvas.width() - 96.0).clamp(120.0, 420.0));
                ui.vertical_centered(|ui| {
                    ui.spacing_mut().item_spacing = Vec2::splat(8.0);
                    let icon = if is_useful { icons::ICON_UPLOAD_FILE } else { icons::ICON_ERROR };
                    ui.label(icon.rich_text().size(32.0).color(colour));
                    ui.label(RichText::new(sentence).heading());
                    if can_be_mask {
                        ui.weak("With Shift: use it as the picture's foreground");
                    }
                });
            });
        });
}
