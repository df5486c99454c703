//! Whatever is changed, what is tracked again is what a new tracker would find.

use std::sync::Arc;

use ndarray::Array2;

use super::{Clip, labels_of, new_tracker, options, patches_of};
use crate::analysis::propagation::tests::Random;
use crate::features::FeatureGrid;
use crate::tracking::{Direction, LabelMap, Propagator, Stretch, Tracker, TrackingError};
use crate::{Cancel, Error};

fn clip(random: &mut Random) -> Clip {
    Clip::new(random, (5, 6), (24, 20), 16)
}

fn started(clip: &Clip, mask: LabelMap, frame: usize) -> Tracker {
    let mut tracker = new_tracker(clip.geometry, options(3));
    tracker.set_mask(frame, mask).expect("its size");
    clip.run(&mut tracker, clip.forward(frame), usize::MAX);
    clip.run(&mut tracker, clip.backward(frame), usize::MAX);
    tracker
}

fn known(tracker: &Tracker, clip: &Clip) -> Vec<usize> {
    (0..clip.len()).filter(|frame| tracker.is_known(*frame)).collect()
}

/// A tracker that never was anything else, with the same frames tracked in the same directions.
fn anew(tracker: &Tracker, clip: &Clip, absent: &[u8]) -> Tracker {
    let mut fresh = new_tracker(clip.geometry, tracker.options());
    let anchor = tracker.anchor();
    let masks = || tracker.masks().map(|(frame, labels)| (frame, labels.clone()));
    for (frame, labels) in
        masks().filter(|(f, _)| Some(*f) == anchor).chain(masks().filter(|(f, _)| Some(*f) != anchor))
    {
        fresh.set_mask(frame, labels).expect("its size");
    }
    for &object in absent {
        fresh.set_absent(object, tracker.absent(object).to_vec());
    }
    for stretch in tracker.stretches() {
        clip.run(&mut fresh, stretch, usize::MAX);
    }
    fresh
}

#[track_caller]
fn assert_same(tracker: &Tracker, fresh: &Tracker, clip: &Clip, what: &str) {
    for frame in 0..clip.len() {
        assert_eq!(patches_of(tracker, frame), patches_of(fresh, frame), "{what}: frame {frame}");
        assert_eq!(labels_of(tracker, frame), labels_of(fresh, frame), "{what}: frame {frame}");
    }
}

#[test]
fn a_correction_changes_its_stretch_alone() {
    let mut random = Random::new(21);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[1, 2]), 0);
    let before = tracker.clone();
    let again = tracker.set_mask(10, clip.mask(&mut random, &[1, 2])).expect("its size");
    assert_eq!(again, [clip.forward(10)]);
    assert_eq!(known(&tracker, &clip), (0..=10).collect::<Vec<_>>());
    clip.run(&mut tracker, again[0], usize::MAX);

    let later = tracker.clone();
    let again = tracker.set_mask(5, clip.mask(&mut random, &[1, 2])).expect("its size");
    assert_eq!(again, [Stretch { mask: 5, direction: Direction::Forward, last: 9 }]);
    clip.run(&mut tracker, again[0], usize::MAX);
    assert_eq!(known(&tracker, &clip).len(), clip.len());
    for frame in (0..5).chain(10..16) {
        assert_eq!(patches_of(&tracker, frame), patches_of(&later, frame), "frame {frame}");
    }
    assert!((6..10).all(|frame| patches_of(&tracker, frame) != patches_of(&later, frame)));
    assert!((11..16).all(|frame| patches_of(&tracker, frame) != patches_of(&before, frame)));
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "two corrections");

    let step = tracker.next_step(&Stretch { last: 15, ..clip.forward(10) });
    assert!(step.is_none(), "all is tracked");
    let mut tracker = later;
    tracker.set_mask(5, clip.mask(&mut random, &[2])).expect("its size");
    clip.run(&mut tracker, Stretch { mask: 5, direction: Direction::Forward, last: 8 }, usize::MAX);
    let step = tracker.next_step(&clip.forward(5)).expect("a step");
    assert_eq!((step.frame, step.context), (9, vec![0, 5, 6, 7, 8]), "the anchor, the correction, three frames");
}

