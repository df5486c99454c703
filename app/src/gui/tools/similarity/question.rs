//! From places in pictures to directions in feature space.

use dinoscope_engine::analysis::similarity::{MapQuery, unit_direction};
use dinoscope_engine::cache::FeatureKey;
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::{Geometry, Patch};

use super::look::{Combination, Look};
use crate::gui::placed::PlacedQuery;
use crate::gui::shared::Shared;

/// A place in a picture and what the features say there.
#[derive(Clone, Debug)]
struct Place {
    key: FeatureKey,
    query: PlacedQuery,
    /// Empty until the picture is encoded.
    patches: Vec<Patch>,
    /// `[dim]`
    direction: Option<Vec<f32>>,
    is_asked: bool,
}

/// What is asked of all pictures. Directions are made once for each place, model and size; they outlive the features
/// that they were made of.
#[derive(Default)]
pub struct Question {
    places: Vec<Place>,
    combination: Combination,
    query: MapQuery,
    revision: u64,
}

impl Question {
    /// Takes the places that matter now, and which of them are asked. A sentence for each that says nothing.
    pub fn update(&mut self, shared: &mut Shared, now: &[(PlacedQuery, bool)], look: &Look) -> Vec<String> {
        let mut problems = Vec::new();
        let places: Vec<Place> =
            now.iter().map(|(query, is_asked)| self.place(shared, query, *is_asked, &mut problems)).collect();
        let is_same = self.combination == look.combination && same(&self.places, &places);
        self.places = places;
        self.combination = look.combination;
        if !is_same {
            self.revision += 1;
            self.query = self.fold();
        }
        problems
    }

    fn place(&self, shared: &mut Shared, query: &PlacedQuery, is_asked: bool, problems: &mut Vec<String>) -> Place {
        let key = shared.key(query.picture);
        let known = self.places.iter().filter(|place| place.key == key && place.direction.is_some());
        if let Some(place) = known.clone().find(|place| place.query.shape == query.shape) {
            return Place { query: query.clone(), is_asked, ..place.clone() };
        }
        let mut place =
            Place { key: key.clone(), query: query.clone(), patches: Vec::new(), direction: None, is_asked };
        let Some(features) = shared.features(query.picture) else { return place };
        place.patches = query.shape.patches(&features.geometry);
        if let Some(same) = known.into_iter().find(|known| known.patches == place.patches) {
            place.direction.clone_from(&same.direction);
        } else if !place.patches.is_empty() {
            match unit_direction(&features.features.patch, &place.patches) {
                Ok(direction) => place.direction = Some(direction),
                Err(error) => problems.push(error.to_string()),
            }
        }
        place
    }

    fn fold(&self) -> MapQuery {
        let directions = |is_negative: bool| {
            let places = self.asked().filter(|place| place.query.is_negative == is_negative);
            places.filter_map(|place| place.direction.clone()).collect()
        };
        MapQuery {
            positive: directions(false),
            negative: directions(true),
            combine: self.combination.into(),
            excluded: Vec::new(),
        }
    }

    fn asked(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| place.is_asked)
    }

    /// Changes whenever [`Question::query`] does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What a map is made of, but for patches to leave out.
    pub fn query(&self) -> &MapQuery {
        &self.query
    }

    /// Whether there is anything to map; it may still wait for features.
    pub fn is_asked(&self) -> bool {
        self.asked().any(|place| !place.query.is_negative)
    }

    /// Whether values are differences of cosines.
    pub fn has_negative(&self) -> bool {
        !self.query.negative.is_empty()
    }

    /// Places that are asked.
    pub fn asked_places(&self) -> impl Iterator<Item = &PlacedQuery> {
        self.asked().map(|place| &place.query)
    }

    /// Patches of a place that was given to [`Question::update`]; none until its picture is encoded.
    pub fn patches(&self, query: &PlacedQuery) -> &[Patch] {
        let place = self.places.iter().find(|place| place.query == *query);
        place.map_or(&[], |place| &place.patches)
    }

    /// Patches of a picture within `radius` patches of what is asked about in it, by index `row * cols + col`.
    pub fn excluded(&self, picture: PictureId, geometry: &Geometry, radius: f32) -> Vec<usize> {
        let patches = self.asked().filter(|place| place.query.picture == picture).flat_map(|place| &place.patches);
        neighbourhood(patches, geometry.grid, radius)
    }
}

/// Whether two lists ask the same.
fn same(before: &[Place], after: &[Place]) -> bool {
    fn asked(places: &[Place]) -> impl Iterator<Item = (&FeatureKey, &[Patch], bool, bool)> {
        places
            .iter()
            .filter(|place| place.is_asked)
            .map(|place| (&place.key, place.patches.as_slice(), place.query.is_negative, place.direction.is_some()))
    }
    asked(before).eq(asked(after))
}

/// Indices of all patches at most `radius` from one of `patches` on a grid (rows, cols); none where `radius` is 0.
fn neighbourhood<'a>(
    patches: impl Iterator<Item = &'a Patch>,
    (rows, cols): (usize, usize),
    radius: f32,
) -> Vec<usize> {
    if radius <= 0.0 {
        return Vec::new();
    }
    let reach = radius as usize;
    let mut is_near = vec![false; rows * cols];
    for patch in patches {
        for row in patch.row.saturating_sub(reach)..(patch.row + reach + 1).min(rows) {
            for col in patch.col.saturating_sub(reach)..(patch.col + reach + 1).min(cols) {
                let distance = (row.abs_diff(patch.row) as f32).hypot(col.abs_diff(patch.col) as f32);
                is_near[row * cols + col] |= distance <= radius;
            }
        }
    }
    (0..rows * cols).filter(|&index| is_near[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_is_round_and_stays_in_the_grid() {
        let corner = [Patch { row: 0, col: 0 }];
        assert_eq!(neighbourhood(corner.iter(), (4, 5), 1.0), [0, 1, 5]);
        assert_eq!(neighbourhood(corner.iter(), (4, 5), 1.5), [0, 1, 5, 6]);
        assert!(neighbourhood(corner.iter(), (4, 5), 0.0).is_empty());
        assert_eq!(neighbourhood(corner.iter(), (4, 5), 99.0).len(), 20);
    }
}
