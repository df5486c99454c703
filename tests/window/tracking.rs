//! Clips: the timeline, and objects that are painted, followed, corrected and recorded.

use std::path::{Path, PathBuf};

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::tracking::LabelMap;
use dinoscope_engine::video::{Video, VideoOptions};
use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2, Rect, pos2};
use egui_kittest::kittest::Queryable as _;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::support::{Window, click, drag, launch, open, project, wait_until};

/// Frames of the clip.
const FRAMES: usize = 14;

/// Width and height of a frame.
const SIZE: (u32, u32) = (240, 160);

/// Where the object's upper left corner is in a frame; it is a square.
fn place(frame: usize) -> (u32, u32) {
    (20 + 8 * frame as u32, 56)
}

/// Side of the object.
const SIDE: u32 = 48;

/// A piece of a cup that moves over a piece of a landscape, as numbered pictures.
pub fn clip() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str| image::open(project(&format!("assets/{name}"))).expect("a sample").into_rgb8();
    let (ground, cup) = (read("china.jpg"), read("coffee.png"));
    for frame in 0..FRAMES {
        let (left, top) = place(frame);
        let pixel = |x: u32, y: u32| -> Rgb<u8> {
            let is_object = (left..left + SIDE).contains(&x) && (top..top + SIDE).contains(&y);
            if is_object { *cup.get_pixel(300 + x - left, 120 + y - top) } else { *ground.get_pixel(x, 20 + y) }
        };
        let path = folder.path().join(format!("{frame:05}.png"));
        RgbImage::from_fn(SIZE.0, SIZE.1, pixel).save(path).expect("written");
    }
    folder
}

/// A window with the clip in the tracking tool, at an input size that encodes at once.
fn tracking(clip: &Path, answer: PathBuf) -> Window {
    let ask = AskPerson::new(move |_| Ok(vec![answer.clone()]));
    let mut window = open(Launch { ask, ..launch(&[clip.to_path_buf()]) });
    wait_until(&mut window, "the timeline", |window| has(window, "Timeline of"));
    window.get_by_role_and_label(Role::Button, "Tracking").click();
    window.run_steps(3);
    window.get_by_label("How to follow").click();
    window.run_steps(10);
    window.get_by_label("Input size, number").set_value_accesskit(320.0);
    window.run_steps(3);
    window
}

fn has(window: &Window, label: &str) -> bool {
    window.query_all_by_label_contains(label).next().is_some()
}

/// A pixel of the frame on the screen, the frame being fitted into the view.
fn screen(window: &Window, (x, y): (u32, u32)) -> Pos2 {
    let view: Rect = window.get_by_label_contains("View of").rect();
    let scale = (view.width() / SIZE.0 as f32).min(view.height() / SIZE.1 as f32);
    let inside = egui::vec2(x as f32 - SIZE.0 as f32 / 2.0, y as f32 - SIZE.1 as f32 / 2.0);
    pos2(view.center().x, view.center().y) + inside * scale
}

/// Strokes that cover the object of a frame.
fn paint_object(window: &mut Window, frame: usize) {
    window.get_by_label("Brush, number").set_value_accesskit(10.0);
    window.run_steps(2);
    let (left, top) = place(frame);
    for y in [8, 20, 30, 40] {
        let (from, to) = (screen(window, (left + 8, top + y)), screen(window, (left + SIDE - 8, top + y)));
        drag(window, from, to);
    }
}

/// The button that stops takes the place of the one that starts while there is something to track.
pub fn follow(window: &mut Window) {
    window.get_by_label("Follow through the clip").click();
    window.run_steps(3);
    wait_until(window, "its end", |window| has(window, "Follow through the clip"));
}

/// Writes the masks of all frames and reads them.
pub fn masks(window: &mut Window, folder: &Path) -> Vec<LabelMap> {
    let _ = std::fs::remove_dir_all(folder);
    window.get_by_label_contains("  Export").click();
    window.run_steps(5);
    window.get_by_label("Masks (folder of PNG)").click();
    let last = folder.join(format!("{:05}.png", FRAMES - 1));
    wait_until(window, "the masks", |window| last.exists() && has(window, "masks"));
    let read = |frame| LabelMap::read(&folder.join(format!("{frame:05}.png")), None).expect("a mask");
    (0..FRAMES).map(read).collect()
}

/// Intersection over union of what was found with where the object is.
fn overlap(map: &LabelMap, frame: usize) -> f32 {
    let (left, top) = place(frame);
    let (mut both, mut either) = (0, 0);
    for (index, &id) in map.ids.iter().enumerate() {
        let (x, y) = ((index % map.width) as u32, (index / map.width) as u32);
        let is_object = (left..left + SIDE).contains(&x) && (top..top + SIDE).contains(&y);
        both += usize::from(is_object && id > 0);
        either += usize::from(is_object || id > 0);
    }
    both as f32 / either as f32
}

#[test]
fn an_object_is_painted_followed_corrected_and_recorded() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let folder = out.path().join("dog-masks");
    let mut window = tracking(clip.path(), folder.clone());
    window.get_by_label("Follow through the clip").click();
    wait_until(&mut window, "what to do first", |window| has(window, "Paint an object in one frame first"));

    paint_object(&mut window, 0);
    assert!(has(&window, "Select Object 1"));
    follow(&mut window);
    let tracked = masks(&mut window, &folder);
    let overlaps: Vec<f32> = tracked.iter().enumerate().map(|(frame, map)| overlap(map, frame)).collect();
    assert!(overlaps.iter().all(|share| *share > 0.4), "the object is followed: {overlaps:?}");

    // Another object in the last frame: frames before it stay as they were.
    window.key_press(Key::End);
    let last = FRAMES - 1;
    wait_until(&mut window, "the last frame", |window| has(window, &format!("frame {last} / {last}")));
    window.key_press(Key::N);
    window.run_steps(3);
    let (from, to) = (screen(&window, (30, 20)), screen(&window, (60, 20)));
    drag(&mut window, from, to);
    follow(&mut window);
    let corrected = masks(&mut window, &folder);
    assert_eq!(corrected[last].objects(), [1, 2]);
    assert!(corrected[..last] == tracked[..last], "only what comes after a correction is tracked again");

    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run_steps(3);
    follow(&mut window);
    assert!(masks(&mut window, &folder) == tracked, "undone");
}

