//! Cosine similarity of every patch to a query.

mod combined;
mod summary;

pub use combined::{Combine, EXCLUDED, MapQuery, combined_map, combined_value};
pub use summary::{best_patches, value_range};

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::AnalysisError;
use crate::features::{FeatureGrid, Patch};

/// What patches are compared with: one direction in feature space. It may come from another picture than the one it
/// is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `[dim]`: the cosine minus the mean cosine to the negatives is the dot product with this, as both are linear.
    direction: Vec<f32>,
    /// Largest value a similarity can have: 1, or 2 with negatives.
    bound: f32,
}

impl Query {
    /// From the features of `grid` at the `positive` patches (the normalised mean of the normalised features), less
    /// the mean cosine to the `negative` ones, which may be empty.
    ///
    /// # Errors
    /// [`AnalysisError::NotEnough`] without a positive patch, [`AnalysisError::Patch`] outside of the grid,
    /// [`AnalysisError::NotFinite`] for NaN.
    pub fn new(grid: &FeatureGrid, positive: &[Patch], negative: &[Patch]) -> Result<Self, AnalysisError> {
        if positive.is_empty() {
            return Err(AnalysisError::NotEnough("a similarity needs at least one point to compare with".into()));
        }
        let mut direction = mean_direction(grid, positive)?;
        normalise(&mut direction);
        if !negative.is_empty() {
            let away = mean_direction(grid, negative)?;
            direction.iter_mut().zip(away).for_each(|(d, a)| *d -= a);
        }
        let direction: Vec<f32> = direction.into_iter().map(|v| v as f32).collect();
        if direction.iter().any(|v| !v.is_finite()) {
            return Err(AnalysisError::NotFinite);
        }
        Ok(Self { direction, bound: if negative.is_empty() { 1.0 } else { 2.0 } })
    }

    /// `[dim]`: the similarity of a feature is the dot product of this with the feature at length 1.
    pub fn direction(&self) -> &[f32] {
        &self.direction
    }

    /// Largest value a similarity can have.
    pub(crate) fn bound(&self) -> f32 {
        self.bound
    }
}

/// The direction that a set of patches has in common, for a [`MapQuery`]: the normalised mean of the normalised
/// features, `[dim]`. Zero where the features cancel out.
///
/// # Errors
/// As [`Query::new`].
pub fn unit_direction(grid: &FeatureGrid, patches: &[Patch]) -> Result<Vec<f32>, AnalysisError> {
    Query::new(grid, patches, &[]).map(|query| query.direction)
}

/// Mean of the normalised features at `patches`, `[dim]`.
fn mean_direction(grid: &FeatureGrid, patches: &[Patch]) -> Result<Vec<f64>, AnalysisError> {
    let mut mean = vec![0.0; grid.dim()];
    for &patch in patches {
        if patch.row >= grid.rows || patch.col >= grid.cols {
            let Patch { row, col } = patch;
            return Err(AnalysisError::Patch { row, col, rows: grid.rows, cols: grid.cols });
        }
        let mut feature: Vec<f64> = grid.at(patch).iter().map(|&v| f64::from(v)).collect();
        normalise(&mut feature);
        mean.iter_mut().zip(feature).for_each(|(m, v)| *m += v / patches.len() as f64);
    }
    Ok(mean)
}

/// To length 1; a zero vector stays.
fn normalise(vector: &mut [f64]) {
    let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v /= length);
    }
}

/// Cosine of every patch with the query, `[rows, cols]`, in -1..=1 (-2..=2 with negatives). A zero vector gives 0.
///
/// # Errors
/// [`AnalysisError::Dimension`] where the query comes from another model, [`AnalysisError::NotFinite`] for NaN.
pub fn similarity(grid: &FeatureGrid, query: &Query) -> Result<Array2<f32>, AnalysisError> {
    let (dim, expected) = (grid.dim(), query.direction.len());
    if dim != expected {
        return Err(AnalysisError::Dimension { expected, got: dim });
    }
    let direction = ArrayView1::from(&query.direction);
    let features = grid.data.as_standard_layout();
    let cosines: Vec<f32> = (0..features.nrows())
        .into_par_iter()
        .with_min_len(64)
        .map(|i| {
            let feature = features.row(i);
            let norm = feature.dot(&feature).sqrt();
            let dot = feature.dot(&direction);
            if norm == 0.0 { 0.0 } else { (dot / norm).clamp(-query.bound, query.bound) }
        })
        .collect();
    if cosines.iter().any(|v| !v.is_finite()) {
        return Err(AnalysisError::NotFinite);
    }
    Ok(Array2::from_shape_vec((grid.rows, grid.cols), cosines).expect("a grid has rows * cols features"))
}
