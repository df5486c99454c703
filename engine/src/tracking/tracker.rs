//! What is known of every frame, and what to propagate next.
//!
//! A person's mask of a frame starts tracking in both directions and never leaves the context of what is tracked from it.
//! The context of a frame is, in this order:
//!
//! - the anchor, which is the first mask that was given: the reference's first frame;
//! - the mask that the frame is tracked from: the nearest in the other direction;
//! - the last frames tracked from that mask, with the probabilities as they came out.
//!
//! So every tracked frame is a function of two masks, the options, the absent ranges and the features. A correction
//! changes nothing but the frames that were tracked across it, up to the next mask in that direction: they are tracked
//! again, from the corrected frame. Another anchor changes everything.
//!
//! Masks stay in memory; what was tracked lies in a [`ProbabilityArchive`], from which any of it can be read and gone on
//! from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{
    ArchivedProbabilities, LabelMap, PatchProbabilities, ProbabilityArchive, Propagator, SharedContext, TrackingError,
};
use crate::analysis::propagation::PropagationOptions;
use crate::features::{FeatureGrid, Geometry};
use crate::{Cancel, Result};

/// How objects are tracked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackingOptions {
    /// The last frames that stay in the context, masks apart.
    pub context: usize,
    /// How labels move from the context.
    pub propagation: PropagationOptions,
}

impl Default for TrackingOptions {
    fn default() -> Self {
        Self { context: 7, propagation: PropagationOptions::default() }
    }
}

/// Which way through the clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To later frames.
    Forward,
    /// To earlier frames.
    Backward,
}

impl Direction {
    const BOTH: [Self; 2] = [Self::Forward, Self::Backward];

    fn reverse(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    /// The frame `count` further on from `frame`; `None` before the clip's first.
    fn advance(self, frame: usize, count: usize) -> Option<usize> {
        match self {
            Self::Forward => frame.checked_add(count),
            Self::Backward => frame.checked_sub(count),
        }
    }

    /// Whether `frame` lies beyond `last`.
    fn is_past(self, frame: usize, last: usize) -> bool {
        match self {
            Self::Forward => frame > last,
            Self::Backward => frame < last,
        }
    }
}

/// Frames to be tracked from one mask on; they end before the next mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The frame of the mask.
    pub mask: usize,
    /// Which way.
    pub direction: Direction,
    /// The last frame, where no mask comes before it.
    pub last: usize,
}

/// One frame that can be propagated to.
#[derive(Clone, Debug)]
pub struct Step {
    /// The frame.
    pub frame: usize,
    /// The frames that it is propagated from.
    pub context: Vec<usize>,
    /// Of the first frames of the context.
    masks: Vec<Arc<PatchProbabilities>>,
    /// Of the others.
    tracked: Vec<ArchivedProbabilities>,
    classes: Vec<u8>,
    mask: usize,
    direction: Direction,
    revision: u64,
}

impl Step {
    /// `[patches, classes]` of each frame of the context.
    ///
    /// # Errors
    /// As [`ArchivedProbabilities::read`].
    pub fn probabilities(&self) -> Result<Vec<Array2<f32>>> {
        let masks = self.masks.iter().map(|mask| Ok(mask.for_classes(&self.classes)));
        let tracked = self.tracked.iter().map(|tracked| Ok(tracked.read()?.for_classes(&self.classes)));
        masks.chain(tracked).collect()
    }
}

/// The state of a clip: masks, and what was tracked from them. Plain data: features, models and threads are the
/// caller's.
#[derive(Clone, Debug)]
pub struct Tracker {
    geometry: Geometry,
    options: TrackingOptions,
    anchor: usize,
    keys: BTreeMap<usize, Key>,
    absent: BTreeMap<u8, Vec<RangeInclusive<usize>>>,
    archive: ProbabilityArchive,
    /// Rises with every change that may make a [`Step`] out of date.
    revision: u64,
}

/// A frame with a mask.
#[derive(Clone, Debug)]
struct Key {
    labels: LabelMap,
    patches: Arc<PatchProbabilities>,
    /// The frames after it, in order.
    forward: Vec<ArchivedProbabilities>,
    /// The frames before it, the nearest first.
    backward: Vec<ArchivedProbabilities>,
}

impl Key {
    fn new(labels: LabelMap, geometry: &Geometry) -> Self {
        let patches = Arc::new(PatchProbabilities::one_hot(&labels, geometry));
        Self { labels, patches, forward: Vec::new(), backward: Vec::new() }
    }

