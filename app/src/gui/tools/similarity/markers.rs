//! The round marker that every query has: where it is, and which one lies under the pointer.

use egui::{Pos2, pos2};

use crate::gui::canvas::View;
use crate::gui::placed::{PixelPoint, QueryShape};
use crate::gui::shared::Shared;

/// Radius in points.
pub const RADIUS: f32 = 7.0;

/// Pixel of the picture where a query's marker lies: the point, the box's top left corner, where painting began.
pub fn anchor(shape: &QueryShape) -> PixelPoint {
    match shape {
        QueryShape::Point(point) => *point,
        QueryShape::Box(a, b) => PixelPoint { x: a.x.min(b.x), y: a.y.min(b.y) },
        QueryShape::Region(painting) => painting.dabs.first().map_or(PixelPoint { x: 0.0, y: 0.0 }, |dab| dab.centre),
    }
}

/// Where a query's marker lies on the screen.
pub fn on_screen(view: &View, shape: &QueryShape) -> Pos2 {
    let PixelPoint { x, y } = anchor(shape);
    view.transform.screen_from_image(pos2(x, y))
}

/// The query whose marker lies under a pixel, the newest where there are several.
pub fn at(shared: &Shared, view: &View, pixel: PixelPoint) -> Option<usize> {
    let screen = view.transform.screen_from_image(pos2(pixel.x, pixel.y));
    let queries = &shared.placed.now().queries;
    queries.iter().rposition(|query| {
        query.picture == view.picture && on_screen(view, &query.shape).distance(screen) <= RADIUS + 3.0
    })
}
