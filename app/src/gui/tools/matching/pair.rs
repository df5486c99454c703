//! Drawing one pair: both patches outlined, a line between them, the score.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};

use super::focus::Focus;
use super::found::{Found, Side};
use super::lines;
use crate::gui::canvas::View;

/// Opacity of a line that leads out of a view.
const FAINT: f32 = 0.4;

/// One of the two patches on the screen.
struct End {
    side: Side,
    view: Rect,
    patch: Rect,
}

impl End {
    fn is_visible(&self) -> bool {
        self.view.contains(self.patch.center())
    }

    /// Where a line to `other` leaves the patch.
    fn exit_to(&self, other: Pos2) -> Pos2 {
        let (centre, half) = (self.patch.center(), self.patch.size() / 2.0);
        let along = other - centre;
        let shares = [half.x / along.x.abs().max(1e-3), half.y / along.y.abs().max(1e-3)];
        centre + along * shares[0].min(shares[1]).min(1.0)
    }
}

/// Draws a pair across both views. The score stands at the patch that was found, or at the other where that one is
/// out of its view.
pub fn paint(painter: &Painter, found: &Found, views: &[View], focus: &Focus, colour: Color32) {
    let end = |side| {
        let view = views.iter().find(|view| found.side_of(view.picture) == Some(side))?;
        Some(End { side, view: view.transform.rect, patch: screen_rect(found, view, side, focus) })
    };
    let (Some(asked), Some(answer)) = (end(focus.from), end(focus.from.other())) else { return };
    let ends = [asked.exit_to(answer.patch.center()), answer.exit_to(asked.patch.center())];
    let opacity = if asked.is_visible() && answer.is_visible() { 1.0 } else { FAINT };
    lines::segment(painter, ends, 2.0, colour, opacity);
    for End { view, patch, .. } in [&asked, &answer] {
        let inside = painter.with_clip_rect(*view);
        inside.rect_stroke(*patch, 0.0, Stroke::new(4.0, Color32::from_black_alpha(150)), StrokeKind::Outside);
        inside.rect_stroke(*patch, 0.0, Stroke::new(2.0, colour), StrokeKind::Outside);
    }
    let at = if answer.is_visible() { &answer } else { &asked };
    let outside = match (answer.is_visible(), answer.side) {
        (true, _) => "",
        (false, Side::Left) => ", out of the left view",
        (false, Side::Right) => ", out of the right view",
    };
    score_tag(&painter.with_clip_rect(at.view), at, &format!("cos {:.2}{outside}", focus.pair.score));
}

fn screen_rect(found: &Found, view: &View, side: Side, focus: &Focus) -> Rect {
    let geometry = found.geometry(side);
    let patch = side.patch_of(&focus.pair);
    let (rows, cols) = geometry.grid;
    let size = vec2(geometry.covered.0 as f32 / cols as f32, geometry.covered.1 as f32 / rows as f32);
    let min = (vec2(patch.col as f32, patch.row as f32) * size).to_pos2();
    view.transform.screen_rect_from_image(Rect::from_min_size(min, size))
}

/// Text above a patch, or below it where there is no room.
fn score_tag(painter: &Painter, end: &End, text: &str) {
    let End { view, patch, .. } = end;
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(12.5), Color32::WHITE);
    let size = galley.size() + vec2(12.0, 6.0);
    let has_room = patch.top() - size.y - 6.0 >= view.top();
    let (anchor, align) = if has_room {
        (patch.center_top() - vec2(0.0, 6.0), Align2::CENTER_BOTTOM)
    } else {
        (patch.center_bottom() + vec2(0.0, 6.0), Align2::CENTER_TOP)
    };
    let plate = align.anchor_size(anchor, size);
    let shift = (view.left() - plate.left()).max(0.0) - (plate.right() - view.right()).max(0.0);
    let plate = plate.translate(vec2(shift, 0.0));
    painter.rect_filled(plate, 4.0, Color32::from_black_alpha(200));
    painter.galley(plate.min + vec2(6.0, 3.0), galley, Color32::WHITE);
}