#[test]
fn backwards_a_correction_changes_what_lies_before_it() {
    let mut random = Random::new(22);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[1]), 15);
    let again = tracker.set_mask(9, clip.mask(&mut random, &[1])).expect("its size");
    assert_eq!(again, [clip.backward(9)]);
    clip.run(&mut tracker, again[0], usize::MAX);
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "backwards");
    let again = tracker.set_mask(12, clip.mask(&mut random, &[1])).expect("its size");
    assert_eq!(again, [Stretch { mask: 12, direction: Direction::Backward, last: 10 }]);
}

#[test]
fn the_two_directions_share_the_frames_between_two_masks() {
    let mut random = Random::new(23);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[1]), 0);
    let again = tracker.set_mask(10, clip.mask(&mut random, &[1])).expect("its size");
    clip.run(&mut tracker, again[0], usize::MAX);
    clip.run(&mut tracker, clip.backward(10), 4);
    let stretches: Vec<_> = tracker.stretches().collect();
    let backward = Stretch { mask: 10, direction: Direction::Backward, last: 6 };
    assert_eq!(stretches, [Stretch { last: 5, ..clip.forward(0) }, clip.forward(10), backward]);
    assert_eq!(known(&tracker, &clip).len(), clip.len());
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "met in the middle");

    let again = tracker.set_mask(8, clip.mask(&mut random, &[1])).expect("its size");
    assert_eq!(again, [Stretch { mask: 8, direction: Direction::Backward, last: 6 }]);
    clip.run(&mut tracker, again[0], usize::MAX);
    assert_eq!(known(&tracker, &clip).len(), clip.len());
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "corrected where it was tracked backwards");
}

#[test]
fn objects_may_come_later() {
    let mut random = Random::new(24);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[4]), 0);
    let before = tracker.clone();
    let again = tracker.set_mask(6, clip.mask(&mut random, &[2, 4, 200])).expect("its size");
    clip.run(&mut tracker, again[0], usize::MAX);
    assert_eq!(tracker.objects(), [2, 4, 200]);
    assert_eq!(patches_of(&tracker, 9).expect("tracked").classes, [0, 2, 4, 200]);
    assert_eq!(patches_of(&tracker, 3), patches_of(&before, 3));
    assert!(labels_of(&tracker, 8).expect("tracked").objects().iter().any(|object| [2, 200].contains(object)));
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "new objects");

    let again = tracker.remove_object(4);
    again.iter().for_each(|stretch| clip.run(&mut tracker, *stretch, usize::MAX));
    assert_eq!((tracker.objects(), known(&tracker, &clip).len()), (vec![2, 200], clip.len()));
    assert_same(&tracker, &anew(&tracker, &clip, &[]), &clip, "an object less");
}

#[test]
fn an_absent_object_is_nowhere() {
    let mut random = Random::new(25);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[1, 2]), 0);
    let before = tracker.clone();
    let again = tracker.set_absent(2, vec![5..=8, 12..=12]);
    assert_eq!(again, [clip.forward(0)]);
    assert_eq!(known(&tracker, &clip), (0..5).collect::<Vec<_>>());
    clip.run(&mut tracker, again[0], usize::MAX);
    for frame in 1..16 {
        let patches = patches_of(&tracker, frame).expect("tracked");
        let is_there = patches.values.column(2).iter().any(|p| *p > 0.0);
        assert_eq!(is_there, !(5..=8).contains(&frame) && frame != 12, "frame {frame}");
        assert!(patches.values.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5), "frame {frame}");
        assert_eq!(frame < 5, patches_of(&tracker, frame) == patches_of(&before, frame), "frame {frame}");
    }
    assert!(!labels_of(&tracker, 7).expect("tracked").objects().contains(&2));
    assert_same(&tracker, &anew(&tracker, &clip, &[2]), &clip, "out of sight");

    assert!(tracker.set_absent(2, vec![5..=8, 12..=12]).is_empty(), "the same again");
    let again = tracker.set_absent(2, vec![5..=8]);
    assert_eq!(known(&tracker, &clip), (0..12).collect::<Vec<_>>());
    clip.run(&mut tracker, again[0], usize::MAX);
    let again = tracker.set_absent(2, vec![]);
    clip.run(&mut tracker, again[0], usize::MAX);
    assert_same(&tracker, &before, &clip, "back again");
}

