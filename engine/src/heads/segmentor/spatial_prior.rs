//! The adapter's small convolutional network: what patches are too coarse for (reference: `SpatialPriorModule` of
//! `dinov3/eval/segmentation/models/backbone/dinov3_adapter.py`).

use candle_core::{Result, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Module, ModuleT, VarBuilder, batch_norm, conv2d, conv2d_no_bias};

/// Maps at 1/4, 1/8, 1/16 and 1/32 of the picture.
pub struct SpatialPrior {
    stem: [Layer; 3],
    /// From each map to the next.
    halving: [Layer; 3],
    /// To the backbone's width.
    widening: [Conv2d; 4],
}

/// A 3 × 3 convolution, its norm and ReLU.
struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Layer {
    /// `index` is the convolution's place in the sequence that it belongs to.
    fn load(inputs: usize, outputs: usize, stride: usize, vb: &VarBuilder<'_>, index: usize) -> Result<Self> {
        let config = Conv2dConfig { padding: 1, stride, ..Conv2dConfig::default() };
        Ok(Self {
            conv: conv2d_no_bias(inputs, outputs, 3, config, vb.pp(index))?,
            norm: batch_norm(outputs, 1e-5, vb.pp(index + 1))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward_t(&self.conv.forward(x)?, false)?.relu()
    }
}

impl SpatialPrior {
    /// `channels` are those of the first map before it is widened to `dim`.
    pub fn load(channels: usize, dim: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let (stem, widths) = (vb.pp("stem"), [channels, 2 * channels, 4 * channels, 4 * channels]);
        let halving = |to: usize| Layer::load(widths[to - 1], widths[to], 2, &vb.pp(format!("conv{}", to + 1)), 0);
        let widening =
            |map: usize| conv2d(widths[map], dim, 1, Conv2dConfig::default(), vb.pp(format!("fc{}", map + 1)));
        Ok(Self {
            stem: [
                Layer::load(3, channels, 2, &stem, 0)?,
                Layer::load(channels, channels, 1, &stem, 3)?,
                Layer::load(channels, channels, 1, &stem, 6)?,
            ],
            halving: [halving(1)?, halving(2)?, halving(3)?],
            widening: [widening(0)?, widening(1)?, widening(2)?, widening(3)?],
        })
    }

    /// `[1, 3, height, width]` to four maps `[1, dim, …]`, the finest first.
    pub fn forward(&self, pixels: &Tensor) -> Result<[Tensor; 4]> {
        let mut x = pixels.clone();
        for layer in &self.stem {
            x = layer.forward(&x)?;
        }
        // Nothing is below zero behind a ReLU, so zeros are never the largest but where all is zero.
        let first = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?.max_pool2d_with_stride(3, 2)?;
        let second = self.halving[0].forward(&first)?;
        let third = self.halving[1].forward(&second)?;
        let fourth = self.halving[2].forward(&third)?;
        let [a, b, c, d] = &self.widening;
        Ok([a.forward(&first)?, b.forward(&second)?, c.forward(&third)?, d.forward(&fourth)?])
    }
}
