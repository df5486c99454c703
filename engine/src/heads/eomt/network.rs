//! EoMT's network: a backbone whose last blocks read queries beside the patches (reference: transformers'
//! `modeling_eomt_dinov3.py`).

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, layer_norm, linear};

use super::EomtConfig;
use crate::Result;
use crate::backend::Run;
use crate::backend::candle::blocks::Buffers;
use crate::backend::candle::layers::{Attention, Place};
use crate::backend::candle::vit::Vit;
use crate::heads::HeadWeights;
use crate::heads::layers::{Depthwise, Upsampling, interpolate};
use crate::image::Pixels;

/// Of the layer norms between enlargements.
const NORM_EPS: f64 = 1e-6;

/// What the queries say.
pub struct Prediction {
    /// Logits `[queries, classes + 1]`, the last that there is no object.
    pub classes: Tensor,
    /// Logits `[queries, rows, cols]`.
    pub masks: Tensor,
}

/// Backbone and head.
pub struct Network {
    vit: Vit,
    place: Place,
    /// `[queries, dim]`
    query: Tensor,
    /// The first block that reads them.
    first_joint: usize,
    /// Of each block that reads them: whether a query sees but the patches in its mask.
    is_masked: Vec<bool>,
    class_predictor: Linear,
    mask_head: [Linear; 3],
    upscaling: Vec<Scale>,
}

/// Twice as many rows and columns.
struct Scale {
    conv1: Upsampling,
    conv2: Depthwise,
    norm: LayerNorm,
}

impl Network {
    /// Reads what follows the backbone. `is_masked` and the configuration belong together.
    pub fn load(
        config: &EomtConfig,
        is_masked: Vec<bool>,
        vit: Vit,
        place: Place,
        weights: &HeadWeights,
    ) -> Result<Self> {
        let dim = vit.config().dim;
        let device = place.device.clone();
        let (query, class_predictor, mask_head, upscaling) = weights.build(&device, |vb| {
            let mask_layer = |index: usize| linear(dim, dim, vb.pp(format!("mask_head.fc{index}")));
            let scale = |index: usize| {
                let vb = vb.pp("upscale_block.block").pp(index);
                TensorResult::Ok(Scale {
                    conv1: Upsampling::load(dim, dim, 2, vb.pp("conv1"))?,
                    conv2: Depthwise::load(dim, false, vb.pp("conv2"))?,
                    norm: layer_norm(dim, NORM_EPS, vb.pp("layernorm2d"))?,
                })
            };
            Ok((
                vb.get((config.queries, dim), "query.weight")?,
                linear(dim, config.names.len() + 1, vb.pp("class_predictor"))?,
                [mask_layer(1)?, mask_layer(2)?, mask_layer(3)?],
                (0..config.upscaling).map(scale).collect::<TensorResult<_>>()?,
            ))
        })?;
        let first_joint = vit.config().depth - config.joint_blocks;
        Ok(Self { vit, place, query, first_joint, is_masked, class_predictor, mask_head, upscaling })
    }

    /// How many blocks there are.
    pub fn depth(&self) -> usize {
        self.vit.config().depth
    }

    /// `pixels` have sides that are multiples of the patch.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room, [`crate::Error::Cancelled`] within one block of the request.
    pub fn forward(&self, pixels: &Pixels, run: &Run<'_>) -> Result<Prediction> {
        let patch = self.vit.config().patch;
        let grid = (pixels.height / patch, pixels.width / patch);
        let mut x = self.vit.embed(pixels, &self.place)?;
        let mut attention = self.attention(grid, 0, None)?;
        let mut buffers = Buffers::default();
        self.vit.visit_blocks(&self.place, |index, block| {
            self.place.enter_block(run, index)?;
            if index == self.first_joint {
                x = Tensor::cat(&[&self.query, &x], 0)?;
                attention = self.attention(grid, self.query.dim(0)?, None)?;
            }
            if index.checked_sub(self.first_joint).is_some_and(|joint| self.is_masked[joint]) {
                let masks = self.predict(&self.vit.normalise(&x)?, grid)?.masks;
                // Blocks behind, up to the next that has a mask of its own, keep this one, as transformers does.
                attention = self.attention(grid, self.query.dim(0)?, Some(self.where_to_look(&masks, grid)?))?;
            }
            x = block.forward(x.clone(), &mut attention, &mut buffers)?;
            Ok(())
        })?;
        Ok(self.predict(&self.vit.normalise(&x)?, grid)?)
    }

    fn attention(&self, grid: (usize, usize), queries: usize, mask: Option<Tensor>) -> TensorResult<Attention<'_>> {
        let (shape, rope) = self.vit.attention(grid, queries);
        match mask {
            Some(mask) => Attention::masked(shape, Some(rope), Some(mask), &self.place),
            None => Attention::new(shape, Some(rope), &self.place),
        }
    }

    /// `[tokens, tokens]`: -∞ where a query does not see a patch, since its mask is not there.
    fn where_to_look(&self, masks: &Tensor, grid: (usize, usize)) -> TensorResult<Tensor> {
        let inside = interpolate(&masks.unsqueeze(0)?, grid)?.squeeze(0)?.flatten_from(1)?.to_vec2::<f32>()?;
        let tokens = self.query.dim(0)? + self.vit.config().prefix() + grid.0 * grid.1;
        let first = tokens - grid.0 * grid.1;
        let mut mask = vec![0.0; tokens * tokens];
        for (row, inside) in mask.chunks_exact_mut(tokens).zip(inside) {
            for (value, logit) in row[first..].iter_mut().zip(inside) {
                *value = if logit > 0.0 { 0.0 } else { f32::NEG_INFINITY };
            }
        }
        self.place.tensor(mask, &[tokens, tokens])
    }

    /// Of normalised tokens: queries, CLS, registers, patches.
    fn predict(&self, tokens: &Tensor, grid: (usize, usize)) -> TensorResult<Prediction> {
        let queries = tokens.narrow(0, 0, self.query.dim(0)?)?.contiguous()?;
        let patches = grid.0 * grid.1;
        let (mut patches, mut size) = (tokens.narrow(0, tokens.dim(0)? - patches, patches)?.contiguous()?, grid);
        for scale in &self.upscaling {
            let enlarged = scale.conv1.forward(&patches, size)?.gelu_erf()?;
            size = (2 * size.0, 2 * size.1);
            patches = scale.norm.forward(&scale.conv2.forward(&enlarged, size)?)?;
        }
        let [first, second, last] = &self.mask_head;
        let hidden = second.forward(&first.forward(&queries)?.gelu_erf()?)?.gelu_erf()?;
        let masks = last.forward(&hidden)?.matmul(&patches.t()?)?.reshape(((), size.0, size.1))?;
        Ok(Prediction { classes: self.class_predictor.forward(&queries)?, masks })
    }
}
