//! Tracking a clip with a model: decoding, encoding and propagating, each beside the others.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::{Direction, FrameFeatures, LabelMap, ProbabilityArchive, Propagator, Stretch, Tracker, TrackingOptions};
use crate::analysis::unit;
use crate::encoder::Encoder;
use crate::features::FeatureGrid;
use crate::image::{Filter, Normalisation, Picture, Preprocessing, SizeRule};
use crate::video::{EncodedFrame, FrameEncoder, Video, VideoInfo};
use crate::{Cancel, Error, Result};

/// Encoded frames that wait to be propagated to.
const AHEAD: usize = 2;

/// Memory for what was tracked, in bytes: hundreds of frames.
const ARCHIVE: usize = 64 << 20;

/// How the frames of a clip are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionSettings {
    /// Size of the model's input.
    pub size: SizeRule,
    /// How frames are resized to it.
    pub filter: Filter,
    /// Mean and deviation that the weights expect.
    pub normalisation: Normalisation,
    /// Memory for features, in bytes.
    pub memory: usize,
    /// Disk for features beyond that, in bytes. 0: what was tracked long ago is forgotten too, as suits a clip that is
    /// gone through once.
    pub disk: u64,
}

/// A clip that is tracked with one model at one size.
pub struct Session {
    preprocessing: Preprocessing,
    features: FrameFeatures,
    propagator: Propagator,
    /// Masks, and what was tracked from them.
    pub tracker: Tracker,
}

/// A frame that was tracked just now.
pub struct TrackedFrame<'a> {
    /// Its place in the clip.
    pub frame: usize,
    /// Its pixels, where they had to be decoded.
    pub picture: Option<Arc<Picture>>,
    /// With what is known of it.
    pub tracker: &'a Tracker,
    /// Once, that the graphics device has failed and the processor goes on: one sentence.
    pub moved: Option<String>,
}

impl Session {
    /// Nothing is tracked yet; `stride` is the model's.
    ///
    /// # Errors
    /// [`crate::image::PictureError`] where the clip's frames do not fit the size rule.
    pub fn new(
        info: &VideoInfo,
        stride: usize,
        settings: &SessionSettings,
        options: TrackingOptions,
        propagator: Propagator,
    ) -> Result<Self> {
        let SessionSettings { size, filter, normalisation, memory, disk } = *settings;
        let preprocessing = Preprocessing { size, filter, normalisation };
        let geometry = preprocessing.geometry(info.width, info.height, stride)?;
        let archive = match disk {
            0 => ProbabilityArchive::forgetful(ARCHIVE, options.context),
            _ => ProbabilityArchive::new(ARCHIVE),
        };
        let tracker = Tracker::new(geometry, options, archive);
        Ok(Self { preprocessing, features: FrameFeatures::new(memory, disk), propagator, tracker })
    }

    /// Takes the masks and absent ranges as they are now; what they leave valid stays tracked.
    ///
    /// # Errors
    /// [`super::TrackingError::Size`]
    pub fn set_masks<'a>(
        &mut self,
        masks: impl Iterator<Item = (usize, &'a LabelMap)> + Clone,
        absent: &[(u8, Vec<RangeInclusive<usize>>)],
    ) -> Result<()> {
        let tracker = &mut self.tracker;
        let gone: Vec<usize> = tracker
            .masks()
            .map(|(frame, _)| frame)
            .filter(|frame| masks.clone().all(|(kept, _)| kept != *frame))
            .collect();
        for (frame, map) in masks {
            let is_same = tracker.masks().any(|(known, labels)| known == frame && labels == map);
            if !is_same {
                tracker.set_mask(frame, map.clone())?;
            }
        }
        for frame in gone {
            tracker.remove_mask(frame);
        }
        for object in tracker.objects() {
            let ranges = absent.iter().find(|(id, _)| *id == object).map_or(&[][..], |(_, ranges)| ranges);
            if tracker.absent(object) != ranges {
                tracker.set_absent(object, ranges.to_vec());
            }
        }
        Ok(())
    }

