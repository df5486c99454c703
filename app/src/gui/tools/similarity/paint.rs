//! What is drawn over a picture and its map.

use dinoscope_engine::features::{Geometry, Patch};
use egui::{Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};

use super::colour_bar::ColourBar;
use super::gestures::{Gesture, patch_size};
use super::look::LeftButton;
use super::{Similarity, markers};
use crate::gui::canvas::View;
use crate::gui::canvas::caption::{SHADE, paint_text};
use crate::gui::placed::{PixelPoint, PlacedQuery, QueryShape};
use crate::gui::shared::Shared;
use crate::gui::theme;

impl Similarity {
    pub(super) fn paint_view(&self, painter: &Painter, shared: &Shared, view: &View) {
        for (rank, (patch, _)) in self.best(view).iter().enumerate() {
            paint_best(painter, view, *patch, rank + 1);
        }
        for (index, query) in self.pinned(shared).filter(|(_, query)| query.picture == view.picture) {
            let is_raised = self.selected == Some(index) || self.listed == Some(index);
            self.paint_query(painter, view, &query, is_raised);
        }
        if let Some(Gesture::Draw(query)) = &self.gesture
            && query.picture == view.picture
        {
            self.paint_query(painter, view, query, false);
        }
        self.paint_pointed(painter, shared, view);
        self.paint_bar(painter, view);
    }

    fn best(&self, view: &View) -> &[(Patch, f32)] {
        let values = self.maps.get(view.picture).and_then(|map| map.values.as_ref());
        values.map_or(&[], |values| &values.best)
    }

    fn paint_query(&self, painter: &Painter, view: &View, query: &PlacedQuery, is_raised: bool) {
        let colour = if query.is_negative { theme::NEGATIVE } else { theme::POSITIVE };
        let accent = theme::accent(egui::Theme::Dark);
        match &query.shape {
            QueryShape::Point(_) => {}
            QueryShape::Box(a, b) => {
                let corner = |point: &PixelPoint| view.transform.screen_from_image(pos2(point.x, point.y));
                let rect = Rect::from_two_pos(corner(a), corner(b));
                painter.rect_filled(rect, 0.0, colour.gamma_multiply(if is_raised { 0.3 } else { 0.12 }));
                outline(painter, rect, if is_raised { accent } else { Color32::WHITE });
            }
            QueryShape::Region(_) => {
                if let Some(geometry) = &view.geometry {
                    let fill = colour.gamma_multiply(if is_raised { 0.5 } else { 0.3 });
                    let line = if is_raised { accent } else { Color32::WHITE };
                    paint_region(painter, view, geometry, self.question.patches(query), fill, line);
                }
            }
        }
        paint_marker(painter, markers::on_screen(view, &query.shape), query.is_negative, is_raised);
    }

    /// The patch under the pointer, and the patch that is asked about where that is another one.
    fn paint_pointed(&self, painter: &Painter, shared: &Shared, view: &View) {
        let asked = self
            .pointed(shared)
            .filter(|query| query.picture == view.picture && self.question.asked_places().any(|asked| asked == query));
        if let (Some(PlacedQuery { shape: QueryShape::Point(point), .. }), None) = (&asked, self.gesture.as_ref()) {
            if self.hovered.is_none() {
                paint_marker(painter, view.transform.screen_from_image(pos2(point.x, point.y)), false, false);
            } else if let Some(rect) = view.patch_at(*point).and_then(|patch| view.screen_rect_of_patch(patch)) {
                outline(painter, rect, Color32::WHITE);
            }
        }
        let Some(pixel) = view.hovered else { return };
        if self.look.left_button == LeftButton::Brush
            && let Some(geometry) = &view.geometry
        {
            let centre = view.transform.screen_from_image(pos2(pixel.x, pixel.y));
            let radius = self.radius(geometry) * view.transform.points_per_pixel;
            painter.circle_stroke(centre, radius, Stroke::new(3.0, SHADE));
            painter.circle_stroke(centre, radius, Stroke::new(1.5, Color32::WHITE));
        } else if asked.is_none()
            && let Some(rect) = view.patch_at(pixel).and_then(|patch| view.screen_rect_of_patch(patch))
        {
            outline(painter, rect, Color32::from_white_alpha(200));
        }
    }

