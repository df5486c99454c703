//! Against torch and pycocotools (`tests/golden/make_tracking.py`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array2, Array3, Array4};
use serde_json::Value;

use super::{Clip, labels_of, new_tracker, patches_of};
use crate::features::{FeatureGrid, Geometry};
use crate::tracking::export::{CocoWriter, regions};
use crate::tracking::patches::{nearest, nearest_exact};
use crate::tracking::{LabelMap, TrackingOptions};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/tracking")
}

fn expected(part: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder().join("expected.json")).expect("a golden file");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    json[part].as_array().expect(part).clone()
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn golden_labels() -> Vec<LabelMap> {
    let labels: Array3<u8> = ndarray_npy::read_npy(folder().join("labels.npy")).expect("labels");
    let (_, height, width) = labels.dim();
    let frames = labels.outer_iter().map(|frame| LabelMap::new(width, height, frame.iter().copied().collect()));
    frames.collect::<Result<_, _>>().expect("labels")
}

#[test]
fn a_clip_is_tracked_as_by_torch() {
    let features: Array4<f32> = ndarray_npy::read_npy(folder().join("features.npy")).expect("features");
    let (_, rows, cols, dim) = features.dim();
    let expected = golden_labels();
    let picture = (expected[0].width, expected[0].height);
    let grids = features.outer_iter().map(|frame| {
        let data = frame.to_shape((rows * cols, dim)).expect("patches").into_owned();
        Arc::new(FeatureGrid { rows, cols, data })
    });
    let clip = Clip { geometry: Geometry { picture, covered: picture, grid: (rows, cols) }, frames: grids.collect() };
    let TrackingOptions { context, propagation } = TrackingOptions::default();
    let options = TrackingOptions {
        context,
        propagation: crate::analysis::propagation::PropagationOptions { radius: 3.0, ..propagation },
    };
    let mut tracker = new_tracker(clip.geometry, options);
    tracker.set_mask(0, expected[0].clone()).expect("its size");
    clip.run(&mut tracker, clip.forward(0), usize::MAX);
    for (frame, expected) in expected.iter().enumerate() {
        assert_eq!(labels_of(&tracker, frame).as_ref(), Some(expected), "frame {frame}");
    }
    let last: Array2<f32> = ndarray_npy::read_npy(folder().join("probabilities.npy")).expect("probabilities");
    let patches = patches_of(&tracker, clip.len() - 1).expect("tracked");
    let all: Vec<u8> = (0..last.ncols() as u8).collect();
    let distance = (patches.for_classes(&all) - last).iter().fold(0f32, |d, v| d.max(v.abs()));
    assert!(distance < 1e-5, "{distance}");
}

#[test]
fn sampling_is_torchs() {
    for case in expected("sampling") {
        let (sources, count) = (number(&case["sources"]), number(&case["count"]));
        for (mode, source) in
            [("nearest", nearest as fn(usize, usize, usize) -> usize), ("nearest-exact", nearest_exact)]
        {
            let mut times = vec![0; sources];
            (0..count).for_each(|i| times[source(i, count, sources)] += 1);
            let expected: Vec<usize> = case[mode].as_array().expect("numbers").iter().map(number).collect();
            assert_eq!(times, expected, "{mode} from {sources} to {count}");
        }
    }
}

#[test]
fn exports_are_those_of_pycocotools() {
    let labels = golden_labels();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("objects.json");
    let mut writer = CocoWriter::default();
    for (frame, labels) in labels.iter().enumerate() {
        writer.add(frame, &format!("{frame:05}.png"), labels);
    }
    writer.write(&path, &[(1, "dog".into()), (2, "ball".into()), (5, "tree".into())]).expect("written");
    let file: Value = serde_json::from_str(&fs::read_to_string(&path).expect("text")).expect("JSON");

    let annotations = file["annotations"].as_array().expect("a list");
    let expected = expected("regions");
    assert_eq!(annotations.len(), expected.len());
    for (i, (annotation, expected)) in annotations.iter().zip(&expected).enumerate() {
        let (frame, object) = (number(&expected["frame"]), number(&expected["object"]));
        assert_eq!((number(&annotation["id"]), number(&annotation["image_id"])), (i + 1, frame + 1));
        assert_eq!(number(&annotation["category_id"]), object);
        for (got, expected) in [
            (&annotation["segmentation"]["counts"], &expected["counts"]),
            (&annotation["area"], &expected["area"]),
            (&annotation["bbox"], &expected["bbox"]),
        ] {
            assert_eq!(got, expected, "frame {frame} object {object}");
        }
        let region = regions(&labels[frame]).into_iter().find(|region| usize::from(region.object) == object);
        let pixels = labels[frame].ids.iter().enumerate().filter(|(_, id)| usize::from(**id) == object);
        let (mut x, mut y, mut n) = (0.0, 0.0, 0.0);
        for (at, _) in pixels {
            (x, y, n) = (x + (at % 53) as f64 + 0.5, y + (at / 53) as f64 + 0.5, n + 1.0);
        }
        let centroid = region.expect("seen").centroid;
        assert!((centroid.0 - x / n).abs() < 1e-9 && (centroid.1 - y / n).abs() < 1e-9, "{centroid:?}");
    }
    assert_eq!(file["images"].as_array().expect("a list").len(), labels.len());
    assert_eq!(file["categories"][2]["name"], "tree");
}
