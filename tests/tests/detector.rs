//! The detector against the reference, run by `tests/golden/make_detector.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::cell::RefCell;
use std::path::PathBuf;

use dinoscope_engine::backend::{DeviceChoice, Dtype, OpenDevice};
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::heads::detector::{
    DetectOptions, Detections, Detector, DetectorConfig, Stages, predict, predict_in_stages,
};
use dinoscope_engine::heads::{HeadError, HeadWeights, head_device};
use dinoscope_engine::image::{Filter, Normalisation, Picture, Preprocessing, SizeRule};
use dinoscope_engine::{Cancel, Error, Progress, Result, Watch};
use serde_json::Value;
use support::{Bounds, Tensor, Tensors, differences, golden_folder, read_tensors, relative_error};

/// Software Vulkan where there is no GPU; a machine with neither fails.
const WGPU: DeviceChoice = DeviceChoice::Wgpu(None);

fn folder() -> PathBuf {
    golden_folder().join("detector")
}

fn encoder(case: &str, device: &DeviceChoice) -> Encoder {
    let source = ModelSource::Path(golden_folder().join(case).join("backbone.pth"));
    Encoder::load(&source, device, Some(Dtype::F32)).unwrap_or_else(|error| panic!("{error}"))
}

/// A golden picture and how it is looked at.
struct Golden {
    name: String,
    picture: Picture,
    config: DetectorConfig,
    options: DetectOptions,
    expected: Tensors,
}

fn goldens() -> Vec<Golden> {
    let cases: Value = serde_json::from_str(&std::fs::read_to_string(folder().join("cases.json")).unwrap()).unwrap();
    let tensors = read_tensors(&folder().join("expected.safetensors"));
    let numbers = |value: &Value| -> Vec<usize> {
        value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
    };
    let golden = |case: &Value| {
        let name = case["name"].as_str().unwrap().to_owned();
        let mine = tensors
            .iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&name)?.strip_prefix('.')?.to_owned(), tensor.clone())));
        let mut expected: Tensors = mine.collect();
        let Tensor { shape, data } = expected.remove("rgb").unwrap();
        let picture = Picture::from_rgb(shape[1], shape[0], data.iter().map(|&value| value as u8).collect()).unwrap();
        let size = numbers(&case["size"]);
        let size = SizeRule::Exact { width: size[0], height: size[1] };
        let preprocessing = Preprocessing { size, filter: Filter::Bilinear, normalisation: Normalisation::WEB };
        let most = cases["top"].as_u64().unwrap() as usize;
        Golden {
            name,
            picture,
            config: DetectorConfig {
                windows: case["windows"].as_u64().unwrap() as usize,
                layers: numbers(&cases["layers"]),
                queries: None,
                smallest: case["proposal_size"].as_f64().unwrap() as f32,
            },
            options: DetectOptions { most, floor: 0.0, ..DetectOptions::new(preprocessing) },
            expected,
        }
    };
    cases["cases"].as_array().unwrap().iter().map(golden).collect()
}

fn open(encoder: &Encoder, config: DetectorConfig, names: Option<Vec<String>>) -> Result<Detector> {
    let weights = HeadWeights::open(&folder().join("head.pth"))?;
    let device = OpenDevice::open(&DeviceChoice::Cpu, None, None)?;
    Detector::open(weights, encoder.config(), config, names, &head_device(&device), &Cancel::default())
}

/// Stages and detections, named as in the golden file.
fn outputs(golden: &Golden, device: &DeviceChoice) -> Tensors {
    let mut encoder = encoder("meta-vit-swiglu", device);
    let detector = open(&encoder, golden.config.clone(), None).unwrap_or_else(|error| panic!("{error}"));
    let mut stages = Stages::kept();
    let watch = Watch { progress: &|_| (), cancel: &Cancel::default() };
    let detections = predict_in_stages(&mut encoder, &detector, &golden.picture, &golden.options, watch, &mut stages)
        .unwrap_or_else(|error| panic!("{error}"));

    let stages = stages.into_tensors().into_iter();
    let mut outputs: Tensors = stages
        .map(|(name, array)| (name, Tensor { shape: array.shape().to_vec(), data: array.into_iter().collect() }))
        .collect();
    // Each size of proposals by itself, as there are few of the largest.
    let mut all = outputs.remove("objectness").unwrap().data.into_iter();
    for level in 0..4 {
        let name = format!("objectness_{level}");
        let shape = golden.expected[&name].shape.clone();
        outputs.insert(name, Tensor { data: all.by_ref().take(shape[0]).collect(), shape });
    }
    assert_eq!(all.count(), 0, "proposals");
    let found = &detections.found;
    let mut insert = |name: &str, width: &[usize], data: Vec<f32>| {
        outputs.insert(name.to_owned(), Tensor { shape: [&[found.len()], width].concat(), data });
    };
    insert("boxes", &[4], found.iter().flat_map(|detection| detection.corners).collect());
    insert("scores", &[], found.iter().map(|detection| detection.score).collect());
    insert("labels", &[], found.iter().map(|detection| detection.class as f32).collect());
    outputs
}

