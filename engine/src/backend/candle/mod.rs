//! Backbones on candle: the processor (through fused kernels), CUDA and Metal.

pub(crate) mod blocks;
mod convnext;
mod device;
mod dinotxt;
mod fused;
pub(crate) mod layers;
mod patches;
pub(crate) mod vit;

pub use device::{open_cuda, open_metal};
pub use dinotxt::{CandleHead, CandleTower};

use std::sync::Arc;

use candle_core::{Device, Tensor};
use ndarray::Array2;

use self::convnext::{ConvNext, Level};
use self::layers::Place;
use self::vit::Vit;
use super::{Backbone, Placement, Residency, Run};
use crate::Result;
use crate::checkpoint::Weights;
use crate::features::{Encoded, FeatureGrid, Features};
use crate::image::Pixels;
use crate::model::ModelConfig;

/// A backbone whose tensors are candle's.
pub struct CandleBackbone {
    config: ModelConfig,
    place: Place,
    network: Network,
}

enum Network {
    Vit(Vit),
    ConvNext(ConvNext),
}

impl CandleBackbone {
    /// Puts the weights on the device; those of transformer blocks stay in the file where the placement has no room.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or broken, [`crate::Error::Tensor`] where the device has no
    /// room, and [`crate::Error::Cancelled`] within one block of the request.
    pub fn load(weights: &Arc<Weights>, device: Device, placement: Placement, run: &Run<'_>) -> Result<Self> {
        Self::load_at(weights, Place::new(device, placement.dtype), placement.budget, run)
    }

    fn load_at(weights: &Arc<Weights>, place: Place, budget: u64, run: &Run<'_>) -> Result<Self> {
        let config = weights.config().clone();
        let network = match &config {
            ModelConfig::Vit(vit) => Network::Vit(Vit::load(vit, weights, &place, budget, run)?),
            ModelConfig::ConvNext(convnext) => Network::ConvNext(ConvNext::load(convnext, weights, &place, run)?),
        };
        Ok(Self { config, place, network })
    }
}

impl Backbone for CandleBackbone {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn residency(&self) -> Residency {
        match &self.network {
            Network::Vit(vit) => vit.residency(),
            Network::ConvNext(_) => Residency::Resident,
        }
    }

    fn forward(&mut self, pixels: &Pixels, layers: &[usize], run: &Run<'_>) -> Result<Encoded> {
        super::check_request(&self.config, pixels, layers)?;
        let stride = self.config.stride();
        let grid = (pixels.height / stride, pixels.width / stride);
        let (output, taken) = match &self.network {
            Network::Vit(vit) => {
                let (output, taken) = vit.forward(pixels, layers, &self.place, run)?;
                let read = |tokens: &Tensor| read_tokens(tokens, grid);
                (read(&output)?, taken.iter().map(read).collect::<Result<Vec<_>>>()?)
            }
            Network::ConvNext(convnext) => {
                let (output, taken) = convnext.forward(pixels, layers, &self.place, run)?;
                (read_level(&output)?, taken.iter().map(read_level).collect::<Result<Vec<_>>>()?)
            }
        };
        Ok(Encoded { output, layers: layers.iter().copied().zip(taken).collect() })
    }
}

/// `[1 + registers + rows * cols, dim]` to the host.
fn read_tokens(tokens: &Tensor, (rows, cols): (usize, usize)) -> Result<Features> {
    // Reading a part of a tensor copies all of it from a GPU.
    let tokens = tokens.to_device(&Device::Cpu)?;
    let prefix = tokens.dim(0)? - rows * cols;
    Ok(Features {
        cls: tokens.get(0)?.to_vec1()?,
        registers: read_matrix(&tokens.narrow(0, 1, prefix - 1)?)?,
        patch: FeatureGrid { rows, cols, data: read_matrix(&tokens.narrow(0, prefix, rows * cols)?)? },
    })
}

fn read_level(level: &Level) -> Result<Features> {
    let (rows, cols) = level.grid;
    Ok(Features {
        cls: level.pooled.flatten_all()?.to_vec1()?,
        registers: Array2::zeros((0, level.pooled.dim(1)?)),
        patch: FeatureGrid { rows, cols, data: read_matrix(&level.positions)? },
    })
}

