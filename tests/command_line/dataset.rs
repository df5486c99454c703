//! `dinoscope knn`, `logreg` and `linear` on folders of classes.

use std::path::{Path, PathBuf};

use dinoscope_engine::Cancel;
use dinoscope_engine::probe::knn::vote;
use dinoscope_engine::probe::metrics::best;
use ndarray::Array2;

use super::support::Workplace;

const CLASSES: [&str; 3] = ["checks", "plain", "stripes"];

/// Pictures of three patterns in colours and places that say nothing about their class.
fn dataset(work: &Workplace, train: u32, val: u32) {
    for (part, count) in [("train", train), ("val", val)] {
        for (class, name) in CLASSES.iter().enumerate() {
            let folder = work.path(format!("set/{part}/{name}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            for number in 0..count {
                let seed = number * 7 + if part == "val" { 1000 } else { 0 };
                let (shift, tone) = (seed % 11, 60 + seed * 37 % 120);
                let picture = image::RgbImage::from_fn(80, 72, |x, y| {
                    let (a, b) = ((x + shift) / 6 % 2, (y + shift) / 6 % 2);
                    let bright = match class {
                        0 => (a + b) % 2,
                        1 => 0,
                        _ => a,
                    };
                    let value = (tone + 70 * bright).min(255) as u8;
                    image::Rgb([value, value / 2 + (seed % 50) as u8, 255 - value])
                });
                picture.save(folder.join(format!("{number}.png"))).expect("a picture");
            }
        }
    }
}

fn run(work: &Workplace, arguments: &[&str]) -> super::support::Ran {
    let common = ["--size", "64", "--device", "cpu", "--cache", "cache"];
    work.run(&[arguments, &common].concat())
}

/// Bytes of all vectors that are kept.
fn kept(work: &Workplace) -> u64 {
    kept_in(work, "vectors.f32")
}

fn kept_in(work: &Workplace, file: &str) -> u64 {
    let folders = std::fs::read_dir(work.path("cache")).expect("a cache").map(|entry| entry.expect("an entry").path());
    let files: Vec<PathBuf> = folders.map(|folder| folder.join(file)).collect();
    files.iter().map(|file| std::fs::metadata(file).map_or(0, |metadata| metadata.len())).sum()
}

/// Of the demo model: CLS and the mean of the patches, 192 numbers each.
const VECTOR: u64 = 2 * 192 * 4;

#[test]
fn patterns_are_told_apart_in_three_ways() {
    let work = Workplace::new();
    dataset(&work, 20, 4);
    let knn = run(&work, &["knn", "set", "--k", "3,1000", "--confusion", "matrix.png", "--json"]).succeeded().json();
    assert_eq!((&knn["train"], &knn["val"]), (&60.into(), &12.into()));
    assert_eq!(knn["results"][1]["name"], "k 60", "no more than there are");
    let best = |json: &serde_json::Value| {
        let results = json["results"].as_array().expect("results").iter();
        results.filter_map(|result| result["top1"].as_f64()).fold(0.0, f64::max)
    };
    assert!(best(&knn) > 0.9, "{knn}");
    assert!(knn["results"][0]["top5"].as_f64() == Some(1.0));
    let names: Vec<&str> =
        knn["classes"].as_array().expect("classes").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, CLASSES);
    assert!(work.picture_size("matrix.png").0 > 100);

    // The neighbours' preparation is not that of the regression: both are kept.
    assert_eq!(kept(&work), 72 * VECTOR);
    let logreg = run(&work, &["logreg", "set", "--c", "1e-3:1e3:4", "--json"]).succeeded().json();
    assert!(best(&logreg) > 0.9 && logreg["tried"].as_array().is_some_and(|tried| tried.len() == 4), "{logreg}");
    assert_eq!(kept(&work), 144 * VECTOR);
    let linear = run(&work, &["linear", "set", "--epochs", "1", "--batch", "16", "--json"]).succeeded().json();
    assert!(best(&linear) > 0.9 && linear["results"].as_array().is_some_and(|rates| rates.len() == 13), "{linear}");
    assert_eq!(kept(&work), 144 * VECTOR, "nothing is extracted twice");
    let crops = ["linear", "set", "--epochs", "1", "--batch", "16", "--crops", "2", "--json"];
    let linear = run(&work, &crops).succeeded().json();
    assert!(best(&linear) > 0.8 && linear["train"] == 120 && linear["val"] == 12, "{linear}");
    assert_eq!(kept(&work), (144 + 120) * VECTOR);
    run(&work, &[&crops[..7], &["3"]].concat()).succeeded();
    assert_eq!(kept(&work), (144 + 180) * VECTOR, "the third crop alone is new");

    work.picture("set/train/plain/new.png", 64, 64);
    run(&work, &["knn", "set"]).succeeded();
    assert_eq!(kept(&work), 325 * VECTOR);
    run(&work, &["knn", "set", "--normalize", "sat"]).succeeded();
    assert_eq!(kept(&work), (325 + 73) * VECTOR, "other pixels have other vectors");
    let text = run(&work, &["knn", "set"]).succeeded().stdout;
    assert!(text.contains("top-1") && text.contains("stripes"), "{text}");
}

