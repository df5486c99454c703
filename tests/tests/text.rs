//! dino.txt against the reference, run by `tests/golden/make_text.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::path::PathBuf;

use dinoscope_engine::Cancel;
use dinoscope_engine::backend::{DeviceChoice, Dtype, OpenDevice, Run};
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::features::Encoded;
use dinoscope_engine::image::{Normalisation, Picture, Pixels, SizeRule};
use dinoscope_engine::text::segment::{Mode, PatchSource, SegmentOptions, classify, segment};
use dinoscope_engine::text::{ClassVectors, DinoTxt, Scores, Templates, TextCache, Tokens};
use ndarray::Array2;
use serde_json::Value;
use support::{Bounds, Tensor, Tensors, differences, golden_folder, read_tensors, relative_error, tensors_of};

/// Software Vulkan where there is no GPU; a machine with neither fails.
const WGPU: DeviceChoice = DeviceChoice::Wgpu(None);

struct Golden {
    tensors: Tensors,
    cases: Value,
}

impl Golden {
    fn read() -> Self {
        let text = std::fs::read_to_string(folder().join("cases.json")).unwrap();
        Self {
            tensors: read_tensors(&folder().join("expected.safetensors")),
            cases: serde_json::from_str(&text).unwrap(),
        }
    }

    fn strings(&self, name: &str) -> Vec<String> {
        self.cases[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Tensors whose names are in the list.
    fn only(&self, names: &[&str]) -> Tensors {
        names.iter().map(|&name| (name.to_owned(), self.tensors[name].clone())).collect()
    }
}

fn folder() -> PathBuf {
    golden_folder().join("text")
}

fn encoder(device: &DeviceChoice, dtype: Dtype) -> Encoder {
    let source = ModelSource::Path(golden_folder().join("meta-vit-swiglu/backbone.pth"));
    Encoder::load(&source, device, Some(dtype)).unwrap_or_else(|error| panic!("{error}"))
}

fn dinotxt(device: &DeviceChoice, dtype: Dtype) -> DinoTxt {
    let device = OpenDevice::open(device, Some(dtype), None).unwrap_or_else(|error| panic!("{error}"));
    let vocabulary = folder().join("vocabulary.txt.gz");
    let weights = folder().join("dinotxt.pth");
    DinoTxt::open(&weights, Some(&vocabulary), device, Some(dtype), TextCache::in_memory())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn tensor(matrix: &Array2<f32>) -> Tensor {
    Tensor { shape: matrix.shape().to_vec(), data: matrix.iter().copied().collect() }
}

fn check_networks(device: &DeviceChoice, dtype: Dtype) {
    let golden = Golden::read();
    let (mut encoder, mut dinotxt) = (encoder(device, dtype), dinotxt(device, dtype));
    let tokens: Vec<Tokens> = golden.strings("prompts").iter().map(|text| dinotxt.tokenizer().tokenize(text)).collect();
    let ids: Vec<f32> = tokens.iter().flat_map(|tokens| tokens.0).map(|id| id as f32).collect();
    assert_eq!(ids, golden.tensors["tokens"].data);

    let cancel = Cancel::default();
    let text = dinotxt.encode(&tokens, &cancel, &|_| ()).unwrap_or_else(|error| panic!("{error}"));
    let Tensor { shape, data } = golden.tensors["pixels"].clone();
    let pixels = Pixels { width: shape[2], height: shape[1], data };
    let features = encoder.forward(&pixels, &[], &cancel).unwrap().output;
    let mut head = dinotxt.head(encoder.config()).unwrap_or_else(|error| panic!("{error}"));
    let output = head.forward(&features, &Run::from(&cancel)).unwrap_or_else(|error| panic!("{error}"));
    let mut got = tensors_of(&Encoded { output, layers: Vec::new() });
    got.insert("text".to_owned(), tensor(&text));

    let bounds = if dtype == Dtype::F32 { Bounds::F32 } else { Bounds::HALF };
    let differences = differences(&got, &golden.only(&["text", "cls", "registers", "patch"]), bounds);
    assert!(differences.is_empty(), "{dtype:?} on {device:?}:\n{differences}");
}

#[test]
fn text_tower_and_vision_head_in_f32() {
    check_networks(&DeviceChoice::Cpu, Dtype::F32);
}

#[test]
fn text_tower_and_vision_head_in_f16() {
    check_networks(&DeviceChoice::Cpu, Dtype::F16);
}

#[test]
fn text_tower_and_vision_head_in_bf16() {
    check_networks(&DeviceChoice::Cpu, Dtype::Bf16);
}

#[test]
fn text_tower_and_vision_head_on_wgpu_in_f32() {
    check_networks(&WGPU, Dtype::F32);
}

#[test]
fn text_tower_and_vision_head_on_wgpu_in_f16() {
    check_networks(&WGPU, Dtype::F16);
}

fn class_vectors(golden: &Golden, dinotxt: &mut DinoTxt) -> ClassVectors {
    dinotxt
        .class_vectors(&golden.strings("classes"), &Templates::imagenet(), &Cancel::default(), &|_| ())
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn classes_are_the_mean_of_their_prompts() {
    let golden = Golden::read();
    let vectors = class_vectors(&golden, &mut dinotxt(&DeviceChoice::Cpu, Dtype::F32));
    let got = [("classes.patch", &vectors.patch), ("classes.picture", &vectors.picture)];
    let got: Tensors = got.into_iter().map(|(name, matrix)| (name.to_owned(), tensor(matrix))).collect();
    let differences = differences(&got, &golden.only(&["classes.patch", "classes.picture"]), Bounds::F32);
    assert!(differences.is_empty(), "{differences}");
}

/// A golden picture and how it is segmented.
fn segmentation(golden: &Golden, case: &Value, mode: &str) -> (Picture, SegmentOptions) {
    let name = case["name"].as_str().unwrap();
    let number = |key: &str| case[key].as_u64().unwrap() as usize;
    let Tensor { shape, data } = &golden.tensors[&format!("{name}.rgb")];
    let picture = Picture::from_rgb(shape[1], shape[0], data.iter().map(|value| *value as u8).collect()).unwrap();
    let mode = match mode {
        "slide" => Mode::Slide { side: number("window"), stride: number("stride") },
        _ => Mode::Whole,
    };
    let size = SizeRule::ShortSide(number("size"));
    (picture, SegmentOptions { size, mode, ..SegmentOptions::new(Normalisation::WEB) })
}

/// Scores hardly differ from class to class: it is their differences that must be right.
fn centred(scores: &[f32], classes: usize) -> Vec<f32> {
    let places = scores.len() / classes;
    let mean = |place: usize| (0..classes).map(|class| scores[class * places + place]).sum::<f32>() / classes as f32;
    scores.iter().enumerate().map(|(at, score)| score - mean(at % places)).collect()
}

/// The class of the greatest score; `None` where two are too close to tell.
fn label(scores: &[f32], classes: usize, place: usize) -> Option<u16> {
    let places = scores.len() / classes;
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by(|&a, &b| scores[b * places + place].total_cmp(&scores[a * places + place]));
    let margin = scores[order[0] * places + place] - scores[order[1] * places + place];
    (margin > 1e-5).then_some(order[0] as u16)
}

fn check_scores(golden: &Golden, name: &str, scores: &Scores) {
    let expected = &golden.tensors[name];
    let got = scores.to_array();
    assert_eq!(got.shape(), expected.shape, "{name}");
    let got: Vec<f32> = got.into_iter().collect();
    let classes = scores.classes();
    for (got, expected, what) in [
        (got.clone(), expected.data.clone(), "scores"),
        (centred(&got, classes), centred(&expected.data, classes), "differences"),
    ] {
        let error = relative_error(&got, &expected);
        assert!(error <= Bounds::F32.relative, "{name}: {what} are {error:.1e} off");
    }

    let full = &golden.tensors[&format!("{name}.picture")];
    let labels = scores.labels(None);
    assert_eq!([classes, labels.height, labels.width], full.shape[..], "{name}");
    let expected: Vec<Option<u16>> = (0..labels.data.len()).map(|place| label(&full.data, classes, place)).collect();
    let wrong =
        labels.data.iter().zip(&expected).filter(|(got, expected)| expected.is_some_and(|e| e != **got)).count();
    assert_eq!(wrong, 0, "{name}: labels");
    assert!(expected.iter().flatten().count() * 100 > 99 * labels.data.len(), "{name}: too many ties");

    let at = |x: usize, y: usize| -> Vec<f32> {
        (0..classes).map(|class| full.data[(class * labels.height + y) * labels.width + x]).collect()
    };
    for (x, y) in [(0, 0), (labels.width - 1, labels.height - 1), (labels.width / 2, labels.height / 3)] {
        assert!(relative_error(&scores.at_pixel(x, y), &at(x, y)) < 1e-4, "{name} at {x},{y}");
    }
    let plane = expected_plane(&golden.tensors[name], classes - 1);
    let map: Vec<f32> = scores.class_map(classes - 1).into_iter().collect();
    assert!(relative_error(&map, plane) < 1e-4, "{name}: the last class");
}

fn expected_plane(tensor: &Tensor, class: usize) -> &[f32] {
    let places = tensor.shape[1] * tensor.shape[2];
    &tensor.data[class * places..][..places]
}

#[test]
fn pictures_are_segmented_as_by_the_reference() {
    let golden = Golden::read();
    let (mut encoder, mut dinotxt) = (encoder(&DeviceChoice::Cpu, Dtype::F32), dinotxt(&DeviceChoice::Cpu, Dtype::F32));
    let classes = class_vectors(&golden, &mut dinotxt);
    let mut head = dinotxt.head(encoder.config()).unwrap();
    let cancel = Cancel::default();
    for case in golden.cases["segmentations"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        for mode in ["whole", "slide"] {
            let (picture, options) = segmentation(&golden, case, mode);
            let scores = segment(&mut encoder, head.as_mut(), &picture, &classes, &options, &cancel, &|_| ());
            check_scores(&golden, &format!("{name}.{mode}"), &scores.unwrap_or_else(|error| panic!("{error}")));
        }
        let (picture, options) = segmentation(&golden, case, "whole");
        let backbones = SegmentOptions { patches: PatchSource::Backbone, ..options };
        let scores = segment(&mut encoder, head.as_mut(), &picture, &classes, &backbones, &cancel, &|_| ()).unwrap();
        let got: Vec<f32> = scores.to_array().into_iter().collect();
        let error = relative_error(&got, &golden.tensors[&format!("{name}.backbone")].data);
        assert!(error <= Bounds::F32.relative, "{name}: the cosines of the backbone's patches are {error:.1e} off");

        let got = classify(&mut encoder, head.as_mut(), &picture, &classes, &options, &cancel).unwrap();
        let error = relative_error(&got, &golden.tensors[&format!("{name}.classification")].data);
        assert!(error <= Bounds::F32.relative, "{name}: the picture's cosines are {error:.1e} off");
    }
}
