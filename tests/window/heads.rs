//! The published heads, with the small random ones of the golden files: what they say means nothing, how it is shown does.

use std::path::PathBuf;

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::encoder::ModelSource;
use egui::accesskit::Role;
use egui::{Key, Pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::GenericImageView as _;
use ndarray::Array2;

use super::access;
use super::shell::drop_files;
use super::support::{Window, colour, launch, open, project, sees, wait_until};

fn golden(path: &str) -> PathBuf {
    project("tests/golden").join(path)
}

/// How the window starts with that backbone.
fn beside(backbone: &str) -> Launch {
    Launch { source: Some(ModelSource::Path(golden(backbone))), ..launch(&[]) }
}

/// A window with a head dropped on it.
fn with_head(launch: Launch, head: &str) -> Window {
    let mut window = open(launch);
    wait_until(&mut window, "a picture", |window| sees(window, "View of"));
    drop_files(&mut window, &[golden(head)]);
    window
}

/// Types into a field of the folded part.
fn set_layers(window: &mut Window, layers: &str) {
    wait_until(window, "the folded part", |window| window.query_by_label("More").is_some());
    window.get_by_label("More").click();
    wait_until(window, "its fields", |window| window.query_all_by_label("Layers").count() > 0);
    let field = window.get_by_role_and_label(Role::TextInput, "Layers");
    field.focus();
    window.step();
    window.get_by_role_and_label(Role::TextInput, "Layers").type_text(layers);
    window.run_steps(2);
}

fn centre(window: &Window) -> Pos2 {
    window.get_by_label_contains("View of").rect().center()
}

fn without_pointer(window: &mut Window) {
    window.remove_cursor();
    std::thread::sleep(std::time::Duration::from_millis(200));
    window.run_steps(10);
}

/// Writes each of these by the menu, into one folder.
fn export(window: &mut Window, out: &std::path::Path, files: &[(&str, &str)]) {
    for (what, file) in files {
        window.get_by_label_contains("  Export").click();
        window.run_steps(5);
        window.get_by_label(what).click();
        wait_until(window, file, |_| out.join(file).exists());
    }
}

/// Answers every dialog with a file of the suggested name in a folder of its own.
fn answering() -> (tempfile::TempDir, AskPerson) {
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().to_path_buf();
    (out, AskPerson::new(move |question| Ok(vec![folder.join(&question.file_name)])))
}

#[test]
fn without_weights_each_tool_says_what_is_missing() {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "a picture", |window| sees(window, "View of"));
    let heads = [
        (Key::Num8, "synthmix_dpt_head", "For depth"),
        (Key::Num9, "ade20k_m2f_head", "For segmentation"),
        (Key::D, "coco2017_detr_head", "For detection"),
        (Key::L, "imagenet1k_linear_head", "For classification"),
    ];
    for (key, file, task) in heads {
        window.key_press(key);
        wait_until(&mut window, file, |window| sees(window, file));
        for part in ["weights are missing", task, "DINOv3 License", "vit7b16", "Ask Meta for it", "Choose file…"] {
            assert!(sees(&window, part), "{part}");
        }
    }
}

#[test]
fn a_head_of_another_backbone_is_refused_and_the_right_one_offered() {
    let mut window = with_head(launch(&[]), "depth/synthmix.pth");
    wait_until(&mut window, "why not", |window| sees(window, "numbers per patch, but the model has 192"));
    assert!(sees(&window, "Use vit7b16") && sees(&window, "More") && sees(&window, "Try again"));
}

#[test]
fn depths_have_colours_numbers_and_files() {
    let (out, ask) = answering();
    let mut window = with_head(Launch { ask, ..beside("depth/backbone.pth") }, "depth/synthmix.pth");
    wait_until(&mut window, "numbers", |window| sees(window, "Nearest") && sees(window, "Farthest"));
    without_pointer(&mut window);
    let at = centre(&window);
    let stretched = colour(&mut window, at);
    wait_until(&mut window, "metres under the pointer", |window| {
        window.hover_at(at);
        sees(window, "depth ") && sees(window, " m")
    });
    window.get_by_label("Fixed").click();
    window.run_steps(3);
    window.get_by_label("Farthest, number").set_value_accesskit(100.0);
    without_pointer(&mut window);
    assert_ne!(colour(&mut window, at), stretched, "another scale has other colours");

    let files = [
        ("Picture with depths (PNG)", "chelsea.depth.png"),
        ("Depths (16-bit PNG)", "chelsea.depth16.png"),
        ("Depths (NumPy)", "chelsea.depth.npy"),
        ("Point cloud (PLY)", "chelsea.ply"),
    ];
    export(&mut window, out.path(), &files);
    let original = image::open(project("assets/chelsea.png")).expect("a picture");
    let (width, height) = original.dimensions();
    let picture = image::open(out.path().join("chelsea.depth.png")).expect("a picture");
    assert_eq!(picture.dimensions(), (width, height));
    let metres: Array2<f32> = ndarray_npy::read_npy(out.path().join("chelsea.depth.npy")).expect("an array");
    assert_eq!(metres.dim(), (height as usize, width as usize));
    let steps = image::open(out.path().join("chelsea.depth16.png")).expect("a picture").into_luma16();
    // 100 m in 16 bits are steps of two millimetres.
    let off = |(pixel, metres): (&u16, &f32)| (f32::from(*pixel) * 0.002 - metres).abs();
    assert!(steps.as_raw().iter().zip(&metres).map(off).fold(0.0, f32::max) < 0.0011);
    let cloud = std::fs::read(out.path().join("chelsea.ply")).expect("a file");
    assert!(cloud.starts_with(b"ply\n") && cloud.len() > 15 * (width * height) as usize);
}

