//! Labels move from frames where they are known to the next one (reference: `notebooks/segmentation_tracking.ipynb`,
//! after "Space-time correspondence as a contrastive random walk", Jabri et al. 2020).
//!
//! Every patch looks at the patches around its place in all context frames, takes the most similar ones and becomes the
//! weighted mean of what they are. Only neighbours are visited: the matrix of all similarities never exists.

#[cfg(test)]
mod tests;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::AnalysisError;
use crate::features::FeatureGrid;
use crate::{Cancel, Result};

/// How labels move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropagationOptions {
    /// Patches at most this far away are neighbours (Euclidean distance between centres, in patches); at least 0.
    pub radius: f32,
    /// Neighbours that count, over all context frames together; those as similar as the last of them count too. At
    /// least 1.
    pub topk: usize,
    /// Cosines are divided by it before the softmax; above 0.
    pub temperature: f32,
}

impl Default for PropagationOptions {
    fn default() -> Self {
        Self { radius: 12.0, topk: 5, temperature: 0.2 }
    }
}

/// A frame whose labels are known.
#[derive(Clone, Copy, Debug)]
pub struct ContextFrame<'a> {
    /// Of length 1, as [`unit`](super::unit) makes them.
    pub features: &'a FeatureGrid,
    /// `[patches, classes]`, rows of which sum to 1.
    pub probabilities: &'a Array2<f32>,
}

/// The class probabilities of every patch of `target`, `[patches, classes]`, rows of which sum to 1.
///
/// `target` holds features of length 1 in a grid of the same size as those of the context. With `s` the cosines of a
/// patch and its neighbours in all context frames, and `t` the `topk`-th largest of them (the least where there are
/// fewer), its row is the mean of the context's rows where `s ≥ t`, weighted by `softmax(s / temperature)`.
///
/// # Errors
/// [`AnalysisError::NotEnough`] without context, [`AnalysisError::GridSize`], [`AnalysisError::Dimension`],
/// [`AnalysisError::Option`], [`AnalysisError::NotFinite`], and [`crate::Error::Cancelled`] soon after the request.
pub fn propagate(
    target: &FeatureGrid,
    context: &[ContextFrame<'_>],
    options: &PropagationOptions,
    cancel: &Cancel,
) -> Result<Array2<f32>> {
    todo!()
}
