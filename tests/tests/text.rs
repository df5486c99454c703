//! dino.txt against the reference, run by `tests/golden/make_text.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::path::{Path, PathBuf};

use dinoscope_engine::backend::{DeviceChoice, Dtype, OpenDevice, Run};
use dinoscope_engine::checkpoint::Checkpoint;
use dinoscope_engine::classes::Scores;
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::features::Encoded;
use dinoscope_engine::image::{Normalisation, Picture, Pixels, SizeRule};
use dinoscope_engine::text::segment::{Mode, PatchSource, SegmentOptions, classify, segment};
use dinoscope_engine::text::{ClassVectors, DinoTxt, Templates, TextCache, Tokens};
use dinoscope_engine::{Cancel, Error, Progress, Result};
use ndarray::Array2;
use safetensors::tensor::TensorView;
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

    /// What [`outputs`] should give.
    fn networks(&self) -> Tensors {
        self.only(&["text", "cls", "registers", "patch"])
    }

    /// Tensors whose names are in the list.
    fn only(&self, names: &[&str]) -> Tensors {
        names.iter().map(|&name| (name.to_owned(), self.tensors[name].clone())).collect()
    }
}

fn folder() -> PathBuf {
    golden_folder().join("text")
}

fn golden_weights() -> PathBuf {
    folder().join("dinotxt.pth")
}

fn encoder(device: &DeviceChoice, dtype: Dtype) -> Encoder {
    let source = ModelSource::Path(golden_folder().join("meta-vit-swiglu/backbone.pth"));
    Encoder::load(&source, device, Some(dtype)).unwrap_or_else(|error| panic!("{error}"))
}

fn open(weights: &Path, device: &DeviceChoice, dtype: Dtype) -> Result<DinoTxt> {
    let device = OpenDevice::open(device, Some(dtype), None)?;
    let vocabulary = folder().join("vocabulary.txt.gz");
    DinoTxt::open(weights, Some(&vocabulary), device, Some(dtype), TextCache::in_memory())
}

/// On the processor.
fn dinotxt() -> DinoTxt {
    open(&golden_weights(), &DeviceChoice::Cpu, Dtype::F32).unwrap_or_else(|error| panic!("{error}"))
}

fn tensor(matrix: &Array2<f32>) -> Tensor {
    Tensor { shape: matrix.shape().to_vec(), data: matrix.iter().copied().collect() }
}

/// What the networks of `weights` say about the golden prompts and pixels.
fn outputs(golden: &Golden, weights: &Path, device: &DeviceChoice, dtype: Dtype) -> Result<Tensors> {
    let (mut encoder, mut dinotxt) = (encoder(device, dtype), open(weights, device, dtype)?);
    let prompts = golden.strings("prompts");
    let tokens: Vec<Tokens> = prompts.iter().map(|text| dinotxt.tokenizer().tokenize(text)).collect();
    let ids: Vec<f32> = tokens.iter().flat_map(|tokens| tokens.0).map(|id| id as f32).collect();
    assert_eq!(ids, golden.tensors["tokens"].data);

    let cancel = Cancel::default();
    let text = dinotxt.encode(&tokens, &cancel, &|_| ())?;
    let Tensor { shape, data } = golden.tensors["pixels"].clone();
    let pixels = Pixels { width: shape[2], height: shape[1], data };
    let features = encoder.forward(&pixels, &[], &cancel)?.output;
    let output = dinotxt.head(encoder.config())?.forward(&features, &Run::from(&cancel))?;
    let mut outputs = tensors_of(&Encoded { output, layers: Vec::new() });
    outputs.insert("text".to_owned(), tensor(&text));
    Ok(outputs)
}

