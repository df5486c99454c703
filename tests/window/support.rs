//! A window without a screen.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dinoscope::gui::{App, Launch, wgpu_setup};
use dinoscope_engine::backend::DeviceChoice;
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::hub::HubConfig;
use dinoscope_engine::image::SizeRule;
use egui::{Event, Modifiers, PointerButton, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// Longest that anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A window that a test drives.
pub type Window = Harness<'static, App>;

/// A path below the project's folder.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").join(path)
}

/// How tests start the window: the demo model on the processor, at a size that encodes at once.
pub fn launch(files: &[PathBuf]) -> Launch {
    Launch {
        files: files.to_vec(),
        source: Some(ModelSource::Named("demo".to_owned())),
        device: Some(DeviceChoice::Cpu),
        size: Some(SizeRule::ShortSide(224)),
        hub: Some(HubConfig::new(project("target/no-models"))),
        ..Launch::default()
    }
}

/// Opens a window of 1280×800 points.
pub fn open(launch: Launch) -> Window {
    open_of_size(launch, 1280.0, 800.0)
}

/// Opens a window of that many points.
pub fn open_of_size(launch: Launch, width: f32, height: f32) -> Window {
    Harness::builder()
        .with_size((width, height))
        .wgpu_setup(wgpu_setup())
        .with_render_cursor(false)
        .build_eframe(|creation| App::new(creation, launch).expect("a graphics adapter"))
}

/// Lets frames pass until `holds`; fails with `what` where it takes too long.
pub fn wait_until(window: &mut Window, what: &str, mut holds: impl FnMut(&mut Window) -> bool) {
    let start = Instant::now();
    loop {
        window.step();
        if holds(window) {
            return;
        }
        if start.elapsed() > PATIENCE {
            let shown = shown(window).join("\n");
            panic!("{what} did not happen within {PATIENCE:?}; the window shows\n{shown}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether something with that text in its name is shown.
pub fn sees(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

fn button(window: &mut Window, button: PointerButton, at: Pos2, pressed: bool) {
    window.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
    window.step();
}

/// A drag in some steps.
pub fn drag_by(window: &mut Window, which: PointerButton, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    button(window, which, from, true);
    for step in 1..=8 {
        window.hover_at(from.lerp(to, step as f32 / 8.0));
        window.step();
    }
    button(window, which, to, false);
    window.run_steps(2);
}

/// Red, green and blue, 0..=255, of what is drawn at a point.
pub fn colour(window: &mut Window, at: Pos2) -> [u8; 3] {
    let image = window.render().expect("a picture of the window");
    let [r, g, b, _] = image.get_pixel(at.x as u32, at.y as u32).0;
    [r, g, b]
}

/// Names and texts of everything in the window.
fn shown(window: &Window) -> Vec<String> {
    let nodes = window.root().children_recursive();
    let text = |node: &egui_kittest::Node<'_>| {
        let node = node.accesskit_node();
        node.label().or_else(|| node.value())
    };
    nodes.filter_map(|node| Some(format!("{:?} {}", node.accesskit_node().role(), text(&node)?))).collect()
}

/// The left button goes down or up.
pub fn press(window: &mut Window, at: Pos2, is_pressed: bool, modifiers: Modifiers) {
    let button = PointerButton::Primary;
    window.event_modifiers(Event::PointerButton { pos: at, button, pressed: is_pressed, modifiers }, modifiers);
    window.step();
}

/// A click of the left button.
pub fn click(window: &mut Window, at: Pos2, modifiers: Modifiers) {
    window.hover_at(at);
    window.step();
    press(window, at, true, modifiers);
    press(window, at, false, modifiers);
    window.run_steps(2);
}

/// A stroke of the left button.
pub fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    press(window, from, true, Modifiers::NONE);
    for step in 1..=8 {
        window.hover_at(from.lerp(to, step as f32 / 8.0));
        window.step();
    }
    press(window, to, false, Modifiers::NONE);
    window.run_steps(2);
}