fn check(device: &DeviceChoice) {
    for golden in goldens() {
        let got = outputs(&golden, device);
        let differences = differences(&got, &golden.expected, Bounds::F32);
        assert!(differences.is_empty(), "{}:\n{differences}", golden.name);
        assert_eq!(got["labels"], golden.expected["labels"], "{}", golden.name);
        for (name, expected) in &golden.expected {
            println!("{}.{name}: {:.1e}", golden.name, relative_error(&got[name].data, &expected.data));
        }
    }
}

#[test]
fn every_stage_is_that_of_the_reference() {
    check(&DeviceChoice::Cpu);
}

#[test]
fn features_of_wgpu_do_as_well() {
    check(&WGPU);
}

fn detect(golden: &Golden, detector: &Detector, encoder: &mut Encoder, watch: Watch<'_>) -> Result<Detections> {
    predict(encoder, detector, &golden.picture, &golden.options, watch)
}

#[test]
fn a_threshold_needs_no_new_run() {
    let golden = goldens().remove(0);
    let mut encoder = encoder("meta-vit-swiglu", &DeviceChoice::Cpu);
    let detector = open(&encoder, golden.config.clone(), None).unwrap();
    let watch = Watch { progress: &|_| (), cancel: &Cancel::default() };
    let all = detect(&golden, &detector, &mut encoder, watch).unwrap();
    let score = all.found[7].score;
    let mut higher = golden;
    higher.options.floor = score;
    let fewer = detect(&higher, &detector, &mut encoder, watch).unwrap();
    assert_eq!((fewer.found.len(), &fewer.found[..]), (8, all.above(score)));
    assert!(all.above(1.0).is_empty());
}

#[test]
fn a_run_tells_how_far_it_is_and_stops() {
    let golden = goldens().remove(1);
    let mut encoder = encoder("meta-vit-swiglu", &DeviceChoice::Cpu);
    let detector = open(&encoder, golden.config.clone(), None).unwrap();
    let told = RefCell::new(Vec::new());
    let cancel = Cancel::default();
    let progress = |progress: Progress| told.borrow_mut().push((progress.done, progress.total));
    detect(&golden, &detector, &mut encoder, Watch { progress: &progress, cancel: &cancel }).unwrap();
    // Two blocks for each of four windows and the whole, then four layers.
    let expected: Vec<_> = (0..14).map(|done| (done, Some(14))).collect();
    assert_eq!(told.take(), expected);

    for stop_at in [0, 5, 10, 13] {
        let cancel = Cancel::default();
        let progress = |progress: Progress| {
            if progress.done == stop_at {
                cancel.cancel();
            }
        };
        let result = detect(&golden, &detector, &mut encoder, Watch { progress: &progress, cancel: &cancel });
        assert!(matches!(result, Err(Error::Cancelled)), "{stop_at}");
    }
}

#[test]
fn what_does_not_fit_the_head_is_named() {
    let config = goldens().remove(0).config;
    let swiglu = encoder("meta-vit-swiglu", &DeviceChoice::Cpu);
    let failure =
        |encoder: &Encoder, config: DetectorConfig, names: Option<Vec<String>>| match open(encoder, config, names)
            .map(drop)
        {
            Err(Error::Head(error)) => error,
            other => panic!("{other:?}"),
        };
    let error = failure(&encoder("meta-vit-mlp", &DeviceChoice::Cpu), config.clone(), None);
    assert!(matches!(error, HeadError::Backbone { expected: 64, got: 128, .. }), "{error}");
    let error = failure(&encoder("meta-convnext", &DeviceChoice::Cpu), config.clone(), None);
    assert!(matches!(error, HeadError::NoTransformer { .. }), "{error}");
    let error = failure(&swiglu, DetectorConfig { layers: vec![0, 2], ..config.clone() }, None);
    assert!(matches!(error, HeadError::Layer { layer: 2, last: 1, .. }), "{error}");
    for layers in [vec![], vec![1, 0], vec![0, 0]] {
        let error = failure(&swiglu, DetectorConfig { layers, ..config.clone() }, None);
        assert!(matches!(error, HeadError::NotThisHead { .. }), "{error}");
    }
    let error = failure(&swiglu, DetectorConfig { layers: vec![1], ..config.clone() }, None);
    assert!(matches!(error, HeadError::Backbone { expected: 128, got: 64, .. }), "{error}");
    let error = failure(&swiglu, DetectorConfig { queries: Some(41), ..config.clone() }, None);
    assert!(error.to_string().contains("1 to 40"), "{error}");
    let error = failure(&swiglu, config.clone(), Some(vec!["cat".to_owned()]));
    assert!(matches!(error, HeadError::ClassNames { classes: 91, names: 1, .. }), "{error}");

    let mut encoder = swiglu;
    let detector = open(&encoder, config, None).unwrap();
    let watch = Watch { progress: &|_| (), cancel: &Cancel::default() };
    for (side, part) in [(64, "3x3 windows"), (48, "every 64 pixels")] {
        let mut small = goldens().remove(0);
        small.options.preprocessing.size = SizeRule::Exact { width: side, height: side };
        let message = detect(&small, &detector, &mut encoder, watch).expect_err("it is too small").to_string();
        assert!(message.contains(part) && message.contains("--size"), "{message}");
    }
}
