//! A backbone that computes nothing, as slow and as wide as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dinoscope::gui::{Launch, ModelLoader};
use dinoscope_engine::backend::{Backbone, Run};
use dinoscope_engine::dispatch::ModelChoice;
use dinoscope_engine::encoder::{Encoder, Provenance};
use dinoscope_engine::features::{Encoded, FeatureGrid, Features};
use dinoscope_engine::image::{Normalisation, Pixels};
use dinoscope_engine::model::{Ffn, ModelConfig, VitConfig};
use ndarray::Array2;

use super::support::launch;

/// Its blocks.
pub const DEPTH: usize = 12;

/// Keeps a processor busy for `block` in each of its blocks.
struct Fake {
    config: ModelConfig,
    block: Duration,
    blocks_done: Arc<AtomicUsize>,
}

impl Backbone for Fake {
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
        let (rows, cols, dim) = (pixels.height / 16, pixels.width / 16, self.config.dim());
        // No two patches are alike, and there are no clusters to find.
        let noise = |(patch, i): (usize, usize)| {
            let hash = (patch as u64 * 7919 + i as u64 * 104_729 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let data = Array2::from_shape_fn((rows * cols, dim), noise);
        let patch = FeatureGrid { rows, cols, data };
        let output = Features { cls: vec![0.0; dim], registers: Array2::zeros((0, dim)), patch };
        Ok(Encoded { output, layers: Vec::new() })
    }
}

/// A window whose model panics in the middle of every picture.
pub fn panicking() -> Launch {
    let loader: dinoscope_engine::dispatch::Loader = Arc::new(|choice, _| {
        let (config, provenance) = (config(8), provenance(choice));
        Ok(Encoder::new(Box::new(Panicking(config)), Normalisation::WEB, provenance))
    });
    Launch { loader: Some(ModelLoader(loader)), ..launch(&[]) }
}

struct Panicking(ModelConfig);

impl Backbone for Panicking {
    fn config(&self) -> &ModelConfig {
        &self.0
    }

    fn forward(&mut self, _: &Pixels, _: &[usize], _: &Run<'_>) -> dinoscope_engine::Result<Encoded> {
        panic!("a wild pointer")
    }
}

fn config(dim: usize) -> ModelConfig {
    ModelConfig::Vit(VitConfig {
        dim,
        depth: DEPTH,
        heads: 2,
        ffn: Ffn::Mlp { hidden: 16 },
        registers: 0,
        patch: 16,
        qkv_bias: true,
        untied_cls_norm: false,
        layer_scale: true,
        norm_eps: 1e-5,
    })
}

fn provenance(choice: &ModelChoice) -> Provenance {
    Provenance {
        model: format!("{:?}", choice.source),
        weights: "none".to_owned(),
        device: "cpu".to_owned(),
        dtype: "f32".to_owned(),
    }
}

/// A window whose models have features `dim` wide and take `block` for each block, and how many blocks have run.
pub fn fake(dim: usize, block: Duration) -> (Launch, Arc<AtomicUsize>) {
    let blocks_done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&blocks_done);
    let loader: dinoscope_engine::dispatch::Loader = Arc::new(move |choice, _| {
        let backbone = Fake { config: config(dim), block, blocks_done: Arc::clone(&counter) };
        Ok(Encoder::new(Box::new(backbone), Normalisation::WEB, provenance(choice)))
    });
    (Launch { loader: Some(ModelLoader(loader)), ..launch(&[]) }, blocks_done)
}
