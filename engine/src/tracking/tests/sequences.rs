//! The tracker against the notebook's loop, written out in dense arrays at the size of the picture.

use std::sync::Arc;

use ndarray::{Array2, Array3, Axis};

use super::{Clip, labels_of, new_tracker, options, patches_of};
use crate::analysis::propagation::tests::{Random, dense};
use crate::analysis::propagation::{ContextFrame, PropagationOptions};
use crate::features::{FeatureGrid, Geometry};
use crate::tracking::{LabelMap, ProbabilityArchive, Tracker, TrackingOptions};

/// Every frame's raw probabilities `[patches, classes]`, classes being 0 to the largest id, and its labels.
struct Reference {
    probabilities: Vec<Array2<f32>>,
    labels: Vec<Vec<u8>>,
}

/// The first frame and the last few that were tracked are the context, whatever the direction.
fn reference(
    frames: &[Arc<FeatureGrid>],
    first: &LabelMap,
    geometry: &Geometry,
    options: &TrackingOptions,
) -> Reference {
    let classes = usize::from(*first.ids.iter().max().expect("pixels")) + 1;
    let (rows, cols) = geometry.grid;
    let start = Array2::from_shape_fn((rows * cols, classes), |(patch, class)| {
        let middle = |i: usize, n: usize, len: usize| ((i as f64 + 0.5) * len as f64 / n as f64) as usize;
        let (y, x) = (middle(patch / cols, rows, first.height), middle(patch % cols, cols, first.width));
        if usize::from(first.ids[y * first.width + x]) == class { 1.0 } else { 0.0 }
    });
    let mut result = Reference { probabilities: vec![start], labels: vec![first.ids.clone()] };
    for frame in 1..frames.len() {
        let recent = (1..frame).rev().take(options.context).rev();
        let context: Vec<ContextFrame<'_>> = std::iter::once(0)
            .chain(recent)
            .map(|t| ContextFrame { features: &frames[t], probabilities: &result.probabilities[t] })
            .collect();
        let mixed = dense(&frames[frame], &context, &options.propagation).mapv(|v| v as f32);
        result.labels.push(on_screen(&mixed, geometry));
        result.probabilities.push(mixed);
    }
    result
}

/// Maps at the size of the picture, every class stretched over all pixels, the first of the largest.
fn on_screen(probabilities: &Array2<f32>, geometry: &Geometry) -> Vec<u8> {
    let ((rows, cols), (width, height)) = (geometry.grid, geometry.picture);
    let mut maps = Array3::from_shape_fn((probabilities.ncols(), height, width), |(class, y, x)| {
        probabilities[[y * rows / height * cols + x * cols / width, class]]
    });
    for mut map in maps.axis_iter_mut(Axis(0)) {
        let low = map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        map.mapv_inplace(|v| (v - low) / (high - low));
        map.mapv_inplace(|v| if v.is_nan() { 0.0 } else { v });
    }
    let mut labels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let best = (0..maps.dim().0)
                .fold(0, |best, class| if maps[[class, y, x]] > maps[[best, y, x]] { class } else { best });
            labels.push(best as u8);
        }
    }
    labels
}

/// What share of the pixels have another id.
fn different(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64
}

#[test]
fn clips_are_tracked_as_by_the_reference() {
    let mut random = Random::new(11);
    for (grid, picture) in
        [((1, 1), (8, 8)), ((6, 9), (45, 30)), ((9, 5), (40, 36)), ((8, 8), (8, 8)), ((12, 10), (30, 24))]
    {
        for (context, objects) in [(0, &[1][..]), (1, &[1, 2]), (3, &[2, 7]), (7, &[1, 2, 3, 9]), (20, &[])] {
            let clip = Clip::new(&mut random, grid, picture, 12);
            let first = clip.mask(&mut random, objects);
            let expected = reference(&clip.frames, &first, &clip.geometry, &options(context));
            let mut tracker = new_tracker(clip.geometry, options(context));
            assert!(tracker.set_mask(0, first.clone()).expect("its size").is_empty());
            clip.run(&mut tracker, clip.forward(0), usize::MAX);
            let mut reversed = new_tracker(clip.geometry, options(context));
            reversed.set_mask(11, first).expect("its size");
            let backwards = Clip { geometry: clip.geometry, frames: clip.frames.iter().rev().cloned().collect() };
            backwards.run(&mut reversed, backwards.backward(11), usize::MAX);
            for frame in 0..12 {
                let what = format!("{grid:?} {picture:?} context {context} objects {objects:?} frame {frame}");
                let labels = labels_of(&tracker, frame).expect("tracked");
                assert_eq!((labels.width, labels.height), picture);
                assert_eq!(different(&labels.ids, &expected.labels[frame]), 0.0, "{what}");
                let patches = patches_of(&tracker, frame).expect("tracked");
                for (column, class) in patches.classes.iter().enumerate() {
                    let expected = expected.probabilities[frame].column(usize::from(*class));
                    let distance =
                        (&patches.values.column(column) - &expected).iter().fold(0f32, |d, v| d.max(v.abs()));
                    assert!(distance < 1e-5, "{what}: {distance}");
                }
                assert_eq!(patches_of(&reversed, 11 - frame), Some(patches), "{what}, backwards");
            }
        }
    }
}