    /// What was tracked from it, it being that frame; `None` where nothing was.
    fn stretch(&self, mask: usize, direction: Direction) -> Option<Stretch> {
        let tracked = self.tracked(direction).len();
        let last = direction.advance(mask, tracked).filter(|_| tracked > 0)?;
        Some(Stretch { mask, direction, last })
    }

    fn tracked(&self, direction: Direction) -> &Vec<ArchivedProbabilities> {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }

    fn tracked_mut(&mut self, direction: Direction) -> &mut Vec<ArchivedProbabilities> {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Backward => &mut self.backward,
        }
    }
}

impl Tracker {
    /// Of a clip whose frames all lie like that over their patches, without any mask. What is tracked goes into `archive`.
    pub fn new(geometry: Geometry, options: TrackingOptions, archive: ProbabilityArchive) -> Self {
        Self { geometry, options, anchor: 0, keys: BTreeMap::new(), absent: BTreeMap::new(), archive, revision: 0 }
    }

    /// How pixels and patches of the clip lie over each other.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// How objects are tracked.
    pub fn options(&self) -> TrackingOptions {
        self.options
    }

    /// Other options. Returns what was tracked with the old ones and has to be tracked again.
    pub fn set_options(&mut self, options: TrackingOptions) -> Vec<Stretch> {
        if options == self.options {
            return Vec::new();
        }
        self.options = options;
        self.forget_all()
    }

    /// Frames with a mask, rising.
    pub fn masks(&self) -> impl Iterator<Item = (usize, &LabelMap)> {
        self.keys.iter().map(|(frame, key)| (*frame, &key.labels))
    }

    /// The mask that stays in every context.
    pub fn anchor(&self) -> Option<usize> {
        self.keys.contains_key(&self.anchor).then_some(self.anchor)
    }

