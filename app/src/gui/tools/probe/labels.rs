//! Which patches are scribbled, worked out anew only where the scribbles or the grid have changed.

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::Geometry;

use crate::gui::scribbles::{Scribble, Scribbles, labels_of};

/// Patches, row by row, with their class.
pub type PatchLabels = Arc<Vec<(usize, usize)>>;

/// Labels of all scribbled pictures.
#[derive(Default)]
pub struct Labels {
    known: HashMap<PictureId, Known>,
    /// As they were when they were looked at last; shared with whoever asks about them.
    scribbles: Arc<Scribbles>,
}

struct Known {
    scribbles: Vec<Scribble>,
    /// How many classes there were.
    classes: usize,
    geometry: Geometry,
    labels: PatchLabels,
}

impl Labels {
    /// Looks at the scribbles; copied only where they have changed.
    pub fn look_at(&mut self, scribbles: &Scribbles) -> Arc<Scribbles> {
        if *self.scribbles != *scribbles {
            self.scribbles = Arc::new(scribbles.clone());
            self.known.retain(|picture, _| scribbles.pictures.contains_key(picture));
        }
        Arc::clone(&self.scribbles)
    }

    /// Labels of a picture whose patches lie like that, of the scribbles that were looked at.
    pub fn of(&mut self, picture: PictureId, geometry: &Geometry) -> PatchLabels {
        let scribbles = self.scribbles.pictures.get(&picture).map_or(&[][..], Vec::as_slice);
        let classes = self.scribbles.classes.len();
        let is_known =
            |known: &&Known| known.geometry == *geometry && known.scribbles == scribbles && known.classes == classes;
        if let Some(known) = self.known.get(&picture).filter(is_known) {
            return Arc::clone(&known.labels);
        }
        let mut labels = labels_of(scribbles, geometry);
        // A workspace's file may have been changed, and a class taken back in the middle of a stroke.
        labels.retain(|(_, class)| *class < classes);
        let labels = Arc::new(labels);
        let known = Known { scribbles: scribbles.to_vec(), classes, geometry: *geometry, labels: Arc::clone(&labels) };
        self.known.insert(picture, known);
        labels
    }

    /// The labels that [`Self::of`] gave last for a picture.
    pub fn known(&self, picture: PictureId) -> &[(usize, usize)] {
        self.known.get(&picture).map_or(&[], |known| &known.labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::placed::{Dab, PixelPoint};

    #[test]
    fn nothing_is_worked_out_twice() {
        let geometry = Geometry { picture: (64, 32), covered: (64, 32), grid: (2, 4) };
        let scribble = |x: f32, class: usize| Scribble {
            dab: Dab { centre: PixelPoint { x, y: 8.0 }, radius: 9.0, erases: false },
            class,
        };
        let (one, other) = (PictureId(1), PictureId(2));
        let mut scribbles = Scribbles::default();
        scribbles.pictures.insert(one, vec![scribble(8.0, 0)]);
        scribbles.pictures.insert(other, vec![scribble(24.0, 1)]);
        let mut labels = Labels::default();
        let looked = labels.look_at(&scribbles);
        let before = [one, other].map(|picture| labels.of(picture, &geometry));
        assert_eq!((before[0].as_slice(), before[1].as_slice()), (&[(0, 0)][..], &[(1, 1)][..]));
        assert!(Arc::ptr_eq(&looked, &labels.look_at(&scribbles)));
        assert!(Arc::ptr_eq(&before[0], &labels.of(one, &geometry)));

        scribbles.pictures.entry(one).or_default().push(scribble(40.0, 1));
        assert!(!Arc::ptr_eq(&looked, &labels.look_at(&scribbles)));
        assert_eq!(*labels.of(one, &geometry), [(0, 0), (2, 1)]);
        assert!(Arc::ptr_eq(&before[1], &labels.of(other, &geometry)), "the other picture's are as they were");
        scribbles.pictures.entry(one).or_default().push(scribble(24.0, 9));
        labels.look_at(&scribbles);
        assert_eq!(*labels.of(one, &geometry), [(0, 0), (2, 1)], "there is no such class");
        let finer = Geometry { grid: (4, 8), ..geometry };
        assert!(labels.of(other, &finer).len() > 1);
        scribbles.pictures.remove(&other);
        labels.look_at(&scribbles);
        assert!(labels.known(other).is_empty() && labels.of(other, &geometry).is_empty());
    }
}