fn read_matrix(tensor: &Tensor) -> Result<Array2<f32>> {
    let shape = tensor.dims2()?;
    let numbers = tensor.flatten_all()?.to_vec1()?;
    Ok(Array2::from_shape_vec(shape, numbers).expect("a tensor has as many numbers as its shape says"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::blocks::{Blocks, Form};
    use super::*;
    use crate::backend::Dtype;
    use crate::checkpoint::{CheckpointError, TensorSource};
    use crate::model::{BlocksConfig, ConvNextConfig, Ffn, VitConfig};
    use crate::{Cancel, Error};

    fn pixels(width: usize, height: usize) -> Pixels {
        let number = |i: usize| ((i * 7919) % 1009) as f32 / 500.0 - 1.0;
        Pixels { width, height, data: (0..3 * width * height).map(number).collect() }
    }

    fn relative_error(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
        ((a - b).mapv(|v| v * v).sum() / b.mapv(|v| v * v).sum()).sqrt()
    }

    fn run(config: &ModelConfig, pixels: &Pixels, place: Place) -> Encoded {
        let go_on = Cancel::default();
        let weights = Arc::new(Weights::random(config, 7));
        let loaded = CandleBackbone::load_at(&weights, place, u64::MAX, &Run::from(&go_on));
        let mut backbone = loaded.expect("random weights load");
        backbone.forward(pixels, &[0, 2], &Run::from(&go_on)).expect("the pixels fit")
    }

    const F32: Placement = Placement { dtype: Dtype::F32, budget: u64::MAX };

    fn load(config: &ModelConfig, placement: Placement) -> CandleBackbone {
        let weights = Arc::new(Weights::random(config, 1));
        let loaded = CandleBackbone::load(&weights, Device::Cpu, placement, &Run::from(&Cancel::default()));
        loaded.expect("random weights load")
    }

    fn check_close(got: &Encoded, expected: &Encoded, tolerance: f32) {
        let every = |encoded: &Encoded| -> Vec<Features> {
            std::iter::once(&encoded.output).chain(encoded.layers.iter().map(|(_, layer)| layer)).cloned().collect()
        };
        let cls = |features: &Features| Array2::from_shape_vec((1, features.cls.len()), features.cls.clone());
        for (got, expected) in every(got).iter().zip(every(expected)) {
            let error = relative_error(&got.patch.data, &expected.patch.data);
            assert!(error < tolerance, "patches differ by {error}");
            let error = relative_error(&cls(got).expect("a row"), &cls(&expected).expect("a row"));
            assert!(error < tolerance, "cls differs by {error}");
        }
    }

    /// What GPUs run, candle's own operations: in f32 against the processor's fused kernels, in the other types
    /// against f32.
    fn check_plain(config: &ModelConfig, pixels: &Pixels) {
        let plain = run(config, pixels, Place::plain(Device::Cpu, Dtype::F32));
        check_close(&plain, &run(config, pixels, Place::new(Device::Cpu, Dtype::F32)), 2e-5);
        for dtype in [Dtype::F16, Dtype::Bf16] {
            check_close(&run(config, pixels, Place::plain(Device::Cpu, dtype)), &plain, 2e-2);
        }
    }

    fn vit(ffn: Ffn) -> ModelConfig {
        ModelConfig::Vit(VitConfig {
            dim: 96,
            depth: 3,
            heads: 2,
            ffn,
            registers: 4,
            patch: 16,
            qkv_bias: true,
            untied_cls_norm: false,
            layer_scale: true,
            norm_eps: 1e-5,
        })
    }

    #[test]
    fn plain_vit_agrees() {
        check_plain(&vit(Ffn::Mlp { hidden: 200 }), &pixels(112, 80));
    }

    #[test]
    fn a_vit_without_registers_layer_scale_and_bias_agrees() {
        let ModelConfig::Vit(config) = vit(Ffn::Mlp { hidden: 64 }) else { panic!("it is a ViT") };
        let config = VitConfig { registers: 0, layer_scale: false, qkv_bias: false, untied_cls_norm: true, ..config };
        check_plain(&ModelConfig::Vit(config), &pixels(16, 48));
    }

    #[test]
    fn plain_swiglu_vit_agrees() {
        check_plain(&vit(Ffn::SwiGlu { hidden: 136 }), &pixels(80, 112));
    }

    #[test]
    fn plain_convnext_agrees() {
        let config = ConvNextConfig { depths: [1, 2, 1, 1], dims: [24, 40, 64, 72], norm_eps: 1e-6 };
        check_plain(&ModelConfig::ConvNext(config), &pixels(96, 160));
    }

    #[test]
    fn loading_tells_its_blocks_and_stops_between_them() {
        let convnext = ConvNextConfig { depths: [1, 2, 1, 1], dims: [24, 40, 64, 72], norm_eps: 1e-6 };
        for config in [vit(Ffn::Mlp { hidden: 64 }), ModelConfig::ConvNext(convnext)] {
            let weights = Arc::new(Weights::random(&config, 1));
            let (cancel, told) = (Cancel::default(), RefCell::new(Vec::new()));
            let tell = |done| told.borrow_mut().push(done);
            let load = |run: &Run<'_>| CandleBackbone::load(&weights, Device::Cpu, F32, run).map(drop);
            load(&Run::watched(&cancel, &tell)).expect("random weights load");
            assert_eq!(told.take(), (0..config.depth()).collect::<Vec<_>>());
            let stop = |done| {
                tell(done);
                if done == 1 {
                    cancel.cancel();
                }
            };
            assert!(matches!(load(&Run::watched(&cancel, &stop)), Err(Error::Cancelled)));
            assert_eq!(told.take(), [0, 1], "no block after the one in which it was stopped");
        }
    }

    #[test]
    fn blocks_that_stay_in_the_file_give_the_same() {
        for ffn in [Ffn::Mlp { hidden: 200 }, Ffn::SwiGlu { hidden: 136 }] {
            for dtype in [Dtype::F32, Dtype::Bf16] {
                let load = |budget| load(&vit(ffn), Placement { dtype, budget });
                // Packed weights are padded: their size is that of the numbers at least.
                let numbers = 4 * 96 * 96 + 96 * ffn.hidden() * if matches!(ffn, Ffn::SwiGlu { .. }) { 3 } else { 2 };
                let bytes = 3 * numbers as u64 * if dtype == Dtype::F32 { 4 } else { 2 };
                let (mut resident, mut streaming) = (load(u64::MAX), load(bytes - 1));
                assert_eq!((resident.residency(), streaming.residency()), (Residency::Resident, Residency::Streaming));
                for pixels in [pixels(48, 32), pixels(80, 64)] {
                    let run = |backbone: &mut CandleBackbone| {
                        backbone.forward(&pixels, &[2, 0], &Run::from(&Cancel::default()))
                    };
                    let expected = run(&mut resident).expect("the pixels fit");
                    assert_eq!(run(&mut streaming).expect("the pixels fit"), expected, "{ffn:?} {dtype:?}");
                }
            }
        }
    }

    /// Counts blocks that are read, and fails from one on.
    struct Watched {
        weights: Weights,
        read: AtomicUsize,
        broken: usize,
    }

    impl TensorSource for Watched {
        fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
            if name.ends_with("attn.qkv.weight") && self.read.fetch_add(1, Ordering::SeqCst) >= self.broken {
                return Err(CheckpointError::Missing { path: "gone".into(), tensor: name.to_owned() });
            }
            self.weights.load(name, shape)
        }
    }

    #[test]
    fn streaming_reads_one_block_ahead_and_ends_with_the_visitor() {
        let ModelConfig::Vit(vit) = vit(Ffn::Mlp { hidden: 64 }) else { panic!("it is a ViT") };
        let config = BlocksConfig { depth: 8, ..vit.blocks() };
        let weights = Weights::random(&ModelConfig::Vit(VitConfig { depth: 8, ..vit }), 1);
        let place = Place::new(Device::Cpu, Dtype::F32);
        let watched = Arc::new(Watched { weights, read: AtomicUsize::new(0), broken: 6 });
        let blocks = Blocks::Streaming(Arc::clone(&watched) as Arc<dyn TensorSource>, Form::Unpacked);
        let read = || watched.read.swap(0, Ordering::SeqCst);

        let mut visited = Vec::new();
        let stopped = blocks.visit(&config, &place, |index, _| {
            visited.push(index);
            if index == 2 { Err(Error::Cancelled) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert_eq!(visited, [0, 1, 2]);
        assert!((3..=4).contains(&read()), "those visited, and the next one at most");

        let mut visited = Vec::new();
        let broken = blocks.visit(&config, &place, |index, _| {
            visited.push(index);
            Ok(())
        });
        assert!(broken.expect_err("the seventh is gone").to_string().contains("blocks.6.attn.qkv.weight"));
        assert_eq!(visited, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn cancel_stops_the_forward_pass() {
        let mut backbone = load(&vit(Ffn::Mlp { hidden: 64 }), F32);
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(matches!(backbone.forward(&pixels(32, 32), &[], &Run::from(&cancel)), Err(Error::Cancelled)));
    }

    #[test]
    fn wrong_sizes_and_layers_are_errors() {
        let mut backbone = load(&vit(Ffn::Mlp { hidden: 64 }), F32);
        let error = backbone
            .forward(&pixels(33, 32), &[], &Run::from(&Cancel::default()))
            .expect_err("33 is no multiple of 16");
        assert!(error.to_string().contains("33x32"), "{error}");
        let error = backbone
            .forward(&pixels(32, 32), &[3], &Run::from(&Cancel::default()))
            .expect_err("there are three blocks");
        assert!(error.to_string().contains("0 to 2"), "{error}");
    }
}
