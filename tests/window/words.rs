//! Words, with a small dino.txt of random weights beside the demo model: what it says means nothing, how it is shown does.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dinoscope::gui::{AskPerson, Launch};
use egui::accesskit::Role;
use egui::{Key, MissingGlyphPolicy, Modifiers, Pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::GenericImageView as _;
use ndarray::Array3;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};
use tempfile::TempDir;

use super::access;
use super::support::{Window, colour, launch, open, project, sees, wait_until};
use super::tracking;

/// Width of the demo model.
const DIM: usize = 192;

/// A vision head for the demo model and a text tower with the published vocabulary, one block each.
fn weights() -> (TempDir, PathBuf) {
    const TOWER: usize = 16;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dinov3_vitl16_dinotxt_vision_head_and_text_encoder-small.safetensors");
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    let mut block = |before: &str, names: [&str; 4], dim: usize, hidden: usize| {
        let [norm1, attention, norm2, mlp] = names;
        let mut add = |name: &str, shape: &[usize]| tensors.push((format!("{before}.{name}"), shape.to_vec()));
        for norm in [norm1, norm2] {
            add(&format!("{norm}.weight"), &[dim]);
            add(&format!("{norm}.bias"), &[dim]);
        }
        add(&format!("{attention}.qkv.weight"), &[3 * dim, dim]);
        for (layer, inputs, outputs) in [
            (format!("{attention}.proj"), dim, dim),
            (format!("{mlp}.fc1"), dim, hidden),
            (format!("{mlp}.fc2"), hidden, dim),
        ] {
            add(&format!("{layer}.weight"), &[outputs, inputs]);
            add(&format!("{layer}.bias"), &[outputs]);
        }
    };
    block("visual_model.head.blocks.0", ["norm1", "attn", "norm2", "mlp"], DIM, DIM);
    let tower = ["attention_norm", "attention", "ffn_norm", "feed_forward"];
    block("text_model.backbone.blocks.0", tower, TOWER, 2 * TOWER);
    for (name, shape) in [
        ("visual_model.head.ln_final.weight", vec![DIM]),
        ("visual_model.head.ln_final.bias", vec![DIM]),
        ("text_model.backbone.token_embedding.weight", vec![49_408, TOWER]),
        ("text_model.backbone.positional_embedding", vec![77, TOWER]),
        ("text_model.backbone.ln_final.weight", vec![TOWER]),
        ("text_model.backbone.ln_final.bias", vec![TOWER]),
        ("text_model.head.linear_projection.weight", vec![2 * DIM, TOWER]),
    ] {
        tensors.push((name.to_owned(), shape));
    }
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .enumerate()
        .map(|(tensor, (name, shape))| {
            let number = |i| amplitude(name) * noise(tensor, i);
            (0..shape.iter().product()).flat_map(|i| number(i).to_le_bytes()).collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape has"))
    });
    serialize_to_file(views.collect::<Vec<_>>(), None, &path).expect("written");
    (folder, path)
}

/// Of a tensor's numbers: phrases and places are to differ.
fn amplitude(name: &str) -> f32 {
    match name {
        "text_model.backbone.token_embedding.weight" => 10.0,
        "text_model.backbone.blocks.0.attention.qkv.weight" => 20.0,
        "visual_model.head.blocks.0.attn.proj.weight" | "visual_model.head.blocks.0.mlp.fc2.weight" => 0.1,
        _ => 1.0,
    }
}

