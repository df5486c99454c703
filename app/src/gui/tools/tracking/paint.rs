//! What is drawn over the frame: the brush, corners, clicks, and the region that grows from them.

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::features::Geometry;
use egui::{Align2, Color32, FontId, Mesh, Painter, Pos2, Rect, Shape, Stroke, pos2};

use super::Tracking;
use super::settings::Mode;
use crate::gui::canvas::View;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Radius of corners and clicks, in points.
const RADIUS: f32 = 5.0;

impl Tracking {
    pub(super) fn paint_view(&self, painter: &Painter, shared: &Shared, view: &View) {
        let masks = shared.placed.now().clips.get(&view.picture.document());
        let object = masks.and_then(|masks| masks.object(self.selected).or(masks.objects.first()));
        let [r, g, b] = object.map_or(theme::TAB10[0], |object| object.colour);
        let colour = Color32::from_rgb(r, g, b);
        let is_clip = shared.documents.get(view.picture).is_some_and(|document| document.player.is_some());
        if self.settings.mode == Mode::Brush
            && is_clip
            && let Some(PixelPoint { x, y }) = view.hovered
        {
            let centre = view.transform.screen_from_image(pos2(x, y));
            let radius = self.radius(view) * view.transform.points_per_pixel;
            ring(painter, centre, radius, colour);
        }
        if !self.pending.is_in(view.picture) {
            return;
        }
        let screen = |point: &PixelPoint| view.transform.screen_from_image(pos2(point.x, point.y));
        if let Some((geometry, region)) = &self.pending.region {
            painter.add(region_shape(view, geometry, region, colour.gamma_multiply(0.6)));
        }
        let mut corners: Vec<Pos2> = self.pending.corners.iter().map(screen).collect();
        corners.extend(painter.ctx().pointer_hover_pos().filter(|_| !corners.is_empty()));
        painter.add(Shape::line(corners.clone(), Stroke::new(3.5, Color32::from_black_alpha(150))));
        painter.add(Shape::line(corners, Stroke::new(1.5, colour)));
        for corner in &self.pending.corners {
            dot(painter, screen(corner), colour, "");
        }
        self.pending.like.iter().for_each(|point| dot(painter, screen(point), theme::POSITIVE, "+"));
        self.pending.unlike.iter().for_each(|point| dot(painter, screen(point), theme::NEGATIVE, "−"));
    }
}

fn ring(painter: &Painter, centre: Pos2, radius: f32, colour: Color32) {
    painter.circle_stroke(centre, radius, Stroke::new(3.5, Color32::from_black_alpha(160)));
    painter.circle_stroke(centre, radius, Stroke::new(1.5, Color32::WHITE));
    painter.circle_filled(centre, 2.0, colour);
}

fn dot(painter: &Painter, centre: Pos2, colour: Color32, sign: &str) {
    let radius = if sign.is_empty() { RADIUS - 1.0 } else { RADIUS + 2.0 };
    painter.circle(centre, radius, colour, Stroke::new(1.5, Color32::WHITE));
    painter.text(centre, Align2::CENTER_CENTER, sign, FontId::proportional(13.0), Color32::BLACK);
}

/// One rectangle for each patch of the region.
fn region_shape(view: &View, geometry: &Geometry, region: &PatchMask, colour: Color32) -> Shape {
    let (rows, cols) = geometry.grid;
    let corner = |row: usize, col: usize| {
        let x = col as f32 * geometry.covered.0 as f32 / cols as f32;
        let y = row as f32 * geometry.covered.1 as f32 / rows as f32;
        view.transform.screen_from_image(pos2(x, y))
    };
    let mut mesh = Mesh::default();
    for ((row, col), _) in region.indexed_iter().filter(|(_, inside)| **inside) {
        mesh.add_colored_rect(Rect::from_min_max(corner(row, col), corner(row + 1, col + 1)), colour);
    }
    Shape::mesh(mesh)
}
