//! Painting the foreground on a view, and drawing it.

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::Geometry;
use egui::{Color32, CursorIcon, Mesh, Painter, Pos2, Rect, Shape, Stroke as Line, Ui, pos2};

use super::{BrushMode, selection};
use crate::gui::actions;
use crate::gui::canvas::View;
use crate::gui::placed::{Dab, PixelPoint};
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Diameter in patches. The least one always reaches the centre of a patch.
pub const SIZES: std::ops::RangeInclusive<f32> = 1.5..=24.0;
/// See [`SIZES`].
pub const USUAL_SIZE: f32 = 4.0;

/// A stroke that is being painted; it becomes part of the painting when the button is let go.
pub struct Stroke {
    pub picture: PictureId,
    /// The painting's patches with this stroke, `[rows, cols]`.
    pub mask: PatchMask,
    dabs: Vec<Dab>,
}

/// Paints on views whose foreground is painted; the right button erases, keys change the size. Returns
/// whether the brush owns the buttons on these views: then the tool leaves clicks and drags alone.
pub fn interact(ui: &Ui, shared: &mut Shared, views: &[View]) -> bool {
    let foregrounds = &mut shared.foregrounds;
    let Some(mode) = foregrounds.brush else { return false };
    if !shared.is_typing {
        let size = foregrounds.brush_size * actions::brush_factor(ui);
        foregrounds.brush_size = size.clamp(*SIZES.start(), *SIZES.end());
    }
    let (primary, secondary) = ui.input(|input| (input.pointer.primary_down(), input.pointer.secondary_down()));
    let mut owns = false;
    for view in views {
        if !super::is_painting(shared, view.picture) {
            continue;
        }
        owns = true;
        let Some(geometry) = view.geometry else { continue };
        if view.response.hovered() && !view.is_panning {
            ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
        }
        let is_down = view.response.is_pointer_button_down_on() && (primary || secondary) && !view.is_panning;
        if is_down && let Some(screen) = view.response.interact_pointer_pos() {
            let erases = secondary || mode == BrushMode::Erase;
            extend(shared, view, &geometry, screen, erases);
        }
    }
    if !(primary || secondary) {
        finish(shared);
    }
    owns
}

/// Adds dabs from the last one to the pointer.
fn extend(shared: &mut Shared, view: &View, geometry: &Geometry, screen: Pos2, erases: bool) {
    let foregrounds = &mut shared.foregrounds;
    let end = view.pixel_from_screen(screen);
    let radius = radius(foregrounds.brush_size, geometry);
    let stroke = foregrounds.stroke.get_or_insert_with(|| {
        let known = foregrounds.painted.get(&view.picture);
        let mask = known.map_or_else(|| selection::empty(geometry), |painted| (*painted.mask).clone());
        Stroke { picture: view.picture, mask, dabs: Vec::new() }
    });
    if stroke.picture != view.picture || stroke.mask.dim() != geometry.grid {
        return;
    }
    let start = stroke.dabs.last().map_or(end, |dab| dab.centre);
    let distance = (end.x - start.x).hypot(end.y - start.y);
    let spacing = radius * 0.3;
    let steps = if stroke.dabs.is_empty() { 1 } else { (distance / spacing) as usize };
    for step in 1..=steps {
        let along = step as f32 / steps as f32;
        let centre = PixelPoint { x: start.x + (end.x - start.x) * along, y: start.y + (end.y - start.y) * along };
        let dab = Dab { centre, radius, erases };
        selection::apply(&mut stroke.mask, geometry, &dab);
        stroke.dabs.push(dab);
    }
}

/// Makes the stroke part of the painting: one step to undo.
fn finish(shared: &mut Shared) {
    if let Some(stroke) = shared.foregrounds.stroke.take() {
        shared.placed.edit("paint foreground", |placed| {
            placed.foregrounds.entry(stroke.picture).or_default().dabs.extend(stroke.dabs);
        });
    }
}

/// Radius of the brush in pixels of the picture.
fn radius(size: f32, geometry: &Geometry) -> f32 {
    let (rows, cols) = geometry.grid;
    let patch = (geometry.covered.0 as f32 / cols as f32).max(geometry.covered.1 as f32 / rows as f32);
    size * patch / 2.0
}

