//! Mask2Former's pixel decoder: the adapter's maps look at each other (paper: arXiv 2112.01527; reference:
//! `dinov3/eval/segmentation/models/heads/pixel_decoder.py`).

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, GroupNorm, LayerNorm, Linear, Module, VarBuilder, conv2d, conv2d_no_bias, group_norm,
    layer_norm, linear,
};

use super::config::PixelDecoderConfig;
use super::deformable::{DeformableAttention, centres};
use super::positions::sines;
use crate::Result;
use crate::backend::Run;
use crate::heads::layers::{interpolate, map_from_tokens, tokens_from_map};

const NORM_EPS: f64 = 1e-5;
const GROUPS: usize = 32;

/// What masks are made of.
pub struct PixelFeatures {
    /// At 1/4 of the picture, `[1, mask_dim, rows, cols]`.
    pub masks: Tensor,
    /// At 1/32, 1/16 and 1/8, `[1, hidden, rows, cols]`.
    pub levels: [Tensor; 3],
}

/// The decoder's layers.
pub struct PixelDecoder {
    hidden: usize,
    /// Of the three coarser maps, the coarsest first.
    input_convs: Vec<Convolution>,
    /// `[3, hidden]`
    level_encoding: Tensor,
    layers: Vec<EncoderLayer>,
    /// Of the finest map.
    lateral: Convolution,
    output: Convolution,
    mask_feature: Conv2d,
}

/// A convolution and its norm.
struct Convolution {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Convolution {
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        self.norm.forward(&self.conv.forward(x)?)
    }
}

/// Positions of all maps read each other.
struct EncoderLayer {
    self_attn: DeformableAttention,
    norm1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm2: LayerNorm,
}

impl EncoderLayer {
    fn load(config: &PixelDecoderConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &PixelDecoderConfig { hidden, ffn, deformable, .. } = config;
        Ok(Self {
            self_attn: DeformableAttention::load(deformable, vb.pp("self_attn"))?,
            norm1: layer_norm(hidden, NORM_EPS, vb.pp("norm1"))?,
            linear1: linear(hidden, ffn, vb.pp("linear1"))?,
            linear2: linear(ffn, hidden, vb.pp("linear2"))?,
            norm2: layer_norm(hidden, NORM_EPS, vb.pp("norm2"))?,
        })
    }

    fn forward(&self, x: &Tensor, positions: &Tensor, maps: &[(usize, usize)]) -> TensorResult<Tensor> {
        let read = self.self_attn.forward(&(x + positions)?, &centres(maps), x, maps)?;
        let x = self.norm1.forward(&(x + read)?)?;
        let expanded = self.linear1.forward(&x)?.relu()?;
        self.norm2.forward(&(&x + self.linear2.forward(&expanded)?)?)
    }
}

impl PixelDecoder {
    /// Reads all layers; the adapter's maps are `dim` wide.
    pub fn load(config: &PixelDecoderConfig, dim: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &PixelDecoderConfig { hidden, mask_dim, layers, .. } = config;
        let pointwise = Conv2dConfig::default();
        let input_conv = |index: usize| {
            let vb = vb.pp("input_convs").pp(index);
            let conv = conv2d(dim, hidden, 1, pointwise, vb.pp(0))?;
            Ok(Convolution { conv, norm: group_norm(GROUPS, hidden, NORM_EPS, vb.pp(1))? })
        };
        let without_bias = |name: &str, inputs: usize, size: usize| {
            let vb = vb.pp(name).pp(0);
            let config = Conv2dConfig { padding: size / 2, ..pointwise };
            let conv = conv2d_no_bias(inputs, hidden, size, config, vb.clone())?;
            TensorResult::Ok(Convolution { conv, norm: group_norm(GROUPS, hidden, NORM_EPS, vb.pp("norm"))? })
        };
        let encoder = vb.pp("encoder");
        let layer = |index: usize| EncoderLayer::load(config, &encoder.pp("encoder.layers").pp(index));
        Ok(Self {
            hidden,
            input_convs: (0..3).map(input_conv).collect::<TensorResult<_>>()?,
            level_encoding: encoder.get((3, hidden), "level_encoding")?,
            layers: (0..layers).map(layer).collect::<TensorResult<_>>()?,
            lateral: without_bias("lateral_convs", dim, 1)?,
            output: without_bias("output_convs", hidden, 3)?,
            mask_feature: conv2d(hidden, mask_dim, 1, pointwise, vb.pp("mask_feature"))?,
        })
    }

    /// `maps` are the adapter's, at 1/4, 1/8, 1/16 and 1/32 of the picture.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room, [`crate::Error::Cancelled`].
    pub fn forward(&self, maps: &[Tensor; 4], run: &Run<'_>) -> Result<PixelFeatures> {
        let [finest, coarser @ ..] = maps;
        let device = finest.device();
        let (mut sizes, mut tokens, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for (level, (conv, map)) in self.input_convs.iter().zip(coarser.iter().rev()).enumerate() {
            let (_, _, rows, cols) = map.dims4()?;
            sizes.push((rows, cols));
            tokens.push(tokens_from_map(&conv.forward(map)?)?);
            let level = self.level_encoding.get(level)?;
            positions.push(sines((rows, cols), self.hidden, device)?.broadcast_add(&level)?);
        }
        let (mut x, positions) = (Tensor::cat(&tokens, 0)?, Tensor::cat(&positions, 0)?);
        for layer in &self.layers {
            run.check()?;
            x = layer.forward(&x, &positions, &sizes)?;
        }
        let level = |index: usize| {
            let first = sizes[..index].iter().map(|(rows, cols)| rows * cols).sum();
            map_from_tokens(&x.narrow(0, first, sizes[index].0 * sizes[index].1)?, sizes[index])
        };
        let levels = [level(0)?, level(1)?, level(2)?];
        run.check()?;
        let lateral = self.lateral.forward(finest)?;
        let (_, _, rows, cols) = lateral.dims4()?;
        let finest = self.output.forward(&(lateral + interpolate(&levels[2], (rows, cols))?)?)?.relu()?;
        Ok(PixelFeatures { masks: self.mask_feature.forward(&finest)?, levels })
    }
}
