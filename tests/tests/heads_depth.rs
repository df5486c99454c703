//! The published classifier and depth heads against the reference, run by `tests/golden/make_depth.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::path::{Path, PathBuf};

use dinoscope_engine::backend::{DeviceChoice, Dtype, OpenDevice};
use dinoscope_engine::checkpoint::Checkpoint;
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::heads::HeadWeights;
use dinoscope_engine::heads::classifier::{ClassifierHead, ClassifyOptions, classify};
use dinoscope_engine::heads::depth::{DepthChoice, DepthHead, DepthMap, DepthOptions, DepthPreset, predict};
use dinoscope_engine::image::{Picture, SizeRule};
use dinoscope_engine::{Cancel, Error, Progress, Result};
use safetensors::tensor::TensorView;
use support::{Bounds, Tensors, golden_folder, read_tensors, relative_error};

/// Software Vulkan where there is no GPU; a machine with neither fails.
const WGPU: DeviceChoice = DeviceChoice::Wgpu(None);

fn file(name: &str) -> PathBuf {
    golden_folder().join("depth").join(name)
}

fn golden() -> Tensors {
    read_tensors(&file("expected.safetensors"))
}

fn encoder_of(weights: PathBuf, device: &DeviceChoice) -> Encoder {
    Encoder::load(&ModelSource::Path(weights), device, Some(Dtype::F32)).unwrap_or_else(|error| panic!("{error}"))
}

fn picture(golden: &Tensors, case: &str) -> Picture {
    let tensor = &golden[&format!("{case}.rgb")];
    let rgb = tensor.data.iter().map(|value| *value as u8).collect();
    Picture::from_rgb(tensor.shape[1], tensor.shape[0], rgb).unwrap()
}

fn depth_head(path: &Path, encoder: &Encoder, choice: &DepthChoice, device: &DeviceChoice) -> Result<DepthHead> {
    let device = OpenDevice::open(device, None, None)?;
    DepthHead::load(HeadWeights::open(path)?, encoder.config(), choice, &device, &Cancel::default())
}

