//! Probes: small classifiers of features that stay as they are, trained from a few labels.
//!
//! The reference's foreground notebook (`notebooks/foreground_segmentation.ipynb`) trains one on patches of masked
//! pictures; its evaluations (`dinov3/eval/knn.py`, `log_regression.py`) measure features of whole pictures by them.

pub mod apply;
pub mod cross_validation;
pub mod dense;
pub mod file;
pub mod grids;
pub mod knn;
pub mod labels;
pub mod linear;
pub mod logistic;
pub mod metrics;
#[cfg(test)]
mod tests;
pub mod vectors;

use std::path::PathBuf;

pub use file::Probe;

/// Why a probe could not be trained or used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProbeError {
    /// Features of another model.
    #[error("features have {got} numbers where the probe needs {expected}; use the model that it was trained with")]
    Dimension {
        /// Of the probe.
        expected: usize,
        /// Of the features.
        got: usize,
    },
    /// Nothing to tell apart.
    #[error("all labels are of one class; label some of another one too")]
    OneClass,
    /// Labels that do not belong to the features.
    #[error("{labels} labels up to {largest} do not fit {features} features of {classes} classes")]
    Labels {
        /// How many there are.
        features: usize,
        /// How many there are.
        labels: usize,
        /// How many there are.
        classes: usize,
        /// The largest label.
        largest: usize,
    },
    /// Too few pictures to leave one out.
    #[error("{pictures} pictures cannot be left out one by one: give at least two, each with both classes")]
    TooFewPictures {
        /// With labels.
        pictures: usize,
    },
    /// Features of other weights mean something else.
    #[error("the probe was trained with {probe}, not with {features}; choose that model")]
    Model {
        /// The probe's.
        probe: String,
        /// The features'.
        features: String,
    },
    /// Features that hold NaN or infinity.
    #[error("the features hold NaN or infinite numbers; check the weights, or use --dtype f32")]
    NotFinite,
    /// A file that labels no pixels.
    #[error("{} cannot be used as labels: {reason}", path.display())]
    Labelling {
        /// The file.
        path: PathBuf,
        /// What it should be.
        reason: String,
    },
    /// No probe.
    #[error("{} is no probe of dinoscope ({reason}); train one with 'dinoscope probe train'", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
}
