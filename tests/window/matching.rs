//! Two pictures side by side.

use std::path::PathBuf;

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::image::{Picture, write::write_picture};
use egui::{Key, Pos2, Vec2};
use egui_kittest::kittest::Queryable as _;

use super::support::{Window, launch, open, project, wait_until};

fn is_shown(window: &mut Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

/// The window with the tool, once two pictures are matched.
fn matched() -> Window {
    matched_as(launch(&both()))
}

fn both() -> [PathBuf; 2] {
    [project("assets/chelsea.png"), project("assets/coffee.png")]
}

fn matched_as(launch: Launch) -> Window {
    let mut window = open(launch);
    window.key_press(Key::Num3);
    wait_until(&mut window, "pairs", |window| is_shown(window, " pairs"));
    wait_until(&mut window, "lines", |window| {
        is_shown(window, "as lines") && window.query_by_label("0 of them as lines").is_none()
    });
    window
}

/// A point of the screen over a view, from its centre.
fn over(window: &Window, view: &str, offset: Vec2) -> Pos2 {
    window.get_by_label(view).rect().center() + offset
}

/// Kept pairs and all of them, as the panel says.
fn counts(window: &Window) -> (usize, usize) {
    let label = window.get_by_label_contains(" pairs").value().expect("a text");
    let numbers = label.split(" of ").map(|part| part.trim_end_matches(" pairs").replace(',', "").parse().expect(part));
    let numbers: Vec<usize> = numbers.collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_sample_becomes_the_second_picture() {
    let mut window = open(launch(&[project("assets/chelsea.png")]));
    window.key_press(Key::Num3);
    let sentence = "Open a second picture to match with";
    wait_until(&mut window, "the invitation", |window| window.query_by_label(sentence).is_some());
    window.get_by_label("Coffee").click();
    wait_until(&mut window, "the second picture", |window| window.query_by_label("View of coffee.png").is_some());
    assert!(window.query_by_label(sentence).is_none());
    let (left, right) =
        (window.get_by_label("View of chelsea.png").rect(), window.get_by_label("View of coffee.png").rect());
    assert!(left.max.x <= right.min.x && left.min.y == right.min.y, "side by side: {left} {right}");
    wait_until(&mut window, "pairs", |window| is_shown(window, " pairs"));
}

#[test]
fn the_patch_under_the_pointer_finds_its_match_and_is_pinned() {
    let mut window = matched();
    let place = over(&window, "View of chelsea.png", Vec2::new(10.0, 10.0));
    window.hover_at(place);
    wait_until(&mut window, "the match", |window| is_shown(window, "match at row"));
    window.drag_at(place);
    window.drop_at(place);
    let other = over(&window, "View of coffee.png", Vec2::new(5.0, 5.0));
    window.hover_at(other);
    wait_until(&mut window, "the similarity to the pin", |window| is_shown(window, "to the pin"));
    window.key_press(Key::Escape);
    wait_until(&mut window, "no pin", |window| !is_shown(window, "to the pin") && is_shown(window, "match at row"));
    window.key_press_modifiers(egui::Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "the pin again", |window| is_shown(window, "to the pin"));
}

#[test]
fn filters_change_the_number_of_pairs() {
    let mut window = matched();
    let (mutual, all) = counts(&window);
    assert!(0 < mutual && mutual < all, "{mutual} of {all}");
    window.get_by_label("Mutual only").click();
    wait_until(&mut window, "all pairs", |window| is_shown(window, " pairs") && counts(window) == (all, all));
    window.get_by_label("Least score, number").set_value_accesskit(0.99);
    wait_until(&mut window, "fewer pairs", |window| is_shown(window, " pairs") && counts(window).0 < all);
}

#[test]
fn sides_are_swapped() {
    let mut window = matched();
    let left = |window: &Window, view: &str| window.get_by_label(view).rect().min.x;
    let before = left(&window, "View of chelsea.png");
    window.get_by_label_contains("Swap sides").click();
    wait_until(&mut window, "the other order", |window| left(window, "View of coffee.png") == before);
    wait_until(&mut window, "pairs of the other order", |window| is_shown(window, " pairs"));
    window.key_press(Key::X);
    wait_until(&mut window, "the first order", |window| left(window, "View of chelsea.png") == before);
}

#[test]
fn pictures_without_any_difference_are_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["grey.png", "white.png"].map(|name| folder.path().join(name));
    for (path, value) in paths.iter().zip([128, 255]) {
        let picture = Picture { width: 96, height: 64, rgb: vec![value; 96 * 64 * 3] };
        write_picture(path, &picture, &[]).expect("written");
    }
    let mut window = open(launch(&paths));
    window.key_press(Key::Num3);
    wait_until(&mut window, "pairs", |window| is_shown(window, " pairs"));
}

#[test]
fn pairs_and_the_figure_are_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().to_path_buf();
    let ask = AskPerson::new(move |question| Ok(vec![target.join(&question.file_name)]));
    let mut window = matched_as(Launch { ask, ..launch(&both()) });
    let (kept, _) = counts(&window);
    let mut export = |name: &str, file: &str| {
        window.get_by_label_contains("Export").click();
        window.run_steps(2);
        window.get_by_label(name).click();
        let file = folder.path().join(file);
        wait_until(&mut window, name, |_| file.exists());
        file
    };
    let figure = image::open(export("Both pictures with colours and lines (PNG)", "chelsea-coffee.matches.png"));
    assert!(figure.expect("a PNG").width() > 900, "both side by side");
    let text = std::fs::read_to_string(export("Pairs (JSON)", "chelsea-coffee.matches.json")).expect("a file");
    let pairs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(pairs["pairs"].as_array().map(Vec::len), Some(kept));
    let csv = std::fs::read_to_string(export("Pairs (CSV)", "chelsea-coffee.matches.csv")).expect("a file");
    assert_eq!(csv.lines().count(), kept + 1);
}

