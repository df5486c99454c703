//! The patches that count, asked of the worker or computed from what is painted.

use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::{Command, ForegroundRequest, ForegroundSource, PictureId, RequestId};
use dinoscope_engine::features::Geometry;

use super::{ForegroundKind, Foregrounds};
use crate::gui::placed::{Dab, Painting};
use crate::gui::shared::Shared;

/// Which patches of a picture count.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Not known yet: the worker was asked.
    Pending,
    /// Every patch.
    All,
    /// Those that are true, `[rows, cols]`.
    Patches(Arc<PatchMask>),
}

impl Selection {
    /// For requests to the engine, where no mask means every patch; `None` while it is not known.
    pub fn ready(self) -> Option<Option<Arc<PatchMask>>> {
        match self {
            Self::Pending => None,
            Self::All => Some(None),
            Self::Patches(mask) => Some(Some(mask)),
        }
    }
}

/// The patches of a picture that count; asks the worker for what is missing. The same mask is the same `Arc` from frame
/// to frame. A picture of which nothing is painted, or whose mask failed, counts with all patches.
pub fn patches(shared: &mut Shared, picture: PictureId, features: &Arc<CachedFeatures>) -> Selection {
    let placed = shared.placed.now();
    match placed.choices.kind(picture) {
        ForegroundKind::All => Selection::All,
        ForegroundKind::Painted => {
            let nothing = Painting::default();
            let painting = placed.foregrounds.get(&picture).unwrap_or(&nothing);
            painted(&mut shared.foregrounds, picture, painting, &features.geometry)
        }
        ForegroundKind::Automatic => asked(shared, picture, features, ForegroundSource::Automatic),
        ForegroundKind::Probe => match shared.probe.clone() {
            Some(probe) => asked(shared, picture, features, ForegroundSource::Probe(probe)),
            None => Selection::All,
        },
        ForegroundKind::File => match placed.choices.file(picture).cloned() {
            Some(path) => asked(shared, picture, features, ForegroundSource::Mask(path)),
            None => Selection::All,
        },
    }
}

/// What the worker was asked about one picture.
pub struct Answer {
    pub request: RequestId,
    /// Of these features; another model or size makes others.
    features: Weak<CachedFeatures>,
    source: ForegroundSource,
    state: State,
}

enum State {
    Pending,
    Arrived(Arc<PatchMask>),
    Failed(String),
}

impl Answer {
    pub fn mask(&self) -> Option<&Arc<PatchMask>> {
        match &self.state {
            State::Arrived(mask) => Some(mask),
            _ => None,
        }
    }

    pub fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Failed(message) => Some(message),
            _ => None,
        }
    }

    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending)
    }

    pub fn arrived(&mut self, mask: Arc<PatchMask>) {
        self.state = State::Arrived(mask);
    }

    pub fn failed(&mut self, message: String) {
        self.state = State::Failed(message);
    }

    fn is_about(&self, features: &Arc<CachedFeatures>, source: &ForegroundSource) -> bool {
        self.features.ptr_eq(&Arc::downgrade(features)) && self.source == *source
    }
}

fn asked(
    shared: &mut Shared,
    picture: PictureId,
    features: &Arc<CachedFeatures>,
    source: ForegroundSource,
) -> Selection {
    let known = shared.foregrounds.answers.get(&picture);
    if let Some(answer) = known.filter(|answer| answer.is_about(features, &source)) {
        return match &answer.state {
            State::Pending => Selection::Pending,
            State::Arrived(mask) => Selection::Patches(Arc::clone(mask)),
            State::Failed(_) => Selection::All,
        };
    }
    let request = ForegroundRequest { picture, features: Arc::clone(features), source: source.clone() };
    let request = shared.send(Command::Foreground(request), "finding the foreground");
    let answer = Answer { request, features: Arc::downgrade(features), source, state: State::Pending };
    shared.foregrounds.answers.insert(picture, answer);
    Selection::Pending
}

/// Patches of a painting, kept while neither it nor the grid changes.
pub struct PaintedPatches {
    geometry: Geometry,
    dabs: Vec<Dab>,
    pub mask: Arc<PatchMask>,
}

fn painted(foregrounds: &mut Foregrounds, picture: PictureId, painting: &Painting, geometry: &Geometry) -> Selection {
    let fresh = || PaintedPatches { geometry: *geometry, dabs: Vec::new(), mask: Arc::new(empty(geometry)) };
    let known = match foregrounds.painted.entry(picture) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(fresh()),
    };
    if known.geometry != *geometry || !painting.dabs.starts_with(&known.dabs) {
        *known = fresh();
    }
    let new = &painting.dabs[known.dabs.len()..];
    if !new.is_empty() {
        let mask = Arc::make_mut(&mut known.mask);
        new.iter().for_each(|dab| apply(mask, geometry, dab));
        known.dabs.extend_from_slice(new);
    }
    if known.mask.iter().any(|&inside| inside) { Selection::Patches(Arc::clone(&known.mask)) } else { Selection::All }
}

/// `[rows, cols]`, nothing painted.
pub fn empty(geometry: &Geometry) -> PatchMask {
    PatchMask::from_elem(geometry.grid, false)
}

/// Sets the patches whose centre lies under a dab; the same as [`Painting::patches`] when done for all dabs in turn.
pub fn apply(mask: &mut PatchMask, geometry: &Geometry, dab: &Dab) {
    dab.patches(geometry).for_each(|patch| mask[[patch.row, patch.col]] = !dab.erases);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::placed::PixelPoint;

    const GEOMETRY: Geometry = Geometry { picture: (170, 96), covered: (160, 96), grid: (6, 10) };

    fn dab(x: f32, y: f32, radius: f32, erases: bool) -> Dab {
        Dab { centre: PixelPoint { x, y }, radius, erases }
    }

    #[test]
    fn dabs_in_turn_make_what_the_painting_is() {
        let dabs = vec![
            dab(50.0, 40.0, 33.0, false),
            dab(60.0, 44.0, 12.0, true),
            dab(-3.0, 90.0, 20.0, false),
            dab(169.0, -4.0, 30.0, false),
            dab(55.0, 40.0, 8.1, false),
        ];
        let mut mask = empty(&GEOMETRY);
        dabs.iter().for_each(|dab| apply(&mut mask, &GEOMETRY, dab));
        let mut expected = empty(&GEOMETRY);
        Painting { dabs }.patches(&GEOMETRY).iter().for_each(|patch| expected[[patch.row, patch.col]] = true);
        assert!(expected.iter().any(|&inside| inside));
        assert_eq!(mask, expected);
    }

    #[test]
    fn a_painting_keeps_its_mask_until_it_changes() {
        let mut foregrounds = Foregrounds::default();
        let mut select = |painting: &Painting| painted(&mut foregrounds, PictureId(3), painting, &GEOMETRY).ready();
        let mut painting = Painting::default();
        assert_eq!(select(&painting), Some(None), "nothing painted: all patches count");
        painting.dabs.push(dab(20.0, 20.0, 12.0, false));
        let first = select(&painting).flatten().expect("painted");
        assert!(Arc::ptr_eq(&first, &select(&painting).flatten().expect("painted")));
        painting.dabs.push(dab(80.0, 20.0, 12.0, false));
        let second = select(&painting).flatten().expect("painted");
        assert!(second.iter().filter(|&&inside| inside).count() > first.iter().filter(|&&inside| inside).count());
        painting.dabs.pop();
        assert_eq!(select(&painting).flatten().as_deref(), Some(&*first), "as after an undo");
    }
}
