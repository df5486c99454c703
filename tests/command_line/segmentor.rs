//! `segment --head`, with the small heads of `tests/golden/segmentor` and `tests/golden/eomt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::RgbImage;
use ndarray::Array3;
use safetensors::SafeTensors;

use super::support::{Ran, Workplace};

const WINDOWS: [&str; 6] = ["--size", "64", "--window", "64", "--stride", "40"];

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The reference's results; its picture becomes `in.png`.
fn expected(work: &Workplace, case: &str) -> Tensors {
    let bytes = fs::read(golden(case).as_str().to_owned() + "/stages.safetensors").expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let tensors: Tensors =
        file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), floats(view.data())))).collect();
    let (shape, rgb) = &tensors["rgb"];
    let rgb = rgb.iter().map(|value| *value as u8).collect();
    RgbImage::from_raw(shape[1] as u32, shape[0] as u32, rgb)
        .expect("a picture")
        .save(work.path("in.png"))
        .expect("saved");
    tensors
}

fn run(work: &Workplace, arguments: &[&str]) -> Ran {
    let cache = work.path("cache");
    let variables = [("TORCH_HOME", cache.to_str().expect("UTF-8"))];
    work.run_with(&variables, &[&["segment", "in.png"], arguments, &["--device", "cpu"]].concat())
}

/// With the small segmentor on its backbone.
fn run_small(work: &Workplace, arguments: &[&str]) -> Ran {
    let (backbone, head) = (golden("segmentor/backbone.pth"), golden("segmentor/head.pth"));
    run(work, &[&["--weights", &backbone, "--head-weights", &head], arguments].concat())
}

#[track_caller]
fn assert_close(got: impl Iterator<Item = f32>, expected: &[f32]) {
    let got: Vec<f32> = got.collect();
    assert_eq!(got.len(), expected.len());
    let square = |v: f32| f64::from(v) * f64::from(v);
    let distance: f64 = got.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let error = (distance / expected.iter().copied().map(square).sum::<f64>()).sqrt();
    assert!(error < 1e-4, "{error:.1e} off");
}

/// Pixels whose two best classes are as good as equal have no label in the golden file.
#[track_caller]
fn assert_labels(work: &Workplace, expected: &[f32], classes: usize) {
    let labels = image::open(work.path("i.png")).expect("a PNG").into_luma8().into_raw();
    assert_eq!(labels.len(), expected.len());
    let wrong = labels.iter().zip(expected).filter(|(_, expected)| **expected < classes as f32);
    assert_eq!(wrong.filter(|(got, expected)| f32::from(**got) != **expected).count(), 0);
}

fn scores(work: &Workplace) -> Array3<f32> {
    ndarray_npy::read_npy(work.path("s.npy")).expect("scores")
}

const FILES: [&str; 7] = ["-o", "o.png", "--index", "i.png", "--npy", "s.npy", "--json"];

#[test]
fn the_segmentor_divides_a_picture_as_the_reference_does() {
    let work = Workplace::new();
    let expected = expected(&work, "segmentor");
    let of_kept = |scores: &Array3<f32>| {
        scores
            .outer_iter()
            .step_by(37)
            .flat_map(|map| map.into_iter().copied().collect::<Vec<_>>())
            .collect::<Vec<f32>>()
    };

    let ran = run_small(&work, &[&["--head", "ade20k"], &WINDOWS[..], &FILES[..]].concat()).succeeded().json();
    assert_close(of_kept(&scores(&work)).into_iter(), &expected["slide.resized"].1);
    assert_labels(&work, &expected["slide.labels"].1, 150);
    let classes = ran["classes"].as_array().expect("a list");
    assert_eq!(
        (classes.len(), classes[0]["name"].as_str(), classes[149]["name"].as_str()),
        (150, Some("wall"), Some("flag"))
    );
    let shares = classes.iter().map(|class| class["share"].as_f64().expect("a number"));
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!((ran["mode"].as_str(), &ran["grid"]), (Some("slide"), &serde_json::json!([64, 114])));
    assert_eq!(work.picture_size("o.png"), work.picture_size("in.png"));

    let whole = ["--head", "ade20k", "--size", "64", "--mode", "whole", "--window", "96"];
    let ran = run_small(&work, &[&whole[..], &FILES[..]].concat()).succeeded().json();
    assert_close(of_kept(&scores(&work)).into_iter(), &expected["whole.scores"].1);
    assert_labels(&work, &expected["whole.labels"].1, 150);
    assert_eq!((ran["mode"].as_str(), &ran["grid"]), (Some("whole"), &serde_json::json!([42, 75])));
}

#[test]
fn classes_have_the_names_they_are_given() {
    let work = Workplace::new();
    expected(&work, "segmentor");
    let name = |arguments: &[&str]| {
        let ran = run_small(&work, &[arguments, &WINDOWS[..], &["--json"]].concat()).succeeded().json();
        ran["classes"][1]["name"].as_str().expect("a name").to_owned()
    };
    assert_eq!(name(&["--head", "ade20k"]), "building");
    // A file says nothing of names.
    assert_eq!(name(&[]), "class 1");
    fs::write(work.path("names.txt"), (0..150).map(|i| format!("stuff {i}\n")).collect::<String>()).expect("written");
    assert_eq!(name(&["--classes", "names.txt"]), "stuff 1");
    run_small(&work, &["--classes", "voc", "--json"]).failed(1, &["150 classes", "21 names"]);
}

