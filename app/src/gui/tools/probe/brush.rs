//! Scribbling on a view, and drawing what is scribbled.

use std::collections::BTreeMap;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::{Geometry, Patch};
use egui::{Color32, CursorIcon, Mesh, Painter, Pos2, Shape, Stroke as Line, Ui, pos2};

use super::{Probing, colours};
use crate::gui::actions;
use crate::gui::canvas::View;
use crate::gui::placed::{Dab, PixelPoint};
use crate::gui::scribbles::Scribble;
use crate::gui::shared::Shared;

/// Diameters in patches. The least one always reaches the centre of a patch.
pub const SIZES: std::ops::RangeInclusive<f32> = 1.5..=24.0;

/// A stroke that is being painted; it counts when the button is let go.
pub struct Stroke {
    picture: PictureId,
    scribbles: Vec<Scribble>,
    /// Patches that it has painted, by place in the grid; without a class where it has erased.
    patches: BTreeMap<usize, Option<usize>>,
}

impl Probing {
    /// The left button paints the selected class, the right one erases.
    pub(super) fn scribble(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        if !shared.is_typing {
            let size = self.settings.brush * actions::brush_factor(ui);
            self.settings.brush = size.clamp(*SIZES.start(), *SIZES.end());
        }
        let (primary, secondary) = ui.input(|input| (input.pointer.primary_down(), input.pointer.secondary_down()));
        for view in views {
            let Some(geometry) = view.geometry else { continue };
            if view.response.hovered() && !view.is_panning {
                ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
            }
            let is_down = view.response.is_pointer_button_down_on() && (primary || secondary) && !view.is_panning;
            if is_down && let Some(screen) = view.response.interact_pointer_pos() {
                self.extend(view, &geometry, screen, secondary);
            }
        }
        if !(primary || secondary)
            && let Some(stroke) = self.stroke.take()
        {
            shared.documents.activate(stroke.picture);
            shared.placed.edit("scribble", |placed| {
                placed.scribbles.pictures.entry(stroke.picture).or_default().extend(stroke.scribbles);
            });
        }
    }

    /// Adds dabs from the last one to the pointer.
    fn extend(&mut self, view: &View, geometry: &Geometry, screen: Pos2, erases: bool) {
        let end = view.pixel_from_screen(screen);
        let radius = self.radius(geometry);
        let class = self.selected;
        let stroke = self.stroke.get_or_insert_with(|| Stroke {
            picture: view.picture,
            scribbles: Vec::new(),
            patches: BTreeMap::new(),
        });
        if stroke.picture != view.picture {
            return;
        }
        let start = stroke.scribbles.last().map_or(end, |last| last.dab.centre);
        let distance = (end.x - start.x).hypot(end.y - start.y);
        let steps = if stroke.scribbles.is_empty() { 1 } else { (distance / (radius * 0.4)) as usize };
        for step in 1..=steps {
            let along = step as f32 / steps as f32;
            let centre = PixelPoint { x: start.x + (end.x - start.x) * along, y: start.y + (end.y - start.y) * along };
            let dab = Dab { centre, radius, erases };
            stroke.scribbles.push(Scribble { dab, class });
            let painted = dab.patches(geometry).map(|patch| patch.row * geometry.grid.1 + patch.col);
            stroke.patches.extend(painted.map(|patch| (patch, (!erases).then_some(class))));
        }
    }

    /// Of the brush, in pixels of the picture.
    fn radius(&self, geometry: &Geometry) -> f32 {
        let (rows, cols) = geometry.grid;
        let patch = (geometry.covered.0 as f32 / cols as f32).max(geometry.covered.1 as f32 / rows as f32);
        self.settings.brush * patch / 2.0
    }

    /// Scribbled patches in their class's colour, and the brush.
    pub(super) fn paint_scribbles(&self, painter: &Painter, shared: &Shared, view: &View) {
        let Some(geometry) = view.geometry else { return };
        let classes = shared.placed.now().scribbles.classes.len();
        let none = BTreeMap::new();
        let stroke = self.stroke.as_ref().filter(|stroke| stroke.picture == view.picture);
        let stroke = stroke.map_or(&none, |stroke| &stroke.patches);
        let before = self.labels.known(view.picture).iter().copied().filter(|(patch, _)| !stroke.contains_key(patch));
        let now = stroke.iter().filter_map(|(&patch, class)| Some((patch, (*class)?)));
        let mut mesh = Mesh::default();
        for (patch, class) in before.chain(now) {
            let patch = Patch { row: patch / geometry.grid.1, col: patch % geometry.grid.1 };
            let Some(rect) = view.screen_rect_of_patch(patch) else { continue };
            let [r, g, b] = colours::of_class(class, classes);
            // Dark below, so that it is seen over its own colour too.
            mesh.add_colored_rect(rect.shrink(rect.width() * 0.16), Color32::from_black_alpha(170));
            mesh.add_colored_rect(rect.shrink(rect.width() * 0.24), Color32::from_rgb(r, g, b));
        }
        painter.add(Shape::mesh(mesh));
        if let Some(PixelPoint { x, y }) = view.hovered {
            let centre = view.transform.screen_from_image(pos2(x, y));
            let edge = view.transform.screen_from_image(pos2(x + self.radius(&geometry), y));
            let [r, g, b] = colours::of_class(self.selected, classes);
            painter.circle_stroke(centre, edge.x - centre.x, Line::new(3.0, Color32::from_black_alpha(150)));
            painter.circle_stroke(centre, edge.x - centre.x, Line::new(1.5, Color32::from_rgb(r, g, b)));
        }
    }
}
