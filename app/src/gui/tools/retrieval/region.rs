//! The part of a picture that is searched for: a box that is dragged on it.

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::retrieval::Region;
use egui::{Color32, CursorIcon, Painter, PointerButton, Pos2, Rect, Stroke, StrokeKind, Ui, pos2};

use super::Retrieval;
use crate::gui::actions::{self, ToolAction};
use crate::gui::canvas::View;
use crate::gui::canvas::caption::SHADE;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;

/// Two corners of a box.
pub type Corners = [PixelPoint; 2];

impl Retrieval {
    /// A drag places a box, a click or the key that lets go takes it away.
    pub(super) fn drag_box(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        for view in views {
            if view.is_panning {
                self.drag = None;
                continue;
            }
            if view.response.hovered() {
                ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
            }
            let response = &view.response;
            if response.drag_started_by(PointerButton::Primary)
                && let Some(origin) = ui.input(|input| input.pointer.press_origin())
            {
                self.drag = Some((view.picture, [inside(view, origin); 2]));
            }
            if response.dragged_by(PointerButton::Primary)
                && let (Some((_, corners)), Some(screen)) = (&mut self.drag, response.interact_pointer_pos())
            {
                corners[1] = inside(view, screen);
            }
            if response.drag_stopped_by(PointerButton::Primary)
                && let Some((picture, corners)) = self.drag.take()
            {
                shared.placed.edit("search for a part", |placed| {
                    placed.searched.boxes.insert(picture, corners);
                });
            }
            let has_box = shared.placed.now().searched.boxes.contains_key(&view.picture);
            let lets_go = has_box && !shared.is_typing && actions::taken(ui, ToolAction::LetGo);
            if has_box && (lets_go || view.clicked(ui).is_some()) {
                search_whole(shared, view.picture);
            }
        }
    }

    /// The box, with everything around it darker.
    pub(super) fn paint_box(&self, painter: &Painter, shared: &Shared, view: &View) {
        let dragged = self.drag.filter(|(picture, _)| *picture == view.picture).map(|(_, corners)| corners);
        let placed = || shared.placed.now().searched.boxes.get(&view.picture).copied();
        let Some([a, b]) = dragged.or_else(placed) else { return };
        let corner = |point: PixelPoint| view.transform.screen_from_image(pos2(point.x, point.y));
        let (inner, outer) = (Rect::from_two_pos(corner(a), corner(b)), view.transform.picture_rect());
        let around = [
            Rect::from_min_max(outer.min, pos2(outer.right(), inner.top())),
            Rect::from_min_max(pos2(outer.left(), inner.bottom()), outer.max),
            Rect::from_min_max(pos2(outer.left(), inner.top()), pos2(inner.left(), inner.bottom())),
            Rect::from_min_max(pos2(inner.right(), inner.top()), pos2(outer.right(), inner.bottom())),
        ];
        for rect in around {
            painter.rect_filled(rect, 0.0, Color32::from_black_alpha(110));
        }
        outline(painter, inner);
    }
}

/// A white line that is seen on white too.
pub fn outline(painter: &Painter, rect: Rect) {
    painter.rect_stroke(rect, 0.0, Stroke::new(3.5, SHADE), StrokeKind::Middle);
    painter.rect_stroke(rect, 0.0, Stroke::new(1.5, Color32::WHITE), StrokeKind::Middle);
}

/// The whole picture counts again.
pub fn search_whole(shared: &mut Shared, picture: PictureId) {
    shared.placed.edit("search for the whole", |placed| {
        placed.searched.boxes.remove(&picture);
    });
}

/// The box of a picture.
pub fn region_of(shared: &Shared, picture: PictureId) -> Option<Region> {
    let [a, b] = shared.placed.now().searched.boxes.get(&picture)?.map(|it| (f64::from(it.x), f64::from(it.y)));
    let (x, y) = (a.0.min(b.0), a.1.min(b.1));
    Some(Region { x, y, width: (a.0 - b.0).abs(), height: (a.1 - b.1).abs() })
}

/// The nearest pixel of the picture.
fn inside(view: &View, screen: Pos2) -> PixelPoint {
    let size = view.transform.image_size;
    let pixel = view.pixel_from_screen(screen);
    PixelPoint { x: pixel.x.clamp(0.0, size.x - 0.5), y: pixel.y.clamp(0.0, size.y - 0.5) }
}
