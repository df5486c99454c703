//! The probe: painted, seen, saved, loaded, applied.

use std::path::{Path, PathBuf};

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::probe::Probe;
use egui::{Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::Queryable as _;

use super::shell::drop_files;
use super::support::{Window, click, colour, drag, drag_by, launch, open, project, sees, wait_until};

const CAT: &str = "View of chelsea.png";

/// The window with the tool, once the picture is encoded. Every dialog answers with `answer`.
fn probing(files: &[PathBuf], answer: Option<PathBuf>) -> Window {
    let ask = AskPerson::new(move |_| Ok(answer.clone().into_iter().collect()));
    let mut window = open(Launch { ask, ..launch(files) });
    window.key_press(Key::Num6);
    wait_until(&mut window, "the features", |window| {
        let Some(view) = window.query_by_label(CAT).map(|view| view.rect()) else { return false };
        window.hover_at(view.center());
        sees(window, "row ")
    });
    window
}

/// A point of the cat's picture, by shares of its width and height.
fn place(window: &Window, x: f32, y: f32) -> Pos2 {
    let rect = window.get_by_label(CAT).rect();
    let size = vec2(451.0, 300.0);
    let shown = Rect::from_center_size(rect.center(), size * (rect.width() / size.x).min(rect.height() / size.y));
    shown.min + vec2(x, y) * shown.size()
}

fn paint(window: &mut Window, class: &str, from: (f32, f32), to: (f32, f32)) {
    window.get_by_label(&format!("Paint {class}")).click();
    window.run_steps(2);
    let (from, to) = (place(window, from.0, from.1), place(window, to.0, to.1));
    drag(window, from, to);
}

/// The background behind the cat, and its face.
fn teach(window: &mut Window) {
    paint(window, "Background", (0.93, 0.1), (0.93, 0.3));
    assert!(!sees(window, "learned in"));
    wait_until(window, "a request", |window| sees(window, "Paint another class too"));
    paint(window, "Object", (0.45, 0.3), (0.5, 0.6));
    wait_until(window, "a probe", |window| sees(window, "learned in"));
}

/// The number of the status line at a place.
fn value(window: &mut Window, x: f32, y: f32) -> f32 {
    let at = place(window, x, y);
    window.hover_at(at);
    window.run_steps(3);
    let node = window.query_by_label_contains("Object ").and_then(|node| node.value());
    let text = node.unwrap_or_else(|| panic!("no number at {x}, {y}"));
    text.split_whitespace().last().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_few_strokes_teach_it_and_undo_takes_them_back() {
    let mut window = probing(&[project("assets/chelsea.png")], None);
    assert!(sees(&window, "Paint a few patches of two classes"));
    teach(&mut window);
    assert!(value(&mut window, 0.48, 0.45) > 0.8);
    assert!(value(&mut window, 0.93, 0.2) < 0.2);
    // The face beside the stroke is alike, the background far from it too.
    assert!(value(&mut window, 0.55, 0.4) > value(&mut window, 0.9, 0.05) + 0.3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "nothing", |window| sees(window, "Paint another class too"));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    wait_until(&mut window, "the probe again", |window| sees(window, "learned in"));

    // The right button erases.
    let (from, to) = (place(&window, 0.45, 0.3), place(&window, 0.5, 0.6));
    window.get_by_label("Brush size, number").set_value_accesskit(6.0);
    window.run_steps(2);
    drag_by(&mut window, PointerButton::Secondary, from, to);
    wait_until(&mut window, "nothing", |window| sees(window, "Paint another class too"));
}

#[test]
fn colours_edges_and_classes_are_chosen() {
    let mut window = probing(&[project("assets/chelsea.png")], None);
    teach(&mut window);
    let mut last = window.render().expect("a picture");
    for control in ["Uncertainty", "Classes", "Follow edges", "Median"] {
        window.get_by_label(control).click();
        window.run_steps(3);
        wait_until(&mut window, control, |window| {
            let now = window.render().expect("a picture");
            let view = window.get_by_label(CAT).rect();
            let inside = |x: u32, y: u32| view.contains(egui::pos2(x as f32, y as f32));
            let pairs = now.enumerate_pixels().filter(|(x, y, _)| inside(*x, *y));
            let changed = pairs.filter(|(x, y, pixel)| last.get_pixel(*x, *y) != *pixel).count();
            let is_changed = changed > 500;
            if is_changed {
                last = now;
            }
            is_changed
        });
        assert!(!sees(&window, "Try again"), "{control}");
    }
    window.get_by_label("Add class").click();
    window.run_steps(2);
    paint(&mut window, "Class 3", (0.1, 0.85), (0.2, 0.9));
    wait_until(&mut window, "three classes", |window| {
        window.hover_at(place(window, 0.15, 0.88));
        sees(window, "Class 3 0.") || sees(window, "Class 3 1.")
    });
    window.get_by_label("Remove Class 3").click();
    wait_until(&mut window, "two classes", |window| window.query_by_label("Paint Class 3").is_none());
    wait_until(&mut window, "a probe of two", |window| {
        window.hover_at(place(window, 0.48, 0.45));
        sees(window, "Object 0.") || sees(window, "Object 1.")
    });
}

#[test]
fn only_what_is_probable_is_drawn() {
    let mut window = probing(&[project("assets/chelsea.png")], None);
    teach(&mut window);
    // The patches around it too, since between patches the colours are blended.
    let around = [(0.0, 0.0), (0.05, 0.0), (-0.05, 0.0), (0.0, 0.08), (0.0, -0.08)];
    let places = [(0.8, 0.12), (0.75, 0.12), (0.8, 0.2), (0.85, 0.5), (0.88, 0.55), (0.88, 0.65)];
    let is_unlikely = |&(x, y): &(f32, f32)| around.iter().all(|(dx, dy)| value(&mut window, x + dx, y + dy) < 0.5);
    let unlikely = places.into_iter().find(is_unlikely).expect("an unlikely place");
    let mut drawn = |threshold: f64, opacity: f64| {
        window.get_by_label("Threshold, number").set_value_accesskit(threshold);
        window.get_by_label("Opacity, number").set_value_accesskit(opacity);
        window.remove_cursor();
        window.run_steps(20);
        let (off, on) = (place(&window, unlikely.0, unlikely.1), place(&window, 0.55, 0.4));
        [colour(&mut window, off), colour(&mut window, on)]
    };
    let plain = drawn(0.0, 0.0);
    let all = drawn(0.0, 0.6);
    assert!(all[0] != plain[0] && all[1] != plain[1]);
    assert_eq!(drawn(0.5, 0.6), [plain[0], all[1]]);
}

fn export(window: &mut Window, what: &str, path: &Path) {
    window.get_by_label_contains("Export").click();
    window.run_steps(3);
    window.get_by_label(what).click();
    wait_until(window, "the file", |_| path.exists());
}

#[test]
fn a_probe_is_saved_loaded_and_is_the_foreground() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cat.probe.safetensors");
    let mut window = probing(&[project("assets/chelsea.png")], Some(file.clone()));
    teach(&mut window);
    let taught = value(&mut window, 0.55, 0.4);
    export(&mut window, "Probe (safetensors)", &file);
    let probe = Probe::load(&file).expect("a probe");
    assert_eq!(
        (probe.classes.as_slice(), probe.model.as_str()),
        (&["Background".to_owned(), "Object".to_owned()][..], "demo")
    );

    // In PCA it is the foreground.
    window.key_press(Key::Num2);
    window.run_steps(3);
    window.get_all_by_label("Probe").last().expect("beside the other foregrounds").click();
    wait_until(&mut window, "its patches", |window| sees(window, " of 308 patches"));

    // Dropped on another window it says the same, without scribbles.
    let mut other = probing(&[project("assets/chelsea.png")], Some(folder.path().join("labels.png")));
    drop_files(&mut other, &[file]);
    wait_until(&mut other, "the probe", |window| sees(window, "From a file: Background, Object"));
    let at = place(&other, 0.55, 0.4);
    wait_until(&mut other, "its probabilities", |window| {
        window.hover_at(at);
        sees(window, "Object ")
    });
    assert!((value(&mut other, 0.55, 0.4) - taught).abs() < 2e-3);
    export(&mut other, "Labels (grey PNG)", &folder.path().join("labels.png"));
    let labels = image::open(folder.path().join("labels.png")).expect("a PNG").into_luma8();
    assert_eq!(labels.dimensions(), (451, 300));
    assert!(labels.pixels().any(|pixel| pixel.0 == [1]) && labels.pixels().any(|pixel| pixel.0 == [0]));

    // Strokes come before the file.
    teach(&mut other);
}

#[test]
fn all_open_pictures_show_what_one_was_taught() {
    let files = [project("assets/coffee.png"), project("assets/chelsea.png")];
    let mut window = open(launch(&files));
    window.key_press(Key::Num6);
    wait_until(&mut window, "the first", |window| window.query_by_label("View of coffee.png").is_some());
    window.get_by_label("Show all pictures").click();
    wait_until(&mut window, "both", |window| window.query_by_label(CAT).is_some());
    wait_until(&mut window, "features", |window| {
        let at = window.get_by_label(CAT).rect().center();
        window.hover_at(at);
        sees(window, "row ")
    });
    teach(&mut window);
    wait_until(&mut window, "a number on the other", |window| {
        let at = window.get_by_label("View of coffee.png").rect().center();
        window.hover_at(at);
        sees(window, "Object ")
    });
}

#[test]
fn what_is_no_probe_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.safetensors");
    std::fs::write(&file, b"nothing of the kind").expect("written");
    let mut window = probing(&[project("assets/chelsea.png")], Some(file));
    window.get_by_label("Open…").click();
    wait_until(&mut window, "a sentence", |window| sees(window, "other.safetensors is no probe of dinoscope"));
    let at = place(&window, 0.5, 0.5);
    click(&mut window, at, Modifiers::NONE);
    assert!(window.query_by_label("Paint Object").is_some(), "it goes on");
}
