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

use candle_core::{Device, Tensor};
use ndarray::Array2;

use self::convnext::{ConvNext, Level};
use self::layers::Place;
use self::vit::Vit;
use super::{Backbone, Dtype, Run};
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
    /// Puts all weights on the device.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or broken, [`crate::Error::Tensor`] where the device has no
    /// room, and [`crate::Error::Cancelled`] within one block of the request.
    pub fn load(weights: &Weights, device: Device, dtype: Dtype, run: &Run<'_>) -> Result<Self> {
        Self::load_at(weights, Place::new(device, dtype), run)
    }

    fn load_at(weights: &Weights, place: Place, run: &Run<'_>) -> Result<Self> {
        let config = weights.config().clone();
        let network = match &config {
            ModelConfig::Vit(vit) => Network::Vit(Vit::load(vit, weights, &place, run)?),
            ModelConfig::ConvNext(convnext) => Network::ConvNext(ConvNext::load(convnext, weights, &place, run)?),
        };
        Ok(Self { config, place, network })
    }
}

impl Backbone for CandleBackbone {
    fn config(&self) -> &ModelConfig {
        &self.config
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

    use super::*;
    use crate::model::{ConvNextConfig, Ffn, VitConfig};
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
        let weights = Weights::random(config, 7);
        let loaded = CandleBackbone::load_at(&weights, place, &Run::from(&go_on));
        let mut backbone = loaded.expect("random weights load");
        backbone.forward(pixels, &[0, 2], &Run::from(&go_on)).expect("the pixels fit")
    }

    fn load(weights: &Weights) -> CandleBackbone {
        let loaded = CandleBackbone::load(weights, Device::Cpu, Dtype::F32, &Run::from(&Cancel::default()));
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
            let weights = Weights::random(&config, 1);
            let (cancel, told) = (Cancel::default(), RefCell::new(Vec::new()));
            let tell = |done| told.borrow_mut().push(done);
            let load = |run: &Run<'_>| CandleBackbone::load(&weights, Device::Cpu, Dtype::F32, run).map(drop);
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
    fn cancel_stops_the_forward_pass() {
        let weights = Weights::random(&vit(Ffn::Mlp { hidden: 64 }), 1);
        let mut backbone = load(&weights);
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(matches!(backbone.forward(&pixels(32, 32), &[], &Run::from(&cancel)), Err(Error::Cancelled)));
    }

    #[test]
    fn wrong_sizes_and_layers_are_errors() {
        let weights = Weights::random(&vit(Ffn::Mlp { hidden: 64 }), 1);
        let mut backbone = load(&weights);
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
