//! What the mouse does on the pictures.

use dinoscope_engine::features::Geometry;
use egui::{CursorIcon, Modifiers, PointerButton, Pos2, Ui, Vec2, pos2};

use super::look::LeftButton;
use super::{Similarity, markers};
use crate::gui::canvas::View;
use crate::gui::placed::{Dab, Painting, PixelPoint, PlacedQuery, QueryShape};
use crate::gui::shared::Shared;

/// Distance between dabs, as a share of the brush's radius.
const SPACING: f32 = 0.3;

/// Something that the mouse is in the middle of.
#[derive(Clone, Debug, PartialEq)]
pub enum Gesture {
    /// A new box or region.
    Draw(PlacedQuery),
    /// A marker that is carried: which, and how it looks meanwhile.
    Carry(usize, PlacedQuery),
}

impl Similarity {
    /// Takes clicks, drags and the place of the pointer.
    pub(super) fn mouse(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        let modifiers = ui.input(|input| input.modifiers);
        self.is_following = self.look.follows_pointer || modifiers.alt;
        if views.iter().any(|view| view.is_panning) {
            self.gesture = None;
            return;
        }
        self.pointer = None;
        for view in views {
            if let Some(pixel) = view.hovered {
                self.pointer = Some((view.picture, pixel));
                if let Some(centre) = view.geometry.and_then(|geometry| centred(&geometry, pixel)) {
                    self.hovered = Some((view.picture, centre));
                }
                let is_on_marker = markers::at(shared, view, pixel).is_some();
                ui.ctx().set_cursor_icon(if is_on_marker { CursorIcon::PointingHand } else { CursorIcon::Crosshair });
            }
            self.press(ui, shared, view, modifiers);
        }
    }

    fn press(&mut self, ui: &Ui, shared: &mut Shared, view: &View, modifiers: Modifiers) {
        let is_negative = self.is_negative != modifiers.shift;
        let response = &view.response;
        if let Some((pixel, modifiers)) = view.clicked(ui) {
            self.click(shared, view, pixel, self.is_negative != modifiers.shift);
        }
        if response.drag_started_by(PointerButton::Primary)
            && let Some(origin) = ui.input(|input| input.pointer.press_origin())
        {
            self.gesture = self.begin(shared, view, inside(view, origin), is_negative);
        }
        if response.dragged_by(PointerButton::Primary)
            && let Some(screen) = response.interact_pointer_pos()
            && let Some(gesture) = &mut self.gesture
        {
            gesture.drag_to(inside(view, screen));
        }
        if response.drag_stopped_by(PointerButton::Primary)
            && let Some(gesture) = self.gesture.take()
        {
            self.finish(shared, gesture);
        }
    }

    fn click(&mut self, shared: &mut Shared, view: &View, pixel: PixelPoint, is_negative: bool) {
        if let Some(index) = markers::at(shared, view, pixel) {
            self.selected = Some(index);
            return;
        }
        let shape = match (self.look.left_button, view.geometry) {
            (LeftButton::Brush, Some(geometry)) => QueryShape::Region(dab(pixel, self.radius(&geometry))),
            _ => QueryShape::Point(pixel),
        };
        self.pin(shared, PlacedQuery { picture: view.picture, shape, is_negative });
    }

    fn begin(&self, shared: &Shared, view: &View, origin: PixelPoint, is_negative: bool) -> Option<Gesture> {
        if let Some(index) = markers::at(shared, view, origin) {
            return shared.placed.now().queries.get(index).map(|query| Gesture::Carry(index, query.clone()));
        }
        let shape = match (self.look.left_button, view.geometry) {
            (LeftButton::PointOrBox, _) => QueryShape::Box(origin, origin),
            (LeftButton::Brush, Some(geometry)) => QueryShape::Region(dab(origin, self.radius(&geometry))),
            (LeftButton::Brush, None) => return None,
        };
        Some(Gesture::Draw(PlacedQuery { picture: view.picture, shape, is_negative }))
    }

    fn finish(&mut self, shared: &mut Shared, gesture: Gesture) {
        match gesture {
            Gesture::Draw(query) => self.pin(shared, query),
            Gesture::Carry(index, moved) => {
                shared.placed.edit("move query", |placed| {
                    if let Some(query) = placed.queries.get_mut(index) {
                        *query = moved;
                    }
                });
                self.selected = Some(index);
            }
        }
    }

