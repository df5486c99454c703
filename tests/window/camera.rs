//! Cameras: found, looked through, stopped, and frames kept. A test pattern stands in for the device.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dinoscope::gui::{CameraList, Launch};
use dinoscope_engine::Result;
use dinoscope_engine::camera::{CameraError, CameraInfo, Cameras, Capture};
use dinoscope_engine::image::Picture;
use egui::accesskit::Role;
use egui::{Modifiers, Pos2, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::support::{Window, click, launch, open, project, sees, wait_until};

/// Width and height of a frame.
const SIZE: (u32, u32) = (240, 160);

/// Side of the cup in it.
const SIDE: u32 = 64;

/// A cup before a landscape, at the left or at the right.
#[derive(Clone, Default)]
struct Pattern {
    names: Vec<&'static str>,
    is_right: Arc<AtomicBool>,
    /// Cameras that are on.
    running: Arc<AtomicUsize>,
    is_busy: Arc<AtomicBool>,
}

struct Capturing {
    frames: [Picture; 2],
    pattern: Pattern,
}

impl Cameras for Pattern {
    fn list(&self) -> Result<Vec<CameraInfo>> {
        let info = |name: &&str| CameraInfo { id: format!("id of {name}"), name: (*name).to_owned() };
        Ok(self.names.iter().map(info).collect())
    }

    fn open(&self, camera: &CameraInfo) -> Result<Box<dyn Capture>> {
        if self.is_busy.load(Ordering::SeqCst) {
            let source = std::io::ErrorKind::ResourceBusy.into();
            return Err(CameraError::System { camera: camera.name.clone(), action: "open it", source }.into());
        }
        self.running.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Capturing { frames: [false, true].map(frame), pattern: self.clone() }))
    }
}

impl Capture for Capturing {
    fn grab(&mut self) -> Result<()> {
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }

    fn retrieve(&mut self) -> Result<Picture> {
        Ok(self.frames[usize::from(self.pattern.is_right.load(Ordering::SeqCst))].clone())
    }
}