#[test]
fn steps_of_a_changed_tracker_do_not_count() {
    let mut random = Random::new(26);
    let clip = clip(&mut random);
    let mut tracker = started(&clip, clip.mask(&mut random, &[1]), 0);
    let again = tracker.set_options(options(5));
    assert_eq!(again, [clip.forward(0)]);
    assert!(tracker.set_options(options(5)).is_empty());
    let step = tracker.next_step(&again[0]).expect("a step");
    let propagated = Array2::zeros(step.probabilities().expect("readable")[0].dim());
    tracker.set_mask(0, clip.mask(&mut random, &[1])).expect("its size");
    assert!(!tracker.complete(step, propagated));
    assert_eq!(known(&tracker, &clip), [0]);
}

#[test]
fn another_size_is_refused() {
    let mut random = Random::new(27);
    let clip = clip(&mut random);
    let mut tracker = new_tracker(clip.geometry, options(3));
    let error = tracker.set_mask(0, LabelMap::new(20, 24, vec![0; 480]).expect("labels")).expect_err("turned");
    assert!(matches!(error, TrackingError::Size { expected: (24, 20), got: (20, 24) }), "{error}");
    tracker.set_mask(0, clip.mask(&mut random, &[1])).expect("its size");
    let turned = Arc::new(FeatureGrid { rows: 6, cols: 5, data: clip.frames[0].data.clone() });
    let mut step = |features: &Arc<FeatureGrid>| {
        let propagator = &mut Propagator::on_processor();
        tracker.step(&clip.forward(0), |_| Ok(Arc::clone(features)), propagator, &Cancel::default())
    };
    let error = step(&turned).expect_err("turned");
    assert!(matches!(error, Error::Tracking(TrackingError::Grid { frame: 1, .. })), "{error}");
    assert!(tracker.next_step(&clip.forward(3)).is_none(), "no such mask");
}

/// Any sequence of edits, each followed by tracking what it asks for or a part of that.
#[test]
fn random_edits_are_the_same_as_a_new_start() {
    let mut random = Random::new(28);
    for round in 0..25 {
        let clip = clip(&mut random);
        let mask = clip.mask(&mut random, &[1, 2, 3]);
        let mut tracker = started(&clip, mask, random.below(16));
        for edit in 0..8 {
            let frame = random.below(16);
            let object = 1 + random.below(4) as u8;
            let (what, again) = match random.below(7) {
                0..3 => {
                    let mask = clip.mask(&mut random, &[object, 1]);
                    ("a mask", tracker.set_mask(frame, mask).expect("its size"))
                }
                3 if tracker.masks().count() > 1 => {
                    let (frame, _) = tracker.masks().nth(random.below(2)).expect("two");
                    ("a mask less", tracker.remove_mask(frame))
                }
                4 => ("out of sight", tracker.set_absent(object, vec![frame..=frame + 2])),
                5 => ("an object less", tracker.remove_object(object)),
                _ => {
                    let (mask, _) = tracker.masks().last().expect("one");
                    clip.run(&mut tracker, clip.backward(mask), random.below(5));
                    ("backwards", Vec::new())
                }
            };
            let is_partial = random.below(4) == 0;
            for stretch in &again {
                clip.run(&mut tracker, *stretch, if is_partial { random.below(3) } else { usize::MAX });
            }
            let what = format!("round {round}, edit {edit}: {what} at {frame}, again {again:?}");
            assert_same(&tracker, &anew(&tracker, &clip, &[1, 2, 3, 4]), &clip, &what);
            if is_partial {
                for (mask, _) in tracker.masks().map(|(frame, mask)| (frame, mask.clone())).collect::<Vec<_>>() {
                    clip.run(&mut tracker, clip.forward(mask), usize::MAX);
                }
                let (first, _) = tracker.masks().next().expect("one");
                clip.run(&mut tracker, clip.backward(first), usize::MAX);
            }
            assert_eq!(known(&tracker, &clip).len(), clip.len(), "{what}");
        }
    }
}
