//! The canvas: views of pictures that are panned and zoomed together.

pub mod caption;
mod transform;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::{Geometry, Patch};
use egui::{CursorIcon, Event, Modifiers, PointerButton, Pos2, Rect, Response, Sense, Ui, Vec2};

pub use transform::{Camera, ViewTransform, tile};

use super::actions::{self, Held};
use super::placed::PixelPoint;

/// Points between two views.
const GAP: f32 = 4.0;

/// How much a full turn of the wheel magnifies, per point that egui reports.
const ZOOM_PER_POINT: f32 = 1.0 / 200.0;

/// Pan, zoom and how pictures are laid out.
#[derive(Clone, Debug, Default)]
pub struct Canvas {
    /// Shared by all views, so that they show the same part.
    pub camera: Camera,
    /// Lines between patches.
    pub has_patch_grid: bool,
    /// While the key that hides the overlay is held.
    pub is_layer_hidden: bool,
    /// What is under the pointer.
    pub pointer: Option<Pointer>,
    /// Asked for by a key or a button; done when views are laid out next.
    pub request: Option<CameraRequest>,
}

/// A change of the camera that needs to know the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CameraRequest {
    /// The whole picture.
    Fit,
    /// One pixel of the picture on one of the screen.
    FullSize,
    /// Magnify by this factor about the view's centre.
    Zoom(f32),
}

/// What is under the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointer {
    /// The picture.
    pub picture: PictureId,
    /// In its pixels.
    pub pixel: PixelPoint,
    /// Once the picture is encoded, and where a patch lies.
    pub patch: Option<Patch>,
    /// What the tool says about it: "cos 0.831".
    pub readout: Option<String>,
}

/// One picture on the canvas in this frame.
pub struct View {
    /// The picture.
    pub picture: PictureId,
    /// Where it lies.
    pub transform: ViewTransform,
    /// Where its patches lie, once it is encoded.
    pub geometry: Option<Geometry>,
    /// The pointer's doings in this view, those that belong to the tool: clicks and drags by the left button.
    pub response: Response,
    /// Pixel of the picture under the pointer, where the pointer is over the picture.
    pub hovered: Option<PixelPoint>,
    /// Whether the left button moves the canvas now (space is held).
    pub is_panning: bool,
}

impl View {
    /// Pixel of the picture at a point of the screen.
    pub fn pixel_from_screen(&self, screen: Pos2) -> PixelPoint {
        let Pos2 { x, y } = self.transform.image_from_screen(screen);
        PixelPoint { x, y }
    }

    /// Where the left button was clicked in this frame, on the picture, and with which keys held. In a slow frame the
    /// pointer may be elsewhere by now.
    pub fn clicked(&self, ui: &Ui) -> Option<(PixelPoint, Modifiers)> {
        if !self.response.clicked() || self.is_panning {
            return None;
        }
        let released = ui.input(|input| {
            input.events.iter().rev().find_map(|event| match event {
                Event::PointerButton { pos, button: PointerButton::Primary, pressed: false, modifiers } => {
                    Some((*pos, *modifiers))
                }
                _ => None,
            })
        });
        let (screen, modifiers) = released?;
        let is_inside = self.transform.picture_rect().contains(screen) && self.transform.rect.contains(screen);
        is_inside.then(|| (self.pixel_from_screen(screen), modifiers))
    }

    /// The patch under a pixel.
    pub fn patch_at(&self, pixel: PixelPoint) -> Option<Patch> {
        self.geometry?.patch_from_pixel(f64::from(pixel.x), f64::from(pixel.y))
    }

    /// The patch under the pointer.
    pub fn hovered_patch(&self) -> Option<Patch> {
        self.hovered.and_then(|pixel| self.patch_at(pixel))
    }

    /// A patch on the screen.
    pub fn screen_rect_of_patch(&self, patch: Patch) -> Option<Rect> {
        let geometry = self.geometry?;
        let size = Vec2::new(geometry.covered.0 as f32, geometry.covered.1 as f32)
            / Vec2::new(geometry.grid.1 as f32, geometry.grid.0 as f32);
        let min = (Vec2::new(patch.col as f32, patch.row as f32) * size).to_pos2();
        Some(self.transform.screen_rect_from_image(Rect::from_min_size(min, size)))
    }
}

impl Canvas {
    /// Lays views out in `area` (in that many `columns`, or as makes them largest), pans and zooms them. `pictures`: name,
    /// size in pixels, grid.
    pub fn views(
        &mut self,
        ui: &mut Ui,
        area: Rect,
        columns: Option<usize>,
        pictures: &[(PictureId, String, Vec2, Option<Geometry>)],
    ) -> Vec<View> {
        let aspect = pictures.first().map_or(1.0, |(_, _, size, _)| size.x / size.y.max(1.0));
        let pixels_per_point = ui.ctx().pixels_per_point();
        let rects = tile(area, pictures.len(), columns, aspect, GAP);
        let mut views = Vec::new();
        for ((picture, name, size, geometry), rect) in pictures.iter().zip(rects) {
            let rect = egui::emath::GuiRounding::round_to_pixels(rect, pixels_per_point);
            let response = ui.interact(rect, ui.scope_id().with(("view", picture.0)), Sense::click_and_drag());
            let label = format!("View of {name}");
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &label));
            let before = ViewTransform::new(rect, *size, &self.camera);
            let is_panning = actions::is_held(ui.ctx(), Held::Pan);
            let mut transform = self.requested(before, pixels_per_point);
            transform = moved(ui, &response, is_panning, transform);
            if transform != before {
                self.camera = transform.camera();
            }
            if is_panning && response.hovered() {
                ui.ctx().set_cursor_icon(if response.dragged() { CursorIcon::Grabbing } else { CursorIcon::Grab });
            }
            let on_picture = |screen: &Pos2| transform.picture_rect().contains(*screen) && rect.contains(*screen);
            let hovered = response.hover_pos().filter(on_picture).map(|screen| transform.image_from_screen(screen));
            let hovered = hovered.map(|Pos2 { x, y }| PixelPoint { x, y });
            views.push(View { picture: *picture, transform, geometry: *geometry, response, hovered, is_panning });
        }
        self.request = None;
        // All views follow the one that was moved, in the same frame.
        for view in &mut views {
            view.transform = ViewTransform::new(view.transform.rect, view.transform.image_size, &self.camera);
        }
        views
    }

    fn requested(&self, transform: ViewTransform, pixels_per_point: f32) -> ViewTransform {
        match self.request {
            None => transform,
            Some(CameraRequest::Fit) => ViewTransform::new(transform.rect, transform.image_size, &Camera::default()),
            Some(CameraRequest::FullSize) => transform.at_full_size(pixels_per_point),
            Some(CameraRequest::Zoom(factor)) => transform.zoomed(factor, transform.rect.center()),
        }
    }
}

/// What wheel, pinch, middle button and space do.
fn moved(ui: &Ui, response: &Response, is_panning: bool, mut transform: ViewTransform) -> ViewTransform {
    if response.dragged_by(PointerButton::Middle) || (is_panning && response.dragged_by(PointerButton::Primary)) {
        transform = transform.panned(response.drag_delta());
    }
    if let Some(pointer) = response.hover_pos() {
        let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = pinch * (wheel * ZOOM_PER_POINT).exp();
        if factor != 1.0 {
            transform = transform.zoomed(factor, pointer);
        }
    }
    transform
}
