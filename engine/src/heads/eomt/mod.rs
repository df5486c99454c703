//! EoMT on DINOv3, as transformers stores it: a backbone and a segmentation head in one checkpoint (paper: arXiv
//! 2503.19108; reference: transformers' `models/eomt_dinov3` and `models/eomt/image_processing_eomt.py`).
//!
//! ```text
//! picture ─ squares ─ patches ─ blocks ─┐
//!                              queries ─┴─ last blocks ─► queries become a class and a mask each ─► scores
//! ```
//! Checkpoints trained for panoptic segmentation give classes of pixels as well; single objects are not told apart.

mod config;
mod network;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::network::{Network, Prediction};
use super::masks::{Masks, WindowMasks};
use super::{HeadError, HeadWeights, Task, head_device};
use crate::backend::candle::layers::Place;
use crate::backend::candle::vit::Vit;
use crate::backend::{Dtype, OpenDevice, Placement, Run};
use crate::checkpoint::Weights;
use crate::classes::Scores;
use crate::classes::windows::{Window, cut};
use crate::encoder::{self, Provenance};
use crate::image::{Normalisation, Picture, PictureError, Pixels, resample, size};
use crate::model::{Ffn, ModelConfig};
use crate::{Cancel, Progress, Result};

pub use config::{EomtConfig, Fit};

/// An EoMT with its weights on a device.
pub struct Eomt {
    path: PathBuf,
    config: EomtConfig,
    normalisation: Normalisation,
    provenance: Provenance,
    network: Network,
}

impl Eomt {
    /// Whether a checkpoint is one.
    pub fn is_in(weights: &HeadWeights) -> bool {
        ["query.weight", "class_predictor.weight", "mask_head.fc1.weight"]
            .iter()
            .all(|name| weights.shape(name).is_some())
    }

    /// Reads a folder as on the Hugging Face hub. It runs through candle; where the device is wgpu's, on the processor and
    /// in f32. `dtype` is the blocks'; the head's own layers are f32.
    ///
    /// # Errors
    /// [`HeadError::NotThisHead`] for another kind of checkpoint and where a file of the folder is missing,
    /// [`crate::checkpoint::CheckpointError`] where a tensor is missing or broken, [`crate::Error::Tensor`] where the
    /// device has no room, [`crate::Error::Cancelled`].
    pub fn load(path: &Path, device: &OpenDevice, dtype: Option<Dtype>, cancel: &Cancel) -> Result<Self> {
        let weights = HeadWeights::open(path)?;
        let refuse =
            |reason: String| HeadError::NotThisHead { path: path.to_path_buf(), task: Task::Segmentation, reason };
        let config = EomtConfig::read(&weights)?;
        let backbone = Arc::new(Weights::open(path)?);
        let vit = match backbone.config() {
            ModelConfig::Vit(vit) if matches!(vit.ffn, Ffn::Mlp { .. }) => vit,
            // There the layers behind have another activation, too; nothing like it is published.
            _ => {
                return Err(refuse(
                    "its backbone is no vision transformer with plain feed-forward networks".to_owned(),
                )
                .into());
            }
        };
        if !(1..=vit.depth).contains(&config.joint_blocks) || !config.side.is_multiple_of(vit.patch) {
            let reason = format!(
                "its config.json has {} blocks with queries and squares of {} pixels, but its tensors {} blocks and patches \
                 of {}",
                config.joint_blocks, config.side, vit.depth, vit.patch
            );
            return Err(refuse(reason).into());
        }
        let is_masked = mask_shares(&config, &weights)?.into_iter().map(|share| match share {
            // A schedule that ends with the training leaves a little of the last share; transformers draws queries by it.
            0.0..0.05 => Ok(false),
            0.95..=1.0 => Ok(true),
            _ => Err(refuse(format!(
                "its training was not over: masks steer its attention with a probability of {share}, expected 0 or 1"
            ))),
        });
        let is_masked = is_masked.collect::<Result<_, _>>()?;
        let (name, device, dtype) = match device {
            OpenDevice::Candle { name, .. } => (name.clone(), device.clone(), dtype),
            OpenDevice::Wgpu(_) => ("cpu".to_owned(), OpenDevice::cpu(), Some(Dtype::F32)),
        };
        let Placement { dtype, budget } = device.placement(dtype.into());
        let place = Place::new(head_device(&device), dtype);
        let vit = Vit::load(vit, &backbone, &place, budget, &Run::from(cancel))?;
        let network = Network::load(&config, is_masked, vit, place, &weights)?;
        let provenance = Provenance {
            model: encoder::stem(path),
            weights: weights.sha256(cancel)?,
            device: name,
            dtype: dtype.name().to_owned(),
        };
        Ok(Self { path: path.to_path_buf(), config, normalisation: backbone.normalisation(), provenance, network })
    }