    /// What has to be tracked so that all of `span` is: from every mask to the next one, and from the first one back.
    pub fn missing(&self, span: RangeInclusive<usize>) -> Vec<Stretch> {
        let (start, end) = span.into_inner();
        let masks: Vec<usize> = self.tracker.masks().map(|(frame, _)| frame).collect();
        let Some(&first) = masks.first() else { return Vec::new() };
        let from = masks.iter().rposition(|&mask| mask <= start).unwrap_or(0);
        let forward = masks[from..].iter().filter(|&&mask| mask < end);
        let forward = forward.map(|&mask| Stretch { mask, direction: Direction::Forward, last: end });
        let backward = (first > start).then_some(Stretch { mask: first, direction: Direction::Backward, last: start });
        forward.chain(backward).filter(|stretch| self.tracker.next_step(stretch).is_some()).collect()
    }

    /// The stretch from the nearest mask at or before `frame` (or, backward, at or after it) to `last`.
    pub fn from_frame(&self, frame: usize, direction: Direction, last: usize) -> Option<Stretch> {
        let mut masks = self.tracker.masks().map(|(mask, _)| mask);
        let mask = match direction {
            Direction::Forward => masks.filter(|mask| *mask <= frame).last(),
            Direction::Backward => masks.find(|mask| *mask >= frame),
        };
        mask.map(|mask| Stretch { mask, direction, last })
    }

    /// Frames that a stretch has still to track, in order.
    pub fn targets(&self, stretch: &Stretch) -> Vec<usize> {
        let Some(step) = self.tracker.next_step(stretch) else { return Vec::new() };
        let has_mask = |frame: usize| self.tracker.masks().any(|(mask, _)| mask == frame);
        let until_mask = |frame: &usize| !has_mask(*frame);
        match stretch.direction {
            Direction::Forward => (step.frame..=stretch.last).take_while(until_mask).collect(),
            Direction::Backward => (stretch.last..=step.frame).rev().take_while(until_mask).collect(),
        }
    }

    /// Tracks a stretch to its end. `take` hears of every frame as soon as it is tracked, on another thread. Stopped
    /// before the end, it goes on from there the next time.
    ///
    /// # Errors
    /// Those of [`FrameEncoder::run`], [`Tracker::step`] and `take`.
    pub fn track(
        &mut self,
        stretch: &Stretch,
        video: &mut Video,
        encoder: &mut Encoder,
        cancel: &Cancel,
        take: &mut (dyn FnMut(TrackedFrame<'_>) -> Result<()> + Send),
    ) -> Result<()> {
        let Some(step) = self.tracker.next_step(stretch) else { return Ok(()) };
        let mut frames = step.context;
        frames.extend(self.targets(stretch));
        let Self { preprocessing, features: store, propagator, tracker } = self;
        let (feed, fed) = sync_channel(AHEAD);
        thread::scope(|scope| {
            let propagating = scope.spawn(move || {
                let tracked = propagate_all(tracker, propagator, stretch, &fed, cancel, take);
                propagator.rest();
                tracked
            });
            let mut encoder =
                FrameEncoder { encoder, preprocessing: *preprocessing, store, prepare: |grid| Ok(unit(grid)?) };
            let encoded = encoder.run(video, &frames, cancel, &mut |frame| {
                // The other side ends early only where it has failed, which its own error tells.
                feed.send(frame).map_err(|_| Error::Cancelled)
            });
            drop(feed);
            propagating.join().unwrap_or_else(|panic| resume_unwind(panic)).and(encoded)
        })
    }
}

/// Takes features in the order of the frames; those of the context are kept as long as a step may ask for them.
fn propagate_all(
    tracker: &mut Tracker,
    propagator: &mut Propagator,
    stretch: &Stretch,
    fed: &Receiver<EncodedFrame>,
    cancel: &Cancel,
    take: &mut (dyn FnMut(TrackedFrame<'_>) -> Result<()> + Send),
) -> Result<()> {
    let mut held: HashMap<usize, Arc<FeatureGrid>> = HashMap::new();
    for EncodedFrame { frame, picture, features } in fed {
        held.insert(frame, features);
        let Some(step) = tracker.next_step(stretch) else { return Ok(()) };
        if step.frame != frame {
            continue;
        }
        held.retain(|known, _| step.context.contains(known) || *known == frame);
        let features = |frame: usize| held.get(&frame).cloned().ok_or(Error::Cancelled);
        tracker.step(stretch, features, propagator, cancel)?;
        take(TrackedFrame { frame, picture, tracker, moved: propagator.take_moved() })?;
    }
    Ok(())
}
