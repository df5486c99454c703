//! Whole sequences against plain implementations, and against torch.

mod corrections;
mod golden;
mod propagator;
mod sequences;
mod session;

use std::sync::Arc;

use super::{
    Direction, LabelMap, PatchProbabilities, ProbabilityArchive, Propagator, Stretch, Tracker, TrackingOptions,
};
use crate::Cancel;
use crate::analysis::propagation::PropagationOptions;
use crate::analysis::propagation::tests::Random;
use crate::analysis::unit;
use crate::features::{FeatureGrid, Geometry};

/// Features of a clip in which every frame resembles the one before.
struct Clip {
    geometry: Geometry,
    frames: Vec<Arc<FeatureGrid>>,
}

impl Clip {
    fn new(random: &mut Random, grid: (usize, usize), picture: (usize, usize), frames: usize) -> Self {
        let dim = 6;
        let mut now = random.features((grid.0, grid.1, dim));
        let mut next = || {
            now.data.mapv_inplace(|v| v + 0.3 * random.number());
            now = unit(now.clone()).expect("finite");
            Arc::new(now.clone())
        };
        let frames = (0..frames).map(|_| next()).collect();
        Self { geometry: Geometry { picture, covered: picture, grid }, frames }
    }

    fn len(&self) -> usize {
        self.frames.len()
    }

    /// Tracks to the end of a stretch, or that many frames of it.
    fn run(&self, tracker: &mut Tracker, stretch: Stretch, most: usize) {
        self.run_on(&mut Propagator::on_processor(), tracker, stretch, most);
    }

    fn run_on(&self, propagator: &mut Propagator, tracker: &mut Tracker, stretch: Stretch, most: usize) {
        for _ in 0..most {
            let features = |frame: usize| Ok(Arc::clone(&self.frames[frame]));
            if tracker.step(&stretch, features, propagator, &Cancel::default()).expect("a step").is_none() {
                return;
            }
        }
    }

    fn forward(&self, mask: usize) -> Stretch {
        Stretch { mask, direction: Direction::Forward, last: self.len() - 1 }
    }

    fn backward(&self, mask: usize) -> Stretch {
        Stretch { mask, direction: Direction::Backward, last: 0 }
    }

    /// A few rectangles of objects from 1 to `objects`.
    fn mask(&self, random: &mut Random, objects: &[u8]) -> LabelMap {
        let (width, height) = self.geometry.picture;
        let mut ids = vec![0; width * height];
        for &object in objects {
            let (x, y) = (random.below(width), random.below(height));
            let (w, h) = (1 + random.below(width), 1 + random.below(height));
            for line in ids.chunks_exact_mut(width).skip(y).take(h) {
                line.iter_mut().skip(x).take(w).for_each(|id| *id = object);
            }
        }
        LabelMap::new(width, height, ids).expect("a mask")
    }
}

/// Small enough that a frame of the test clips has patches that are no neighbours.
fn options(context: usize) -> TrackingOptions {
    TrackingOptions { context, propagation: PropagationOptions { radius: 2.5, topk: 3, temperature: 0.2 } }
}

/// With room for a few frames in memory.
fn new_tracker(geometry: Geometry, options: TrackingOptions) -> Tracker {
    Tracker::new(geometry, options, ProbabilityArchive::new(1_000))
}

fn patches_of(tracker: &Tracker, frame: usize) -> Option<Arc<PatchProbabilities>> {
    tracker.patches(frame).expect("readable")
}

fn labels_of(tracker: &Tracker, frame: usize) -> Option<LabelMap> {
    tracker.labels(frame).expect("readable")
}
