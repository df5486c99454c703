//! The published segmentor: ViT-Adapter and Mask2Former on a backbone's layers and the picture (reference:
//! `dinov3/hub/segmentors.py`, `dinov3/eval/segmentation`).
//!
//! ```text
//! picture ─ spatial_prior ─► maps ─┐
//! picture ─ Backbone ─► 4 layers ──┴─ adapter ─► 4 maps ─ pixel_decoder ─► features ─ transformer_decoder ─► masks
//! ```

mod adapter;
mod config;
mod deformable;
mod inference;
mod pixel_decoder;
mod positions;
mod spatial_prior;
#[cfg(test)]
mod tests;
mod transformer_decoder;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use self::adapter::Adapter;
use self::pixel_decoder::PixelDecoder;
use self::transformer_decoder::{Prediction, TransformerDecoder};
use super::masks::Masks;
use super::{HeadError, HeadWeights};
use crate::Result;
use crate::backend::Run;
use crate::features::{Encoded, Features};
use crate::image::Pixels;
use crate::model::ModelConfig;

pub use config::{AdapterConfig, DecoderConfig, PixelDecoderConfig, Preset, SegmentorConfig, published_layers};
pub use deformable::DeformableConfig;
pub use inference::{Mode, SegmentorOptions, WHOLE_SIDE, WINDOW, WINDOW_STRIDE, predict};

/// Sides of the input are multiples of it: the coarsest map is at 1/32 of the picture.
const STRIDE: usize = 32;

/// A segmentor with its weights on a device.
pub struct Segmentor {
    path: PathBuf,
    config: SegmentorConfig,
    device: Device,
    adapter: Adapter,
    pixel_decoder: PixelDecoder,
    decoder: TransformerDecoder,
}

impl Segmentor {
    /// Puts all weights on the device. `weights` may be a training checkpoint, and may hold the backbone too.
    ///
    /// # Errors
    /// [`HeadError::NotThisHead`] for another kind of checkpoint, [`crate::checkpoint::CheckpointError`] where a tensor is
    /// missing or broken, [`crate::Error::Tensor`] where the device has no room.
    pub fn load(weights: HeadWeights, preset: Preset, device: &Device) -> Result<Self> {
        let weights = weights.below("segmentation_model.1.predictor.query_feat.weight");
        let config = SegmentorConfig::infer(&weights, preset)?;
        let SegmentorConfig { adapter, pixel_decoder, decoder } = &config;
        let (adapter, pixel_decoder, decoder) = weights.build(device, |vb| {
            let (model, head) = (vb.pp("segmentation_model.0"), vb.pp("segmentation_model.1"));
            Ok((
                Adapter::load(adapter, &model)?,
                PixelDecoder::load(pixel_decoder, adapter.dim, &head.pp("pixel_decoder"))?,
                TransformerDecoder::load(decoder, pixel_decoder.mask_dim, &head.pp("predictor"))?,
            ))
        })?;
        let path = weights.path().to_path_buf();
        Ok(Self { path, config, device: device.clone(), adapter, pixel_decoder, decoder })
    }

    /// Its sizes.
    pub fn config(&self) -> &SegmentorConfig {
        &self.config
    }

    /// The file that it comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many classes it tells apart.
    pub fn classes(&self) -> usize {
        self.config.decoder.classes
    }

    /// Refuses a backbone that it was not made for.
    ///
    /// # Errors
    /// [`HeadError::Backbone`], [`HeadError::Patches`], [`HeadError::LayerCount`], [`HeadError::Layer`].
    pub fn check(&self, backbone: &ModelConfig, layers: &[usize]) -> Result<(), HeadError> {
        let path = || self.path.clone();
        let (expected, got) = (self.config.adapter.dim, backbone.dim());
        if expected != got {
            return Err(HeadError::Backbone { path: path(), expected, got });
        }
        match backbone {
            ModelConfig::Vit(vit) if vit.patch == 16 => {}
            _ => return Err(HeadError::Patches { path: path() }),
        }
        let (expected, got) = (self.config.adapter.extra_extractors.len(), layers.len());
        if expected != got {
            return Err(HeadError::LayerCount { path: path(), expected, got });
        }
        let last = backbone.depth() - 1;
        match layers.iter().find(|layer| **layer > last) {
            Some(&layer) => Err(HeadError::Layer { path: path(), layer, last }),
            None => Ok(()),
        }
    }

    /// What the queries say about a picture: `encoded` holds four layers of a backbone that has seen `pixels`, whose sides
    /// are multiples of 32.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room, [`crate::analysis::AnalysisError::NotFinite`],
    /// [`crate::Error::Cancelled`].
    pub(super) fn forward(&self, pixels: &Pixels, encoded: &Encoded, run: &Run<'_>) -> Result<Masks> {
        let (pixels, layers) = self.inputs(pixels, encoded)?;
        let maps = self.adapter.forward(&pixels, &layers, run)?;
        let features = self.pixel_decoder.forward(&maps, run)?;
        let Prediction { classes, masks } = self.decoder.forward(&features, run, &mut |_| ())?;
        let (_, rows, cols) = masks.dims3()?;
        Masks::new(&classes.to_vec2()?, masks.flatten_all()?.to_vec1()?, (rows, cols))
    }

    fn inputs(&self, pixels: &Pixels, encoded: &Encoded) -> Result<(Tensor, Vec<Tensor>)> {
        let Pixels { width, height, data } = pixels;
        let picture = Tensor::from_slice(data, (1, 3, *height, *width), &self.device)?;
        let patches = |(_, layer): &(usize, Features)| {
            let numbers: Vec<f32> = layer.patch.data.iter().copied().collect();
            Tensor::from_vec(numbers, layer.patch.data.dim(), &self.device)
        };
        Ok((picture, encoded.layers.iter().map(patches).collect::<Result<_, _>>()?))
    }
}