fn depths(case: &str, size: Option<SizeRule>, device: &DeviceChoice) -> DepthMap {
    let mut encoder = encoder_of(file("backbone.pth"), device);
    let head = depth_head(&file(&format!("{case}.pth")), &encoder, &DepthChoice::default(), device);
    let head = head.unwrap_or_else(|error| panic!("{case}: {error}"));
    let published = DepthOptions::new(head.settings().preset, encoder.normalisation());
    let options = DepthOptions { size: size.unwrap_or(published.size), ..published };
    let picture = picture(&golden(), case);
    predict(&mut encoder, &head, &picture, &options, &Cancel::default(), &|_| ())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn check_depths(name: &str, map: &DepthMap) {
    let expected = &golden()[name];
    assert_eq!(map.metres.shape(), expected.shape, "{name}");
    let error = relative_error(&map.metres.iter().copied().collect::<Vec<_>>(), &expected.data);
    assert!(error <= Bounds::F32.relative, "{name}: {error:.1e} off");
}

fn check_case(device: &DeviceChoice) {
    let map = depths("synthmix", Some(SizeRule::ShortSide(48)), device);
    assert_eq!((map.preset, map.input), (DepthPreset::Synthmix, (80, 48)));
    check_depths("synthmix.picture", &map);
    check_depths("synthmix.square", &depths("synthmix", Some(SizeRule::Exact { width: 64, height: 64 }), device));
    let map = depths("chmv2", None, device);
    assert_eq!((map.preset, map.input), (DepthPreset::Chmv2, (80, 48)));
    check_depths("chmv2.picture", &map);
}

#[test]
fn depths_of_pictures() {
    check_case(&DeviceChoice::Cpu);
}

#[test]
fn depths_behind_a_backbone_on_wgpu() {
    check_case(&WGPU);
}

fn classifier(path: &Path, encoder: &Encoder, names: Option<usize>) -> Result<ClassifierHead> {
    let names = names.map(|count| (0..count).map(|name| format!("flower {name}")).collect());
    ClassifierHead::load(HeadWeights::open(path)?, encoder.config(), names, &Cancel::default())
}

#[test]
fn classes_of_pictures() {
    let golden = golden();
    let mut encoder = encoder_of(file("backbone.pth"), &DeviceChoice::Cpu);
    let head = classifier(&file("classifier.pth"), &encoder, Some(7)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(head.classes()[6], "flower 6");
    let published = ClassifyOptions::new(encoder.normalisation());
    assert_eq!(published.size, SizeRule::ShortSide(224));
    for side in [224, 112] {
        let case = format!("classifier-{side}");
        let options = ClassifyOptions { size: SizeRule::ShortSide(side), ..published };
        let got = classify(&mut encoder, &head, &picture(&golden, &case), &options, &Cancel::default());
        let got = got.unwrap_or_else(|error| panic!("{error}"));
        let error = relative_error(&got, &golden[&format!("{case}.scores")].data);
        assert!(error <= Bounds::F32.relative, "{case}: {error:.1e} off");
    }
    let unnamed = classifier(&file("classifier.pth"), &encoder, None).unwrap();
    assert_eq!(unnamed.classes()[6], "class 6");
}

/// The tensors of a golden file as safetensors, each as `change` leaves it; `None` leaves it out.
fn changed(
    folder: &Path,
    name: &str,
    change: impl Fn(&str, &mut Vec<usize>, &mut Vec<f32>) -> Option<String>,
) -> PathBuf {
    let checkpoint = Checkpoint::open(&file(name)).unwrap();
    let mut tensors = Vec::new();
    for tensor in checkpoint.tensors().iter().filter(|tensor| !tensor.name.ends_with("num_batches_tracked")) {
        let (mut shape, mut numbers) = (tensor.shape.clone(), Vec::new());
        checkpoint.append_f32(tensor, &mut numbers).unwrap();
        if let Some(name) = change(&tensor.name, &mut shape, &mut numbers) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            tensors.push((name, shape, bytes));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("head.safetensors");
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, &path).unwrap();
    path
}

#[track_caller]
fn refused<T>(result: Result<T>, words: &[&str]) {
    let message = result.map(drop).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}

#[test]
fn a_head_without_a_part_is_refused() {
    let encoder = encoder_of(file("backbone.pth"), &DeviceChoice::Cpu);
    let scratch = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for case in ["synthmix.pth", "chmv2.pth"] {
        let names: Vec<String> =
            Checkpoint::open(&file(case)).unwrap().tensors().iter().map(|tensor| tensor.name.clone()).collect();
        for missing in names.iter().filter(|name| !name.ends_with("num_batches_tracked")) {
            let path = changed(scratch.path(), case, |name, _, _| (name != missing).then(|| name.to_owned()));
            let head = depth_head(&path, &encoder, &DepthChoice::default(), &DeviceChoice::Cpu);
            // Their own presence says that there are readouts, norms, biases and a projection at all.
            let says_it_exists = [
                "reassemble_blocks.readout_projects.0.0.weight",
                "reassemble_blocks.batchnorm_layers.0.running_mean",
                "fusion_blocks.1.res_conv_unit1.conv1.conv.bias",
                "project.conv.weight",
            ];
            if says_it_exists.contains(&missing.as_str()) {
                continue;
            }
            refused(head, &["head.safetensors", missing]);
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn heads_of_another_kind_or_backbone_are_refused() {
    let encoder = encoder_of(file("backbone.pth"), &DeviceChoice::Cpu);
    let other = encoder_of(golden_folder().join("meta-vit-swiglu/backbone.pth"), &DeviceChoice::Cpu);
    let convnext = encoder_of(golden_folder().join("meta-convnext/backbone.pth"), &DeviceChoice::Cpu);
    let depth = |name: &str, encoder: &Encoder, choice: &DepthChoice| {
        depth_head(&file(name), encoder, choice, &DeviceChoice::Cpu)
    };
    let published = DepthChoice::default();
    refused(depth("classifier.pth", &encoder, &published), &["classifier.pth is no head for depth", "reassemble"]);
    refused(depth("backbone.pth", &encoder, &published), &["backbone.pth is no head for depth"]);
    refused(depth("synthmix.pth", &convnext, &published), &["synthmix.pth", "ConvNeXt"]);
    refused(depth("synthmix.pth", &other, &published), &["synthmix.pth", "2 blocks", "--layers"]);
    let layers = |layers: &[usize]| DepthChoice { layers: Some(layers.to_vec()), ..published.clone() };
    refused(depth("synthmix.pth", &other, &layers(&[0, 1, 0, 1])), &["reads 32 numbers", "has 64"]);
    refused(depth("synthmix.pth", &encoder, &layers(&[0, 1, 2])), &["reads 4 layers, and 3 were named"]);
    refused(depth("synthmix.pth", &encoder, &layers(&[0, 1, 2, 4])), &["layer 4", "0 to 3"]);
    let range = |least, greatest| DepthChoice { least, greatest, ..published.clone() };
    refused(depth("synthmix.pth", &encoder, &range(Some(20.0), Some(10.0))), &["20", "10"]);
    refused(depth("synthmix.pth", &encoder, &range(Some(0.0), None)), &["above 0"]);

    let classify = |name: &str, encoder: &Encoder, names| classifier(&file(name), encoder, names);
    refused(classify("synthmix.pth", &encoder, None), &["synthmix.pth is no head for classification"]);
    refused(classify("classifier.pth", &other, None), &["reads 32 numbers", "has 64"]);
    refused(classify("classifier.pth", &encoder, Some(6)), &["7 classes", "6 names"]);
    let scratch = tempfile::tempdir().unwrap();
    let half = changed(scratch.path(), "classifier.pth", |name, _, _| (name != "bias").then(|| name.to_owned()));
    refused(classifier(&half, &encoder, None), &["head.safetensors", "`bias`"]);
}

#[test]
fn heads_inside_of_other_checkpoints_and_other_ranges() {
    let mut encoder = encoder_of(file("backbone.pth"), &DeviceChoice::Cpu);
    let scratch = tempfile::tempdir().unwrap();
    let nested = changed(scratch.path(), "synthmix.pth", |name, _, _| Some(format!("model.decoder.{name}")));
    let choice = DepthChoice { greatest: Some(10.0), ..DepthChoice::default() };
    let picture = picture(&golden(), "synthmix");
    let mut summary = |path: &Path, choice: &DepthChoice| {
        let head = depth_head(path, &encoder, choice, &DeviceChoice::Cpu).unwrap_or_else(|error| panic!("{error}"));
        let options = DepthOptions {
            size: SizeRule::ShortSide(48),
            ..DepthOptions::new(DepthPreset::Synthmix, encoder.normalisation())
        };
        predict(&mut encoder, &head, &picture, &options, &Cancel::default(), &|_| ()).unwrap().summary()
    };
    let (published, nearer) = (summary(&nested, &DepthChoice::default()), summary(&nested, &choice));
    assert_eq!(published, summary(&file("synthmix.pth"), &DepthChoice::default()));
    assert!((nearer.median * 10.0 - published.median).abs() < 0.1, "{nearer:?} of {published:?}");

    let whole = changed(scratch.path(), "classifier.pth", |name, _, _| Some(format!("linear_head.{name}")));
    assert!(classifier(&whole, &encoder, Some(7)).is_ok());
}

#[test]
fn work_stops_when_it_is_asked_to() {
    let mut encoder = encoder_of(file("backbone.pth"), &DeviceChoice::Cpu);
    let head = depth_head(&file("chmv2.pth"), &encoder, &DepthChoice::default(), &DeviceChoice::Cpu).unwrap();
    let options = DepthOptions::new(DepthPreset::Chmv2, encoder.normalisation());
    let picture = picture(&golden(), "chmv2");
    // Blocks of the backbone, then parts of the head.
    for stop_at in [1, 4, 8, 12] {
        let cancel = Cancel::default();
        let progress = |progress: Progress| {
            assert_eq!((progress.stage.as_str(), progress.total), ("canopy height", Some(13)));
            if progress.done == stop_at {
                cancel.cancel();
            }
        };
        let stopped = predict(&mut encoder, &head, &picture, &options, &cancel, &progress);
        assert!(matches!(stopped, Err(Error::Cancelled)), "at {stop_at}");
    }
}
