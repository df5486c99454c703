//! Cosine similarity of every patch to a query.

use ndarray::Array2;

use super::AnalysisError;
use crate::features::{FeatureGrid, Patch};

/// What patches are compared with: one direction in feature space. It may come from another picture than the one it
/// is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `[dim]`
    direction: Vec<f32>,
}

impl Query {
    /// From the features of `grid` at `positive` patches, less the mean cosine to the `negative` ones (may be empty).
    ///
    /// # Errors
    /// [`AnalysisError::NotEnough`] without a positive patch, [`AnalysisError::Patch`] outside of the grid.
    pub fn new(_grid: &FeatureGrid, _positive: &[Patch], _negative: &[Patch]) -> Result<Self, AnalysisError> {
        todo!()
    }
}

/// Cosine of every patch with the query, `[rows, cols]`, in -1..=1 (-2..=2 with negatives). A zero vector gives 0.
///
/// # Errors
/// [`AnalysisError::Dimension`] where the query comes from another model.
pub fn similarity(_grid: &FeatureGrid, _query: &Query) -> Result<Array2<f32>, AnalysisError> {
    todo!()
}