#[test]
fn broken_pictures_and_classes_are_named() {
    let work = Workplace::new();
    dataset(&work, 3, 2);
    std::fs::write(work.path("set/train/plain/broken.png"), b"no picture").expect("written");
    let ran = run(&work, &["knn", "set", "--json"]);
    assert_eq!((ran.status, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("broken.png"), "{}", ran.stderr);
    assert_eq!(ran.json()["train"], 9);
    run(&work, &["knn", "set", "--strict"]).failed(1, &["broken.png"]);
    std::fs::create_dir_all(work.path("set/val/unheard")).expect("a folder");
    work.picture("set/val/unheard/a.png", 64, 64);
    run(&work, &["knn", "set"]).failed(1, &["unheard"]);
    run(&work, &["knn", "nowhere"]).failed(1, &["nowhere", "train/CLASS"]);
    work.run(&["knn", "set", "--size", "64x32", "--device", "cpu"]).failed(2, &["squares"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_extraction_goes_on_where_it_stopped() {
    let work = Workplace::new();
    dataset(&work, 100, 2);
    let arguments = ["knn", "set", "--size", "224", "--device", "cpu", "--cache", "cache"];
    let mut child = work.start_until(&arguments, || work.path("cache").exists() && kept(&work) >= 5 * VECTOR);
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("sent");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let before = kept(&work);
    assert!(before < 306 * VECTOR, "it was interrupted");
    work.run(&arguments).succeeded();
    assert_eq!(kept(&work), 306 * VECTOR, "each once");
}

/// Pieces of the sample pictures, by picture: those of the left half to learn from, those of the right half to try.
fn pieces(work: &Workplace) {
    const SIDE: u32 = 64;
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let mut state = 7u64;
    let mut below = |most: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32 % most
    };
    for name in ["astronaut.png", "china.jpg", "chelsea.png", "coffee.png", "flower.jpg"] {
        let picture = image::open(assets.join(name)).expect("a sample").into_rgb8();
        let half = picture.width() / 2;
        for (part, left, count) in [("train", 0, 40), ("val", half, 20)] {
            let folder = work.path(format!("set/{part}/{}", name.split('.').next().expect("a name")));
            std::fs::create_dir_all(&folder).expect("a folder");
            for number in 0..count {
                let (x, y) = (left + below(half - SIDE), below(picture.height() - SIDE));
                let piece = image::imageops::crop_imm(&picture, x, y, SIDE, SIDE).to_image();
                piece.save(folder.join(format!("{number}.png"))).expect("a piece");
            }
        }
    }
}

/// Pixels of all pictures of a part, `[n, 3 * 64 * 64]`, and their classes.
fn pixels(work: &Workplace, part: &str) -> (Array2<f32>, Vec<usize>) {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for (class, name) in work.names(&format!("set/{part}")).iter().enumerate() {
        for file in work.names(&format!("set/{part}/{name}")) {
            let picture = image::open(work.path(format!("set/{part}/{name}/{file}"))).expect("a piece").into_rgb8();
            rows.extend(picture.into_raw().into_iter().map(f32::from));
            labels.push(class);
        }
    }
    let shape = (labels.len(), rows.len() / labels.len());
    (Array2::from_shape_vec(shape, rows).expect("equal sizes"), labels)
}

#[test]
fn features_say_more_of_a_piece_than_its_pixels() {
    let work = Workplace::new();
    pieces(&work);
    let arguments = ["knn", "set", "--k", "10", "--size", "224", "--device", "cpu", "--cache", "cache", "--json"];
    let json = work.run(&arguments).succeeded().json();
    let features = json["results"][0]["top1"].as_f64().expect("a share");
    let ((train, labels), (val, right)) = (pixels(&work, "train"), pixels(&work, "val"));
    let votes = vote(train.view(), &labels, 5, val.view(), &[10], &Cancel::default()).expect("votes");
    let hits = votes[0].votes.rows().into_iter().zip(&right).filter(|(row, right)| best(&row.to_vec()) == **right);
    let raw = hits.count() as f64 / right.len() as f64;
    eprintln!("10 neighbours: {features:.3} by features of the demo model, {raw:.3} by pixels");
    assert!(features > raw, "{features} by features, {raw} by pixels");
}

/// Pictures with a bright square, the square's pixels as class 1 and as what is near.
fn dense(work: &Workplace, labels: impl Fn(&std::path::Path, u32, u32)) {
    for (part, count) in [("train", 4u32), ("val", 2)] {
        std::fs::create_dir_all(work.path(format!("set/{part}/labels"))).expect("a folder");
        for number in 0..count {
            let (width, height) = (256 + 64 * number, 192);
            work.picture(&format!("set/{part}/images/{number}.png"), width, height);
            labels(&work.path(format!("set/{part}/labels/{number}")), width, height);
        }
    }
}

fn is_square(x: u32, y: u32, (width, height): (u32, u32)) -> bool {
    (width / 4..width / 2).contains(&x) && (height / 4..height / 2).contains(&y)
}

/// The greatest, or the least, of a number of all rates.
fn extremes(json: &serde_json::Value, name: &str) -> (f64, f64) {
    let results = json["results"].as_array().expect("results").iter().filter_map(|result| result[name].as_f64());
    results.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| (lo.min(value), hi.max(value)))
}

#[test]
fn classes_of_pixels_are_learned() {
    let work = Workplace::new();
    dense(&work, |path, width, height| {
        let grey = |x, y| image::Luma([if y < 4 { 255 } else { u8::from(is_square(x, y, (width, height))) }]);
        image::GrayImage::from_fn(width, height, grey).save(path.with_extension("png")).expect("labels");
    });
    let arguments = ["linear", "set", "--task", "segmentation", "--epochs", "1", "--batch", "64"];
    let small = ["--size", "192", "--device", "cpu", "--cache", "cache"];
    let json = work.run(&[&arguments[..], &small, &["--json"]].concat()).succeeded().json();
    assert_eq!((&json["classes"], &json["what"]), (&2.into(), &"linear segmentation".into()));
    assert!(extremes(&json, "miou").1 > 0.7, "{json}");

    let kept = || kept_in(&work, "patches.f16");
    // 12 rows of patches; 4, 5, 6 and 7 times 4 columns to learn from, 4 and 5 times 4 to try.
    assert_eq!(kept(), 12 * 4 * (4 + 5 + 6 + 7 + 4 + 5) * 192 * 2);
    let again = work.run(&[&arguments[..], &small, &["--json"]].concat()).succeeded().json();
    assert_eq!((again, kept()), (json, 12 * 4 * 31 * 192 * 2), "the same, and nothing is extracted twice");
    std::fs::remove_file(work.path("set/train/labels/1.png")).expect("removed");
    let ran = work.run(&[&arguments[..], &small].concat());
    assert!(ran.status == 1 && ran.stderr.contains("1.png: it has no labels"), "{}", ran.stderr);
    std::fs::write(work.path("set/val/labels/stray.png"), b"").expect("written");
    work.run(&[&arguments[..], &small].concat()).failed(1, &["stray.png has no picture"]);
}

#[test]
fn depths_are_learned() {
    let work = Workplace::new();
    dense(&work, |path, width, height| {
        let far = |x, y| if is_square(x, y, (width, height)) { 1000u16 } else { 3000 };
        let depths = image::ImageBuffer::from_fn(width, height, |x, y| image::Luma([far(x, y)]));
        depths.save(path.with_extension("png")).expect("depths");
    });
    let arguments = ["linear", "set", "--task", "depth", "--bins", "16", "--epochs", "1", "--batch", "64", "--json"];
    let json = work.run(&[&arguments[..], &["--size", "192", "--device", "cpu"]].concat()).succeeded().json();
    let range = [0, 1].map(|end| json["range"][end].as_f64().expect("a depth"));
    assert!((range[0] - 1.0).abs() < 1e-4 && (range[1] - 3.0).abs() < 1e-4, "{range:?}");
    // All at the mean depth would be wrong by 0.5 of 2 metres: a sixteenth is near.
    assert!(extremes(&json, "rmse").0 < 0.3, "{json}");
}