/// Tints what is not foreground, outlines what is, and shows the brush.
pub fn paint(painter: &Painter, shared: &Shared, view: &View) {
    let Some(geometry) = view.geometry else { return };
    let accent = theme::accent(painter.ctx().theme());
    if let Some(mask) = super::drawn(shared, view.picture).filter(|mask| mask.dim() == geometry.grid) {
        painter.add(tint(view, &geometry, mask, accent.gamma_multiply(0.35)));
        painter.extend(outline(view, &geometry, mask, Line::new(1.5, accent)));
    }
    if super::is_painting(shared, view.picture)
        && let Some(PixelPoint { x, y }) = view.hovered
    {
        let centre = view.transform.screen_from_image(pos2(x, y));
        let radius = radius(shared.foregrounds.brush_size, &geometry) * view.transform.points_per_pixel;
        painter.circle_stroke(centre, radius, Line::new(3.0, Color32::from_black_alpha(160)));
        painter.circle_stroke(centre, radius, Line::new(1.5, Color32::WHITE));
    }
}

/// Corner of a patch on the screen; (rows, cols) is the grid's lower right corner.
fn corner(view: &View, geometry: &Geometry, row: usize, col: usize) -> Pos2 {
    let along = |index: usize, patches: usize, pixels: usize| index as f32 * pixels as f32 / patches as f32;
    let (rows, cols) = geometry.grid;
    view.transform.screen_from_image(pos2(along(col, cols, geometry.covered.0), along(row, rows, geometry.covered.1)))
}

/// One rectangle for each run of background patches in a row.
fn tint(view: &View, geometry: &Geometry, mask: &PatchMask, colour: Color32) -> Shape {
    let mut mesh = Mesh::default();
    for row in 0..geometry.grid.0 {
        for (start, end) in runs(geometry.grid.1, |col| !mask[[row, col]]) {
            let min = corner(view, geometry, row, start);
            let max = corner(view, geometry, row + 1, end);
            mesh.add_colored_rect(Rect::from_min_max(min, max), colour);
        }
    }
    Shape::mesh(mesh)
}

/// Lines where foreground and background meet.
fn outline(view: &View, geometry: &Geometry, mask: &PatchMask, line: Line) -> Vec<Shape> {
    let (rows, cols) = geometry.grid;
    let mut lines = Vec::new();
    for row in 1..rows {
        for (start, end) in runs(cols, |col| mask[[row, col]] != mask[[row - 1, col]]) {
            let points = [corner(view, geometry, row, start), corner(view, geometry, row, end)];
            lines.push(Shape::line_segment(points, line));
        }
    }
    for col in 1..cols {
        for (start, end) in runs(rows, |row| mask[[row, col]] != mask[[row, col - 1]]) {
            let points = [corner(view, geometry, start, col), corner(view, geometry, end, col)];
            lines.push(Shape::line_segment(points, line));
        }
    }
    lines
}

/// Longest ranges of indices below `count` for which something holds: start and end (exclusive).
fn runs(count: usize, holds: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut start = None;
    for index in 0..=count {
        match (start, index < count && holds(index)) {
            (None, true) => start = Some(index),
            (Some(first), false) => {
                runs.push((first, index));
                start = None;
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_longest_ranges() {
        let row = [true, true, false, true, false, false, true];
        assert_eq!(runs(row.len(), |index| row[index]), [(0, 2), (3, 4), (6, 7)]);
        assert!(runs(4, |_| false).is_empty());
        assert_eq!(runs(3, |_| true), [(0, 3)]);
    }

    #[test]
    fn the_smallest_brush_reaches_a_patch_wherever_it_is() {
        let geometry = Geometry { picture: (160, 96), covered: (160, 96), grid: (6, 10) };
        let radius = radius(*SIZES.start(), &geometry);
        for (x, y) in [(16.0, 16.0), (31.9, 0.1), (0.0, 0.0), (100.3, 47.9)] {
            let mut mask = selection::empty(&geometry);
            selection::apply(&mut mask, &geometry, &Dab { centre: PixelPoint { x, y }, radius, erases: false });
            assert!(mask.iter().any(|&inside| inside), "({x}, {y})");
        }
    }
}
