//! Words on pictures.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};

use crate::gui::theme;

/// Below white lines and letters, so that they are seen on white too.
pub const SHADE: Color32 = Color32::from_black_alpha(190);

/// In points.
const SIZE: f32 = 11.5;

/// A picture's name at the corner of its view, and a line around the active one.
pub fn paint_name(painter: &Painter, view: Rect, name: &str, is_active: bool) {
    paint_text(painter, view.min + vec2(8.0, 6.0), name);
    if is_active {
        let accent = theme::accent(painter.ctx().theme());
        painter.rect_stroke(view, 0.0, Stroke::new(1.5, accent), StrokeKind::Inside);
    }
}

/// What a view shows, in its corner.
pub fn paint_title(painter: &Painter, view: Rect, text: &str) {
    const WIDTH: f32 = 280.0;
    let galley = painter.layout(text.to_owned(), FontId::proportional(13.5), Color32::WHITE, WIDTH);
    let at = view.min + vec2(12.0, 10.0);
    let plate = Align2::LEFT_TOP.anchor_size(at, galley.size()).expand2(vec2(6.0, 3.0));
    painter.rect_filled(plate, 4.0, SHADE);
    painter.galley(at, galley, Color32::WHITE);
}

/// White on a dark plate; `at` is the left top of the letters.
pub fn paint_text(painter: &Painter, at: Pos2, text: &str) {
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(SIZE), Color32::WHITE);
    let rect = Align2::LEFT_TOP.anchor_size(at, galley.size());
    painter.rect_filled(rect.expand2(vec2(3.0, 1.0)), 3.0, SHADE);
    painter.galley(rect.min, galley, Color32::WHITE);
}
