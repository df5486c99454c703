//! Words: `segment`, `classify` and `encode-text` with the small dino.txt of `tests/golden/text`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, Rgb, RgbImage};
use ndarray::Array3;
use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
use serde_json::Value;

use super::support::{Ran, Workplace};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// Name, shape and numbers of the reference's results.
fn expected() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(golden("text/expected.safetensors")).expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), floats(view.data())))).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn cases() -> Value {
    serde_json::from_str(&fs::read_to_string(golden("text/cases.json")).expect("a golden file")).expect("JSON")
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    let square = |v: f32| f64::from(v) * f64::from(v);
    let distance: f64 = got.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let error = (distance / expected.iter().copied().map(square).sum::<f64>()).sqrt();
    assert!(error < 1e-4, "{error:.1e} off");
}

/// Runs on the processor, with caches in the workplace.
fn run(work: &Workplace, arguments: &[&str]) -> Ran {
    let cache = work.path("cache");
    let cache = cache.to_str().expect("UTF-8");
    let device = ["--device", "cpu"];
    work.run_with(&[("XDG_CACHE_HOME", cache), ("TORCH_HOME", cache)], &[arguments, &device].concat())
}

/// As [`run`], with the small networks and their vocabulary.
fn run_small(work: &Workplace, arguments: &[&str]) -> Ran {
    let (backbone, weights) = (golden("meta-vit-swiglu/backbone.pth"), golden("text/dinotxt.pth"));
    let vocabulary = golden("text/vocabulary.txt.gz");
    let small = ["--weights", &backbone, "--dinotxt-weights", &weights, "--vocab", &vocabulary];
    run(work, &[arguments, &small].concat())
}

/// The picture of a golden case as a file, and the arguments that segment it as in the case.
fn golden_picture(work: &Workplace, case: &Value) -> Vec<String> {
    let (shape, rgb) = &expected()[&format!("{}.rgb", case["name"].as_str().expect("a name"))];
    let (height, width) = (shape[0] as u32, shape[1] as u32);
    let rgb: Vec<u8> = rgb.iter().map(|value| *value as u8).collect();
    RgbImage::from_raw(width, height, rgb).expect("a picture").save(work.path("in.png")).expect("saved");
    let number = |key: &str| case[key].to_string();
    ["--size", &number("size"), "--window", &number("window"), "--stride", &number("stride")]
        .map(str::to_owned)
        .to_vec()
}

fn texts() -> Vec<String> {
    let classes = cases()["classes"].as_array().expect("a list").clone();
    classes.iter().flat_map(|class| ["--text".to_owned(), class.as_str().expect("a name").to_owned()]).collect()
}

