//! The canvas with mouse and keys: where a pixel lies is read from the status line.

use egui::{Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, TouchPhase, Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::support::{Window, colour, drag_by, launch, open, project, sees, wait_until};

const SAMPLE: &str = "View of chelsea.png";

fn with_sample() -> Window {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", |window| window.query_by_label(SAMPLE).is_some());
    window
}

fn centre(window: &Window, view: &str) -> Pos2 {
    window.get_by_label(view).rect().center()
}

/// The pixel under the pointer, as the status line says: "px 203, 511".
fn pixel_at(window: &mut Window, at: Pos2) -> Vec2 {
    window.hover_at(at);
    window.run_steps(2);
    let text = window.get_by_label_contains("px ").value().expect("a text");
    let numbers = text.split("px ").nth(1).and_then(|rest| rest.split(" ·").next()).expect("numbers");
    let mut numbers = numbers.split(", ").map(|number| number.parse::<f32>().expect(number));
    vec2(numbers.next().expect("x"), numbers.next().expect("y"))
}

fn wheel(window: &mut Window, points: f32) {
    window.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, points),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    // egui spreads a turn over some frames.
    window.run_steps(30);
}

fn is_close(a: Vec2, b: Vec2, pixels: f32) -> bool {
    (a - b).abs().max_elem() <= pixels
}

#[test]
fn the_wheel_zooms_to_the_pixel_under_the_pointer() {
    let mut window = with_sample();
    let place = centre(&window, SAMPLE) + vec2(-120.0, 60.0);
    let (before, beside) = (pixel_at(&mut window, place), pixel_at(&mut window, place + vec2(100.0, 0.0)));
    pixel_at(&mut window, place);
    wheel(&mut window, 200.0);
    let (after, closer) = (pixel_at(&mut window, place), pixel_at(&mut window, place + vec2(100.0, 0.0)));
    assert!(is_close(after, before, 1.0), "{before} became {after}");
    let (wide, narrow) = ((beside - before).x, (closer - after).x);
    assert!((wide / narrow - std::f32::consts::E).abs() < 0.4, "{wide} pixels became {narrow}");
    pixel_at(&mut window, place);
    wheel(&mut window, -200.0);
    assert!(is_close(pixel_at(&mut window, place), before, 1.0), "back again");
}

#[test]
fn the_middle_button_and_space_move_the_picture() {
    let mut window = with_sample();
    let (place, way) = (centre(&window, SAMPLE), vec2(80.0, -40.0));
    let before = pixel_at(&mut window, place);
    drag_by(&mut window, PointerButton::Middle, place, place + way);
    assert!(is_close(pixel_at(&mut window, place + way), before, 1.0));
    window.key_down(Key::Space);
    drag_by(&mut window, PointerButton::Primary, place + way, place);
    window.key_up(Key::Space);
    assert!(is_close(pixel_at(&mut window, place), before, 1.0));
    assert!(!sees(&window, "change its sign"), "nothing was pinned on the way");
}

#[test]
fn keys_show_the_whole_picture_and_its_own_size() {
    let mut window = with_sample();
    let place = centre(&window, SAMPLE);
    wheel(&mut window, 150.0);
    window.key_press(Key::Num0);
    window.run_steps(2);
    let (left, right) =
        (pixel_at(&mut window, place - vec2(50.0, 0.0)), pixel_at(&mut window, place + vec2(50.0, 0.0)));
    assert_eq!(right.x - left.x, 100.0, "a pixel on a pixel");
    window.key_press(Key::F);
    window.run_steps(2);
    assert!(is_close(pixel_at(&mut window, place), vec2(225.0, 150.0), 1.0), "the picture's centre in the view's");
    window.key_press(Key::Plus);
    window.run_steps(2);
    let (left, right) =
        (pixel_at(&mut window, place - vec2(50.0, 0.0)), pixel_at(&mut window, place + vec2(50.0, 0.0)));
    window.key_press(Key::Minus);
    window.run_steps(2);
    let wider = pixel_at(&mut window, place + vec2(50.0, 0.0)) - pixel_at(&mut window, place - vec2(50.0, 0.0));
    assert!(wider.x > (right - left).x);
}

#[test]
fn views_side_by_side_show_the_same_part() {
    let mut window = open(launch(&[project("assets/chelsea.png"), project("assets/coffee.png")]));
    wait_until(&mut window, "the first", |window| window.query_by_label(SAMPLE).is_some());
    window.get_by_label("Pair").click();
    let other = "View of coffee.png";
    wait_until(&mut window, "the second", |window| window.query_by_label(other).is_some());
    let (here, there) = (centre(&window, SAMPLE), centre(&window, other));
    let span = |window: &mut Window| pixel_at(window, there + vec2(60.0, 0.0)) - pixel_at(window, there);
    let before = span(&mut window);
    pixel_at(&mut window, here);
    wheel(&mut window, 200.0);
    let after = span(&mut window);
    assert!(after.x < 0.6 * before.x, "{before} pixels became {after} in the other view");
}

#[test]
fn the_grid_is_drawn_and_named_in_the_menu() {
    let mut window = with_sample();
    wait_until(&mut window, "features", |window| {
        window.hover_at(centre(window, SAMPLE));
        sees(window, "row ")
    });
    window.get_by_label("Opacity").set_value_accesskit(0.0);
    window.run_steps(20);
    let view = window.get_by_label(SAMPLE).rect();
    window.remove_cursor();
    window.run_steps(2);
    let bare = window.render().expect("a picture");
    window.key_press(Key::G);
    window.run_steps(3);
    let lined = window.render().expect("a picture");
    let changed = |x: u32, y: u32| bare.get_pixel(x, y) != lined.get_pixel(x, y);
    let y = view.center().y as u32 + 5;
    let lines = (view.min.x as u32..view.max.x as u32).filter(|&x| changed(x, y)).count();
    assert!((15..120).contains(&lines), "21 columns have 20 lines between them: {lines} pixels of a row changed");
    window.get_by_label("View").click();
    window.run_steps(2);
    let name = window.get_by_label_contains("Patch grid").accesskit_node().label().expect("a name");
    assert!(!name.starts_with("Patch"), "with a mark: {name}");
}

#[test]
fn there_is_a_light_theme_too() {
    let mut window = with_sample();
    let corner = Pos2::new(1270.0, 700.0);
    let dark = colour(&mut window, corner);
    window.get_by_label("View").click();
    window.run_steps(2);
    window.get_by_label_contains("Switch dark and light").click();
    window.run_steps(4);
    let light = colour(&mut window, corner);
    assert!(
        dark.iter().all(|&channel| channel < 80) && light.iter().all(|&channel| channel > 180),
        "{dark:?} {light:?}"
    );
}
