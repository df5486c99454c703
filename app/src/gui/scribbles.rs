//! What a person has scribbled: which class some patches are of.

use std::collections::BTreeMap;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::Geometry;
use serde::{Deserialize, Serialize};

use super::placed::Dab;

/// A dab of a class; one that erases takes away whatever class was there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scribble {
    /// Where.
    pub dab: Dab,
    /// Its place among the classes.
    pub class: usize,
}

/// Classes, and what was scribbled of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scribbles {
    /// Names; the first class is the background of others.
    pub classes: Vec<String>,
    /// In the order they were painted.
    pub pictures: BTreeMap<PictureId, Vec<Scribble>>,
}

impl Default for Scribbles {
    fn default() -> Self {
        Self { classes: vec!["Background".to_owned(), "Object".to_owned()], pictures: BTreeMap::new() }
    }
}

impl Scribbles {
    /// Takes a class away, with all that was scribbled of it.
    pub fn remove_class(&mut self, class: usize) {
        self.classes.remove(class);
        for scribbles in self.pictures.values_mut() {
            scribbles.retain(|scribble| scribble.class != class || scribble.dab.erases);
            scribbles.iter_mut().for_each(|it| it.class -= usize::from(it.class > class));
        }
        self.pictures.retain(|_, scribbles| !scribbles.is_empty());
    }

    /// The same for pictures of other names; what has no new name is left out.
    pub fn renamed(&self, name: impl Fn(PictureId) -> Option<PictureId>) -> Self {
        let pictures = self.pictures.iter().filter_map(|(id, scribbles)| Some((name(*id)?, scribbles.clone())));
        Self { classes: self.classes.clone(), pictures: pictures.collect() }
    }
}

/// Patches with their class, by place in the grid: the last dab over a patch's centre counts.
pub fn labels_of(scribbles: &[Scribble], geometry: &Geometry) -> Vec<(usize, usize)> {
    let (rows, cols) = geometry.grid;
    let mut classes = vec![None; rows * cols];
    for Scribble { dab, class } in scribbles {
        for patch in dab.patches(geometry) {
            classes[patch.row * cols + patch.col] = (!dab.erases).then_some(*class);
        }
    }
    classes.into_iter().enumerate().filter_map(|(patch, class)| Some((patch, class?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::placed::PixelPoint;

    fn scribble(x: f32, class: usize, erases: bool) -> Scribble {
        Scribble { dab: Dab { centre: PixelPoint { x, y: 8.0 }, radius: 9.0, erases }, class }
    }

    #[test]
    fn the_last_dab_counts_and_classes_go_with_their_scribbles() {
        let geometry = Geometry { picture: (64, 32), covered: (64, 32), grid: (2, 4) };
        let mut scribbles = Scribbles { classes: ["a", "b", "c"].map(str::to_owned).to_vec(), ..Scribbles::default() };
        let dabs =
            vec![scribble(8.0, 0, false), scribble(24.0, 1, false), scribble(40.0, 2, false), scribble(8.0, 1, false)];
        scribbles.pictures.insert(PictureId(1), dabs);
        let labels = |scribbles: &Scribbles| labels_of(&scribbles.pictures[&PictureId(1)], &geometry);
        assert_eq!(labels(&scribbles), [(0, 1), (1, 1), (2, 2)]);
        scribbles.pictures.entry(PictureId(1)).or_default().push(scribble(24.0, 0, true));
        assert_eq!(labels(&scribbles), [(0, 1), (2, 2)]);
        scribbles.remove_class(1);
        assert_eq!(scribbles.classes, ["a", "c"]);
        assert_eq!(labels(&scribbles), [(0, 0), (2, 1)], "what lay below shows again");
    }
}