fn join<'a>(parts: &[&'a [String]], more: &[&'a str]) -> Vec<&'a str> {
    parts.iter().flat_map(|part| part.iter().map(String::as_str)).chain(more.iter().copied()).collect()
}

#[test]
fn texts_become_tokens_and_vectors() {
    let work = Workplace::new();
    let prompts = cases()["prompts"].clone();
    let prompts: Vec<&str> =
        prompts.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text")).collect();
    let weights = golden("text/dinotxt.pth");
    let vocabulary = golden("text/vocabulary.txt.gz");
    let options = ["-o", "t.safetensors", "--dinotxt-weights", &weights, "--vocab", &vocabulary, "--json"];
    let ran = run(&work, &[&["encode-text"], &prompts[..], &options].concat()).succeeded();
    assert_eq!((&ran.json()["texts"], &ran.json()["dim"]), (&5.into(), &128.into()));

    let bytes = fs::read(work.path("t.safetensors")).expect("the file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let (tokens, text) = (file.tensor("tokens").expect("tokens"), file.tensor("text").expect("text"));
    assert_eq!((tokens.dtype(), tokens.shape()), (Dtype::I64, &[5, 77][..]));
    assert_eq!((text.dtype(), text.shape()), (Dtype::F32, &[5, 128][..]));
    let ids: Vec<f32> = tokens.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect();
    let expected = expected();
    assert_eq!(ids, expected["tokens"].1);
    assert_close(&floats(text.data()), &expected["text"].1);
}

#[test]
fn pictures_are_divided_as_by_the_reference() {
    let work = Workplace::new();
    let expected = expected();
    for case in cases()["segmentations"].as_array().expect("a list") {
        let name = case["name"].as_str().expect("a name");
        let options = golden_picture(&work, case);
        let (texts, files) = (texts(), ["-o", "o.png", "--index", "i.png", "--npy", "s.npy", "--json"]);
        for (mode, more) in [
            ("slide", &["--mode", "slide"][..]),
            ("whole", &["--mode", "whole"]),
            ("backbone", &["--mode", "whole", "--patches", "backbone"]),
        ] {
            let arguments = join(&[&texts[..], &options[..]], &[&files, more].concat());
            let ran = run_small(&work, &[&["segment", "in.png"], &arguments[..]].concat()).succeeded();
            let scores: Array3<f32> = ndarray_npy::read_npy(work.path("s.npy")).expect("an array");
            let (shape, numbers) = &expected[&format!("{name}.{mode}")];
            assert_eq!(scores.shape(), shape);
            assert_close(&scores.iter().copied().collect::<Vec<_>>(), numbers);
            assert_eq!(ran.json()["classes"].as_array().map(Vec::len), Some(3));
            assert_eq!(work.picture_size("o.png"), work.picture_size("in.png"));
            if mode != "backbone" {
                check_labels(&work, &expected[&format!("{name}.{mode}.picture")]);
            }
        }
    }
}

/// `i.png` has the class of the greatest score wherever two are not too close to tell.
fn check_labels(work: &Workplace, (shape, scores): &(Vec<usize>, Vec<f32>)) {
    let labels: GrayImage = image::open(work.path("i.png")).expect("a picture").into_luma8();
    assert_eq!((labels.height() as usize, labels.width() as usize), (shape[1], shape[2]));
    for (place, label) in labels.as_raw().iter().enumerate() {
        let score = |class: usize| scores[class * shape[1] * shape[2] + place];
        let greatest = (0..shape[0]).map(score).fold(f32::MIN, f32::max);
        assert!(score(usize::from(*label)) > greatest - 1e-5, "at {place}");
    }
}

#[test]
fn where_no_score_is_high_enough_there_is_background() {
    let work = Workplace::new();
    work.picture("a.png", 64, 48);
    let segment = |background: &str| {
        let options = ["--size", "48", "--mode", "whole", "--background", background, "--index", "i.png", "--json"];
        let ran = run_small(&work, &[&["segment", "a.png", "--text", "a cat", "--text", "sky"], &options[..]].concat());
        let json = ran.succeeded().json();
        let labels = image::open(work.path("i.png")).expect("a picture").into_luma8().into_raw();
        (json["classes"].clone(), labels)
    };
    let (classes, labels) = segment("2");
    assert_eq!((&classes[2]["name"], &classes[2]["share"]), (&"background".into(), &1.0.into()));
    assert!(labels.iter().all(|label| *label == 2));
    let (classes, labels) = segment("-2");
    assert_eq!(classes[2]["share"], 0.0);
    assert!(labels.iter().all(|label| *label < 2));
}

#[test]
fn lists_of_classes_come_from_files_and_presets() {
    let work = Workplace::new();
    work.picture("a.png", 64, 48);
    fs::write(work.path("classes.txt"), "a cat\n\n 🐕 dog \nкошка\n猫\n").expect("written");
    fs::write(work.path("templates.txt"), "a photo of {}.\nsome {0}\n").expect("written");
    let with = |list: &str, templates: &str| {
        let options = ["--classes", list, "--templates", templates, "--size", "48", "--mode", "whole", "-o", "o.png"];
        run_small(&work, &[&["segment", "a.png", "--json"], &options[..]].concat()).succeeded().json()["classes"]
            .clone()
    };
    let names = |classes: Value| -> Vec<String> {
        classes
            .as_array()
            .expect("a list")
            .iter()
            .map(|class| class["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(with("classes.txt", "templates.txt")), ["a cat", "🐕 dog", "кошка", "猫"]);
    let classes = names(with("cityscapes", "none"));
    assert_eq!((classes.len(), classes[0].as_str()), (19, "road"));

    let many: Vec<String> = (0..300).map(|i| format!("class {i}")).collect();
    fs::write(work.path("many.txt"), many.join("\n")).expect("written");
    let options = ["--classes", "many.txt", "--templates", "none", "--size", "48", "--index", "i.png"];
    run_small(&work, &[&["segment", "a.png"], &options[..]].concat()).succeeded();
    let labels = image::open(work.path("i.png")).expect("a picture");
    assert!(matches!(labels, image::DynamicImage::ImageLuma16(_)), "past 255 labels have 16 bits");
}

#[test]
fn whole_pictures_are_named() {
    let work = Workplace::new();
    let case = &cases()["segmentations"][1];
    let options = golden_picture(&work, case);
    work.picture("b.png", 40, 40);
    let texts = texts();
    let arguments = join(&[&texts[..], &options[..2]], &["--top", "2", "--json"]);
    let ran = run_small(&work, &[&["classify", "in.png", "b.png"], &arguments[..]].concat()).succeeded();
    let json = ran.json();
    let cosines = &expected()["does-not-divide.classification"].1;
    let greatest = (0..3).max_by(|&a, &b| cosines[a].total_cmp(&cosines[b])).expect("three");
    let top = &json["images"][0]["top"];
    assert_eq!(top.as_array().map(Vec::len), Some(2));
    assert_eq!(top[0]["index"], greatest);
    assert!((top[0]["score"].as_f64().expect("a number") - f64::from(cosines[greatest])).abs() < 1e-5);
    assert_eq!(json["images"][1]["image"], "b.png");

    fs::write(work.path("broken.png"), "no picture").expect("written");
    let arguments = join(&[&texts[..]], &[]);
    let ran = run_small(&work, &[&["classify", "broken.png", "b.png"], &arguments[..]].concat());
    ran.failed(1, &["broken.png"]);
}

#[test]
fn without_weights_the_line_says_how_to_get_them() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let words = [
        "dinov3_vitl16_dinotxt_vision_head_and_text_encoder-a442d8f5.pth",
        "2.3 GB",
        "DINOv3 License",
        "https://ai.meta.com/",
        "--dinotxt-weights",
        "hub/checkpoints",
    ];
    run(&work, &["segment", "a.png", "--text", "a cat", "-o", "o.png"]).failed(1, &words);
    run(&work, &["encode-text", "a cat", "-o", "o.safetensors"]).failed(1, &words);

    let checkpoints = work.path("cache/hub/checkpoints");
    fs::create_dir_all(&checkpoints).expect("a folder");
    fs::copy(golden("text/dinotxt.pth"), checkpoints.join(words[0])).expect("copied");
    let vocabulary = golden("text/vocabulary.txt.gz");
    run(&work, &["encode-text", "a cat", "-o", "o.safetensors", "--vocab", &vocabulary]).succeeded();
}

#[test]
fn files_that_do_not_belong_together_are_told_with_their_sizes() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let (weights, vocabulary) = (golden("text/dinotxt.pth"), golden("text/vocabulary.txt.gz"));
    let segment = ["segment", "a.png", "--text", "a cat", "-o", "o.png", "--dinotxt-weights"];
    let with = |weights: &str, more: &[&str]| run(&work, &[&segment[..], &[weights], more].concat());
    with(&weights, &["--vocab", &vocabulary])
        .failed(1, &["dinotxt.pth", "reads 64 numbers", "the model has 192", "vitl16"]);
    with(&weights, &["--vocab", &vocabulary, "--model", "convnext_tiny", "--random-weights"]).failed(1, &["ConvNeXt"]);
    let backbone = golden("meta-vit-swiglu/backbone.pth");
    with(&backbone, &[]).failed(1, &["backbone.pth", "no dino.txt checkpoint", "text_model.backbone"]);
    with(&weights, &["--weights", &weights]).failed(1, &["dinotxt.pth", "--dinotxt-weights"]);
    with("nowhere.pth", &[]).failed(1, &["nowhere.pth"]);
    let texts = ["encode-text", "a", "-o", "o.safetensors", "--dinotxt-weights", &weights];
    run(&work, &texts).failed(1, &["49408 tokens", "1014", "--vocab"]);
    run(&work, &[&texts[..], &["--vocab", "a.png"]].concat()).failed(1, &["a.png", "no vocabulary"]);
    assert_eq!(work.names("."), ["a.png"]);
}

#[test]
fn phrases_and_numbers_that_make_no_sense_are_wrong_arguments() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    for (arguments, words) in [
        (&["--text", "a cat", "--text", " "][..], "phrase 2 is empty"),
        (&[], "no phrase"),
        (&["--text", "a", "--stride", "400"], "384"),
        (&["--text", "a", "--stride", "0"], "stride"),
        (&["--text", "a", "--background", "nan"], "--background"),
        (&["--text", "a", "--mode", "tiles"], "--mode"),
        (&["--text", "a", "--classes", "voc"], "--classes"),
        (&["--text", "a", "--index", "o.png"], "o.png"),
    ] {
        let ran = run_small(&work, &[&["segment", "a.png", "-o", "o.png"], arguments].concat());
        assert_eq!(ran.status, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(run_small(&work, &["classify", "a.png"]).status, 2);
    fs::write(work.path("none.txt"), "\n \n").expect("written");
    run_small(&work, &["segment", "a.png", "-o", "o.png", "--classes", "none.txt"]).failed(2, &["no phrase"]);
    run_small(&work, &["segment", "a.png", "-o", "o.png", "--classes", "ade"]).failed(1, &["ade"]);
    run_small(&work, &["segment", "a.png", "-o", "o.png", "--text", "a", "--templates", "none.txt"])
        .failed(1, &["none.txt", "templates"]);
}

/// A tower with the published vocabulary, as small as its embeddings let it be.
fn published_vocabulary(path: &Path) {
    let number = |i: usize| (((i * 7919) % 2011) as f32 / 1005.0 - 1.0) * 0.2;
    let tensors: Vec<(&str, Vec<usize>)> = vec![
        ("text_model.backbone.token_embedding.weight", vec![49_408, 16]),
        ("text_model.backbone.positional_embedding", vec![77, 16]),
        ("text_model.backbone.blocks.0.attention_norm.weight", vec![16]),
        ("text_model.backbone.blocks.0.attention_norm.bias", vec![16]),
        ("text_model.backbone.blocks.0.attention.qkv.weight", vec![48, 16]),
        ("text_model.backbone.blocks.0.attention.proj.weight", vec![16, 16]),
        ("text_model.backbone.blocks.0.attention.proj.bias", vec![16]),
        ("text_model.backbone.blocks.0.ffn_norm.weight", vec![16]),
        ("text_model.backbone.blocks.0.ffn_norm.bias", vec![16]),
        ("text_model.backbone.blocks.0.feed_forward.fc1.weight", vec![32, 16]),
        ("text_model.backbone.blocks.0.feed_forward.fc1.bias", vec![32]),
        ("text_model.backbone.blocks.0.feed_forward.fc2.weight", vec![16, 32]),
        ("text_model.backbone.blocks.0.feed_forward.fc2.bias", vec![16]),
        ("text_model.backbone.ln_final.weight", vec![16]),
        ("text_model.backbone.ln_final.bias", vec![16]),
    ];
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| (0..shape.iter().product()).flat_map(|i: usize| number(i).to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape has"))
    });
    serialize_to_file(views.collect::<Vec<_>>(), None, path).expect("written");
}

#[test]
fn ten_thousand_texts_in_any_script() {
    let work = Workplace::new();
    let weights: PathBuf = work.path("tower.safetensors");
    published_vocabulary(&weights);
    let scripts = ["a photo of a cat", "кошка", "猫", "🐈‍⬛", "قطة", "chat &amp; chien", "Ã©"];
    let texts: Vec<String> = (0..10_000).map(|i| format!("{} {i}", scripts[i % scripts.len()])).collect();
    fs::write(work.path("texts.txt"), texts.join("\n")).expect("written");
    let weights = weights.to_str().expect("UTF-8");
    run(&work, &["encode-text", "--file", "texts.txt", "-o", "t.safetensors", "--dinotxt-weights", weights])
        .succeeded();
    let bytes = fs::read(work.path("t.safetensors")).expect("the file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tokens = file.tensor("tokens").expect("tokens");
    assert_eq!(tokens.shape(), [10_000, 77]);
    let first: Vec<i64> = tokens.data().as_chunks().0[..9].iter().map(|b| i64::from_le_bytes(*b)).collect();
    assert_eq!(first, [49_406, 320, 1125, 539, 320, 2368, 271, 49_407, 0]);
    let text = file.tensor("text").expect("text");
    assert_eq!(text.shape(), [10_000, 16]);
    let numbers = floats(text.data());
    assert!(numbers.iter().all(|number| number.is_finite()));

    // One by one they are the same.
    run(&work, &["encode-text", &texts[9_998], "-o", "one.safetensors", "--dinotxt-weights", weights]).succeeded();
    let bytes = fs::read(work.path("one.safetensors")).expect("the file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    assert_close(&floats(file.tensor("text").expect("text").data()), &numbers[9_998 * 16..9_999 * 16]);
}

#[test]
fn vectors_of_phrases_are_kept_for_the_next_time() {
    let work = Workplace::new();
    work.picture("a.png", 64, 48);
    let segment = |templates: &str| {
        let options =
            ["--text", "a cat", "--templates", templates, "--size", "48", "--mode", "whole", "--npy", "s.npy"];
        run_small(&work, &[&["segment", "a.png"], &options[..]].concat()).succeeded();
        fs::read(work.path("s.npy")).expect("the file")
    };
    let first = segment("imagenet");
    let sets = work.names("cache/dinoscope/text");
    assert_eq!(sets.len(), 1);
    assert_eq!(segment("imagenet"), first);
    assert_ne!(segment("none"), first);
    assert_eq!(work.names("cache/dinoscope/text").len(), 2, "other templates, other vectors");
    let kept = &work.names(&format!("cache/dinoscope/text/{}", sets[0]))[0];
    fs::write(work.path(format!("cache/dinoscope/text/{}/{kept}", sets[0])), "damaged").expect("written");
    assert_eq!(segment("imagenet"), first);
}

/// 150 classes at 2,048²: their scores at that size would be 2.5 GB.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_small_with_many_classes_and_pixels() {
    let work = Workplace::new();
    RgbImage::from_fn(2048, 2048, |x, y| Rgb([(x / 8) as u8, (y / 8) as u8, 90]))
        .save(work.path("a.png"))
        .expect("saved");
    for size in ["512", "2048"] {
        let arguments =
            ["segment", "a.png", "--classes", "ade20k", "--templates", "none", "--index", "i.png", "--size", size];
        let (backbone, weights) = (golden("meta-vit-swiglu/backbone.pth"), golden("text/dinotxt.pth"));
        let vocabulary = golden("text/vocabulary.txt.gz");
        let small = ["--weights", &backbone, "--dinotxt-weights", &weights, "--vocab", &vocabulary, "--device", "cpu"];
        let peak = work.peak_memory(&[&arguments[..], &small].concat());
        assert!(peak < 1 << 30, "{} MB at size {size}", peak >> 20);
        assert_eq!(work.picture_size("i.png"), (2048, 2048));
    }
}
