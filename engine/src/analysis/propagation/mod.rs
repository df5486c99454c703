//! Labels move from frames where they are known to the next one (reference: `notebooks/segmentation_tracking.ipynb`,
//! after "Space-time correspondence as a contrastive random walk", Jabri et al. 2020).
//!
//! Every patch looks at the patches around its place in all context frames, takes the most similar ones and becomes the
//! weighted mean of what they are. Only neighbours are visited: the matrix of all similarities never exists.

#[cfg(test)]
pub(crate) mod tests;

use ndarray::{Array2, CowArray, Ix2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::AnalysisError;
use crate::backend::Dtype;
use crate::backend::cpu::kernels;
use crate::backend::cpu::neighbours::{Disc, Neighbour, PatchFeatures};
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
    options.check()?;
    check(target, context)?;
    let layouts: Vec<_> = context.iter().map(|frame| frame.features.data.as_standard_layout()).collect();
    let target_layout = target.data.as_standard_layout();
    let frames: Vec<PatchFeatures<'_>> = layouts.iter().map(|data| patch_features(target, data)).collect();
    let disc = Disc::new(options.radius, target.rows, target.cols);
    let found =
        kernels(Dtype::F32).neighbours(patch_features(target, &target_layout), &frames, &disc, options.topk, cancel)?;
    mix(&found, context, options.temperature).map_err(crate::Error::from)
}

/// Row-major numbers of a grid of `like`'s shape.
fn patch_features<'a>(like: &FeatureGrid, data: &'a CowArray<'_, f32, Ix2>) -> PatchFeatures<'a> {
    let features = data.as_slice().expect("standard layout");
    PatchFeatures { rows: like.rows, cols: like.cols, dim: like.dim(), features }
}

fn check(target: &FeatureGrid, context: &[ContextFrame<'_>]) -> Result<(), AnalysisError> {
    let Some(first) = context.first() else {
        return Err(AnalysisError::NotEnough("labels move from other frames: label one first".into()));
    };
    if target.data.is_empty() {
        return Err(AnalysisError::NotEnough("a frame without patches has no labels".into()));
    }
    let (size, classes) = ((target.rows, target.cols), first.probabilities.ncols());
    for ContextFrame { features, probabilities } in context {
        if (features.rows, features.cols) != size {
            return Err(AnalysisError::GridSize { expected: size, got: (features.rows, features.cols) });
        }
        if features.dim() != target.dim() {
            return Err(AnalysisError::Dimension { expected: target.dim(), got: features.dim() });
        }
        if probabilities.dim() != (size.0 * size.1, classes) {
            let expected = (size.0 * size.1, classes);
            return Err(AnalysisError::Probabilities { expected, got: probabilities.dim() });
        }
    }
    Ok(())
}

impl PropagationOptions {
    /// # Errors
    /// [`AnalysisError::Option`] for the first that is out of range.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let refuse = |name, value, range| Err(AnalysisError::Option { name, value, range });
        if self.radius.is_nan() || self.radius < 0.0 {
            return refuse("radius", f64::from(self.radius), "at least 0");
        }
        if self.topk == 0 {
            return refuse("topk", 0.0, "at least 1");
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse("temperature", f64::from(self.temperature), "above 0");
        }
        Ok(())
    }
}

/// The weighted means of what each patch's neighbours are, `[patches, classes]`.
fn mix(found: &[Vec<Neighbour>], context: &[ContextFrame<'_>], temperature: f32) -> Result<Array2<f32>, AnalysisError> {
    let classes = context.first().map_or(0, |frame| frame.probabilities.ncols());
    let mut mixed = Array2::zeros((found.len(), classes));
    let rows: Vec<_> = mixed.rows_mut().into_iter().zip(found).collect();
    rows.into_par_iter().try_for_each(|(mut row, found)| {
        let logit = |neighbour: &Neighbour| neighbour.similarity / temperature;
        let largest = found.iter().map(logit).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = found.iter().map(|neighbour| (logit(neighbour) - largest).exp()).collect();
        let total: f32 = weights.iter().sum();
        for (neighbour, weight) in found.iter().zip(weights) {
            let probabilities = context[neighbour.frame as usize].probabilities.row(neighbour.patch as usize);
            row.scaled_add(weight / total, &probabilities);
        }
        let sum = row.sum();
        if sum > 0.0 {
            row /= sum;
        }
        // No neighbour at all is similar where features are NaN: every patch is its own neighbour.
        if found.is_empty() || !row.sum().is_finite() { Err(AnalysisError::NotFinite) } else { Ok(()) }
    })?;
    Ok(mixed)
}
