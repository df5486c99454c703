//! `dinoscope knn`, `logreg` and `linear` on folders of classes.

use std::path::PathBuf;

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
    let folders = std::fs::read_dir(work.path("cache")).expect("a cache").map(|entry| entry.expect("an entry").path());
    let files: Vec<PathBuf> = folders.map(|folder| folder.join("vectors.f32")).collect();
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

    work.picture("set/train/plain/new.png", 64, 64);
    run(&work, &["knn", "set"]).succeeded();
    assert_eq!(kept(&work), 145 * VECTOR);
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
    use std::process::{Command, Stdio};
    let work = Workplace::new();
    dataset(&work, 100, 2);
    let arguments = ["knn", "set", "--size", "224", "--device", "cpu", "--cache", "cache"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_dinoscope"))
        .args(arguments)
        .current_dir(work.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let start = std::time::Instant::now();
    while !work.path("cache").exists() || kept(&work) < 5 * VECTOR {
        assert!(start.elapsed().as_secs() < 120, "nothing is extracted");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("sent");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let before = kept(&work);
    assert!(before < 306 * VECTOR, "it was interrupted");
    work.run(&arguments).succeeded();
    assert_eq!(kept(&work), 306 * VECTOR, "each once");
}