impl Drop for Capturing {
    fn drop(&mut self) {
        self.pattern.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Upper left corner of the cup.
fn corner(is_right: bool) -> (u32, u32) {
    (if is_right { SIZE.0 - SIDE - 16 } else { 16 }, 48)
}

fn frame(is_right: bool) -> Picture {
    let read = |name: &str| image::open(project(&format!("assets/{name}"))).expect("a sample").into_rgb8();
    let (ground, cup) = (read("china.jpg"), read("coffee.png"));
    let (left, top) = corner(is_right);
    let pixel = |x: u32, y: u32| {
        let is_cup = (left..left + SIDE).contains(&x) && (top..top + SIDE).contains(&y);
        if is_cup { *cup.get_pixel(300 + x - left, 120 + y - top) } else { *ground.get_pixel(x, 20 + y) }
    };
    let rgb = image::RgbImage::from_fn(SIZE.0, SIZE.1, pixel).into_raw();
    Picture::from_rgb(SIZE.0 as usize, SIZE.1 as usize, rgb).expect("a picture")
}

fn with(pattern: &Pattern) -> Launch {
    Launch { cameras: Some(CameraList(Arc::new(pattern.clone()))), ..launch(&[]) }
}

fn pattern(names: &[&'static str]) -> Pattern {
    Pattern { names: names.to_vec(), ..Pattern::default() }
}

/// Chooses the entry of the menu.
fn look(window: &mut Window) {
    window.get_by_label("Files").click();
    window.run_steps(3);
    window.get_by_label("Camera…").click();
    window.run_steps(2);
}

/// A window that looks through the only camera.
fn looking(pattern: &Pattern) -> Window {
    let mut window = open(with(pattern));
    wait_until(&mut window, "the sample", |window| sees(window, "View of chelsea.png"));
    look(&mut window);
    wait_until(&mut window, "the camera", |window| sees(window, VIEW));
    window
}

const VIEW: &str = "View of Camera Test pattern";

/// The number of the frame on the canvas.
fn number(window: &Window) -> Option<usize> {
    window.query_all_by_label_contains(" · 240 × 160").find_map(|node| {
        let node = node.accesskit_node();
        let text = node.label().or_else(|| node.value())?;
        text.strip_prefix("frame ")?.split(' ').next()?.parse().ok()
    })
}

fn wait_for_frames(window: &mut Window, frames: usize) {
    let start = number(window).expect("a frame");
    wait_until(window, "other frames", |window| number(window).is_some_and(|now| now >= start + frames));
}

/// The middle of the cup on the screen.
fn cup(window: &Window, is_right: bool) -> Pos2 {
    let view: Rect = window.get_by_label(VIEW).rect();
    let (width, height) = (SIZE.0 as f32, SIZE.1 as f32);
    let scale = ((view.width() - 16.0) / width).min((view.height() - 16.0) / height);
    let (left, top) = corner(is_right);
    let middle = vec2(left as f32, top as f32) + vec2(SIDE as f32, SIDE as f32) / 2.0;
    view.center() + (middle - vec2(width, height) / 2.0) * scale
}

/// The cosine under the pointer.
fn cosine(window: &Window) -> Option<f32> {
    let node = window.query_by_label_contains("cos ")?;
    node.value()?.split_whitespace().last()?.replace('−', "-").parse().ok()
}

#[test]
fn the_menu_offers_cameras_where_there_is_a_way_to_them() {
    let mut window = open(launch(&[]));
    window.get_by_label("Files").click();
    window.run_steps(3);
    assert_eq!(sees(&window, "Camera…"), dinoscope_engine::camera::system().is_some());
}

#[test]
fn no_camera_is_said_in_one_sentence() {
    let mut window = open(with(&pattern(&[])));
    look(&mut window);
    wait_until(&mut window, "a sentence", |window| sees(window, "No camera was found: connect one"));
}

#[test]
fn one_of_several_cameras_is_chosen() {
    let pattern = pattern(&["Front", "Back"]);
    let mut window = open(with(&pattern));
    look(&mut window);
    wait_until(&mut window, "a choice", |window| sees(window, "Front") && sees(window, "Back"));
    assert_eq!(pattern.running.load(Ordering::SeqCst), 0, "none is on before it is chosen");
    window.get_by_label("Back").click();
    wait_until(&mut window, "the camera", |window| sees(window, "View of Camera Back"));
    assert!(!sees(&window, "Front"), "the choice is made");
    assert_eq!(pattern.running.load(Ordering::SeqCst), 1);
}

#[test]
fn a_camera_that_is_in_use_says_so_and_is_tried_again() {
    let pattern = pattern(&["Test pattern"]);
    pattern.is_busy.store(true, Ordering::SeqCst);
    let mut window = open(with(&pattern));
    wait_until(&mut window, "the sample", |window| sees(window, "View of chelsea.png"));
    look(&mut window);
    wait_until(&mut window, "a sentence", |window| sees(window, "no other program uses it"));
    pattern.is_busy.store(false, Ordering::SeqCst);
    window.get_by_label("Try again").click();
    wait_until(&mut window, "the camera", |window| sees(window, VIEW));
}

#[test]
fn a_pinned_query_follows_what_the_camera_sees() {
    let pattern = pattern(&["Test pattern"]);
    let mut window = looking(&pattern);
    wait_until(&mut window, "a number under the pointer", |window| {
        window.hover_at(cup(window, false));
        cosine(window).is_some()
    });
    let (left, right) = (cup(&window, false), cup(&window, true));
    click(&mut window, left, Modifiers::NONE);
    let at = |window: &mut Window, place: Pos2| {
        window.hover_at(place);
        window.run_steps(2);
        cosine(window)
    };
    wait_until(&mut window, "a map of the cup at the left", |window| {
        let [here, there] = [left, right].map(|place| at(window, place));
        here.zip(there).is_some_and(|(here, there)| here > there + 0.2)
    });
    pattern.is_right.store(true, Ordering::SeqCst);
    wait_until(&mut window, "a map of the cup at the right", |window| {
        let [there, here] = [left, right].map(|place| at(window, place));
        here.zip(there).is_some_and(|(here, there)| here > there + 0.2)
    });
    wait_for_frames(&mut window, 3);
    assert_eq!(pattern.running.load(Ordering::SeqCst), 1);
}

#[test]
fn colours_of_one_basis_follow_what_the_camera_sees() {
    let pattern = pattern(&["Test pattern"]);
    let mut window = looking(&pattern);
    window.get_by_role_and_label(Role::Button, "PCA").click();
    wait_until(&mut window, "components", |window| {
        window.hover_at(cup(window, false));
        sees(window, "pc ")
    });
    window.get_by_label("Basis").click();
    window.run_steps(10);
    // It is below what the inspector shows without scrolling.
    window.get_by_label("Use this basis for all pictures").click_accesskit();
    wait_until(&mut window, "a fixed basis", |window| sees(window, "Basis of Camera Test pattern"));
    wait_for_frames(&mut window, 3);
    pattern.is_right.store(true, Ordering::SeqCst);
    wait_for_frames(&mut window, 3);
    wait_until(&mut window, "components of the newest frame", |window| {
        window.hover_at(cup(window, true));
        sees(window, "pc ")
    });
}

#[test]
fn a_camera_stops_and_frames_are_kept() {
    let pattern = pattern(&["Test pattern"]);
    let mut window = looking(&pattern);
    wait_for_frames(&mut window, 2);
    window.get_by_label_contains("Stop: the frame stays").click();
    window.run_steps(3);
    wait_until(&mut window, "the camera to be off", |_| pattern.running.load(Ordering::SeqCst) == 0);
    let stopped = number(&window);
    window.run_steps(20);
    assert_eq!(number(&window), stopped, "the frame stays");
    window.get_by_label("Keep this frame").click();
    let name = format!("Camera Test pattern, frame {}", stopped.expect("a frame"));
    wait_until(&mut window, "a picture of its own", |window| sees(window, &name));
    window.get_by_label_contains("Look through the camera").click();
    window.run_steps(3);
    wait_for_frames(&mut window, 2);
    window.event(egui::Event::PointerMoved(pos2(1270.0, 790.0)));
    window.key_press_modifiers(Modifiers::COMMAND, egui::Key::W);
    wait_until(&mut window, "the camera to be off", |_| pattern.running.load(Ordering::SeqCst) == 0);
}
