//! What keys do.

use dinoscope_engine::features::Geometry;
use egui::Ui;

use super::Similarity;
use super::gestures::{carry, patch_size};
use super::look::LeftButton;
use super::markers;
use crate::gui::actions::{self, ToolAction};
use crate::gui::canvas::View;
use crate::gui::placed::{PixelPoint, PlacedQuery, QueryShape};
use crate::gui::shared::Shared;

/// Radius of the brush in patches. The least one reaches the centre of a patch wherever it is.
pub const BRUSH_RADII: std::ops::RangeInclusive<f32> = 0.75..=9.75;

impl Similarity {
    /// Takes keys, unless somebody types.
    pub(super) fn keys(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        if shared.is_typing {
            return;
        }
        self.look.is_stretched ^= actions::taken(ui, ToolAction::SwitchScale);
        self.look.is_smooth ^= actions::taken(ui, ToolAction::SwitchDrawing);
        self.is_negative ^= actions::taken(ui, ToolAction::SwitchSign);
        if actions::taken(ui, ToolAction::SwitchBrush) {
            self.look.left_button = match self.look.left_button {
                LeftButton::PointOrBox => LeftButton::Brush,
                LeftButton::Brush => LeftButton::PointOrBox,
            };
        }
        let radius = self.look.brush_radius * actions::brush_factor(ui);
        self.look.brush_radius = radius.clamp(*BRUSH_RADII.start(), *BRUSH_RADII.end());
        if actions::taken(ui, ToolAction::LetGo) && self.gesture.take().is_none() {
            self.selected = None;
        }
        // These keys work a control too: they are for the canvas while no control has the focus.
        let focused = ui.memory(egui::Memory::focused);
        if focused.is_none_or(|id| views.iter().any(|view| view.response.id == id)) {
            self.keys_for_queries(ui, shared, views);
        }
    }

    fn keys_for_queries(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        if actions::taken(ui, ToolAction::Remove)
            && let Some(index) = self.selected.take()
        {
            self.remove(shared, index);
        }
        let (rows, cols) = actions::steps(ui);
        if (rows, cols) != (0, 0) {
            self.step(shared, views, rows, cols);
        }
        if actions::taken(ui, ToolAction::Pin)
            && let Some((picture, pixel)) = self.hovered
        {
            let shape = QueryShape::Point(pixel);
            self.pin(shared, PlacedQuery { picture, shape, is_negative: self.is_negative });
        }
    }

    /// Moves the selected query, or the last one, or with nothing pinned the place that was pointed at last.
    fn step(&mut self, shared: &mut Shared, views: &[View], rows: i32, cols: i32) {
        let queries = &shared.placed.now().queries;
        let index = self.selected.filter(|&index| index < queries.len()).or(queries.len().checked_sub(1));
        if let Some((index, query)) = index.and_then(|index| Some((index, queries.get(index)?))) {
            let Some(geometry) = self.geometry(views, query.picture) else { return };
            let to = stepped(&geometry, markers::anchor(&query.shape), rows, cols);
            shared.placed.edit("move query", |placed| {
                if let Some(query) = placed.queries.get_mut(index) {
                    carry(&mut query.shape, to);
                }
            });
            return;
        }
        let Some(view) = views.iter().find(|view| view.geometry.is_some()) else { return };
        let centre = PixelPoint { x: view.transform.image_size.x / 2.0, y: view.transform.image_size.y / 2.0 };
        let (picture, from) = self.hovered.unwrap_or((view.picture, centre));
        if let Some(geometry) = self.geometry(views, picture) {
            self.hovered = Some((picture, stepped(&geometry, from, rows, cols)));
        }
    }
}

/// The place some patches further, within the grid.
fn stepped(geometry: &Geometry, from: PixelPoint, rows: i32, cols: i32) -> PixelPoint {
    let size = patch_size(geometry);
    let moved = |from: f32, steps: i32, size: f32, covered: usize| {
        let to = from + steps as f32 * size;
        if (0.0..covered as f32).contains(&to) { to } else { from }
    };
    PixelPoint {
        x: moved(from.x, cols, size.x, geometry.covered.0),
        y: moved(from.y, rows, size.y, geometry.covered.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_patches_and_stop_at_the_edge() {
        let geometry = Geometry { picture: (64, 32), covered: (64, 32), grid: (2, 4) };
        let at = |x, y| PixelPoint { x, y };
        assert_eq!(stepped(&geometry, at(20.0, 10.0), 1, 1), at(36.0, 26.0));
        assert_eq!(stepped(&geometry, at(60.0, 10.0), -1, 1), at(60.0, 10.0));
    }
}