#[test]
fn eomt_divides_a_picture_as_transformers_does() {
    for case in ["semantic", "panoptic"] {
        let work = Workplace::new();
        let expected = expected(&work, &format!("eomt/{case}"));
        let model = golden(&format!("eomt/{case}/model"));
        let ran = run(&work, &[&["--head", &model], &FILES[..]].concat()).succeeded().json();
        assert_labels(&work, &expected["labels"].1, 12);
        assert_eq!(ran["classes"][3]["name"], "thing 3");
        assert_eq!(ran["classes"].as_array().expect("a list").len(), 12);
        assert_eq!(scores(&work).dim().0, 12);
    }
}

#[test]
fn a_head_that_does_not_fit_is_named() {
    let work = Workplace::new();
    expected(&work, "segmentor");
    let (head, eomt) = (golden("segmentor/head.pth"), golden("eomt/semantic/model"));
    let (backbone, other) = (golden("segmentor/backbone.pth"), golden("meta-vit-mlp/backbone.pth"));

    run(&work, &["--head", "ade20k", "--json"])
        .failed(1, &["segmentation needs", "m2f_head-bf307cb1.pth", "--head-weights"]);
    run(&work, &["--head", &head, "--weights", &other, "--json"])
        .failed(1, &["32 numbers per patch", "128", "head.pth"]);
    run(&work, &["--head", &head, "--json", "--model", "convnext_tiny", "--random-weights"])
        .failed(1, &["32 numbers", "768"]);
    run(&work, &["--head", &golden("text/dinotxt.pth"), "--json"])
        .failed(1, &["dinotxt.pth is no head for segmentation"]);
    run(&work, &["--head", &backbone, "--json"]).failed(1, &["it is a backbone, give it by --weights"]);
    run(&work, &["--head", "nowhere.pth", "--json"]).failed(1, &["nowhere.pth"]);
    run_small(&work, &["--layers", "0,1,2,9", "--json"]).failed(1, &["reads layer 9", "layers 0 to 3"]);
    run_small(&work, &["--layers", "0,1", "--json", "--head", "ade20k"]).failed(1, &["reads 4 layers, and 2"]);

    run_small(&work, &["--window", "64", "--stride", "65", "--json"]).failed(2, &["64 pixels every 65"]);
    run_small(&work, &["--head", &head, "--json"]).failed(2, &["two heads"]);
    run_small(&work, &["--text", "a cat", "--json"]).failed(2, &["a head has its own classes", "--text"]);
    run(&work, &["--head", &eomt, "--json", "--size", "64"]).failed(2, &["leave out --size"]);
}

/// The files of a folder are needed, each of them.
#[test]
fn half_an_eomt_is_named() {
    let work = Workplace::new();
    expected(&work, "eomt/semantic");
    let whole = golden("eomt/semantic/model");
    let with = |change: &dyn Fn(&Path)| {
        let folder = work.path("model");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        for name in ["config.json", "preprocessor_config.json", "model.safetensors"] {
            fs::copy(Path::new(&whole).join(name), folder.join(name)).expect("copied");
        }
        change(&folder);
        run(&work, &["--head", "model", "--json"])
    };
    let edit = |name: &'static str, from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let text = fs::read_to_string(folder.join(name)).expect("a file");
            assert!(text.contains(from), "{from} is not in {name}");
            fs::write(folder.join(name), text.replace(from, to)).expect("written");
        }
    };
    with(&|_| ()).succeeded();
    let without = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).expect("it was there");
    with(&without("config.json")).failed(1, &["config.json cannot be read", "download the whole folder"]);
    with(&without("preprocessor_config.json")).failed(1, &["preprocessor_config.json cannot be read"]);
    with(&without("model.safetensors")).failed(1, &["model"]);
    with(&edit("config.json", "\"eomt_dinov3\"", "\"eomt\"")).failed(1, &["\"eomt\"", "expected \"eomt_dinov3\""]);
    with(&edit("config.json", "\"image_size\": 64", "\"image_size\": 96"))
        .failed(1, &["64x64 pixels", "squares of 96"]);
    with(&edit("config.json", "\"num_blocks\": 2", "\"num_blocks\": 9"))
        .failed(1, &["9 blocks with queries", "4 blocks"]);
    with(&edit("preprocessor_config.json", "\"resample\": 2", "\"resample\": 0")).failed(1, &["filter 0"]);
    let without_tensor = |name: &'static str| {
        move |folder: &Path| {
            let bytes = fs::read(folder.join("model.safetensors")).expect("a file");
            let file = SafeTensors::deserialize(&bytes).expect("safetensors");
            let kept: Vec<_> = file.iter().filter(|(tensor, _)| *tensor != name).collect();
            assert_eq!(kept.len() + 1, file.len());
            safetensors::serialize_to_file(kept, None, &folder.join("model.safetensors")).expect("written");
        }
    };
    with(&without_tensor("upscale_block.block.0.conv2.weight")).failed(1, &["upscale_block.block.0.conv2.weight"]);
    with(&without_tensor("layers.2.norm2.weight")).failed(1, &["blocks.2.norm2.weight"]);
}
