//! Similarity: hovering shows what is like the patch under the pointer; a click pins it.

pub(super) mod colour_bar;
mod exports;
mod gestures;
pub(super) mod inspector;
mod keys;
mod look;
mod maps;
mod markers;
mod paint;
mod query_list;
mod question;

use dinoscope_engine::analysis::similarity::{EXCLUDED, combined_value};
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::Geometry;
use egui::{Painter, Ui};

use self::gestures::Gesture;
use self::look::{Look, Pictures};
use self::maps::Maps;
use self::question::Question;
use super::{Exportable, MOST_SHOWN, Tool};
use crate::gui::canvas::View;
use crate::gui::documents::{Content, Origin};
use crate::gui::overlay::{Layer, LayerContent};
use crate::gui::placed::{PixelPoint, PlacedQuery, QueryShape};
use crate::gui::shared::Shared;

/// What is asked at the first start: the sample picture of that name, and an eye in it.
const FIRST: (&str, PixelPoint) = ("chelsea.png", PixelPoint { x: 172.0, y: 116.0 });

/// The tool's state.
#[derive(Default)]
pub struct Similarity {
    look: Look,
    question: Question,
    maps: Maps,
    gesture: Option<Gesture>,
    /// Where the pointer is now.
    pointer: Option<(PictureId, PixelPoint)>,
    /// The patch that it was on last: the centre.
    hovered: Option<(PictureId, PixelPoint)>,
    /// Whether the map is that of the patch under the pointer in spite of what is pinned.
    is_following: bool,
    /// What is placed next asks for what is unlike.
    is_negative: bool,
    /// The query whose marker was clicked last, by its place in the list.
    selected: Option<usize>,
    /// The query under the pointer in the inspector.
    listed: Option<usize>,
    /// The map's value under the pointer.
    value: Option<(PictureId, f32)>,
    /// What was wrong in the last frame: said once.
    problems: Vec<String>,
    /// A phrase that is typed to see its map.
    phrase: String,
}

impl Tool for Similarity {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        let Some(active) = shared.documents.active_id() else { return Vec::new() };
        match self.look.pictures {
            Pictures::One => vec![active],
            Pictures::Pair => [Some(active), shared.documents.partner_id()].into_iter().flatten().collect(),
            Pictures::All => {
                let readable = shared.documents.iter().filter(|it| !matches!(it.content, Content::Failed(_)));
                visible(readable.map(|document| document.id).collect(), active)
            }
        }
    }

    fn wanted(&self, shared: &Shared) -> Vec<PictureId> {
        let pinned = shared.placed.now().queries.iter().map(|query| query.picture);
        pinned.chain(self.hovered.map(|(picture, _)| picture)).collect()
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        self.keys(ui, shared, views);
        self.mouse(ui, shared, views);
        let places = self.places(shared);
        let mut problems = self.question.update(shared, &places, &self.look);
        problems.extend(self.maps.update(ui, shared, views, &self.question, &self.look));
        if problems != self.problems {
            problems.iter().for_each(|problem| shared.notices.error(problem, None));
            self.problems = problems;
        }
        self.value = self.value_under_pointer();
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        let map = self.maps.get(view.picture)?;
        let style = self.look.map_style(self.question.has_negative());
        let (texture, range) = (map.texture.view().clone(), map.texture.range_view().clone());
        Some(Layer {
            geometry: map.features.geometry,
            content: LayerContent::Map { map: texture, range, style },
            opacity: self.look.opacity * map.shown,
            is_smooth: self.look.is_smooth,
        })
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        self.paint_view(painter, shared, view);
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        let (_, value) = self.value.filter(|(picture, _)| *picture == view.picture)?;
        let name = if self.question.has_negative() { "Δcos" } else { "cos" };
        Some(format!("{name} {value:.3}").replace('-', "−"))
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.show_inspector(ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.offered(shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.look).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.look = Look::from_json(settings);
    }
}

impl Similarity {
    /// Everything that the question is about, and what of it is asked now: what is pinned, what is being drawn, and
    /// without a positive one of these the place under the pointer.
    fn places(&self, shared: &Shared) -> Vec<(PlacedQuery, bool)> {
        let follows = self.is_following && self.pointer.is_some();
        let mut places: Vec<(PlacedQuery, bool)> = self.pinned(shared).map(|(_, query)| (query, !follows)).collect();
        if let Some(Gesture::Draw(query)) = &self.gesture {
            places.push((query.clone(), true));
        }
        let has_positive = places.iter().any(|(query, is_asked)| *is_asked && !query.is_negative);
        if !has_positive {
            places.extend(self.pointed(shared).map(|query| (query, true)));
        }
        places
    }

    /// Pinned queries of open pictures, as they look while one is carried, with their places in the list.
    fn pinned<'a>(&'a self, shared: &'a Shared) -> impl Iterator<Item = (usize, PlacedQuery)> + 'a {
        let queries = shared.placed.now().queries.iter().enumerate();
        queries.filter(|(_, query)| shared.documents.get(query.picture).is_some()).map(|(index, query)| {
            match &self.gesture {
                Some(Gesture::Carry(carried, moved)) if *carried == index => (index, moved.clone()),
                _ => (index, query.clone()),
            }
        })
    }

    /// The place under the pointer, or where it was last; before it was anywhere, a place in the first sample.
    fn pointed(&self, shared: &Shared) -> Option<PlacedQuery> {
        let hovered = self.hovered.filter(|(picture, _)| shared.documents.get(*picture).is_some());
        let (picture, point) = hovered.or_else(|| {
            let active = shared.documents.active()?;
            let is_first = matches!(&active.origin, Origin::Sample(name) if name == FIRST.0);
            (is_first && active.loaded().is_some()).then_some((active.id, FIRST.1))
        })?;
        Some(PlacedQuery { picture, shape: QueryShape::Point(point), is_negative: false })
    }

    fn remove(&mut self, shared: &mut Shared, index: usize) {
        self.selected = None;
        shared.placed.edit("remove query", |placed| {
            if index < placed.queries.len() {
                placed.queries.remove(index);
            }
        });
    }

    fn value_under_pointer(&self) -> Option<(PictureId, f32)> {
        let (picture, PixelPoint { x, y }) = self.pointer?;
        let map = self.maps.get(picture)?;
        let patch = map.features.geometry.patch_from_pixel(f64::from(x), f64::from(y))?;
        let value = combined_value(&map.features.features.patch, &map.query, patch).ok()?;
        (value > EXCLUDED).then_some((picture, value))
    }

    /// Where the patches of a picture lie, once it is encoded.
    fn geometry(&self, views: &[View], picture: PictureId) -> Option<Geometry> {
        views.iter().find(|view| view.picture == picture).and_then(|view| view.geometry)
    }
}

/// All pictures in their order; where there are too many, those from the active one on.
fn visible(mut all: Vec<PictureId>, active: PictureId) -> Vec<PictureId> {
    if all.len() > MOST_SHOWN {
        let start = all.iter().position(|id| *id == active).unwrap_or(0);
        all.rotate_left(start);
        all.truncate(MOST_SHOWN);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pictures_begin_with_the_active_one_and_few_keep_their_order() {
        let ids = |range: std::ops::Range<u64>| range.map(PictureId).collect::<Vec<_>>();
        assert_eq!(visible(ids(0..5), PictureId(3)), ids(0..5));
        let shown = visible(ids(0..20), PictureId(15));
        assert_eq!((shown.len(), shown[0], shown[5]), (MOST_SHOWN, PictureId(15), PictureId(0)));
    }
}