/// Reproducible, in -0.5..=0.5.
fn noise(tensor: usize, i: usize) -> f32 {
    let mut hash = ((tensor << 32) + i + 1) as u64;
    for _ in 0..2 {
        hash = (hash ^ (hash >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

fn drop_file(window: &mut Window, path: &Path) {
    super::shell::drop_files(window, &[path.to_path_buf()]);
}

/// A window in the tool, the small weights dropped on it.
fn words(launch: Launch) -> (Window, TempDir) {
    let (folder, path) = weights();
    let mut window = open(launch);
    // The fonts of this machine are not used here, those of the program have no emoji.
    window.ctx.set_missing_glyph_policy(MissingGlyphPolicy::Tofu);
    drop_file(&mut window, &path);
    wait_until(&mut window, "the field for phrases", |window| {
        window.query_by_role_and_label(Role::MultilineTextInput, "Phrases").is_some()
    });
    wait_until(&mut window, "a picture", |window| sees(window, "View of"));
    (window, folder)
}

fn type_phrases(window: &mut Window, text: &str) {
    let field = window.get_by_label("Phrases");
    field.focus();
    window.step();
    window.get_by_label("Phrases").type_text(text);
    window.run_steps(2);
}

fn wait_for_classes(window: &mut Window) {
    wait_until(window, "classes", |window| sees(window, "Hide "));
}

fn centre(window: &Window) -> Pos2 {
    window.get_by_label_contains("View of").rect().center()
}

fn without_pointer(window: &mut Window) {
    window.remove_cursor();
    std::thread::sleep(Duration::from_millis(200));
    window.run_steps(10);
}

/// Whether the status line says how alike a place is to one of these.
fn reads(window: &Window, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| sees(window, &format!("{phrase} 0.")) || sees(window, &format!("{phrase} −0.")))
}

/// The phrase of the largest class.
fn largest(window: &Window) -> String {
    let eye = window.query_all_by_label_contains("Hide ").next().expect("a class");
    let label = eye.accesskit_node().label().expect("a name");
    label.trim_start_matches("Hide ").to_owned()
}

#[test]
fn without_weights_the_tool_says_what_is_missing_and_takes_a_file() {
    let (_folder, path) = weights();
    let ask = AskPerson::new(move |_| Ok(vec![path.clone()]));
    let mut window = open(Launch { ask, ..launch(&[]) });
    window.key_press(Key::Num5);
    wait_until(&mut window, "what is missing", |window| sees(window, "weights are missing"));
    for part in ["dinotxt_vision_head_and_text_encoder-", "2.3 GB", "DINOv3 License", "vitl16", "drop it on the window"]
    {
        assert!(sees(&window, part), "{part}");
    }
    window.get_by_label("Choose file…").click();
    wait_until(&mut window, "the field for phrases", |window| window.query_by_label("Phrases").is_some());
}

#[test]
fn phrases_colour_the_picture_and_have_a_legend() {
    let (mut window, _folder) = words(launch(&[]));
    without_pointer(&mut window);
    let at = centre(&window);
    let before = colour(&mut window, at);
    type_phrases(&mut window, "a cat, 🐈‍⬛, кошка\nthe floor");
    wait_for_classes(&mut window);
    assert!(sees(&window, "4 phrases") && sees(&window, " %"));
    without_pointer(&mut window);
    assert_ne!(colour(&mut window, at), before, "the classes lie over the picture");

    // Hidden classes let the picture through.
    while sees(&window, "Hide ") {
        let phrase = largest(&window);
        window.get_by_label(&format!("Hide {phrase}")).click();
        window.run_steps(3);
    }
    without_pointer(&mut window);
    assert_eq!(colour(&mut window, at), before);

    // Other phrases take their place; old ones that are gone leave no class.
    type_phrases(&mut window, ", a dog");
    wait_until(&mut window, "five phrases", |window| sees(window, "5 phrases"));
    window.get_by_label_contains("Nowhere the best").click();
    wait_until(&mut window, "a row for the new one", |window| window.query_by_label("Hide a dog").is_some());
}

#[test]
fn the_pointer_ranks_and_a_class_shows_its_map() {
    let (mut window, _folder) = words(launch(&[]));
    type_phrases(&mut window, "a cat, a dog, grass, sky, water, stone, wood");
    wait_for_classes(&mut window);
    let at = centre(&window);
    wait_until(&mut window, "the best phrase", |window| {
        window.hover_at(at);
        reads(window, &["a cat", "a dog", "grass", "sky", "water", "stone", "wood"])
    });
    let phrase = largest(&window);
    without_pointer(&mut window);
    let classes = colour(&mut window, at);
    window.get_by_label(&phrase).click();
    wait_until(&mut window, "the map", |window| {
        sees(window, "Stretched") && {
            window.remove_cursor();
            colour(window, at) != classes
        }
    });
    window.get_by_label(&phrase).click();
    without_pointer(&mut window);
    assert_eq!(colour(&mut window, at), classes, "all classes again");

    // A background takes what no phrase describes.
    window.get_by_label("Background").click();
    window.run_steps(3);
    window.get_by_label("Least score, number").set_value_accesskit(0.5);
    wait_until(&mut window, "background everywhere", |window| sees(window, "Background 100 %"));
}

#[test]
fn every_control_has_a_name_a_tooltip_and_room() {
    let (mut window, _folder) = words(launch(&[]));
    window.set_size(egui::vec2(1280.0, 1400.0));
    type_phrases(&mut window, "a cat, a dog, grass, a phrase that is far too long for its row in the legend");
    wait_for_classes(&mut window);
    let phrase = largest(&window);
    window.get_by_label(&phrase).click();
    wait_until(&mut window, "the map", |window| sees(window, "Stretched"));
    for folded in ["More", "Background"] {
        window.get_by_label(folded).click();
        window.run_steps(20);
    }
    window.get_by_label("Least score, number").set_value_accesskit(-0.2);
    wait_until(&mut window, "the class again", |window| sees(window, &format!("Hide {phrase}")));
    access::check_width(&window);
    access::check(&mut window);
    window.get_by_label(&format!("Opacity of {phrase}")).click();
    window.run_steps(5);
    assert_eq!(window.query_all_by_label(&format!("Opacity of {phrase}")).count(), 3, "square, title and slider");
}

#[test]
fn windows_and_typing_take_the_place_of_what_runs() {
    let (mut window, _folder) = words(launch(&[]));
    type_phrases(&mut window, "a cat, a dog");
    wait_for_classes(&mut window);
    window.get_by_label("Windows").click();
    window.run_steps(2);
    type_phrases(&mut window, ", grass");
    wait_until(&mut window, "shares of windows", |window| {
        window.hover_at(centre(window));
        sees(window, "3 phrases") && reads(window, &["a cat", "a dog", "grass"])
    });
    assert!(!sees(&window, "stopped"));
}

#[test]
fn classes_labels_and_scores_are_written() {
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().to_path_buf();
    let ask = AskPerson::new(move |question| Ok(vec![folder.join(&question.file_name)]));
    let (mut window, _folder) = words(Launch { ask, ..launch(&[]) });
    type_phrases(&mut window, "a cat, a dog, grass");
    wait_for_classes(&mut window);
    for (what, file) in [
        ("Picture with classes (PNG)", "chelsea.words.png"),
        ("Labels (indexed PNG)", "chelsea.labels.png"),
        ("Scores (NumPy)", "chelsea.words.npy"),
    ] {
        window.get_by_label_contains("  Export").click();
        window.run_steps(5);
        window.get_by_label(what).click();
        wait_until(&mut window, file, |_| out.path().join(file).exists());
    }
    let labels = image::open(out.path().join("chelsea.labels.png")).expect("a picture");
    let picture = image::open(out.path().join("chelsea.words.png")).expect("a picture");
    let original = image::open(project("assets/chelsea.png")).expect("a picture");
    assert_eq!((labels.dimensions(), picture.dimensions()), (original.dimensions(), original.dimensions()));
    assert!(labels.into_luma8().into_raw().iter().all(|&label| label < 3));
    let scores: Array3<f32> = ndarray_npy::read_npy(out.path().join("chelsea.words.npy")).expect("an array");
    assert_eq!(scores.dim().0, 3);
    assert!(scores.iter().all(|score| (-1.0..=1.0).contains(score)));
}

#[test]
fn a_phrase_is_a_query_of_similarity() {
    let (mut window, _folder) = words(launch(&[]));
    window.key_press(Key::Num1);
    window.run_steps(3);
    window.get_by_label("By a phrase").focus();
    window.step();
    window.get_by_label("By a phrase").type_text("a red fox");
    window.run_steps(2);
    window.key_press(Key::Enter);
    wait_until(&mut window, "the phrase's map", |window| sees(window, "Stretched") && sees(window, "Hide a red fox"));
    assert!(sees(&window, "1 phrase"));
}

#[test]
fn phrases_become_masks_that_are_undone_and_followed() {
    let (clip, out) = (tracking::clip(), tempfile::tempdir().expect("a folder"));
    let folder = out.path().join("masks");
    let answer = folder.clone();
    let ask = AskPerson::new(move |_| Ok(vec![answer.clone()]));
    let (mut window, _folder) = words(Launch { ask, ..launch(&[clip.path().to_path_buf()]) });
    window.key_press(Key::Num4);
    window.run_steps(3);
    for section in ["From words", "How to follow"] {
        window.get_by_label(section).click();
        window.run_steps(10);
    }
    window.get_by_label("Input size, number").set_value_accesskit(320.0);
    window.run_steps(2);
    let button = |window: &Window| !window.get_by_label("Mask from words").accesskit_node().is_disabled();
    assert!(!button(&window), "without a phrase there is nothing to make");
    window.get_by_label("Objects as phrases").focus();
    window.step();
    window.get_by_label("Objects as phrases").type_text("a cup, a hill");
    window.get_by_label("Least score, number").set_value_accesskit(0.5);
    window.run_steps(3);
    window.get_by_label("Mask from words").click();
    wait_until(&mut window, "why there is none", |window| sees(window, "No place of this frame reaches"));
    let has_mask = |window: &Window| sees(window, "Select a cup") || sees(window, "Select a hill");
    let make = |window: &mut Window, least: f64| {
        window.get_by_label("Least score, number").set_value_accesskit(least);
        window.run_steps(3);
        window.get_by_label("Mask from words").click();
        window.run_steps(3);
        wait_until(window, "an answer", |window| button(window));
    };
    // A part of the frame: somewhat below the greatest score.
    let greatest = (0..30).map(|step| 0.3 - 0.02 * f64::from(step)).find(|&least| {
        make(&mut window, least);
        has_mask(&window)
    });
    make(&mut window, greatest.expect("a mask in the end") - 0.04);
    window.get_by_label("From words").click();
    window.run_steps(10);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "both masks undone", |window| !has_mask(window));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    wait_until(&mut window, "the masks again", |window| has_mask(window));
    tracking::follow(&mut window);
    let masks = tracking::masks(&mut window, &folder);
    let areas: Vec<usize> = masks.iter().map(|map| map.ids.iter().filter(|&&id| id > 0).count()).collect();
    assert!(areas[0] > 0 && areas[0] < masks[0].ids.len() && areas[1] > 0, "it is followed: {areas:?}");
}

#[test]
fn a_head_that_does_not_fit_is_told_in_one_sentence() {
    let mut window = open(launch(&[]));
    drop_file(&mut window, &project("tests/golden/text/dinotxt.pth"));
    wait_until(&mut window, "why it does not fit", |window| {
        sees(window, "reads 64 numbers per patch, but the model has 192")
    });
    assert!(window.query_by_label("Use vitl16").is_some() && window.query_by_label("Choose file…").is_some());
    assert!(window.query_by_label("Phrases").is_none());
}

#[test]
fn nothing_that_is_typed_does_harm() {
    let (mut window, _folder) = words(launch(&[]));
    window.get_by_label("More").click();
    window.run_steps(10);
    window.get_by_label("None").click();
    window.run_steps(2);
    type_phrases(&mut window, " , ,\n  ,");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        window.step();
    }
    assert!(sees(&window, "Type what may be in the picture") && !sees(&window, "Hide "));
    let many: Vec<String> = (0..10_000).map(|i| format!("🦊 {i}")).collect();
    type_phrases(&mut window, &many.join(","));
    wait_until(&mut window, "classes among ten thousand", |window| {
        sees(window, "10000 phrases") && sees(window, "Hide ")
    });
    window.get_by_label("Phrases").focus();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.key_press(Key::Delete);
    wait_until(&mut window, "nothing", |window| !sees(window, "Hide "));
}

#[test]
fn the_file_is_remembered_for_the_next_start() {
    let (_folder, path) = weights();
    let config = tempfile::tempdir().expect("a folder");
    let launch = || Launch { config_folder: Some(config.path().to_path_buf()), ..launch(&[]) };
    let mut window = open(launch());
    drop_file(&mut window, &path);
    wait_until(&mut window, "the field for phrases", |window| window.query_by_label("Phrases").is_some());
    window.state_mut().close();
    drop(window);
    let mut window = open(launch());
    wait_until(&mut window, "the field for phrases", |window| window.query_by_label("Phrases").is_some());
}
