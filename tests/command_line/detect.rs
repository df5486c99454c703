//! Boxes: `detect` with the small head of `tests/golden/detector`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::RgbImage;
use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
use serde_json::Value;

use super::support::{Ran, Workplace};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// Shape and numbers of the reference's results.
fn expected() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(golden("detector/expected.safetensors")).expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), floats(view.data())))).collect()
}

fn run(work: &Workplace, arguments: &[&str]) -> Ran {
    let cache = work.path("cache");
    work.run_with(&[("TORCH_HOME", cache.to_str().expect("UTF-8"))], &[arguments, &["--device", "cpu"]].concat())
}

/// As the golden case "three" was made, up to the picture.
fn run_small(work: &Workplace, arguments: &[&str]) -> Ran {
    let (backbone, head) = (golden("meta-vit-swiglu/backbone.pth"), golden("detector/head.pth"));
    let small = ["detect", "--weights", &backbone, "--head-weights", &head, "--windows", "3", "--layers", "0,1"];
    run(work, &[&small[..], &["--size", "144x112", "--smallest", "12"], arguments].concat())
}

fn golden_picture(work: &Workplace, name: &str) {
    let (shape, rgb) = &expected()["three.rgb"];
    let rgb: Vec<u8> = rgb.iter().map(|value| *value as u8).collect();
    RgbImage::from_raw(shape[1] as u32, shape[0] as u32, rgb).expect("a picture").save(work.path(name)).expect("saved");
}

#[test]
fn boxes_are_those_of_the_reference() {
    let work = Workplace::new();
    golden_picture(&work, "39.png");
    let options = ["39.png", "--threshold", "0", "--max", "40", "-o", "o.png", "--coco", "r.json", "--json"];
    let json = run_small(&work, &options).succeeded().json();
    let expected = expected();
    let (boxes, scores, labels) =
        (&expected["three.boxes"].1, &expected["three.scores"].1, &expected["three.labels"].1);
    let found = json["images"][0]["found"].as_array().expect("a list").clone();
    assert_eq!(found.len(), 40);
    let results: Value = serde_json::from_slice(&fs::read(work.path("r.json")).expect("a file")).expect("JSON");
    assert_eq!(results.as_array().map(Vec::len), Some(40));
    let close = |got: &Value, expected: f32| {
        let got = got.as_f64().expect("a number");
        assert!((got - f64::from(expected)).abs() < 1e-2, "{got}, expected {expected}");
    };
    for (index, found) in found.iter().enumerate() {
        assert_eq!(found["class"], labels[index] as usize);
        assert!((found["score"].as_f64().expect("a number") - f64::from(scores[index])).abs() < 1e-4);
        let corners = &boxes[4 * index..][..4];
        (0..4).for_each(|side| close(&found["box"][side], corners[side]));

        let result = &results[index];
        assert_eq!((&result["image_id"], &result["file_name"]), (&39.into(), &"39.png".into()));
        assert_eq!(result["category_id"], labels[index] as usize);
        close(&result["bbox"][0], corners[0]);
        close(&result["bbox"][3], corners[3] - corners[1]);
    }
    assert_eq!(work.picture_size("o.png"), (150, 117));
    let before = image::open(work.path("39.png")).expect("a picture").to_rgb8();
    assert_ne!(image::open(work.path("o.png")).expect("a picture").to_rgb8(), before);
}

#[test]
fn many_pictures_go_into_a_folder_and_a_broken_one_is_left_out() {
    let work = Workplace::new();
    work.picture("a.png", 80, 60);
    work.picture("b.png", 200, 90);
    fs::write(work.path("broken.png"), "no picture").expect("written");
    fs::write(work.path("names.txt"), (0..91).map(|class| format!("thing {class}\n")).collect::<String>())
        .expect("written");
    let arguments = ["a.png", "broken.png", "b.png", "-o", "boxes", "--coco", "r.json", "--threshold", "0.2"];
    let ran = run_small(&work, &[&arguments[..], &["--classes", "names.txt"]].concat());
    let ran = ran.failed(1, &["broken.png"]);
    assert_eq!(work.names("boxes"), ["a.boxes.png", "b.boxes.png"]);
    assert!(ran.stdout.contains("thing "), "{}", ran.stdout);
    let results: Value = serde_json::from_slice(&fs::read(work.path("r.json")).expect("a file")).expect("JSON");
    let ids = results.as_array().expect("a list").iter().map(|result| result["image_id"].as_u64().expect("a number"));
    assert!(ids.collect::<Vec<_>>().iter().all(|id| [1, 3].contains(id)), "places among the inputs");
}

