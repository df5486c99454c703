//! The published heads for depth and classes: `depth` and `classify` with the small heads of `tests/golden/depth`.

use std::fs;
use std::path::Path;

use image::RgbImage;
use ndarray::Array2;
use safetensors::SafeTensors;

use super::support::{Ran, Workplace};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/depth").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// Shape and numbers of one of the reference's results.
fn expected(name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = fs::read(golden("expected.safetensors")).expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let view = file.tensor(name).expect("a tensor");
    let numbers = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (view.shape().to_vec(), numbers)
}

/// The picture of a golden case as a file.
fn golden_picture(work: &Workplace, case: &str, name: &str) {
    let (shape, rgb) = expected(&format!("{case}.rgb"));
    let rgb = rgb.iter().map(|value| *value as u8).collect();
    RgbImage::from_raw(shape[1] as u32, shape[0] as u32, rgb).expect("a picture").save(work.path(name)).expect("saved");
}

/// Runs on the processor with the small backbone, and finds no published head.
fn run(work: &Workplace, arguments: &[&str]) -> Ran {
    let cache = work.path("cache");
    let small = ["--device", "cpu", "--weights", &golden("backbone.pth")];
    work.run_with(&[("TORCH_HOME", cache.to_str().expect("UTF-8"))], &[arguments, &small].concat())
}

fn text_chunks(path: &Path) -> Vec<(String, String)> {
    let file = std::io::BufReader::new(fs::File::open(path).expect("opened"));
    let reader = png::Decoder::new(file).read_info().expect("a PNG");
    let latin = &reader.info().uncompressed_latin1_text;
    latin.iter().map(|chunk| (chunk.keyword.clone(), chunk.text.clone())).collect()
}

#[test]
fn depths_are_written_in_every_form() {
    let work = Workplace::new();
    golden_picture(&work, "synthmix", "room.png");
    let head = golden("synthmix.pth");
    let files = ["-o", "out", "--npy", "--png16", "--ply", "--point", "40,20", "--json"];
    let depth = ["depth", "room.png", "--head-weights", &head, "--size", "48"];
    let json = run(&work, &[&depth[..], &files].concat()).succeeded().json();
    assert_eq!(work.names("out"), ["room.depth.npy", "room.depth.png", "room.depth16.png", "room.ply"]);

    let (shape, numbers) = expected("synthmix.picture");
    let metres: Array2<f32> = ndarray_npy::read_npy(work.path("out/room.depth.npy")).expect("an array");
    assert_eq!(metres.shape(), shape);
    let off = metres.iter().zip(&numbers).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-4, "{off}");

    let image = &json["images"][0];
    let number = |value: &serde_json::Value| value.as_f64().expect("a number") as f32;
    assert_eq!((json["preset"].as_str(), json["layers"][3].as_u64()), (Some("synthmix"), Some(3)));
    assert_eq!((image["size"].as_str(), image["unit"].as_str()), (Some("80x48"), Some("m")));
    assert_eq!(number(&image["max"]), metres.iter().copied().fold(0.0, f32::max));
    assert_eq!(number(&image["points"][0]["metres"]), metres[[20, 40]]);
    assert_eq!(number(&image["png16_metres_per_step"]), 0.002);

    let steps = image::open(work.path("out/room.depth16.png")).expect("a PNG").into_luma16();
    let off = steps.pixels().zip(&metres).map(|(step, metres)| (f32::from(step.0[0]) * 0.002 - metres).abs());
    assert!(off.fold(0.0, f32::max) < 0.00101);
    let chunks = text_chunks(&work.path("out/room.depth16.png"));
    for (key, value) in [("metres per step", "0.002"), ("preset", "synthmix"), ("size", "80x48")] {
        assert!(chunks.iter().any(|(k, v)| (k.as_str(), v.as_str()) == (key, value)), "{key} in {chunks:?}");
    }
    assert_eq!(work.picture_size("out/room.depth.png"), work.picture_size("room.png"));
    let ply = fs::read(work.path("out/room.ply")).expect("read");
    assert!(ply.starts_with(b"ply\nformat binary_little_endian 1.0\ncomment software: dinoscope"));
    assert!(ply.len() > 96 * 60 * 15);
}

#[test]
fn canopy_heights_are_told_by_their_head() {
    let work = Workplace::new();
    golden_picture(&work, "chmv2", "forest.png");
    let head = golden("chmv2.pth");
    let heights = ["depth", "forest.png", "--head-weights", &head, "-o", "out"];
    run(&work, &[&heights[..], &["--npy"]].concat()).succeeded();
    let metres: Array2<f32> = ndarray_npy::read_npy(work.path("out/forest.depth.npy")).expect("an array");
    let (shape, numbers) = expected("chmv2.picture");
    assert_eq!(metres.shape(), shape);
    let off = metres.iter().zip(&numbers).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-3, "{off}");
    run(&work, &[&heights[..], &["--ply"]].concat()).failed(1, &["forest.png", "canopy heights", "--ply"]);
}

