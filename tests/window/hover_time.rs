//! How long the window takes from a moved pointer to a drawn map: a benchmark, run by hand (docs/benchmarks.md).

use std::time::{Duration, Instant};

use dinoscope::gui::Launch;
use dinoscope_engine::image::SizeRule;
use egui_kittest::kittest::Queryable as _;

use super::fake::fake;
use super::support::{open, wait_until};

const FRAMES: u8 = 60;

#[test]
#[ignore = "a benchmark: prints times"]
fn of_a_grid_of_64_by_64_patches_and_384_numbers() {
    measure(64, 384);
}

#[test]
#[ignore = "a benchmark: prints times"]
fn of_a_grid_of_128_by_128_patches_and_1024_numbers() {
    measure(128, 1024);
}

fn measure(patches: usize, dim: usize) {
    let side = 16 * patches;
    let (launch, _) = fake(dim, Duration::ZERO);
    let mut window = open(Launch { size: Some(SizeRule::Exact { width: side, height: side }), ..launch });
    wait_until(&mut window, "a number under the pointer", |window| {
        let Some(view) = window.query_by_label("View of chelsea.png").map(|view| view.rect()) else { return false };
        window.hover_at(view.center());
        window.query_all_by_label_contains("cos ").next().is_some()
    });
    let view = window.get_by_label("View of chelsea.png").rect();
    let (mut own, mut drawn) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        let at = view.center() + egui::vec2(2.0 * f32::from(frame), f32::from(frame));
        window.hover_at(at);
        let start = Instant::now();
        window.step();
        own.push(start.elapsed());
        window.render().expect("a picture of the window");
        drawn.push(start.elapsed());
    }
    let text = |mut times: Vec<Duration>| {
        times.sort();
        format!("median {:.2?}, least {:.2?}", times[times.len() / 2], times[0])
    };
    eprintln!("{patches}×{patches}×{dim}: window thread {}; map, frame and read-back {}", text(own), text(drawn));
}
