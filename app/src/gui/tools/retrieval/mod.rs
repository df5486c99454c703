//! Retrieval: which pictures of a folder are like this one, or have something in them that is like a part of it.

mod asking;
mod exports;
mod grid;
mod inspector;
mod layout;
mod notes;
mod region;
mod settings;
mod thumbnails;
mod visits;

use std::path::Path;

use dinoscope_engine::dispatch::{Event, PictureId};
use dinoscope_engine::retrieval::Region;
use egui::{Painter, Rect, Ui};

use self::asking::Asking;
use self::region::{Corners, region_of};
use self::settings::Settings;
use self::thumbnails::Thumbnails;
use self::visits::Visits;
use super::{Exportable, Tool};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::shared::Shared;

pub use self::settings::Collection;

/// The tool's state.
#[derive(Default)]
pub struct Retrieval {
    settings: Settings,
    asking: Asking,
    thumbnails: Thumbnails,
    visits: Visits,
    /// The box that is being dragged.
    drag: Option<(PictureId, Corners)>,
    /// What the results were for when they were scrolled to their beginning last.
    scrolled_for: Vec<(PictureId, Option<Region>)>,
}

impl Tool for Retrieval {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn needs_features(&self) -> bool {
        false
    }

    fn beside(&mut self, ui: &mut Ui, shared: &mut Shared, area: Rect) -> Rect {
        let (picture, results) = layout::split(area);
        self.show_results(ui, shared, results);
        picture
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        if self.asking.receive(shared, event) {
            self.thumbnails.forget();
        }
        self.thumbnails.receive(event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        self.drag_box(ui, shared, views);
        self.visits.update(shared);
        let joined: Vec<PictureId> = joined(shared).collect();
        shared.show(&joined);
        let active = views.first().map(|view| view.picture);
        let is_playing = active.and_then(|id| shared.player_mut(id)).is_some_and(|player| player.is_playing());
        let active = active.filter(|_| !is_playing);
        let queries = active.map(|active| queries(shared, active, &joined)).unwrap_or_default();
        self.asking.update(shared, &self.settings, queries, ui.input(|input| input.time));
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.asking.rest(shared);
    }

    fn layer(&self, _shared: &Shared, _view: &View) -> Option<Layer> {
        None
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        self.paint_box(painter, shared, view);
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.show_inspector(ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.offered(shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        let before = self.settings.collection.take();
        self.settings = Settings::from_json(settings);
        if self.settings.collection != before {
            self.asking = Asking::default();
        }
    }
}

impl Retrieval {
    /// Searches other pictures. What of them is not indexed yet is; an index that is there is taken as it is.
    pub fn search_in(&mut self, shared: &Shared, collection: Collection) {
        let is_index = collection == Collection::of_index(&collection.index);
        self.asking.begin(shared, !is_index);
        self.settings.collection = Some(collection);
    }

    /// Makes the index in another folder than beside the pictures.
    pub fn keep_index_in(&mut self, shared: &Shared, folder: &Path) {
        let Some(collection) = &mut self.settings.collection else { return };
        collection.index = folder.join(collection.index.file_name().unwrap_or_default());
        self.asking.begin(shared, true);
    }
}

/// Pictures that count beside the active one, with the frames that are shown.
fn joined(shared: &Shared) -> impl Iterator<Item = PictureId> {
    let active = shared.documents.active_id();
    let joined = &shared.placed.now().searched.joined;
    let documents = shared.documents.iter().map(|document| document.id);
    documents.filter(move |id| Some(*id) != active && joined.contains(&id.document()))
}

/// What is searched for: where any picture has a box, those that have one.
fn queries(shared: &Shared, active: PictureId, joined: &[PictureId]) -> Vec<(PictureId, Option<Region>)> {
    let all: Vec<_> = [active].iter().chain(joined).map(|&id| (id, region_of(shared, id))).collect();
    let has_box = all.iter().any(|(_, region)| region.is_some());
    all.into_iter().filter(|(_, region)| region.is_some() == has_box).collect()
}