#[test]
fn pictures_without_depths_are_told_and_skipped() {
    let work = Workplace::new();
    golden_picture(&work, "synthmix", "room.png");
    fs::write(work.path("broken.png"), "no picture").expect("written");
    let head = golden("synthmix.pth");
    let head = ["--head-weights", &head, "--size", "48", "-o", "out"];
    run(&work, &[&["depth", "broken.png", "room.png"], &head[..]].concat()).failed(1, &["broken.png"]);
    assert_eq!(work.names("out"), ["room.depth.png"]);
    let depth = |more: &[&str]| run(&work, &[&["depth", "room.png"], &head[..], more].concat());
    depth(&["--point", "96,0"]).failed(1, &["96,0", "96x60"]);
    depth(&["--png16", "--depth-unit", "0.00001"]).failed(1, &["room.png", "0.00001"]);
    depth(&["--layers", "0,1,2,9"]).failed(1, &["synthmix.pth", "layer 9", "--layers"]);
    depth(&["--max-depth", "0"]).failed(1, &["0.001 to 0 m"]);
    assert_eq!(depth(&["--ply", "--fov", "180"]).status, 2);
    assert_eq!(depth(&["--range", "5,5"]).status, 2);
    assert_eq!(depth(&["--preset", "nyu"]).status, 2);
    assert_eq!(run(&work, &["depth", "room.png"]).status, 2, "nowhere to write");
    assert_eq!(run(&work, &["depth", "room.png", "-o", "cloud.ply"]).status, 2);
}

#[test]
fn without_a_head_the_line_says_how_to_get_one() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let where_from = ["DINOv3 License", "https://ai.meta.com/", "--head-weights", "hub/checkpoints"];
    let words = |more: &[&'static str]| [&where_from[..], more].concat();
    run(&work, &["depth", "a.png", "-o", "out"])
        .failed(1, &words(&["dinov3_vit7b16_synthmix_dpt_head-02040be1.pth", "vit7b16"]));
    run(&work, &["depth", "a.png", "-o", "out", "--preset", "chmv2"])
        .failed(1, &words(&["dinov3_vitl16_chmv2_dpt_head-3703d643.pth", "vitl16_sat"]));
    run(&work, &["classify", "a.png"])
        .failed(1, &words(&["dinov3_vit7b16_imagenet1k_linear_head-90d8ed92.pth", "--text"]));

    let checkpoints = work.path("cache/hub/checkpoints");
    fs::create_dir_all(&checkpoints).expect("a folder");
    fs::copy(golden("synthmix.pth"), checkpoints.join("dinov3_vit7b16_synthmix_dpt_head-02040be1.pth"))
        .expect("copied");
    run(&work, &["depth", "a.png", "-o", "out", "--size", "32"]).succeeded();
}

#[test]
fn classes_come_from_a_linear_head() {
    let work = Workplace::new();
    golden_picture(&work, "classifier-112", "a.png");
    let names: Vec<String> = (0..7).map(|name| format!("flower {name}")).collect();
    fs::write(work.path("flowers.txt"), names.join("\n")).expect("written");
    let head = golden("classifier.pth");
    let classify = ["classify", "a.png", "--head-weights", &head, "--size", "112", "--top", "2"];
    let json = run(&work, &[&classify[..], &["--classes", "flowers.txt", "--json"]].concat()).succeeded().json();
    let (_, scores) = expected("classifier-112.scores");
    let greatest = (0..7).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).expect("seven");
    let top = &json["images"][0]["top"];
    assert_eq!(top.as_array().map(Vec::len), Some(2));
    assert_eq!((top[0]["index"].as_u64(), top[0]["name"].as_str()), (Some(greatest as u64), Some(&*names[greatest])));
    assert!((top[0]["score"].as_f64().expect("a number") - f64::from(scores[greatest])).abs() < 1e-5);
    assert_eq!(json["head"].as_str().map(str::len), Some(64));

    let lines = run(&work, &classify).succeeded().stdout;
    assert!(lines.contains(&format!("class {greatest}")), "{lines}");
    run(&work, &[&classify[..], &["--classes", "voc"]].concat())
        .failed(1, &["classifier.pth", "7 classes", "21 names"]);
    assert_eq!(run(&work, &[&classify[..], &["--text", "a cat"]].concat()).status, 2);
    let depth = golden("synthmix.pth");
    run(&work, &["classify", "a.png", "--head-weights", &depth]).failed(1, &["synthmix.pth is no head"]);
}