#[test]
fn boxes_have_a_threshold_a_list_and_files() {
    let (out, ask) = answering();
    let mut window = with_head(Launch { ask, ..beside("meta-vit-swiglu/backbone.pth") }, "detector/head.pth");
    let has_answer = |window: &mut Window| sees(window, " object") || sees(window, "Nothing is that sure");
    wait_until(&mut window, "an answer", has_answer);
    // It reads both layers of its backbone.
    set_layers(&mut window, "0");
    wait_until(&mut window, "why not", |window| sees(window, "numbers per patch, but the model has"));
    window.get_by_role_and_label(Role::TextInput, "Layers").type_text(",1");
    wait_until(&mut window, "an answer again", has_answer);
    window.get_by_label("Least score, number").set_value_accesskit(1.0);
    wait_until(&mut window, "no boxes", |window| sees(window, "Nothing is that sure"));
    without_pointer(&mut window);
    let view = window.get_by_label_contains("View of").rect();
    let drawn = |window: &mut Window| window.render().expect("a picture of the window");
    let before = drawn(&mut window);
    window.get_by_label("Least score, number").set_value_accesskit(0.05);
    wait_until(&mut window, "boxes", |window| sees(window, " objects"));
    without_pointer(&mut window);
    let after = drawn(&mut window);
    let differs = |x: u32, y: u32| before.get_pixel(x, y) != after.get_pixel(x, y);
    let inside = (view.left() as u32..view.right() as u32).step_by(3);
    assert!(
        inside.clone().any(|x| (view.top() as u32..view.bottom() as u32).any(|y| differs(x, y))),
        "boxes are drawn"
    );

    export(
        &mut window,
        out.path(),
        &[("Picture with boxes (PNG)", "chelsea.objects.png"), ("Boxes (COCO JSON)", "chelsea.objects.json")],
    );
    let text = std::fs::read_to_string(out.path().join("chelsea.objects.json")).expect("a file");
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let found = found.as_array().expect("a list");
    assert!(!found.is_empty() && found.iter().all(|found| found["score"].as_f64() >= Some(0.05)));
}

#[test]
fn classes_of_pixels_have_a_legend_and_files() {
    let (out, ask) = answering();
    let mut window = with_head(Launch { ask, ..beside("segmentor/backbone.pth") }, "segmentor/head.pth");
    wait_until(&mut window, "classes", |window| sees(window, "Hide "));
    without_pointer(&mut window);
    let at = centre(&window);
    let before = colour(&mut window, at);
    window.get_by_label("Opacity, number").set_value_accesskit(0.0);
    without_pointer(&mut window);
    assert_ne!(colour(&mut window, at), before, "classes lie over the picture");
    wait_until(&mut window, "a class under the pointer", |window| {
        window.hover_at(at);
        let mut places = window.query_all_by_label_contains(" · px ");
        places.any(|place| place.accesskit_node().value().is_some_and(|text| text.contains(" 0.")))
    });
    let files =
        [("Picture with classes (PNG)", "chelsea.segments.png"), ("Labels (indexed PNG)", "chelsea.labels.png")];
    export(&mut window, out.path(), &files);
    let labels = image::open(out.path().join("chelsea.labels.png")).expect("a picture");
    assert_eq!(labels.dimensions(), image::open(project("assets/chelsea.png")).expect("a picture").dimensions());
}

#[test]
fn a_classifier_lists_its_classes() {
    let (out, ask) = answering();
    let mut window = with_head(Launch { ask, ..beside("depth/backbone.pth") }, "depth/classifier.pth");
    wait_until(&mut window, "classes", |window| sees(window, "class 0") && sees(window, " %"));
    export(&mut window, out.path(), &[("All classes (CSV)", "chelsea.classes.csv")]);
    let text = std::fs::read_to_string(out.path().join("chelsea.classes.csv")).expect("a file");
    let shares: Vec<f32> = text.lines().skip(1).filter_map(|line| line.rsplit(',').next()?.parse().ok()).collect();
    assert!(shares.len() > 1 && shares.is_sorted_by(|a, b| a >= b));
    assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-3);
}

#[test]
fn every_control_has_a_name_a_tooltip_and_room() {
    let mut window = with_head(beside("depth/backbone.pth"), "depth/synthmix.pth");
    window.set_size(egui::vec2(1280.0, 1000.0));
    wait_until(&mut window, "numbers", |window| sees(window, "Nearest"));
    window.get_by_label("More").click();
    window.get_by_label("Fixed").click();
    window.run_steps(20);
    access::check_width(&window);
    access::check(&mut window);
}
