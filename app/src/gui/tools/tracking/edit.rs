//! Painting objects into a frame: brush, polygon, and regions that grow from clicks.

use std::sync::Arc;

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::region::grow;
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::{Geometry, Patch};
use dinoscope_engine::tracking::LabelMap;
use egui::{CursorIcon, PointerButton, Pos2, Ui};

use super::frames::Labels;
use super::settings::{BRUSHES, Mode};
use super::strokes;
use super::{Tracking, frames};
use crate::gui::actions::{self, ToolAction};
use crate::gui::canvas::View;
use crate::gui::masks::PaintedMap;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;

/// Corners this near to the first one close a polygon, in points of the screen.
const CLOSING: f32 = 8.0;

/// A stroke that is being painted.
pub struct Stroke {
    pub picture: PictureId,
    map: LabelMap,
    last: PixelPoint,
    /// 0 where it erases.
    id: u8,
}

/// What is placed in a frame but is not part of an object yet.
#[derive(Default)]
pub struct Pending {
    /// The frame.
    picture: Option<PictureId>,
    /// Corners of a polygon.
    pub corners: Vec<PixelPoint>,
    /// Clicks on the object.
    pub like: Vec<PixelPoint>,
    /// Clicks on what it is not.
    pub unlike: Vec<PixelPoint>,
    /// What grows from the clicks: `[rows, cols]`.
    pub region: Option<(Geometry, PatchMask)>,
}

impl Pending {
    /// Whether there is something in a frame.
    pub fn is_in(&self, picture: PictureId) -> bool {
        self.picture == Some(picture) && !(self.corners.is_empty() && self.like.is_empty() && self.unlike.is_empty())
    }

    /// Whether it can become part of an object.
    pub fn is_ready(&self) -> bool {
        self.corners.len() > 2 || self.region.is_some()
    }

    /// Gets ready for a frame: what waits in another one is dropped.
    fn enter(&mut self, picture: PictureId) {
        if self.picture != Some(picture) {
            *self = Self { picture: Some(picture), ..Self::default() };
        }
    }
}

impl Tracking {
    /// What mouse and keys do on the views.
    pub(super) fn edit(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        let Some(view) = views.iter().find(|view| shared.player_mut(view.picture).is_some()) else { return };
        if view.response.hovered() && !view.is_panning {
            ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
        }
        if !shared.is_typing {
            self.keys(ui, shared, view);
        }
        if view.is_panning {
            return;
        }
        match self.settings.mode {
            Mode::Brush => self.brush(ui, shared, view),
            Mode::Polygon => self.polygon(ui, shared, view),
            Mode::Click => self.click(ui, shared, view),
        }
    }

    fn keys(&mut self, ui: &Ui, shared: &mut Shared, view: &View) {
        let taken = |action| actions::taken(ui, action);
        let modes =
            [(ToolAction::Brush, Mode::Brush), (ToolAction::Polygon, Mode::Polygon), (ToolAction::Region, Mode::Click)];
        for (action, mode) in modes {
            if taken(action) {
                self.settings.mode = mode;
            }
        }
        let brush = self.settings.brush * actions::brush_factor(ui);
        self.settings.brush = brush.clamp(*BRUSHES.start(), *BRUSHES.end());
        if taken(ToolAction::AddObject) {
            self.add_object(shared, view.picture);
        }
        if taken(ToolAction::Follow) {
            self.follow(shared, super::track::Follow::All);
        }
        if self.pending.is_in(view.picture) {
            if taken(ToolAction::Apply) {
                self.apply(shared, view.picture);
            } else if taken(ToolAction::LetGo) {
                self.pending = Pending::default();
            } else if taken(ToolAction::RemoveCorner) {
                self.pending.corners.pop();
            }
        }
    }

    /// Radius of the brush in pixels of the frame.
    pub(super) fn radius(&self, view: &View) -> f32 {
        (self.settings.brush * view.transform.image_size.min_elem() / 2.0).max(0.5)
    }

    fn brush(&mut self, ui: &Ui, shared: &mut Shared, view: &View) {
        let (primary, secondary) = ui.input(|input| (input.pointer.primary_down(), input.pointer.secondary_down()));
        let is_down = view.response.is_pointer_button_down_on() && (primary || secondary);
        if let Some(screen) = view.response.interact_pointer_pos().filter(|_| is_down) {
            let point = view.pixel_from_screen(screen);
            if self.stroke.is_none() {
                let id = if secondary { 0 } else { self.object_to_paint(shared, view.picture) };
                let Some(map) = self.map_to_paint(shared, view.picture) else { return };
                shared.player_mut(view.picture).into_iter().for_each(|player| player.seek(view.picture.frame()));
                self.stroke = Some(Stroke { picture: view.picture, map, last: point, id });
            }
            let radius = self.radius(view);
            let Some(stroke) = self.stroke.as_mut().filter(|stroke| stroke.picture == view.picture) else { return };
            let changed = strokes::line(&mut stroke.map, stroke.last, point, radius, stroke.id);
            stroke.last = point;
            let palette = frames::palette(shared.placed.now().clips.get(&view.picture.document()));
            self.drawn.paint(shared.gpu(), view.picture, &stroke.map, changed, &palette);
        }
        if !(primary || secondary)
            && let Some(stroke) = self.stroke.take()
        {
            let label = if stroke.id == 0 { "erase" } else { "paint" };
            keep(shared, label, stroke.picture, stroke.map);
        }
    }