#[test]
fn foregrounds_of_both_sides_leave_fewer_candidates() {
    let mut window = matched();
    let (_, all) = counts(&window);
    window.get_by_label("Foreground").click();
    window.run_steps(20);
    // All and automatic hold for both sides.
    window.get_all_by_label("Automatic").next().expect("the left side's").click();
    wait_until(&mut window, "fewer candidates", |window| {
        is_shown(window, " pairs") && counts(window).1 > 0 && counts(window).1 < all
    });
    assert_eq!(window.query_all_by_label_contains(" patches").count(), 2, "each side tells its own");
}

#[test]
fn a_line_is_hit_by_the_pointer() {
    let mut window = matched();
    window.get_by_label("Line spacing, number").set_value_accesskit(400.0);
    wait_until(&mut window, "few lines", |window| {
        let text = window.query_by_label_contains("as lines").and_then(|node| node.value());
        let count = text.and_then(|text| text.split(' ').next().and_then(|n| n.parse::<usize>().ok()));
        count.is_some_and(|count| (1..6).contains(&count))
    });
    // Beside the left picture there is nothing but lines on the canvas.
    window.remove_cursor();
    window.run_steps(10);
    let view = window.get_by_label("View of chelsea.png").rect();
    let x = view.right() - 3.0;
    let rows = || (view.top() as u32 + 2..view.bottom() as u32 - 2).map(|y| y as f32);
    let column = |window: &mut Window| {
        let image = window.render().expect("a picture of the window");
        move |y: f32| image.get_pixel(x as u32, y as u32).0
    };
    let mut line = None;
    // Lines fade in.
    wait_until(&mut window, "a line that leads from one view to the other", |window| {
        let at = column(window);
        let ground = at(view.top() + 2.0);
        let is_far = |pixel: [u8; 4]| (0..3).any(|channel| pixel[channel].abs_diff(ground[channel]) > 60);
        line = rows().find(|&y| is_far(at(y)));
        line.is_some()
    });
    let line = line.expect("it was waited for");
    window.hover_at(Pos2::new(x, line + 1.0));
    wait_until(&mut window, "the line under the pointer standing out", |window| {
        let at = column(window);
        rows().filter(|&y| (y - line).abs() < 12.0).any(|y| at(y)[..3].iter().all(|&channel| channel > 200))
    });
}

#[test]
fn another_model_is_matched_anew() {
    let mut window = matched();
    let before = counts(&window);
    window.state_mut().use_model(ModelSource::Random { name: "vits16".to_owned(), seed: 3 });
    wait_until(&mut window, "other pairs", |window| is_shown(window, " pairs") && counts(window) != before);
}
