//! The graphics device against the processor, and what happens when it fails.

use std::sync::Arc;

use super::{Clip, options, patches_of};
use crate::Cancel;
use crate::analysis::propagation::tests::Random;
use crate::analysis::propagation::{ContextFrame, PropagationOptions, propagate};
use crate::gpu::tests::gpu;
use crate::gpu::tests::propagation::{TOLERANCE, rounded};
use crate::tracking::{ProbabilityArchive, Propagator, SharedContext, Tracker};

const FRAMES: usize = 12;

fn clip(random: &mut Random) -> Clip {
    Clip::new(random, (9, 13), (52, 36), FRAMES)
}

fn tracker(clip: &Clip, random: &mut Random) -> Tracker {
    let mut tracker = Tracker::new(clip.geometry, options(3), ProbabilityArchive::new(usize::MAX));
    tracker.set_mask(0, clip.mask(random, &[1, 2, 3])).expect("its size");
    tracker
}

/// What the device holds of the features is what the processor is given.
#[test]
fn the_device_tracks_as_the_processor_does() {
    let mut random = Random::new(41);
    let clip = clip(&mut random);
    let mut on_device = tracker(&clip, &mut random);
    let mut on_host = on_device.clone();
    let mut propagator = Propagator::on(Some(gpu()));
    clip.run_on(&mut propagator, &mut on_device, clip.forward(0), usize::MAX);
    assert!(propagator.is_on_device() && propagator.take_moved().is_none());
    let frames = clip.frames.iter().map(|grid| Arc::new(rounded(grid))).collect();
    let as_on_device = Clip { geometry: clip.geometry, frames };
    as_on_device.run(&mut on_host, clip.forward(0), usize::MAX);
    for frame in 1..FRAMES {
        let [found, expected] = [&on_device, &on_host].map(|tracker| patches_of(tracker, frame).expect("tracked"));
        assert_eq!(found.classes, expected.classes);
        let most = (&found.values - &expected.values).iter().fold(0f32, |most, v| most.max(v.abs()));
        assert!(most <= frame as f32 * TOLERANCE, "frame {frame}: {most}");
        assert_eq!(found.labels(&clip.geometry), expected.labels(&clip.geometry), "frame {frame}");
    }
}

#[test]
fn the_processor_takes_over_where_the_device_is_lost() {
    let mut random = Random::new(42);
    let clip = clip(&mut random);
    let mut tracked = tracker(&clip, &mut random);
    let gpu = gpu();
    let mut propagator = Propagator::on(Some(gpu.clone()));
    clip.run_on(&mut propagator, &mut tracked, clip.forward(0), 5);
    let before = tracked.clone();
    gpu.device.destroy();
    clip.run_on(&mut propagator, &mut tracked, clip.forward(0), usize::MAX);
    let message = propagator.take_moved().expect("it says so");
    assert!(message.starts_with("Labels are propagated on the processor"), "{message}");
    assert!(propagator.take_moved().is_none() && !propagator.is_on_device());

    let mut expected = before.clone();
    clip.run(&mut expected, clip.forward(0), usize::MAX);
    for frame in 0..FRAMES {
        assert_eq!(patches_of(&tracked, frame), patches_of(&expected, frame), "frame {frame}");
        assert!(frame > 5 || patches_of(&tracked, frame) == patches_of(&before, frame), "frame {frame} stays");
    }
}

#[test]
fn what_only_the_processor_takes_is_left_to_it() {
    let mut random = Random::new(43);
    let clip = clip(&mut random);
    let probabilities = random.probabilities(9 * 13, 2);
    let options = PropagationOptions { topk: 65, ..PropagationOptions::default() };
    let cancel = Cancel::default();
    let mut propagator = Propagator::on(Some(gpu()));
    let context = SharedContext { features: Arc::clone(&clip.frames[0]), probabilities: &probabilities };
    let found = propagator.run(&clip.frames[1], &[context], &options, &cancel).expect("labels");
    let context = ContextFrame { features: &clip.frames[0], probabilities: &probabilities };
    assert_eq!(found, propagate(&clip.frames[1], &[context], &options, &cancel).expect("labels"));
    assert!(propagator.is_on_device(), "other options run there");
}

#[test]
fn software_is_left_to_the_processor() {
    let gpu = gpu();
    assert_eq!(Propagator::new(Some(gpu.clone())).is_on_device(), gpu.is_hardware());
}
