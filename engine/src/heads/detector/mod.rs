//! Boxes around objects: Plain-DETR on a frozen backbone (reference: `dinov3/eval/detection`, after arXiv 2308.01904).
//!
//! ```text
//! picture ─ windows, and the whole ─ Backbone ─ projection ─ encoder ─┬─► boxes everywhere ─ the likeliest
//!                                                                    └──────────► decoder ◄──────┘
//!                                                                      boxes, moved layer by layer ─► detections
//! ```
//! Only what the published configuration runs is here, one picture at a time. Queries that are there for training are not
//! read. Boxes are kept on the host in f32, as the sines of their pixels leave no room for less.

mod attention;
mod boxes;
mod coco;
mod config;
mod decoder;
mod encoder;
mod export;
mod network;
mod output;
mod position;
mod proposals;
mod sizes;
mod stages;
mod windows;

use std::path::{Path, PathBuf};

use candle_core::Device;

pub use config::DetectorConfig;
pub use export::{CocoResults, image_ids};
pub use output::Detection;
pub use stages::Stages;

use self::network::Network;
use self::sizes::Sizes;
use self::stages::Steps;
use super::{HeadError, HeadWeights};
use crate::analysis::AnalysisError;
use crate::encoder::Encoder;
use crate::features::Geometry;
use crate::image::{Picture, Preprocessing};
use crate::model::ModelConfig;
use crate::{Cancel, Result, Watch};

/// Of every norm.
const NORM_EPS: f64 = 1e-5;
/// Of the norm behind the projection.
const GROUPS: usize = 32;

/// A head with its weights on a device.
pub struct Detector {
    path: PathBuf,
    sha256: String,
    config: DetectorConfig,
    sizes: Sizes,
    names: Vec<String>,
    network: Network,
}

impl Detector {
    /// Reads a head that was trained on `backbone` and puts it on `device` (see [`super::head_device`]).
    ///
    /// `names` has a name per class; without it they are COCO's, whose index is COCO's number of the category.
    ///
    /// # Errors
    /// [`HeadError`] where it is no detector, belongs to another backbone, or `names` or `config` do not fit it;
    /// [`crate::checkpoint::CheckpointError`] where a tensor is missing or damaged; [`crate::Error::Tensor`] where the
    /// device has no room; [`crate::Error::Cancelled`].
    pub fn open(
        weights: HeadWeights,
        backbone: &ModelConfig,
        config: DetectorConfig,
        names: Option<Vec<String>>,
        device: &Device,
        cancel: &Cancel,
    ) -> Result<Self> {
        let weights = weights.below("transformer.level_embed");
        let sizes = Sizes::read(&weights)?;
        let path = weights.path().to_path_buf();
        config.check(&sizes, backbone, &path)?;
        let names = names.unwrap_or_else(coco::names);
        if names.len() != sizes.classes {
            return Err(HeadError::ClassNames { path, classes: sizes.classes, names: names.len() }.into());
        }
        let network = weights.build(device, |vb| Network::load(&sizes, backbone.dim(), &vb))?;
        let sha256 = weights.sha256(cancel)?;
        Ok(Self { path, sha256, config, sizes, names, network })
    }

    /// The head's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the head's file, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What its tensors do not tell.
    pub fn config(&self) -> &DetectorConfig {
        &self.config
    }

    /// A name per class.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }
}

/// How a picture is brought to the model, and what of the answer is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectOptions {
    /// The picture at the size of all windows together. The reference names no size; its pictures were normalised
    /// already.
    pub preprocessing: Preprocessing,
    /// Detections that are kept, those of the greatest scores.
    pub most: usize,
    /// Least score that is kept. A small one lets a person move a threshold above it without another run.
    pub floor: f32,
}

impl DetectOptions {
    /// As many as the reference keeps, down to a score of 0.05.
    pub fn new(preprocessing: Preprocessing) -> Self {
        Self { preprocessing, most: 1500, floor: 0.05 }
    }
}

/// What was found in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Detections {
    /// How the picture and the patches that were read lie over each other.
    pub geometry: Geometry,
    /// The greatest score first.
    pub found: Vec<Detection>,
}

impl Detections {
    /// Those whose score reaches `threshold`.
    pub fn above(&self, threshold: f32) -> &[Detection] {
        &self.found[..self.found.partition_point(|detection| detection.score >= threshold)]
    }
}

/// Finds objects in a picture.
///
/// # Errors
/// [`HeadError::Backbone`] and [`HeadError::Layer`] where the model is not that of [`Detector::open`];
/// [`crate::image::PictureError::Size`] where the picture is too small for its windows and queries at this size;
/// [`AnalysisError::NotFinite`]; as [`Encoder::forward`], and [`crate::Error::Cancelled`] within one block, layer or band
/// of queries.
pub fn predict(
    encoder: &mut Encoder,
    detector: &Detector,
    picture: &Picture,
    options: &DetectOptions,
    watch: Watch<'_>,
) -> Result<Detections> {
    predict_in_stages(encoder, detector, picture, options, watch, &mut Stages::default())
}

/// As [`predict`], keeping what each stage gives where `stages` asks for it.
///
/// # Errors
/// As [`predict`].
pub fn predict_in_stages(
    encoder: &mut Encoder,
    detector: &Detector,
    picture: &Picture,
    options: &DetectOptions,
    watch: Watch<'_>,
    stages: &mut Stages,
) -> Result<Detections> {
    let Detector { config, sizes, network, path, .. } = detector;
    config.check(sizes, encoder.config(), path)?;
    let patch = encoder.config().stride();
    let (pixels, geometry) = options.preprocessing.apply(picture, patch)?;
    // Too many are refused below.
    let parts = config.windows.saturating_mul(config.windows).saturating_add(1);
    let blocks = parts.saturating_mul(encoder.config().depth());
    let steps = blocks.saturating_add(sizes.encoder_layers + sizes.decoder_layers);
    let mut steps = Steps::new(watch, steps, encoder.config().depth());

    let grid = windows::describe(encoder, network.projection(), &pixels, config, &mut steps)?;
    stages.keep("projected", &grid)?;
    let queries = config.queries_of(sizes);
    let (logits, boxes) = network.forward(&grid, patch, config.smallest, queries, &mut steps, stages)?;
    if !logits.iter().chain(boxes.as_flattened()).all(|number| number.is_finite()) {
        return Err(AnalysisError::NotFinite.into());
    }
    let input = (pixels.width, pixels.height);
    let found = output::detections(&logits, &boxes, input, geometry.covered, options.most, options.floor);
    Ok(Detections { geometry, found })
}
