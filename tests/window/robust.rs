//! What must not stop the window: a slow model, another model in the middle, a device that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dinoscope::gui::{Launch, ModelLoader, RescueSlot};
use dinoscope_engine::backend::{Backbone, Run};
use dinoscope_engine::encoder::{Encoder, ModelSource, Provenance};
use dinoscope_engine::features::{Encoded, FeatureGrid, Features};
use dinoscope_engine::image::{Normalisation, Pixels};
use dinoscope_engine::model::{Ffn, ModelConfig, VitConfig};
use egui_kittest::kittest::Queryable as _;
use ndarray::Array2;

use super::support::{Window, launch, open, project, wait_until};

/// Blocks of the slow model.
const DEPTH: usize = 12;

/// What the window's thread may take for a frame without painting and presenting.
const FRAME: Duration = Duration::from_millis(8);

/// Keeps a processor busy for `block` in each of its blocks.
struct Slow {
    config: ModelConfig,
    block: Duration,
    blocks_done: Arc<AtomicUsize>,
}

impl Backbone for Slow {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn forward(&mut self, pixels: &Pixels, _: &[usize], run: &Run<'_>) -> dinoscope_engine::Result<Encoded> {
        for block in 0..DEPTH {
            run.enter_block(block)?;
            let start = Instant::now();
            while start.elapsed() < self.block {
                std::hint::spin_loop();
            }
            self.blocks_done.fetch_add(1, Ordering::Relaxed);
        }
        let (rows, cols) = (pixels.height / 16, pixels.width / 16);
        let data = Array2::from_shape_fn((rows * cols, 8), |(patch, i)| ((patch * 7 + i) % 13) as f32 - 6.0);
        let patch = FeatureGrid { rows, cols, data };
        let output = Features { cls: vec![0.0; 8], registers: Array2::zeros((0, 8)), patch };
        Ok(Encoded { output, layers: Vec::new() })
    }
}

/// A window whose models take `block` for each block, and how many blocks have run.
fn slow(block: Duration) -> (Launch, Arc<AtomicUsize>) {
    let blocks_done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&blocks_done);
    let loader: dinoscope_engine::dispatch::Loader = Arc::new(move |choice, _| {
        let config = ModelConfig::Vit(VitConfig {
            dim: 8,
            depth: DEPTH,
            heads: 2,
            ffn: Ffn::Mlp { hidden: 16 },
            registers: 0,
            patch: 16,
            qkv_bias: true,
            untied_cls_norm: false,
            layer_scale: true,
            norm_eps: 1e-5,
        });
        let provenance = Provenance {
            model: format!("{:?}", choice.source),
            weights: "none".to_owned(),
            device: "cpu".to_owned(),
            dtype: "f32".to_owned(),
        };
        let backbone = Slow { config, block, blocks_done: Arc::clone(&counter) };
        Ok(Encoder::new(Box::new(backbone), Normalisation::WEB, provenance))
    });
    (Launch { loader: Some(ModelLoader(loader)), ..launch(&[]) }, blocks_done)
}

fn is_encoding(window: &mut Window) -> bool {
    sees(window, "encoding")
}

fn sees(window: &Window, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

#[test]
fn the_window_does_not_wait_for_a_slow_model() {
    let (launch, _) = slow(Duration::from_millis(400));
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
    let (launch, blocks_done) = slow(Duration::from_millis(300));
    let mut window = open(launch);
    wait_until(&mut window, "the slow model to begin", is_encoding);
    window.get_all_by_label_contains("Cancel").next().expect("a button").click();
    wait_until(&mut window, "the end of encoding", |window| !is_encoding(window));
    assert!(blocks_done.load(Ordering::Relaxed) < DEPTH, "stopped in the middle of a picture");
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
    let (launch, blocks_done) = slow(Duration::from_millis(100));
    let mut window = open(launch);
    wait_until(&mut window, "the slow model to begin", is_encoding);
    window.state_mut().use_model(ModelSource::Random { name: "vits16".to_owned(), seed: 1 });
    let before = blocks_done.load(Ordering::Relaxed);
    wait_until(&mut window, "the features of the second model", |window| {
        blocks_done.load(Ordering::Relaxed) >= before + DEPTH && !is_encoding(window)
    });
    assert!(sees(&window, "vits16"), "the chip names the model that is used now");
}
