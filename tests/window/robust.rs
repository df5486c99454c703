//! What must not stop the window: a slow model, another model in the middle, a device that is gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dinoscope::gui::{Launch, ModelLoader, RescueSlot};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::image::SizeRule;
use egui_kittest::kittest::Queryable as _;

use super::fake::{DEPTH, fake, panicking};
use super::support::{Window, launch, open, project, sees, wait_until};

/// What the window's thread may take for a frame without painting and presenting.
const FRAME: Duration = Duration::from_millis(8);

fn is_encoding(window: &mut Window) -> bool {
    sees(window, "Cancel encoding")
}

#[test]
fn the_window_does_not_wait_for_a_slow_model() {
    let (launch, _) = fake(8, Duration::from_millis(400));
    let mut window = open(launch);
    wait_until(&mut window, "the slow model to begin", is_encoding);
    let view = window.get_by_label("View of chelsea.png").rect();
    let mut frames = Vec::new();
    for frame in 0..120u8 {
        window.hover_at(view.center() + egui::vec2(f32::from(frame), f32::from(frame % 40)));
        let start = Instant::now();
        window.step();
        frames.push(start.elapsed());
    }
    assert!(is_encoding(&mut window), "the model must still run when the last frame is measured");
    frames.sort();
    let (median, worst) = (frames[frames.len() / 2], frames[frames.len() - 1]);
    eprintln!("a frame without painting while a model runs: median {median:.1?}, worst {worst:.1?}");
    // The median: on a machine that runs other tests at the same time, single frames tell about the scheduler.
    assert!(median < FRAME, "median {median:?}, worst {worst:?}");
}

#[test]
fn encoding_is_stopped_by_its_cancel_button() {
    let (launch, blocks_done) = fake(8, Duration::from_millis(300));
    let mut window = open(launch);
    wait_until(&mut window, "the slow model to begin", is_encoding);
    window.get_all_by_label_contains("Cancel").next().expect("a button").click();
    wait_until(&mut window, "a sentence", |window| sees(window, "Encoding was stopped"));
    let done = blocks_done.load(Ordering::Relaxed);
    assert!(done < DEPTH, "stopped in the middle of a picture");
    std::thread::sleep(Duration::from_millis(700));
    window.run_steps(10);
    assert_eq!(blocks_done.load(Ordering::Relaxed), done, "it does not begin again by itself");
    assert!(!is_encoding(&mut window));
    window.get_by_label("Encode").click();
    wait_until(&mut window, "the model to begin again", is_encoding);
    assert!(!sees(&window, "Encoding was stopped"));
}

#[test]
fn a_model_that_panics_is_survived_and_says_so() {
    let mut window = open(panicking());
    wait_until(&mut window, "a sentence where the picture is", |window| sees(window, "a wild pointer"));
    assert!(window.query_by_label("Encode").is_some(), "it can be tried again");
    window.key_press(egui::Key::M);
    wait_until(&mut window, "the program goes on", |window| sees(window, "Download vits16"));
}