fn check_networks(device: &DeviceChoice, dtype: Dtype) {
    let golden = Golden::read();
    let got = outputs(&golden, &golden_weights(), device, dtype).unwrap_or_else(|error| panic!("{error}"));
    let bounds = if dtype == Dtype::F32 { Bounds::F32 } else { Bounds::HALF };
    let differences = differences(&got, &golden.networks(), bounds);
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
    let vectors = class_vectors(&golden, &mut dinotxt());
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
    let (mut encoder, mut dinotxt) = (encoder(&DeviceChoice::Cpu, Dtype::F32), dinotxt());
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

/// The golden weights as safetensors, each tensor as `change` leaves it; `None` leaves it out.
fn changed_weights(folder: &Path, change: impl Fn(&str, &mut Vec<f32>) -> Option<String>) -> PathBuf {
    let checkpoint = Checkpoint::open(&golden_weights()).unwrap();
    let mut tensors = Vec::new();
    for tensor in checkpoint.tensors() {
        let mut numbers = Vec::new();
        checkpoint.append_f32(tensor, &mut numbers).unwrap();
        if let Some(name) = change(&tensor.name, &mut numbers) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            tensors.push((name, tensor.shape.clone(), bytes));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, &path).unwrap();
    path
}

fn on_cpu(golden: &Golden, weights: &Path) -> Result<Tensors> {
    outputs(golden, weights, &DeviceChoice::Cpu, Dtype::F32)
}

#[test]
fn every_tensor_matters() {
    let golden = Golden::read();
    let expected = golden.networks();
    let scratch = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        Checkpoint::open(&golden_weights()).unwrap().tensors().iter().map(|tensor| tensor.name.clone()).collect();
    assert_eq!(names.len(), 60);
    for changed in names {
        let path = changed_weights(scratch.path(), |name, numbers| {
            if name == changed {
                numbers.rotate_right(1);
            }
            Some(name.to_owned())
        });
        let same = differences(&on_cpu(&golden, &path).unwrap(), &expected, Bounds::F32).is_empty();
        assert_eq!(same, changed == "logit_scale", "{changed} shifted");
    }
}

#[test]
fn weights_nested_in_another_model_are_found() {
    let golden = Golden::read();
    let scratch = tempfile::tempdir().unwrap();
    let path = changed_weights(scratch.path(), |name, _| Some(format!("model.{name}")));
    let expected = golden.networks();
    assert_eq!(differences(&on_cpu(&golden, &path).unwrap(), &expected, Bounds::F32), "");
}

#[test]
fn the_towers_heads_can_be_stated() {
    let golden = Golden::read();
    let scratch = tempfile::tempdir().unwrap();
    changed_weights(scratch.path(), |name, _| Some(name.to_owned()));
    let with_heads = |heads: usize| {
        let config = format!("{{\"text_config\": {{\"num_attention_heads\": {heads}}}}}");
        std::fs::write(scratch.path().join("config.json"), config).unwrap();
        on_cpu(&golden, scratch.path())
    };
    let expected = golden.networks();
    assert_eq!(differences(&with_heads(2).unwrap(), &expected, Bounds::F32), "");
    let others = differences(&with_heads(4).unwrap(), &expected, Bounds::F32);
    assert!(others.starts_with("text:") && others.lines().count() == 1, "{others}");
    let error = with_heads(3).unwrap_err().to_string();
    assert!(error.contains("128 channels") && error.contains("3 heads"), "{error}");
}

#[test]
fn incomplete_weights_are_refused() {
    let golden = Golden::read();
    let scratch = tempfile::tempdir().unwrap();
    for (missing, words) in [
        ("visual_model.head.blocks.1.mlp.w3.bias", "mlp.w3.bias"),
        ("visual_model.head.blocks.0.norm1.weight", "vision head is not complete"),
        ("visual_model.head.ln_final.weight", "norm.weight"),
        ("text_model.backbone.blocks.0.norm1.weight", ""),
        ("text_model.backbone.blocks.0.attention_norm.weight", "text tower is not complete"),
        ("text_model.backbone.blocks.1.feed_forward.fc1.weight", "mlp.fc1.weight"),
        ("text_model.backbone.positional_embedding", "positions"),
        ("text_model.backbone.token_embedding.weight", "embedding"),
        ("text_model.head.linear_projection.weight", ""),
    ] {
        let path = changed_weights(scratch.path(), |name, _| (name != missing).then(|| name.to_owned()));
        match on_cpu(&golden, &path) {
            Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{missing}: {error}"),
            // Without a projection the tower's own width, 128, is a picture's as well.
            Ok(_) => assert_eq!(words, "", "{missing}"),
        }
    }
}

#[test]
fn work_stops_when_it_is_asked_to() {
    let golden = Golden::read();
    let (mut encoder, mut dinotxt) = (encoder(&DeviceChoice::Cpu, Dtype::F32), dinotxt());
    let (cancel, classes) = (Cancel::default(), golden.strings("classes"));
    let stop = |progress: Progress| {
        if progress.done > 0 {
            cancel.cancel();
        }
    };
    let stopped = dinotxt.class_vectors(&classes, &Templates::imagenet(), &cancel, &stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));

    let vectors = class_vectors(&golden, &mut dinotxt);
    let mut head = dinotxt.head(encoder.config()).unwrap();
    let (picture, options) = segmentation(&golden, &golden.cases["segmentations"][0], "slide");
    let cancel = Cancel::default();
    let stop = |progress: Progress| {
        if progress.done == 2 {
            cancel.cancel();
        }
    };
    let stopped = segment(&mut encoder, head.as_mut(), &picture, &vectors, &options, &cancel, &stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
