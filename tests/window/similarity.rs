//! Asking what is alike, with mouse, keys and controls.

use egui::{Key, Modifiers, Pos2, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::encoder::ModelSource;

use super::support::{Window, click, drag, launch, open, project, sees, wait_until};

const SAMPLE: &str = "View of chelsea.png";

/// A window in which the sample is encoded and mapped.
fn mapped() -> Window {
    mapped_as(launch(&[]))
}

fn mapped_as(launch: Launch) -> Window {
    let mut window = open(launch);
    wait_until(&mut window, "the sample", |window| window.query_by_label(SAMPLE).is_some());
    wait_until(&mut window, "a number under the pointer", |window| {
        window.hover_at(place(window, SAMPLE, 0.3, 0.3));
        readout(window).is_some()
    });
    window
}

/// A point of a view, by shares of its picture's width and height.
fn place(window: &Window, view: &str, x: f32, y: f32) -> Pos2 {
    let rect = window.get_by_label(view).rect();
    let shown = Rect::from_center_size(rect.center(), fitted(rect));
    shown.min + vec2(x, y) * shown.size()
}

/// Size of the sample, 451 × 300, in a view that shows it whole.
fn fitted(view: Rect) -> egui::Vec2 {
    let scale = ((view.width() - 16.0) / 451.0).min((view.height() - 16.0) / 300.0);
    vec2(451.0, 300.0) * scale
}

/// The number of the status line.
fn readout(window: &Window) -> Option<f32> {
    let node = window.query_by_label_contains("cos ")?;
    node.value()?.split_whitespace().last()?.replace('−', "-").parse().ok()
}

fn queries(window: &Window) -> usize {
    window.query_all_by_label_contains("change its sign").count()
}

/// Red, green and blue, 0..=255, of what is drawn at a point.
fn colour(window: &mut Window, at: Pos2) -> [u32; 3] {
    let image = window.render().expect("a picture of the window");
    let [r, g, b, _] = image.get_pixel(at.x as u32, at.y as u32).0;
    [r, g, b].map(u32::from)
}

/// Mean of the three.
fn brightness(window: &mut Window, at: Pos2) -> u32 {
    colour(window, at).iter().sum::<u32>() / 3
}

#[test]
fn a_map_is_there_before_anything_is_done() {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", |window| window.query_by_label(SAMPLE).is_some());
    wait_until(&mut window, "the map of an eye", |window| {
        let (other_eye, background) = (place(window, SAMPLE, 0.702, 0.44), place(window, SAMPLE, 0.97, 0.3));
        // The map's low end is violet, where the photograph is brown.
        let [_, green, blue] = colour(window, background);
        brightness(window, other_eye) > brightness(window, background) + 60 && blue > green + 20
    });
}

#[test]
fn hovering_maps_the_patch_under_the_pointer() {
    let mut window = mapped();
    assert_eq!(readout(&window), Some(1.0), "a patch is like itself");
    let background = place(&window, SAMPLE, 0.93, 0.13);
    let before = brightness(&mut window, background + vec2(14.0, 14.0));
    window.hover_at(background);
    window.run_steps(3);
    assert!(brightness(&mut window, background + vec2(14.0, 14.0)) > before + 30);
    window.remove_cursor();
    window.run_steps(2);
    assert!(brightness(&mut window, background + vec2(14.0, 14.0)) > before + 30, "the last map stays");
}

#[test]
fn a_click_pins_and_hovering_then_reads() {
    let mut window = mapped();
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    click(&mut window, eye, Modifiers::NONE);
    assert_eq!(queries(&window), 1);
    window.get_by_label("Query 1 is positive: change its sign");
    let background = place(&window, SAMPLE, 0.93, 0.13);
    window.hover_at(background);
    window.run_steps(2);
    assert!(readout(&window).is_some_and(|value| value < 0.95), "{:?}", readout(&window));
    window.key_combination_modifiers(Modifiers::COMMAND, &[Key::Z]);
    window.run_steps(2);
    assert_eq!(queries(&window), 0);
    window.key_combination_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), &[Key::Z]);
    window.run_steps(2);
    assert_eq!(queries(&window), 1);
}