    fn paint_bar(&self, painter: &Painter, view: &View) {
        let Some(map) = self.maps.get(view.picture) else { return };
        let has_negative = self.question.has_negative();
        let value = self.value.filter(|(picture, _)| *picture == view.picture).map(|(_, value)| value);
        let bar = ColourBar {
            colormap: self.look.colormap,
            range: self.look.range(has_negative).or_else(|| map.values.as_ref().map(|values| values.range)),
            unit: "",
            value,
            threshold: self.look.shown_from(),
        };
        let pointer = view.hovered.map(|PixelPoint { x, y }| view.transform.screen_from_image(pos2(x, y)));
        bar.paint(painter, view.transform.rect, pointer);
    }
}

fn outline(painter: &Painter, rect: Rect, colour: Color32) {
    painter.rect_stroke(rect, 0.0, Stroke::new(3.5, SHADE), StrokeKind::Middle);
    painter.rect_stroke(rect, 0.0, Stroke::new(1.5, colour), StrokeKind::Middle);
}

/// A white ring with a dark edge around a plus or minus, as `engine/src/draw/overlay.rs` draws it into files.
fn paint_marker(painter: &Painter, centre: Pos2, is_negative: bool, is_raised: bool) {
    let arm = 3.2;
    let ring = if is_raised { theme::accent(egui::Theme::Dark) } else { Color32::WHITE };
    painter.circle_filled(centre, markers::RADIUS + 1.0, Color32::from_black_alpha(110));
    for (width, ring, glyph) in [(3.6, SHADE, SHADE), (1.6, ring, Color32::WHITE)] {
        painter.circle_stroke(centre, markers::RADIUS, Stroke::new(width, ring));
        let line = Stroke::new(width, glyph);
        painter.line_segment([centre - vec2(arm, 0.0), centre + vec2(arm, 0.0)], line);
        if !is_negative {
            painter.line_segment([centre - vec2(0.0, arm), centre + vec2(0.0, arm)], line);
        }
    }
    if is_raised {
        painter.circle_stroke(centre, markers::RADIUS + 3.5, Stroke::new(1.5, ring));
    }
}

fn paint_best(painter: &Painter, view: &View, patch: Patch, rank: usize) {
    let Some(rect) = view.screen_rect_of_patch(patch) else { return };
    outline(painter, rect, Color32::WHITE);
    if rect.width() >= 12.0 {
        paint_text(painter, rect.min + vec2(2.0, 1.0), &rank.to_string());
    }
}

/// Patches in one colour with a line around them.
fn paint_region(painter: &Painter, view: &View, geometry: &Geometry, patches: &[Patch], fill: Color32, line: Color32) {
    let size = patch_size(geometry);
    let corner =
        |row: usize, col: usize| view.transform.screen_from_image((vec2(col as f32, row as f32) * size).to_pos2());
    let mut mesh = Mesh::default();
    for Patch { row, col } in patches {
        mesh.add_colored_rect(Rect::from_min_max(corner(*row, *col), corner(row + 1, col + 1)), fill);
    }
    painter.add(Shape::mesh(mesh));
    let edges = border(patches);
    for (width, colour) in [(3.5, SHADE), (1.5, line)] {
        for [from, to] in &edges {
            painter.line_segment([corner(from.0, from.1), corner(to.0, to.1)], Stroke::new(width, colour));
        }
    }
}

/// A corner of patches: row and column.
type Corner = (usize, usize);

/// Edges between patches of a region and others.
fn border(patches: &[Patch]) -> Vec<[Corner; 2]> {
    let inside: std::collections::HashSet<(usize, usize)> = patches.iter().map(|it| (it.row, it.col)).collect();
    let mut edges = Vec::new();
    for &Patch { row, col } in patches {
        let has = |row: Option<usize>, col: Option<usize>| row.zip(col).is_some_and(|at| inside.contains(&at));
        let sides = [
            (has(row.checked_sub(1), Some(col)), [(row, col), (row, col + 1)]),
            (has(Some(row + 1), Some(col)), [(row + 1, col), (row + 1, col + 1)]),
            (has(Some(row), col.checked_sub(1)), [(row, col), (row + 1, col)]),
            (has(Some(row), Some(col + 1)), [(row, col + 1), (row + 1, col + 1)]),
        ];
        edges.extend(sides.into_iter().filter(|(is_inner, _)| !is_inner).map(|(_, edge)| edge));
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_outlined_once() {
        let patch = |row, col| Patch { row, col };
        assert_eq!(border(&[patch(0, 0)]).len(), 4);
        assert_eq!(border(&[patch(0, 0), patch(0, 1), patch(1, 0)]).len(), 8);
        assert!(border(&[]).is_empty());
    }
}