#[test]
fn loading_a_model_is_stopped_by_its_cancel_button() {
    let loader: dinoscope_engine::dispatch::Loader = Arc::new(|_, watch| {
        loop {
            watch.cancel.check()?;
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut window = open(Launch { loader: Some(ModelLoader(loader)), ..launch(&[]) });
    wait_until(&mut window, "a button to stop", |window| sees(window, "Cancel loading the model"));
    window.get_by_label("Cancel loading the model").click();
    wait_until(&mut window, "a sentence", |window| sees(window, "Loading the model was stopped"));
    assert!(sees(&window, "Model: demo, failed"));
    // It can be chosen once more.
    window.key_press(egui::Key::M);
    wait_until(&mut window, "the way back", |window| window.query_by_label("Use demo").is_some());
    window.get_by_label("Use demo").click();
    wait_until(&mut window, "loading", |window| sees(window, "Model: demo, loading"));
}

#[test]
fn matching_is_stopped_and_tried_again() {
    let (launch, _) = fake(384, Duration::ZERO);
    let size = Some(SizeRule::Exact { width: 2048, height: 2048 });
    let files = vec![project("assets/chelsea.png"), project("assets/coffee.png")];
    let mut window = open(Launch { size, files, ..launch });
    wait_until(&mut window, "the picture", |window| window.query_by_label("View of chelsea.png").is_some());
    window.key_press(egui::Key::Num3);
    wait_until(&mut window, "a button to stop", |window| sees(window, "Cancel matching"));
    window.get_by_label("Cancel matching").click();
    wait_until(&mut window, "a sentence", |window| sees(window, "Matching was stopped"));
    window.get_by_label("Try again").click();
    wait_until(&mut window, "another try", |window| sees(window, "Cancel matching"));
}

#[test]
fn clustering_is_stopped_and_tried_again() {
    let (launch, _) = fake(384, Duration::ZERO);
    let size = Some(SizeRule::Exact { width: 2048, height: 2048 });
    let mut window = open(Launch { size, ..launch });
    wait_until(&mut window, "features", |window| {
        let Some(view) = window.query_by_label("View of chelsea.png").map(|view| view.rect()) else { return false };
        window.hover_at(view.center());
        sees(window, "row ")
    });
    window.key_press(egui::Key::Num2);
    window.run_steps(3);
    window.get_by_label("Clusters").click();
    wait_until(&mut window, "a button to stop", |window| sees(window, "Cancel finding clusters"));
    window.get_by_label("Cancel finding clusters").click();
    let start = Instant::now();
    wait_until(&mut window, "a sentence", |window| sees(window, "This was stopped"));
    assert!(start.elapsed() < Duration::from_secs(5), "within a step: {:?}", start.elapsed());
    window.get_by_label("Try again").click();
    wait_until(&mut window, "another try", |window| sees(window, "Cancel finding clusters"));
    window.key_press(egui::Key::Num1);
    wait_until(&mut window, "nothing that nobody waits for", |window| !sees(window, "Cancel finding clusters"));
    window.key_press(egui::Key::Num2);
    wait_until(&mut window, "the clusters wanted again", |window| sees(window, "Cancel finding clusters"));
}

#[test]
fn a_lost_device_loses_nothing_that_was_placed() {
    let rescue = RescueSlot::default();
    let files = [project("assets/coffee.png"), project("assets/astronaut.png")];
    let with_rescue = || Launch { rescue: rescue.clone(), ..launch(&files) };
    let mut window = open(with_rescue());
    let opened = |window: &mut Window| window.query_by_label("View of coffee.png").is_some();
    wait_until(&mut window, "the pictures", opened);
    let view = window.get_by_label("View of coffee.png").rect();
    wait_until(&mut window, "a pinned query", |window| {
        window.hover_at(view.center());
        window.get_by_label("View of coffee.png").click();
        window.query_by_label("Clear").is_some()
    });

    window.state().lose_device();
    wait_until(&mut window, "the loss to be noticed", |_| rescue.is_filled());
    drop(window);

    // The pictures come from memory: the files could have gone in the meantime.
    let mut window = open(Launch { files: Vec::new(), ..with_rescue() });
    wait_until(&mut window, "the pictures again", opened);
    assert!(!rescue.is_filled(), "taken over once");
    assert!(sees(&window, "graphics device was lost"), "it is said");
    wait_until(&mut window, "the query again", |window| window.query_by_label("Clear").is_some());
    assert!(sees(&window, "astronaut.png"));
}

#[test]
fn another_model_in_the_middle_of_encoding_takes_over() {
    let (launch, blocks_done) = fake(8, Duration::from_millis(100));
    let mut window = open(launch);
    wait_until(&mut window, "the slow model to begin", is_encoding);
    window.state_mut().use_model(ModelSource::Random { name: "vits16".to_owned(), seed: 1 });
    let before = blocks_done.load(Ordering::Relaxed);
    wait_until(&mut window, "the features of the second model", |window| {
        blocks_done.load(Ordering::Relaxed) >= before + DEPTH && !is_encoding(window)
    });
    assert!(sees(&window, "vits16"), "the chip names the model that is used now");
}