    /// What is tracked, from each mask on.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> {
        let of_key = |(mask, key): (&usize, &Key)| Direction::BOTH.map(|direction| key.stretch(*mask, direction));
        self.keys.iter().flat_map(of_key).flatten()
    }

    /// All objects of all masks, rising.
    pub fn objects(&self) -> Vec<u8> {
        let objects: BTreeSet<u8> = self.keys.values().flat_map(|key| &key.patches.classes).copied().collect();
        objects.into_iter().filter(|&object| object > 0).collect()
    }

    /// Labels a frame by hand: the first mask, or a correction of what was tracked. Returns what was tracked before and has to be
    /// tracked again.
    ///
    /// # Errors
    /// [`TrackingError::Size`]
    pub fn set_mask(&mut self, frame: usize, labels: LabelMap) -> Result<Vec<Stretch>, TrackingError> {
        let got = (labels.width, labels.height);
        if got != self.geometry.picture {
            return Err(TrackingError::Size { expected: self.geometry.picture, got });
        }
        self.revision += 1;
        if self.keys.is_empty() {
            self.anchor = frame;
        }
        let across = Direction::BOTH.map(|direction| self.cut(frame, direction));
        let old = self.keys.insert(frame, Key::new(labels, &self.geometry));
        if frame == self.anchor {
            if let (Some(old), Some(key)) = (old, self.keys.get_mut(&frame)) {
                (key.forward, key.backward) = (old.forward, old.backward);
            }
            return Ok(self.forget_all());
        }
        let own = old.iter().flat_map(|old| Direction::BOTH.map(|direction| old.stretch(frame, direction)));
        Ok(across.into_iter().chain(own).flatten().collect())
    }

    /// Takes a mask back. Returns what has to be tracked again, the frame itself included where another mask is left.
    pub fn remove_mask(&mut self, frame: usize) -> Vec<Stretch> {
        let Some(removed) = self.keys.remove(&frame) else { return Vec::new() };
        self.revision += 1;
        let ends = Direction::BOTH.map(|direction| removed.stretch(frame, direction).map_or(frame, |s| s.last));
        let before = self.keys.range(..frame).next_back().map(|(mask, _)| *mask);
        let after = self.keys.range(frame..).next().map(|(mask, _)| *mask);
        let again = match (before, after) {
            (Some(mask), _) => Some(Stretch { mask, direction: Direction::Forward, last: ends[0] }),
            (None, Some(mask)) => Some(Stretch { mask, direction: Direction::Backward, last: ends[1] }),
            (None, None) => None,
        };
        let mut stretches: Vec<Stretch> = again.into_iter().collect();
        if frame == self.anchor
            && let Some((mask, _)) = self.keys.first_key_value()
        {
            self.anchor = *mask;
            let others = self.forget_all();
            stretches.extend(others.into_iter().filter(|other| {
                again.is_none_or(|again| (other.mask, other.direction) != (again.mask, again.direction))
            }));
        }
        stretches
    }

    /// The frames in which an object is out of sight.
    pub fn absent(&self, object: u8) -> &[RangeInclusive<usize>] {
        self.absent.get(&object).map_or(&[], Vec::as_slice)
    }

    /// Says in which frames an object is out of sight; masks painted there keep what they show. Returns what was tracked
    /// before and has to be tracked again.
    pub fn set_absent(&mut self, object: u8, ranges: Vec<RangeInclusive<usize>>) -> Vec<Stretch> {
        let old = self.absent.insert(object, ranges.clone()).unwrap_or_default();
        self.revision += 1;
        let is_in = |ranges: &[RangeInclusive<usize>], frame| ranges.iter().any(|range| range.contains(&frame));
        let changes = |frame| is_in(&old, frame) != is_in(&ranges, frame);
        let mut stretches = Vec::new();
        for (&mask, key) in &mut self.keys {
            for direction in Direction::BOTH {
                let again = key.stretch(mask, direction);
                let tracked = key.tracked_mut(direction);
                let changed = (0..tracked.len()).find(|&i| {
                    tracked[i].classes().contains(&object) && direction.advance(mask, i + 1).is_some_and(changes)
                });
                if let Some(first) = changed {
                    tracked.truncate(first);
                    stretches.extend(again);
                }
            }
        }
        stretches
    }

    /// Turns an object into background in every mask. Returns what was tracked before and has to be tracked again.
    pub fn remove_object(&mut self, object: u8) -> Vec<Stretch> {
        self.absent.remove(&object);
        let with_it: Vec<(usize, LabelMap)> =
            self.masks().filter(|(_, labels)| labels.ids.contains(&object)).map(|(f, l)| (f, l.clone())).collect();
        let mut stretches: Vec<Stretch> = Vec::new();
        for (frame, mut labels) in with_it {
            labels.ids.iter_mut().filter(|id| **id == object).for_each(|id| *id = 0);
            // Of the clip's size, as before.
            stretches.extend(self.set_mask(frame, labels).unwrap_or_default());
        }
        stretches
    }

    /// What comes next in a stretch; `None` when it is done, or has no mask.
    pub fn next_step(&self, stretch: &Stretch) -> Option<Step> {
        let Stretch { mask, direction, last } = *stretch;
        let (key, anchor) = (self.keys.get(&mask)?, self.keys.get(&self.anchor)?);
        let tracked = key.tracked(direction);
        let frame = direction.advance(mask, tracked.len() + 1)?;
        if direction.is_past(frame, last) || self.keys.contains_key(&frame) {
            return None;
        }
        let classes: BTreeSet<u8> = anchor.patches.classes.iter().chain(&key.patches.classes).copied().collect();
        let classes: Vec<u8> = classes.into_iter().collect();
        let anchor = (mask != self.anchor).then_some((self.anchor, anchor));
        let (mut context, masks): (Vec<_>, Vec<_>) =
            anchor.into_iter().chain([(mask, key)]).map(|(frame, key)| (frame, Arc::clone(&key.patches))).unzip();
        let oldest = tracked.len().saturating_sub(self.options.context);
        context.extend((oldest..tracked.len()).filter_map(|i| direction.advance(mask, i + 1)));
        let tracked = tracked[oldest..].to_vec();
        Some(Step { frame, context, masks, tracked, classes, mask, direction, revision: self.revision })
    }

    /// Takes what a [`Propagator`] made of a step, `[patches, classes]`. Returns whether it still counts: masks or options may have changed
    /// meanwhile.
    ///
    /// # Panics
    /// Where `propagated` has not the shape of the step's probabilities.
    pub fn complete(&mut self, step: Step, propagated: Array2<f32>) -> bool {
        let (rows, cols) = self.geometry.grid;
        assert_eq!(propagated.dim(), (rows * cols, step.classes.len()), "probabilities of another step");
        if step.revision != self.revision {
            return false;
        }
        let mut patches = PatchProbabilities { classes: step.classes, values: propagated };
        for (&object, ranges) in &self.absent {
            if ranges.iter().any(|range| range.contains(&step.frame)) {
                patches.remove(object);
            }
        }
        // What was tracked here from the other side gives way, with all that followed from it.
        self.cut(step.frame, step.direction.reverse());
        let Some(key) = self.keys.get_mut(&step.mask) else { return false };
        key.tracked_mut(step.direction).push(self.archive.keep(patches));
        self.revision += 1;
        true
    }

    /// Tracks the next frame of a stretch: [`Self::next_step`], [`Propagator::run`], [`Self::complete`]. `features` gives
    /// those of a frame, of length 1. Returns the frame; `None` when the stretch is done.
    ///
    /// # Errors
    /// [`TrackingError::Grid`], and those of `features`, [`Step::probabilities`] and [`Propagator::run`].
    pub fn step(
        &mut self,
        stretch: &Stretch,
        mut features: impl FnMut(usize) -> Result<Arc<FeatureGrid>>,
        propagator: &mut Propagator,
        cancel: &Cancel,
    ) -> Result<Option<usize>> {
        let Some(step) = self.next_step(stretch) else { return Ok(None) };
        let expected = self.geometry.grid;
        let mut checked = |frame| -> Result<Arc<FeatureGrid>> {
            let grid = features(frame)?;
            let got = (grid.rows, grid.cols);
            if got == expected { Ok(grid) } else { Err(TrackingError::Grid { frame, expected, got }.into()) }
        };
        let target = checked(step.frame)?;
        let probabilities = step.probabilities()?;
        let context = step
            .context
            .iter()
            .zip(&probabilities)
            .map(|(&frame, probabilities)| Ok(SharedContext { features: checked(frame)?, probabilities }))
            .collect::<Result<Vec<_>>>()?;
        let propagated = propagator.run(&target, &context, &self.options.propagation, cancel)?;
        let frame = step.frame;
        self.complete(step, propagated);
        Ok(Some(frame))
    }

    /// What is known of a frame's patches: its mask, or what was tracked.
    ///
    /// # Errors
    /// As [`ArchivedProbabilities::read`].
    pub fn patches(&self, frame: usize) -> Result<Option<Arc<PatchProbabilities>>> {
        match self.keys.get(&frame) {
            Some(key) => Ok(Some(Arc::clone(&key.patches))),
            None => self.tracked(frame).map(ArchivedProbabilities::read).transpose(),
        }
    }

    /// The object of every pixel of a frame: its mask as it was given, or what was tracked.
    ///
    /// # Errors
    /// As [`ArchivedProbabilities::read`].
    pub fn labels(&self, frame: usize) -> Result<Option<LabelMap>> {
        match self.keys.get(&frame) {
            Some(key) => Ok(Some(key.labels.clone())),
            None => Ok(self.patches(frame)?.map(|patches| patches.labels(&self.geometry))),
        }
    }

    /// Whether the frame has a mask or was tracked.
    pub fn is_known(&self, frame: usize) -> bool {
        self.keys.contains_key(&frame) || self.tracked(frame).is_some()
    }

    /// What came out for a frame without a mask.
    pub fn tracked(&self, frame: usize) -> Option<&ArchivedProbabilities> {
        Direction::BOTH.into_iter().find_map(|direction| {
            let mask = self.origin(frame, direction)?;
            self.keys[&mask].tracked(direction).get(frame.abs_diff(mask).checked_sub(1)?)
        })
    }

    /// The mask from which a frame without one is tracked in that direction.
    fn origin(&self, frame: usize, direction: Direction) -> Option<usize> {
        let (before, after) = (self.keys.range(..frame).next_back(), self.keys.range(frame + 1..).next());
        let nearest = if direction == Direction::Forward { before } else { after };
        nearest.map(|(mask, _)| *mask)
    }

    /// Forgets a frame and all that was tracked from it in that direction; returns the stretch of the latter, as one from that frame.
    fn cut(&mut self, frame: usize, direction: Direction) -> Option<Stretch> {
        if self.keys.contains_key(&frame) {
            return None;
        }
        let mask = self.origin(frame, direction)?;
        let tracked = self.keys.get_mut(&mask)?.tracked_mut(direction);
        let last = direction.advance(mask, tracked.len())?;
        tracked.truncate(frame.abs_diff(mask) - 1);
        direction.is_past(last, frame).then_some(Stretch { mask: frame, direction, last })
    }

    fn forget_all(&mut self) -> Vec<Stretch> {
        self.revision += 1;
        let mut stretches = Vec::new();
        for (&mask, key) in &mut self.keys {
            for direction in Direction::BOTH {
                stretches.extend(key.stretch(mask, direction));
                key.tracked_mut(direction).clear();
            }
        }
        stretches
    }
}
