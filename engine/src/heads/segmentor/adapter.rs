//! ViT-Adapter: maps of four sizes made of the picture and of four of the backbone's layers (paper: arXiv 2205.08534;
//! reference: `dinov3/eval/segmentation/models/backbone/dinov3_adapter.py`). The backbone is read, never written to.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{BatchNorm, LayerNorm, Linear, Module, ModuleT, VarBuilder, batch_norm, layer_norm, linear};

use super::config::AdapterConfig;
use super::deformable::{DeformableAttention, centres};
use super::spatial_prior::SpatialPrior;
use crate::Result;
use crate::backend::Run;
use crate::heads::layers::{Depthwise, Upsampling, interpolate, map_from_tokens, tokens_from_map};

/// Of the layer norms here.
const NORM_EPS: f64 = 1e-6;

/// The adapter's layers.
pub struct Adapter {
    prior: SpatialPrior,
    /// `[3, dim]`
    level_embed: Tensor,
    /// Per layer of the backbone; the last one has several.
    interactions: Vec<Vec<Extractor>>,
    up: Upsampling,
    /// Of the four maps.
    norms: Vec<BatchNorm>,
}

/// Positions of three maps read a layer's patches.
struct Extractor {
    query_norm: LayerNorm,
    feat_norm: LayerNorm,
    attn: DeformableAttention,
    ffn_norm: LayerNorm,
    fc1: Linear,
    dwconv: Depthwise,
    fc2: Linear,
}

impl Extractor {
    fn load(config: &AdapterConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &AdapterConfig { dim, ffn, deformable, .. } = config;
        Ok(Self {
            query_norm: layer_norm(dim, NORM_EPS, vb.pp("query_norm"))?,
            feat_norm: layer_norm(dim, NORM_EPS, vb.pp("feat_norm"))?,
            attn: DeformableAttention::load(deformable, vb.pp("attn"))?,
            ffn_norm: layer_norm(dim, NORM_EPS, vb.pp("ffn_norm"))?,
            fc1: linear(dim, ffn, vb.pp("ffn.fc1"))?,
            dwconv: Depthwise::load(ffn, true, vb.pp("ffn.dwconv.dwconv"))?,
            fc2: linear(ffn, dim, vb.pp("ffn.fc2"))?,
        })
    }

    /// `positions` are those of `maps` one after the other, `[positions, dim]`, `patches` `[rows * cols, dim]` of `grid`.
    fn forward(
        &self,
        positions: &Tensor,
        maps: &[(usize, usize)],
        patches: &Tensor,
        grid: (usize, usize),
    ) -> TensorResult<Tensor> {
        let query = self.query_norm.forward(positions)?;
        let read = self.attn.forward(&query, &centres(maps), &self.feat_norm.forward(patches)?, &[grid])?;
        let positions = (positions + read)?;
        let hidden = self.fc1.forward(&self.ffn_norm.forward(&positions)?)?;
        let mut first = 0;
        let mut mixed = Vec::with_capacity(maps.len());
        for &(rows, cols) in maps {
            mixed.push(self.dwconv.forward(&hidden.narrow(0, first, rows * cols)?, (rows, cols))?);
            first += rows * cols;
        }
        let hidden = Tensor::cat(&mixed, 0)?.gelu_erf()?;
        positions + self.fc2.forward(&hidden)?
    }
}

impl Adapter {
    /// Reads all layers.
    pub fn load(config: &AdapterConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let dim = config.dim;
        let interaction = |(index, &extra): (usize, &usize)| {
            let vb = vb.pp("interactions").pp(index);
            let extra = (0..extra).map(|index| vb.pp("extra_extractors").pp(index));
            std::iter::once(vb.pp("extractor")).chain(extra).map(|vb| Extractor::load(config, &vb)).collect()
        };
        Ok(Self {
            prior: SpatialPrior::load(config.prior_channels, dim, &vb.pp("spm"))?,
            level_embed: vb.get((3, dim), "level_embed")?,
            interactions: config.extra_extractors.iter().enumerate().map(interaction).collect::<TensorResult<_>>()?,
            up: Upsampling::load(dim, dim, 2, vb.pp("up"))?,
            norms: (1..=4)
                .map(|map| batch_norm(dim, 1e-5, vb.pp(format!("norm{map}"))))
                .collect::<TensorResult<_>>()?,
        })
    }

    /// The convolutional network's maps.
    #[cfg(test)]
    pub fn prior(&self, pixels: &Tensor) -> TensorResult<[Tensor; 4]> {
        self.prior.forward(pixels)
    }

    /// `pixels` are `[1, 3, height, width]` with sides that are multiples of 32, `layers` the patches of the backbone's
    /// layers, `[rows * cols, dim]`. Gives maps at 1/4, 1/8, 1/16 and 1/32 of the picture, `[1, dim, …]`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room, [`crate::Error::Cancelled`].
    pub fn forward(&self, pixels: &Tensor, layers: &[Tensor], run: &Run<'_>) -> Result<[Tensor; 4]> {
        let (_, _, height, width) = pixels.dims4()?;
        let grid = (height / 16, width / 16);
        let maps = [8, 16, 32].map(|scale| (height / scale, width / scale));
        let [finest, coarser @ ..] = self.prior.forward(pixels)?;
        let with_level =
            |(level, map): (usize, &Tensor)| tokens_from_map(map)?.broadcast_add(&self.level_embed.get(level)?);
        let tokens = coarser.iter().enumerate().map(with_level).collect::<TensorResult<Vec<_>>>()?;
        let mut positions = Tensor::cat(&tokens, 0)?;
        for (extractors, patches) in self.interactions.iter().zip(layers) {
            for extractor in extractors {
                run.check()?;
                positions = extractor.forward(&positions, &maps, patches, grid)?;
            }
        }
        run.check()?;
        let of_map = |map: usize| {
            let first = maps[..map].iter().map(|(rows, cols)| rows * cols).sum();
            positions.narrow(0, first, maps[map].0 * maps[map].1)?.contiguous()
        };
        let enlarged = map_from_tokens(&self.up.forward(&of_map(0)?, maps[0])?, (2 * maps[0].0, 2 * maps[0].1))?;
        let finest = (finest + enlarged)?;
        let finish = |index: usize, map: Tensor| {
            let (_, _, rows, cols) = map.dims4()?;
            let patches = interpolate(&map_from_tokens(&layers[index], grid)?, (rows, cols))?;
            self.norms[index].forward_t(&(map + patches)?, false)
        };
        let tokens_to_map = |map: usize| map_from_tokens(&of_map(map)?, maps[map]);
        Ok([
            finish(0, finest)?,
            finish(1, tokens_to_map(0)?)?,
            finish(2, tokens_to_map(1)?)?,
            finish(3, tokens_to_map(2)?)?,
        ])
    }
}