#[test]
fn a_picture_smaller_than_the_grid_stretches_what_it_shows() {
    let mut random = Random::new(2);
    let clip = Clip::new(&mut random, (9, 11), (4, 3), 5);
    let first = clip.mask(&mut random, &[1, 2]);
    let expected = reference(&clip.frames, &first, &clip.geometry, &options(2));
    let mut tracker = new_tracker(clip.geometry, options(2));
    tracker.set_mask(0, first).expect("its size");
    clip.run(&mut tracker, clip.forward(0), usize::MAX);
    for frame in 1..5 {
        assert_eq!(labels_of(&tracker, frame).expect("tracked").ids, expected.labels[frame], "frame {frame}");
    }
}

/// Where the grid covers less than the picture, the rest is background.
#[test]
fn what_the_grid_does_not_cover_is_background() {
    let mut random = Random::new(3);
    let mut clip = Clip::new(&mut random, (2, 3), (50, 37), 3);
    clip.geometry.covered = (48, 32);
    let mut first = LabelMap::new(50, 37, vec![1; 50 * 37]).expect("a mask");
    first.ids[..25 * 50].fill(0);
    let mut tracker = new_tracker(clip.geometry, options(2));
    tracker.set_mask(0, first).expect("its size");
    assert_eq!(patches_of(&tracker, 0).expect("a mask").patch_labels(&clip.geometry), [0, 0, 0, 0, 0, 0]);
    tracker
        .set_mask(0, LabelMap::new(50, 37, (0..50 * 37).map(|i| u8::from(i % 50 < 20)).collect()).expect("a mask"))
        .expect("its size");
    clip.run(&mut tracker, clip.forward(0), usize::MAX);
    let patches = patches_of(&tracker, 1).expect("tracked").patch_labels(&clip.geometry);
    let labels = labels_of(&tracker, 1).expect("tracked");
    for (i, id) in labels.ids.iter().enumerate() {
        let (x, y) = (i % 50, i / 50);
        let expected = if x < 48 && y < 32 { patches[y / 16 * 3 + x / 16] } else { 0 };
        assert_eq!(*id, expected, "({x}, {y})");
    }
}

#[test]
fn soft_masks_are_stretched_over_the_frame() {
    let mut random = Random::new(4);
    let clip = Clip::new(&mut random, (5, 6), (30, 20), 4);
    let mut tracker = new_tracker(clip.geometry, options(2));
    let halves = (0..600).map(|i| if i % 30 < 12 { 1 } else { 4 }).collect();
    tracker.set_mask(0, LabelMap::new(30, 20, halves).expect("a mask")).expect("its size");
    clip.run(&mut tracker, clip.forward(0), usize::MAX);
    let patches = patches_of(&tracker, 3).expect("tracked");
    let soft = patches.soft_mask(&clip.geometry, 4).expect("an object");
    assert_eq!((soft.len(), soft.iter().min(), soft.iter().max()), (600, Some(&0), Some(&255)));
    assert_eq!(patches.soft_mask(&clip.geometry, 2), None);
}

#[test]
fn defaults_are_those_of_the_reference() {
    let TrackingOptions { context, propagation } = TrackingOptions::default();
    assert_eq!(context, 7);
    assert_eq!(propagation, PropagationOptions { radius: 12.0, topk: 5, temperature: 0.2 });
}

/// Longer than the memory for what was tracked, twice over.
#[test]
fn a_long_clip_is_tracked_in_bounded_memory() {
    let mut random = Random::new(5);
    let clip = Clip::new(&mut random, (5, 6), (30, 20), 600);
    let first = clip.mask(&mut random, &[1, 2]);
    let frame = 5 * 6 * 3 * size_of::<f32>();
    let (small, unlimited) = (ProbabilityArchive::new(20 * frame), ProbabilityArchive::new(usize::MAX));
    let [mut bounded, mut whole] =
        [&small, &unlimited].map(|archive| Tracker::new(clip.geometry, options(7), archive.clone()));
    for tracker in [&mut bounded, &mut whole] {
        tracker.set_mask(300, first.clone()).expect("its size");
        clip.run(tracker, clip.forward(300), usize::MAX);
        clip.run(tracker, clip.backward(300), usize::MAX);
    }
    assert_eq!(unlimited.used(), (599 * frame, 0));
    assert_eq!(small.used(), (20 * frame, (579 * frame) as u64));
    for frame in 0..600 {
        assert_eq!(patches_of(&bounded, frame), patches_of(&whole, frame), "frame {frame}");
    }

    // What comes after a correction starts from frames that left the memory long ago.
    for tracker in [&mut bounded, &mut whole] {
        let again = tracker.set_absent(2, vec![350..=360]);
        clip.run(tracker, again[0], usize::MAX);
    }
    assert_eq!(small.used(), (20 * frame, (579 * frame) as u64), "places of frames that were tracked again are used");
    for frame in 340..600 {
        assert_eq!(patches_of(&bounded, frame), patches_of(&whole, frame), "frame {frame}");
    }
    drop(bounded);
    assert_eq!(small.used().0, 0);
}