    /// Pins a query.
    pub(super) fn pin(&mut self, shared: &mut Shared, query: PlacedQuery) {
        shared.placed.edit("add query", |placed| placed.queries.push(query));
        self.selected = None;
    }

    /// Radius of the brush in pixels of the picture.
    pub(super) fn radius(&self, geometry: &Geometry) -> f32 {
        self.look.brush_radius * patch_size(geometry).max_elem()
    }
}

impl Gesture {
    fn drag_to(&mut self, pixel: PixelPoint) {
        match self {
            Self::Draw(PlacedQuery { shape: QueryShape::Box(_, end), .. }) => *end = pixel,
            Self::Draw(PlacedQuery { shape: QueryShape::Region(painting), .. }) => extend(painting, pixel),
            Self::Draw(PlacedQuery { shape: QueryShape::Point(point), .. }) => *point = pixel,
            Self::Carry(_, query) => carry(&mut query.shape, pixel),
        }
    }
}

/// Width and height of a patch in pixels of the picture.
pub fn patch_size(geometry: &Geometry) -> Vec2 {
    let (rows, cols) = geometry.grid;
    Vec2::new(geometry.covered.0 as f32 / cols as f32, geometry.covered.1 as f32 / rows as f32)
}

/// Moves a shape so that its marker lies at `to`.
pub fn carry(shape: &mut QueryShape, to: PixelPoint) {
    let from = markers::anchor(shape);
    let shift = |point: &mut PixelPoint| {
        point.x += to.x - from.x;
        point.y += to.y - from.y;
    };
    match shape {
        QueryShape::Point(point) => *point = to,
        QueryShape::Box(a, b) => [a, b].into_iter().for_each(shift),
        QueryShape::Region(painting) => painting.dabs.iter_mut().for_each(|dab| shift(&mut dab.centre)),
    }
}

/// Paints from the last dab on to a point.
fn extend(painting: &mut Painting, to: PixelPoint) {
    let Some(&last) = painting.dabs.last() else { return };
    let (from, to) = (pos2(last.centre.x, last.centre.y), pos2(to.x, to.y));
    let steps = (from.distance(to) / (SPACING * last.radius).max(0.5)) as usize;
    painting.dabs.extend((1..=steps).map(|step| {
        let Pos2 { x, y } = from.lerp(to, step as f32 / steps as f32);
        Dab { centre: PixelPoint { x, y }, ..last }
    }));
}

fn dab(centre: PixelPoint, radius: f32) -> Painting {
    Painting { dabs: vec![Dab { centre, radius, erases: false }] }
}

/// The pixel at a point of the screen, or the nearest one of the picture.
fn inside(view: &View, screen: Pos2) -> PixelPoint {
    let PixelPoint { x, y } = view.pixel_from_screen(screen);
    let last = view.transform.image_size - Vec2::splat(0.01);
    PixelPoint { x: x.clamp(0.0, last.x), y: y.clamp(0.0, last.y) }
}

/// The centre of the patch under a pixel: within a patch, hovering asks for nothing new.
fn centred(geometry: &Geometry, pixel: PixelPoint) -> Option<PixelPoint> {
    let patch = geometry.patch_from_pixel(f64::from(pixel.x), f64::from(pixel.y))?;
    let (x, y) = geometry.pixel_from_patch(patch);
    Some(PixelPoint { x: x as f32, y: y as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_has_no_gaps() {
        let mut painting = dab(PixelPoint { x: 0.0, y: 0.0 }, 10.0);
        extend(&mut painting, PixelPoint { x: 100.0, y: 0.0 });
        extend(&mut painting, PixelPoint { x: 100.5, y: 0.0 });
        assert!(painting.dabs.windows(2).all(|pair| (pair[1].centre.x - pair[0].centre.x) <= 3.1));
        assert_eq!(painting.dabs.last().map(|dab| dab.centre.x), Some(100.0), "less than a step waits");
    }

    #[test]
    fn carrying_moves_a_shape_as_a_whole() {
        let point = |x, y| PixelPoint { x, y };
        let mut shape = QueryShape::Box(point(30.0, 10.0), point(10.0, 20.0));
        carry(&mut shape, point(11.0, 12.0));
        assert_eq!(shape, QueryShape::Box(point(31.0, 12.0), point(11.0, 22.0)));
    }
}