#[test]
fn markers_are_selected_moved_and_removed() {
    let mut window = mapped();
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    click(&mut window, eye, Modifiers::NONE);
    let text = |window: &Window| {
        window
            .get_by_label_contains(", col ")
            .value()
            .or_else(|| window.get_by_label_contains(", col ").accesskit_node().label())
    };
    window.hover_at(pos2(1270.0, 790.0));
    window.run_steps(2);
    let before = text(&window);
    window.key_press(Key::ArrowRight);
    window.run_steps(2);
    assert_ne!(text(&window), before, "an arrow moves the last query");
    let patch = fitted(window.get_by_label(SAMPLE).rect()).x / 21.0;
    click(&mut window, eye + vec2(patch, 0.0), Modifiers::NONE);
    assert_eq!(queries(&window), 1, "a click on a marker selects it");
    window.key_press(Key::Delete);
    window.run_steps(2);
    assert_eq!(queries(&window), 0);
}

#[test]
fn drags_make_boxes_and_shift_makes_negative_ones() {
    let mut window = mapped();
    let (from, to) = (place(&window, SAMPLE, 0.3, 0.3), place(&window, SAMPLE, 0.5, 0.55));
    drag(&mut window, from, to);
    window.get_by_label_contains("box ");
    let background = place(&window, SAMPLE, 0.93, 0.13);
    click(&mut window, background, Modifiers::SHIFT);
    window.get_by_label("Query 2 is negative: change its sign");
    assert!(readout(&window).is_some_and(|value| value < 0.0), "far from the box, near the negative query");
    window.get_by_label("Query 2 is negative: change its sign").click();
    window.run_steps(2);
    window.get_by_label("Query 2 is positive: change its sign");
    window.get_by_label("Clear").click();
    window.run_steps(2);
    assert_eq!(queries(&window), 0);
}

#[test]
fn the_brush_paints_a_region() {
    let mut window = mapped();
    window.key_press(Key::B);
    window.step();
    let (from, to) = (place(&window, SAMPLE, 0.3, 0.3), place(&window, SAMPLE, 0.5, 0.5));
    drag(&mut window, from, to);
    window.get_by_label_contains("region ");
}

#[test]
fn a_threshold_uncovers_the_picture() {
    let mut window = mapped();
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    click(&mut window, eye, Modifiers::NONE);
    let corner = place(&window, SAMPLE, 0.05, 0.3);
    window.hover_at(pos2(1270.0, 790.0));
    window.run_steps(4);
    let covered = brightness(&mut window, corner);
    window.get_by_label("Threshold").set_value_accesskit(0.99);
    window.run_steps(4);
    let uncovered = brightness(&mut window, corner);
    assert!(uncovered.abs_diff(covered) > 10, "{covered} {uncovered}");
    window.get_by_label("Opacity").set_value_accesskit(0.0);
    window.get_by_label("Threshold").set_value_accesskit(0.0);
    window.run_steps(4);
    assert_eq!(brightness(&mut window, corner), uncovered, "no opacity: the same picture");
}

#[test]
fn a_query_asks_all_open_pictures() {
    let files = ["assets/chelsea.png", "assets/coffee.png"].map(project);
    let mut window = open(launch(&files));
    wait_until(&mut window, "the picture", |window| window.query_by_label(SAMPLE).is_some());
    window.get_by_label("All").click();
    wait_until(&mut window, "the other picture", |window| window.query_by_label("View of coffee.png").is_some());
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    wait_until(&mut window, "features of the first", |window| {
        window.hover_at(eye);
        readout(window).is_some()
    });
    click(&mut window, eye, Modifiers::NONE);
    wait_until(&mut window, "a number in the other picture", |window| {
        let other = window.get_by_label("View of coffee.png").rect().center();
        window.hover_at(other);
        readout(window).is_some_and(|value| value < 0.99)
    });
}

