//! A model ready to use: weights, preprocessing and device in one value.

use crate::backend::{DeviceChoice, Dtype};
use crate::features::{Encoded, Geometry};
use crate::image::{Picture, Preprocessing};
use crate::model::ModelConfig;
use crate::{Cancel, Result};
use std::path::PathBuf;

/// Which weights to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A name of the zoo; `demo` is embedded, others are looked up in the Hugging Face cache.
    Named(String),
    /// A checkpoint file or a hub-style folder.
    Path(PathBuf),
    /// The named architecture with random weights.
    Random {
        /// A name of the zoo.
        name: String,
        /// The same seed gives the same weights.
        seed: u64,
    },
}

/// Where features come from; written into every export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Name of the model, or the file's stem.
    pub model: String,
    /// SHA-256 of the weights file (hex), or `random:SEED`.
    pub weights: String,
    /// "cpu", "cuda:0".
    pub device: String,
    /// "f32".
    pub dtype: String,
}

/// A loaded model.
pub struct Encoder {}

impl Encoder {
    /// Loads a model.
    ///
    /// # Errors
    /// Whatever is wrong with the weights or the device.
    pub fn load(_source: &ModelSource, _device: &DeviceChoice, _dtype: Option<Dtype>) -> Result<Self> {
        todo!()
    }
    /// Architecture.
    pub fn config(&self) -> &ModelConfig {
        todo!()
    }
    /// Mean and deviation these weights expect (overridden by `--normalize`).
    pub fn normalisation(&self) -> crate::image::Normalisation {
        todo!()
    }
    /// For exports.
    pub fn provenance(&self) -> &Provenance {
        todo!()
    }
    /// Preprocesses and runs one picture.
    ///
    /// # Errors
    /// As [`Preprocessing::apply`] and [`crate::backend::Backbone::forward`].
    pub fn encode(
        &mut self,
        _picture: &Picture,
        _preprocessing: &Preprocessing,
        _layers: &[usize],
        _cancel: &Cancel,
    ) -> Result<(Encoded, Geometry)> {
        todo!()
    }
    /// Runs pixels that are already prepared.
    ///
    /// # Errors
    /// As [`crate::backend::Backbone::forward`].
    pub fn forward(&mut self, _pixels: &crate::image::Pixels, _layers: &[usize], _cancel: &Cancel) -> Result<Encoded> {
        todo!()
    }
}
