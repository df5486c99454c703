//! Depth and canopy height: a picture's distances in metres (reference: `dinov3/hub/depthers.py`, `dinov3/eval/depth`).
//!
//! ```text
//! picture ─ input (resize, pad) ─► backbone ─ four layers ─► dpt ─ logits of bins ─► bins ─ metres ─► DepthMap ─► export
//! ```

mod bins;
mod dpt;
mod export;
mod input;
mod map;
mod preset;
#[cfg(test)]
mod tests;

use ndarray::Array2;

use bins::Bins;
use dpt::{Dpt, DptConfig, STEPS};

pub use export::{default_step, write_png16, write_point_cloud};
pub use map::{DepthMap, DepthSummary};
pub use preset::{DepthChoice, DepthPreset, DepthSettings};

use super::{HeadError, HeadWeights, head_device};
use crate::analysis::AnalysisError;
use crate::backend::{OpenDevice, Run};
use crate::encoder::Encoder;
use crate::features::Features;
use crate::image::{Filter, Normalisation, Picture, SizeRule};
use crate::model::ModelConfig;
use crate::{Cancel, Progress, Result};

/// Rows of the map whose logits are in memory at once.
const BAND: usize = 32;

/// A depth head with its weights on a device.
pub struct DepthHead {
    network: Dpt,
    bins: Bins,
    settings: DepthSettings,
    sha256: String,
}

impl DepthHead {
    /// Reads a head for features of `backbone`, beside which it is put on `device`. Without a preset, a head that reads
    /// the CLS token is one for canopy heights.
    ///
    /// # Errors
    /// [`HeadError`] where the file is another head, belongs to another backbone or `choice` does not fit;
    /// [`crate::checkpoint::CheckpointError`] where a part of it is missing; [`crate::Error::Cancelled`].
    pub fn load(
        weights: HeadWeights,
        backbone: &ModelConfig,
        choice: &DepthChoice,
        device: &OpenDevice,
        cancel: &Cancel,
    ) -> Result<Self> {
        let weights = weights.below(dpt::MARKER);
        let config = DptConfig::infer(&weights)?;
        let by_tensors = if config.has_readouts { DepthPreset::Chmv2 } else { DepthPreset::Synthmix };
        let preset = choice.preset.unwrap_or(by_tensors);
        let settings = DepthSettings::new(weights.path(), preset, choice, backbone)?;
        let got = backbone.dim();
        if let Some(&expected) = config.dims.iter().find(|dim| **dim != got) {
            return Err(HeadError::Backbone { path: weights.path().to_path_buf(), expected, got }.into());
        }
        let network = Dpt::load(&weights, &config, &head_device(device))?;
        let bins = Bins::new(config.outputs, &settings);
        Ok(Self { network, bins, settings, sha256: weights.sha256(cancel)? })
    }

    /// What it does not say by its tensors.
    pub fn settings(&self) -> &DepthSettings {
        &self.settings
    }

    /// SHA-256 of its file, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Metres all over what the backbone has read, `[rows, cols]`, from features of the layers of
    /// [`DepthHead::settings`] in that order. The map is 16 times as fine as the patches, or a little finer where their
    /// rows or columns are odd.
    ///
    /// # Errors
    /// [`AnalysisError::NotFinite`], [`crate::Error::Tensor`], [`crate::Error::Cancelled`].
    ///
    /// # Panics
    /// Where there are not as many layers as in [`DepthHead::settings`].
    pub fn forward(&self, layers: &[&Features], run: &Run<'_>) -> Result<Array2<f32>> {
        assert_eq!(layers.len(), self.settings.layers.len(), "features of every layer that the head reads");
        // A rectifier makes zero of what is no number, which would look like a depth.
        if !layers.iter().all(|features| features.is_finite()) {
            return Err(AnalysisError::NotFinite.into());
        }
        let maps = self.network.reassemble(layers, run)?;
        let fused = self.network.fuse(&maps, run)?;
        let hidden = self.network.hidden(&fused, run)?;
        let (_, _, rows, cols) = hidden.dims4()?;
        let mut metres = Vec::with_capacity(rows * cols);
        for first in (0..rows).step_by(BAND) {
            run.check()?;
            let band = hidden.narrow(2, first, BAND.min(rows - first))?.contiguous()?;
            metres.extend(self.bins.metres(&self.network.logits(&band)?)?);
        }
        if !metres.iter().all(|value| value.is_finite()) {
            return Err(AnalysisError::NotFinite.into());
        }
        Ok(Array2::from_shape_vec((rows, cols), metres).expect("a value for each place"))
    }
}

/// How a picture is brought to the backbone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthOptions {
    /// A short side is exactly that, and the long side is truncated to an integer; what is no multiple of the patch is
    /// padded with the mean colour, and so are pictures as they are.
    pub size: SizeRule,
    /// How it is resized.
    pub filter: Filter,
    /// Mean and deviation of the training pictures.
    pub normalisation: Normalisation,
}

impl DepthOptions {
    /// The reference's for a head, on a backbone that expects `trained_with`.
    pub fn new(preset: DepthPreset, trained_with: Normalisation) -> Self {
        let normalisation = preset.normalisation(trained_with);
        Self { size: preset.size(), filter: Filter::Bilinear, normalisation }
    }
}

/// Metres everywhere in a picture.
///
/// # Errors
/// [`crate::image::PictureError`] where the picture does not fit the size; as
/// [`Backbone::forward`](crate::backend::Backbone::forward) and [`DepthHead::forward`].
pub fn predict(
    encoder: &mut Encoder,
    head: &DepthHead,
    picture: &Picture,
    options: &DepthOptions,
    cancel: &Cancel,
    progress: &dyn Fn(Progress),
) -> Result<DepthMap> {
    let (pixels, placement) = input::prepare(picture, options, encoder.config().stride())?;
    let blocks = encoder.config().depth();
    let tell = |done: usize| {
        let stage = head.settings.preset.task().name().to_owned();
        progress(Progress { stage, done: done as u64, total: Some((blocks + STEPS) as u64) });
    };
    let encoded = encoder.forward(&pixels, &head.settings.layers, Run::watched(cancel, &tell))?;
    let layers: Vec<&Features> = encoded.layers.iter().map(|(_, features)| features).collect();
    let metres = head.forward(&layers, &Run::watched(cancel, &|step| tell(blocks + step)))?;
    Ok(DepthMap { metres: placement.on_picture(&metres), preset: head.settings.preset, input: placement.padded })
}