#[test]
fn the_picture_and_its_map_are_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_path_buf();
    let ask = AskPerson::new(move |question| Ok(vec![path.join(&question.file_name)]));
    let mut window = mapped_as(Launch { ask, ..launch(&[]) });
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    click(&mut window, eye, Modifiers::NONE);
    let mut export = |name: &str, file: &str| {
        window.get_by_label_contains("Export").click();
        window.run_steps(2);
        window.get_by_label(name).click();
        let file = folder.path().join(file);
        wait_until(&mut window, name, |_| file.exists());
        file
    };
    let drawn = image::open(export("Picture with map (PNG)", "chelsea.similarity.png")).expect("a PNG");
    assert_eq!((drawn.width(), drawn.height()), (451, 300));
    let map: ndarray::Array2<f32> =
        ndarray_npy::read_npy(export("Map (NumPy)", "chelsea.similarity.npy")).expect("an array");
    let greatest = map.iter().copied().fold(f32::MIN, f32::max);
    assert!((greatest - 1.0).abs() < 1e-5, "the pinned patch is like itself: {greatest}");
    let text = std::fs::read_to_string(export("Queries (JSON)", "chelsea.queries.json")).expect("a file");
    let queries: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(queries["model"], "demo");
    let [row, col] = [0, 1].map(|at| queries["queries"][0]["patches"][0][at].as_u64().expect("a number") as usize);
    assert!((map[[row, col]] - 1.0).abs() < 1e-5);
}

/// Colours of some points of the sample, with what is drawn beside them out of the way.
fn colours(window: &mut Window) -> Vec<[u32; 3]> {
    let points: Vec<Pos2> = (1..9).map(|step| place(window, SAMPLE, 0.1 * step as f32, 0.62)).collect();
    let image = window.render().expect("a picture of the window");
    let at = |point: &Pos2| image.get_pixel(point.x as u32, point.y as u32).0;
    points.iter().map(at).map(|[r, g, b, _]| [r, g, b].map(u32::from)).collect()
}

/// With the sample's eye pinned, and the pointer away.
fn pinned() -> Window {
    let mut window = mapped();
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    click(&mut window, eye, Modifiers::NONE);
    window.hover_at(pos2(1270.0, 790.0));
    window.run_steps(20);
    window
}

#[test]
fn colour_map_and_scale_are_chosen() {
    let mut window = pinned();
    let magma = colours(&mut window);
    window.get_by_label("Colours").click();
    window.run_steps(4);
    window.get_by_label("Viridis").click();
    window.run_steps(8);
    let viridis = colours(&mut window);
    assert!(magma.iter().zip(&viridis).all(|(a, b)| a != b), "{magma:?} {viridis:?}");
    window.key_press(Key::S);
    window.run_steps(8);
    assert_ne!(colours(&mut window), viridis, "stretched");
    window.get_by_label("Raw").click();
    window.run_steps(8);
    assert_eq!(colours(&mut window), viridis);
}

#[test]
fn patches_are_drawn_in_one_colour_each() {
    let mut window = pinned();
    let width = fitted(window.get_by_label(SAMPLE).rect()).x / 22.0;
    // Two points of one patch, near its left and its right edge; the picture itself is out of the way.
    window.get_by_label("Opacity").set_value_accesskit(1.0);
    window.run_steps(4);
    let left = place(&window, SAMPLE, 10.15 / 22.0, 0.62);
    let both = [left, left + vec2(0.7 * width, 0.0)];
    let colours = |window: &mut Window| both.map(|at| colour(window, at));
    let [a, b] = colours(&mut window);
    assert_ne!(a, b, "smooth");
    window.key_press(Key::P);
    window.run_steps(4);
    let [a, b] = colours(&mut window);
    assert_eq!(a, b, "a patch has one colour");
}

