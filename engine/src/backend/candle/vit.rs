//! DINOv3 vision transformer (paper: arXiv 2508.10104; reference: `dinov3/models/vision_transformer.py`).

use std::sync::Arc;

use candle_core::{Result as TensorResult, Tensor};

use super::blocks::{Block, Blocks, Buffers};
use super::layers::{Attention, Buffer, LayerNorm, Linear, Place, load_norm};
use super::patches;
use crate::Result;
use crate::backend::cpu::attention::{AttentionShape, Rope};
use crate::backend::cpu::linear::Epilogue;
use crate::backend::{Residency, Run};
use crate::checkpoint::{TensorSource, Weights};
use crate::image::Pixels;
use crate::model::VitConfig;

/// A vision transformer with its weights on a device.
pub struct Vit {
    config: VitConfig,
    patch_embed: Linear,
    /// CLS and registers, `[1 + registers, dim]`.
    prefix_tokens: Tensor,
    /// `[head_dim / 4]`
    rope_periods: Vec<f32>,
    blocks: Blocks,
    norm: LayerNorm,
    /// Of CLS and registers, where they have one of their own.
    cls_norm: Option<LayerNorm>,
}

impl Vit {
    /// Reads all weights, or leaves those of the blocks in the file where they are more than `budget` bytes.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says;
    /// [`crate::Error::Cancelled`].
    pub fn load(config: &VitConfig, weights: &Arc<Weights>, place: &Place, budget: u64, run: &Run<'_>) -> Result<Self> {
        let dim = config.dim;
        let embed = weights.load("patch_embed.proj.weight", &[dim, 3, config.patch, config.patch])?;
        let embed_bias = weights.load("patch_embed.proj.bias", &[dim])?;
        let mut prefix = weights.load("cls_token", &[1, 1, dim])?;
        if config.registers > 0 {
            prefix.extend(weights.load("storage_tokens", &[1, config.registers, dim])?);
        }
        let norm = |name| -> Result<LayerNorm> {
            Ok(LayerNorm::new(load_norm(weights.as_ref(), name, dim, config.norm_eps)?, place)?)
        };
        let source = Arc::clone(weights) as Arc<dyn TensorSource>;
        Ok(Self {
            patch_embed: Linear::new(place, embed, embed_bias, None, Epilogue::Bias)?,
            prefix_tokens: place.tensor(prefix, &[config.prefix(), dim])?,
            rope_periods: weights.load("rope_embed.periods", &[config.head_dim() / 4])?,
            blocks: Blocks::load(&config.blocks(), source, place, budget, run)?,
            norm: norm("norm")?,
            cls_norm: config.untied_cls_norm.then(|| norm("cls_norm")).transpose()?,
            config: config.clone(),
        })
    }

    /// Its sizes.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// Hands every block to `visit` in order; see [`Blocks::visit`].
    ///
    /// # Errors
    /// As [`Blocks::visit`].
    pub fn visit_blocks(&self, place: &Place, visit: impl FnMut(usize, &Block) -> Result<()>) -> Result<()> {
        self.blocks.visit(&self.config.blocks(), place, visit)
    }

    /// CLS, registers and patches before the first block, `[tokens, dim]`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room.
    pub fn embed(&self, pixels: &Pixels, place: &Place) -> Result<Tensor> {
        let patch = self.config.patch;
        let (rows, cols) = (pixels.height / patch, pixels.width / patch);
        let patches = place.tensor(patches::from_pixels(pixels, patch), &[rows * cols, 3 * patch * patch])?;
        let embedded = self.patch_embed.forward(&patches, &mut Buffer::default())?.to_dtype(candle_core::DType::F32)?;
        Ok(Tensor::cat(&[&self.prefix_tokens, &embedded], 0)?)
    }

    /// Sizes of attention over the tokens of `rows` × `cols` patches with `more` tokens before all others, and where the
    /// patches lie.
    pub fn attention(&self, (rows, cols): (usize, usize), more: usize) -> (AttentionShape, Rope) {
        let prefix = more + self.config.prefix();
        let (heads, head_dim) = (self.config.heads, self.config.head_dim());
        let shape = AttentionShape { tokens: prefix + rows * cols, heads, head_dim, is_causal: false };
        (shape, rope(&self.rope_periods, rows, cols, prefix))
    }

    /// Where the weights of the blocks are.
    pub fn residency(&self) -> Residency {
        self.blocks.residency()
    }

    /// Normalised tokens `[tokens, dim]` after the last block, and after each of `layers` in that order.
    pub fn forward(
        &self,
        pixels: &Pixels,
        layers: &[usize],
        place: &Place,
        run: &Run<'_>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let patch = self.config.patch;
        let mut x = self.embed(pixels, place)?;
        let (shape, rope) = self.attention((pixels.height / patch, pixels.width / patch), 0);
        let mut attention = Attention::new(shape, Some(rope), place)?;
        let mut buffers = Buffers::default();
        let mut taken = vec![None; layers.len()];
        self.visit_blocks(place, |i, block| {
            place.enter_block(run, i)?;
            x = block.forward(x.clone(), &mut attention, &mut buffers)?;
            if layers.contains(&i) {
                let normalised = self.normalise(&x)?;
                for (taken, _) in taken.iter_mut().zip(layers).filter(|(_, layer)| **layer == i) {
                    *taken = Some(normalised.clone());
                }
            }
            Ok(())
        })?;
        Ok((self.normalise(&x)?, taken.into_iter().flatten().collect()))
    }

    /// The final norm, `[tokens, dim]`.
    pub fn normalise(&self, x: &Tensor) -> TensorResult<Tensor> {
        let Some(cls_norm) = &self.cls_norm else { return self.norm.forward(x) };
        let prefix = self.config.prefix();
        let patches = x.narrow(0, prefix, x.dim(0)? - prefix)?.contiguous()?;
        let prefix = x.narrow(0, 0, prefix)?.contiguous()?;
        Tensor::cat(&[cls_norm.forward(&prefix)?, self.norm.forward(&patches)?], 0)
    }
}

/// Angles `2π · coordinate / period`: first the row's, then the column's, each `[head_dim / 4]`; coordinates are patch
/// centres in [-1, 1], each axis by itself (reference: `dinov3/layers/rope_position_encoding.py`).
fn rope(periods: &[f32], rows: usize, cols: usize, prefix: usize) -> Rope {
    let angles = |i: usize, n: usize| {
        let coordinate = 2.0 * ((i as f32 + 0.5) / n as f32) - 1.0;
        periods.iter().map(move |period| std::f32::consts::TAU * coordinate / period)
    };
    let patches = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
    let all = patches.flat_map(|(row, col)| angles(row, rows).chain(angles(col, cols)));
    let (cos, sin) = all.map(|angle| (angle.cos(), angle.sin())).unzip();
    Rope { cos, sin, prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rope_separates_rows_and_columns() {
        let rope = rope(&[1.0, 2.0], 2, 4, 5);
        assert_eq!(rope.cos.len(), 8 * 4);
        // Patch (1, 0): row coordinate 0.5, column coordinate -0.75.
        let patch = &rope.sin[4 * 4..5 * 4];
        let tau = std::f32::consts::TAU;
        let expected = [tau * 0.5, tau * 0.25, tau * -0.75, tau * -0.375].map(f32::sin);
        for (got, expected) in patch.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }
}
