//! Pictures of the canvas, compared with those that were looked at: `UPDATE_SNAPSHOTS=1` makes them anew.

use egui_kittest::kittest::Queryable as _;
use egui_kittest::{SnapshotOptions, image_snapshot_options};

use super::support::{Window, launch, open, project, wait_until};

/// Colours may differ this much (in dify's YIQ distance): rounding of another driver, never another drawing.
const THRESHOLD: f32 = 0.4;

/// Pixels beyond that, of about 600,000: edges of lines.
const ODD_PIXELS: usize = 200;

/// The view of the sample, encoded, its results faded in, and no text of the panels around it.
fn compare(window: &mut Window, name: &str) {
    let view = window.get_by_label("View of chelsea.png").rect().shrink(1.0);
    let image = window.render().expect("a picture of the window");
    let (x, y) = (view.min.x as u32, view.min.y as u32);
    let canvas = image::imageops::crop_imm(&image, x, y, view.width() as u32, view.height() as u32).to_image();
    let options = SnapshotOptions::new()
        .threshold(THRESHOLD)
        .max_failed_pixels(ODD_PIXELS)
        .output_path(project("tests/window/drawings"));
    image_snapshot_options(&canvas, name, &options);
}

/// Nothing runs, and nothing fades any more.
fn settle(window: &mut Window) {
    wait_until(window, "the sample", |window| window.query_by_label("View of chelsea.png").is_some());
    wait_until(window, "its features", |window| {
        window.hover_at(window.get_by_label("View of chelsea.png").rect().center());
        window.query_by_label_contains("row ").is_some() && window.query_by_label_contains("encoding").is_none()
    });
    window.run_steps(12);
}

#[test]
fn a_map_in_patches_with_its_grid_and_colour_bar() {
    let mut window = open(launch(&[]));
    settle(&mut window);
    window.get_by_label("Patches").click();
    window.key_press(egui::Key::G);
    window.run_steps(8);
    compare(&mut window, "similarity-patches");
}

#[test]
fn principal_components_as_colours() {
    let mut window = open(launch(&[]));
    settle(&mut window);
    window.key_press(egui::Key::Num2);
    wait_until(&mut window, "the components", |window| window.query_by_label_contains("pc ").is_some());
    window.run_steps(12);
    compare(&mut window, "pca");
}