#[test]
fn without_weights_the_line_says_how_to_get_them() {
    let work = Workplace::new();
    work.picture("a.png", 80, 60);
    let words = [
        "dinov3_vit7b16_coco2017_detr_head-b0235ff7.pth",
        "DINOv3 License",
        "vit7b16",
        "--head-weights",
        "checkpoints",
    ];
    run(&work, &["detect", "a.png", "-o", "o.png"]).failed(1, &words);
}

/// A file with a few of a detector's tensors.
fn part_of_a_head(path: &Path) {
    let tensors = [
        ("input_proj.0.0.weight", vec![32, 256, 1, 1]),
        ("transformer.level_embed", vec![1, 32]),
        ("transformer.encoder.layers.0.linear1.weight", vec![8, 32]),
        ("transformer.decoder.layers.0.linear1.weight", vec![8, 32]),
        ("transformer.decoder.layers.0.cross_attn.cpb_mlp1.2.weight", vec![2, 4]),
        ("class_embed.0.weight", vec![91, 32]),
        ("query_embed.weight", vec![4, 32]),
    ];
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| vec![0; 4 * shape.iter().product::<usize>()]).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape has"))
    });
    serialize_to_file(views.collect::<Vec<_>>(), None, path).expect("written");
}

#[test]
fn files_that_do_not_belong_together_are_told() {
    let work = Workplace::new();
    work.picture("a.png", 150, 117);
    let (backbone, other) = (golden("meta-vit-swiglu/backbone.pth"), golden("text/dinotxt.pth"));
    let with = |head: &str, backbone: &str, more: &[&str]| {
        let arguments = ["detect", "a.png", "-o", "o.png", "--head-weights", head, "--weights", backbone];
        run(&work, &[&arguments[..], &["--layers", "0,1"], more].concat())
    };
    let head = golden("detector/head.pth");
    with(&head, &golden("meta-vit-mlp/backbone.pth"), &[]).failed(1, &["head.pth", "reads 64 numbers", "has 128"]);
    with(&head, &golden("meta-convnext/backbone.pth"), &[]).failed(1, &["head.pth", "ConvNeXt"]);
    with(&head, &backbone, &["--layers", "0,7"]).failed(1, &["layer 7", "0 to 1", "--layers"]);
    with(&other, &backbone, &[]).failed(1, &["dinotxt.pth", "no head for detection", "input_proj"]);
    with(&backbone, &backbone, &[]).failed(1, &["backbone.pth", "no head for detection"]);
    part_of_a_head(&work.path("part.safetensors"));
    with("part.safetensors", &backbone, &[]).failed(1, &["part.safetensors", "input_proj.0.0.bias"]);
    fs::write(work.path("names.txt"), "cat\ndog\n").expect("written");
    with(&head, &backbone, &["--classes", "names.txt"]).failed(1, &["91 classes", "2 names", "--classes"]);
    with(&head, &backbone, &["--size", "64", "--windows", "3"]).failed(1, &["3x3 windows", "--size"]);
    with("nowhere.pth", &backbone, &[]).failed(1, &["nowhere.pth"]);
    assert!(!work.path("o.png").exists());
}

#[test]
fn outputs_that_make_no_sense_are_wrong_arguments() {
    let work = Workplace::new();
    work.picture("a.png", 150, 117);
    for (arguments, words) in [
        (&["a.png"][..], "--output"),
        (&["a.png", "a.png", "-o", "o.png"], "one file"),
        (&["a.png", "-o", "o.jpg"], "PNG"),
        (&["a.png", "-o", "o.png", "--threshold", "2"], "--threshold"),
        (&["a.png", "-o", "o.png", "--coco", "o.png"], "two outputs"),
    ] {
        let ran = run_small(&work, arguments);
        assert_eq!(ran.status, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    run_small(&work, &["a.png", "-o", "a.png"]).failed(1, &["one of the inputs"]);
    work.picture("a.boxes.png", 150, 117);
    run_small(&work, &["a.png", "a.boxes.png", "-o", "."]).failed(1, &["a.boxes.png", "one of the inputs"]);
}