#[test]
fn the_best_patches_are_outlined() {
    let mut window = pinned();
    let before = window.render().expect("a picture");
    window.get_by_label("Best patches, number").set_value_accesskit(5.0);
    window.run_steps(8);
    let after = window.render().expect("a picture");
    let view = window.get_by_label(SAMPLE).rect();
    let inside = |(x, y, _): &(u32, u32, &image::Rgba<u8>)| view.contains(pos2(*x as f32, *y as f32));
    let changed = after.enumerate_pixels().filter(inside).filter(|(x, y, pixel)| before.get_pixel(*x, *y) != *pixel);
    let changed = changed.count();
    let patch = fitted(view).x / 21.0;
    // Each has an outline some pixels wide and a number in it.
    let most = 5.0 * (4.0 * 5.0 * patch + 20.0 * 20.0);
    assert!((5.0 * 2.0 * patch..most).contains(&(changed as f32)), "{changed} pixels, patches of {patch}");
}

#[test]
fn keys_that_end_typing_are_not_for_the_canvas() {
    let mut window = pinned();
    let field = window.get_by_label("Best patches, number").rect().center();
    click(&mut window, field, Modifiers::NONE);
    window.event(egui::Event::Text("5".to_owned()));
    window.step();
    window.key_press(Key::Enter);
    window.run_steps(4);
    assert_eq!(window.get_by_label("Best patches, number").value().as_deref(), Some("5"));
    assert_eq!(queries(&window), 1, "Enter pins the patch under the pointer only while nobody types");
    window.key_press(Key::Enter);
    window.run_steps(4);
    assert_eq!(queries(&window), 2);
}

#[test]
fn a_neighbourhood_is_left_out() {
    let mut window = pinned();
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    let reads = |window: &mut Window, at: Pos2| {
        window.hover_at(at);
        window.run_steps(3);
        readout(window)
    };
    assert_eq!(reads(&mut window, eye), Some(1.0));
    window.get_by_label("Leave out, number").set_value_accesskit(2.0);
    window.run_steps(8);
    assert_eq!(reads(&mut window, eye), None, "what is left out has no number");
    let far = place(&window, SAMPLE, 0.8, 0.8);
    assert!(reads(&mut window, far).is_some());
}

#[test]
fn a_contour_line_follows_a_value() {
    let mut window = pinned();
    window.get_by_label("More").click();
    window.run_steps(20);
    let before = window.render().expect("a picture");
    window.get_by_label("Contour line").click();
    window.run_steps(4);
    let view = window.get_by_label(SAMPLE).rect();
    let changed = |window: &mut Window| {
        let now = window.render().expect("a picture");
        let inside = |x: u32, y: u32| view.contains(pos2(x as f32, y as f32));
        now.enumerate_pixels().filter(|(x, y, pixel)| inside(*x, *y) && before.get_pixel(*x, *y) != *pixel).count()
    };
    assert!(changed(&mut window) > 100, "a line");
    window.get_by_label("Contour at, number").set_value_accesskit(-1.0);
    window.run_steps(4);
    assert!(changed(&mut window) < 20, "no cosine is that small: {}", changed(&mut window));
}

#[test]
fn another_model_maps_the_same_query() {
    let mut window = pinned();
    let before = colours(&mut window);
    window.state_mut().use_model(ModelSource::Random { name: "vits16".to_owned(), seed: 3 });
    wait_until(&mut window, "the other model's map", |window| {
        window.hover_at(pos2(1270.0, 790.0));
        sees(window, "Model: vits16, random weights, ") && !sees(window, "loading") && colours(window) != before
    });
    assert_eq!(queries(&window), 1, "what is placed stays");
    let eye = place(&window, SAMPLE, 0.38, 0.38);
    wait_until(&mut window, "its number", |window| {
        window.hover_at(eye);
        readout(window) == Some(1.0)
    });
}