    fn polygon(&mut self, ui: &Ui, shared: &mut Shared, view: &View) {
        let Some(screen) = view.response.interact_pointer_pos().filter(|_| view.response.clicked()) else { return };
        self.pending.enter(view.picture);
        let is_near = |corner: &PixelPoint| {
            view.transform.screen_from_image(Pos2::new(corner.x, corner.y)).distance(screen) <= CLOSING
        };
        let closes = self.pending.corners.len() > 2 && self.pending.corners.first().is_some_and(is_near);
        if closes || view.response.double_clicked() {
            self.apply(shared, view.picture);
        } else {
            self.pending.corners.push(view.pixel_from_screen(screen));
            ui.ctx().request_repaint();
        }
    }

    fn click(&mut self, ui: &Ui, shared: &mut Shared, view: &View) {
        let is_unlike = view.response.clicked_by(PointerButton::Secondary)
            || (view.response.clicked() && ui.input(|input| input.modifiers.shift));
        if let Some(screen) = view.response.interact_pointer_pos()
            && (view.response.clicked() || is_unlike)
        {
            self.pending.enter(view.picture);
            let point = view.pixel_from_screen(screen);
            if is_unlike { &mut self.pending.unlike } else { &mut self.pending.like }.push(point);
            self.pending.region = None;
        }
        if self.pending.is_in(view.picture) && self.pending.region.is_none() {
            self.grow_region(shared, view.picture);
        }
    }

    fn grow_region(&mut self, shared: &mut Shared, picture: PictureId) {
        let Some(features) = shared.features(picture) else { return };
        let geometry = features.geometry;
        let patches = |points: &[PixelPoint]| -> Vec<Patch> {
            points.iter().filter_map(|it| geometry.patch_from_pixel(f64::from(it.x), f64::from(it.y))).collect()
        };
        let (like, unlike) = (patches(&self.pending.like), patches(&self.pending.unlike));
        if like.is_empty() {
            return;
        }
        match grow(&features.features.patch, &like, &unlike, self.settings.threshold) {
            Ok(region) => self.pending.region = Some((geometry, region)),
            Err(error) => {
                self.pending = Pending::default();
                shared.notices.error(&error.to_string(), None);
            }
        }
    }

    /// What waits becomes part of the selected object.
    pub(super) fn apply(&mut self, shared: &mut Shared, picture: PictureId) {
        if !self.pending.is_in(picture) || !self.pending.is_ready() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let id = self.object_to_paint(shared, picture);
        let Some(mut map) = self.map_to_paint(shared, picture) else { return };
        if pending.corners.len() > 2 {
            strokes::polygon(&mut map, &pending.corners, id);
        }
        if let Some((geometry, region)) = &pending.region {
            strokes::patches(&mut map, geometry, |patch| region[[patch.row, patch.col]], id);
        }
        keep(shared, "add region", picture, map);
    }

    /// The selected object; the first one is made where there is none.
    fn object_to_paint(&mut self, shared: &mut Shared, picture: PictureId) -> u8 {
        let masks = shared.placed.now().clips.get(&picture.document());
        let is_there = |id: u8| masks.is_some_and(|masks| masks.object(id).is_some());
        if !is_there(self.selected) {
            match masks.and_then(|masks| masks.objects.first()) {
                Some(first) => self.selected = first.id,
                None => self.add_object(shared, picture),
            }
        }
        self.selected
    }

    /// The labels that painting starts from: those that the frame shows.
    pub(super) fn map_to_paint(&self, shared: &mut Shared, picture: PictureId) -> Option<LabelMap> {
        if let Some(labels) = Labels::of(shared.placed.now().clips.get(&picture.document()), &self.results, picture) {
            return Some(labels.to_map());
        }
        let info = &shared.player_mut(picture)?.clip.info;
        LabelMap::new(info.width, info.height, vec![0; info.width * info.height]).ok()
    }
}

/// What was painted in a frame: one step to undo.
fn keep(shared: &mut Shared, label: &'static str, picture: PictureId, map: LabelMap) {
    shared.placed.edit(label, |placed| {
        let masks = placed.clips.entry(picture.document()).or_default();
        masks.add_objects_of(&map);
        masks.painted.insert(picture.frame(), PaintedMap(Arc::new(map)));
    });
}