/// Chooses what is exported and waits for the file.
fn export(window: &mut Window, what: &str, path: &Path) {
    window.get_by_label_contains("  Export").click();
    window.run_steps(5);
    window.get_by_label(what).click();
    wait_until(window, "the file", |_| path.exists());
}

#[test]
fn maps_are_recorded_through_the_clip() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let path = out.path().join("out.mp4");
    let mut window = tracking(clip.path(), path.clone());
    let frames = |path: &Path| Video::open(path, &VideoOptions::default()).expect("a clip").info().timeline.len();
    window.get_by_role_and_label(Role::Button, "Similarity").click();
    let at = screen(&window, (40, 80));
    wait_until(&mut window, "a map", |window| {
        window.hover_at(at);
        has(window, "cos ")
    });
    export(&mut window, "Video with map (MP4)", &path);
    assert_eq!(frames(&path), FRAMES);
    std::fs::remove_file(&path).expect("removed");
    window.get_by_role_and_label(Role::Button, "PCA").click();
    wait_until(&mut window, "components", |window| has(window, "Explained variance"));
    export(&mut window, "Video with colours (MP4)", &path);
    assert_eq!(frames(&path), FRAMES);
}

#[test]
fn the_clip_is_played_stepped_and_cut() {
    let clip = clip();
    let mut window = tracking(clip.path(), PathBuf::new());
    let frame = |window: &Window, frame: usize| has(window, &format!("frame {frame} / {}", FRAMES - 1));
    assert!(frame(&window, 0));
    window.key_press(Key::Period);
    wait_until(&mut window, "the next frame", |window| frame(window, 1));
    window.key_press(Key::I);
    window.key_press(Key::End);
    window.run_steps(2);
    window.key_press(Key::Comma);
    wait_until(&mut window, "the last frame but one", |window| frame(window, FRAMES - 2));
    window.key_press_modifiers(Modifiers::SHIFT, Key::I);
    window.key_press(Key::Home);
    wait_until(&mut window, "the first frame that is played", |window| frame(window, 1));
    window.get_by_label("Play (K)").click();
    window.step();
    wait_until(&mut window, "the end", |window| has(window, "Play (K)") && frame(window, FRAMES - 2));
}

#[test]
fn a_polygon_and_a_region_become_objects() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let folder = out.path().join("masks");
    let mut window = tracking(clip.path(), folder.clone());
    window.get_by_label("Polygon").click();
    window.run_steps(2);
    for corner in [(40, 40), (80, 40), (80, 80), (40, 80)] {
        let corner = screen(&window, corner);
        click(&mut window, corner, Modifiers::NONE);
    }
    window.key_press(Key::Enter);
    window.run_steps(3);
    let polygon = &masks(&mut window, &folder)[0];
    let area = polygon.ids.iter().filter(|&&id| id == 1).count();
    assert!((1500..1700).contains(&area), "40 × 40 pixels: {area}");

    window.key_press(Key::N);
    window.run_steps(3);
    window.get_by_label("Click").click();
    window.run_steps(2);
    let (left, top) = place(0);
    let centre = screen(&window, (left + SIDE / 2, top + SIDE / 2));
    click(&mut window, centre, Modifiers::NONE);
    wait_until(&mut window, "a region", |window| has(window, "A region of"));
    // Whoever follows a region means it.
    follow(&mut window);
    let region = &masks(&mut window, &folder)[0];
    assert_eq!(region.objects(), [1, 2]);
}

#[test]
fn a_probe_makes_masks() {
    let (clip, out) = (clip(), tempfile::tempdir().expect("a folder"));
    let folder = out.path().join("masks");
    let mut window = tracking(clip.path(), folder.clone());
    assert!(!has(&window, "Mask from probe"), "nothing was taught");
    window.key_press(Key::Num6);
    window.run_steps(3);
    wait_until(&mut window, "the features", |window| {
        let at = screen(window, (10, 10));
        window.hover_at(at);
        has(window, "row ")
    });
    let (left, top) = place(0);
    for (class, from, to) in [
        ("Background", (left + SIDE + 40, top), (left + SIDE + 40, top + SIDE)),
        ("Object", (left + SIDE / 3, top + SIDE / 2), (left + 2 * SIDE / 3, top + SIDE / 2)),
    ] {
        window.get_by_label(&format!("Paint {class}")).click();
        window.run_steps(2);
        let (from, to) = (screen(&window, from), screen(&window, to));
        drag(&mut window, from, to);
    }
    wait_until(&mut window, "a probe", |window| has(window, "learned in"));
    window.key_press(Key::Num4);
    window.run_steps(3);
    window.get_by_label("Mask from probe").click();
    let map = wait_for_mask(&mut window, &folder);
    assert!(overlap(&map, 0) > 0.5, "{}", overlap(&map, 0));
}

fn wait_for_mask(window: &mut Window, folder: &Path) -> LabelMap {
    wait_until(window, "something to clear", |window| {
        use egui_kittest::kittest::NodeT as _;
        let clear = window.get_by_label("Clear frame");
        !clear.accesskit_node().is_disabled()
    });
    masks(window, folder).remove(0)
}