    /// Its sizes and settings, the names of its classes among them.
    pub fn config(&self) -> &EomtConfig {
        &self.config
    }

    /// The folder or file that it comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For exports.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Scores of every class everywhere in a picture.
    ///
    /// # Errors
    /// [`PictureError::Size`], [`crate::analysis::AnalysisError::NotFinite`], [`crate::Error::Tensor`] where the device has
    /// no room, [`crate::Error::Cancelled`].
    pub fn predict(&self, picture: &Picture, cancel: &Cancel, progress: &dyn Fn(Progress)) -> Result<Scores> {
        let EomtConfig { side, fit, filter, .. } = self.config;
        let original = (picture.width, picture.height);
        let (width, height) = resized(original, side, (fit == Fit::Pad).then_some(side));
        if width.saturating_mul(height) > size::MAX_INPUT_PIXELS || width.min(height) == 0 {
            let reason =
                format!("a picture of {}x{} pixels is too narrow for this head: crop it", original.0, original.1);
            return Err(PictureError::Size(reason).into());
        }
        let pixels = resample::resize_as_pillow(picture, width, height, filter);
        let starts = starts(width.max(height), side);
        let depth = self.network.depth();
        let mut windows = Vec::with_capacity(starts.len());
        for (index, &start) in starts.iter().enumerate() {
            let on_block = |done: usize| {
                let (done, total) = ((index * depth + done) as u64, Some((starts.len() * depth) as u64));
                progress(Progress { stage: "segmenting".to_owned(), done, total });
            };
            let (x, y) = if height > width { (0, start) } else { (start, 0) };
            let inside = Window { x, y, width: side.min(width - x), height: side.min(height - y) };
            let mut square = padded(&cut(&pixels, inside), side);
            self.normalisation.apply(&mut square);
            let masks = self.masks(&square, &Run::watched(cancel, &on_block))?;
            windows.push((Window { x, y, width: side, height: side }, masks));
        }
        Ok(Scores::new(original, original, WindowMasks { size: (width, height), windows }))
    }

    fn masks(&self, square: &Pixels, run: &Run<'_>) -> Result<Masks> {
        let Prediction { classes, masks } = self.network.forward(square, run)?;
        let (_, rows, cols) = masks.dims3()?;
        Masks::new(&classes.to_vec2()?, masks.flatten_all()?.to_vec1()?, (rows, cols))
    }
}

/// Of each block that reads the queries: how often masks steered its attention at the end of the training.
fn mask_shares(config: &EomtConfig, weights: &HeadWeights) -> Result<Vec<f32>> {
    weights.build(&candle_core::Device::Cpu, |vb| vb.get(config.joint_blocks, "attn_mask_probs")?.to_vec1())
}

/// Width and height with a short side of `short` and a long one of at most `longest`, rounded as transformers'
/// `get_size_with_aspect_ratio` does.
fn resized((width, height): (usize, usize), short: usize, longest: Option<usize>) -> (usize, usize) {
    let (least, most) = (width.min(height) as f64, width.max(height) as f64);
    let exact = match longest.map(|longest| longest as f64) {
        Some(longest) if most / least * short as f64 > longest => longest * least / most,
        _ => short as f64,
    };
    // Python rounds halves to even.
    let side = exact.round_ties_even() as usize;
    if width.min(height) == side {
        return (width, height);
    }
    if width < height {
        (side, (exact * height as f64 / width as f64) as usize)
    } else {
        ((exact * width as f64 / height as f64) as usize, side)
    }
}

/// Where squares of `side` begin that cover `long` pixels, overlapping evenly.
fn starts(long: usize, side: usize) -> Vec<usize> {
    let count = long.div_ceil(side);
    let overlap = if count > 1 { (count * side - long) as f64 / (count - 1) as f64 } else { 0.0 };
    (0..count).map(|index| (index as f64 * (side as f64 - overlap)) as usize).collect()
}

/// With black at the right and bottom.
fn padded(pixels: &Pixels, side: usize) -> Pixels {
    let mut data = vec![0.0; 3 * side * side];
    let planes = data.chunks_exact_mut(side * side).zip(pixels.data.chunks_exact(pixels.width * pixels.height));
    for (plane, pixels_of) in planes {
        for (line, pixels_of) in plane.chunks_exact_mut(side).zip(pixels_of.chunks_exact(pixels.width)) {
            line[..pixels.width].copy_from_slice(pixels_of);
        }
    }
    Pixels { width: side, height: side, data }
}
