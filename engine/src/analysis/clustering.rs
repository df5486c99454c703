//! K-means clusters of patch features.

use ndarray::Array2;

use super::AnalysisError;
use crate::features::FeatureGrid;

/// How patches are clustered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// Compare directions rather than positions.
    pub normalise: bool,
    /// The same seed gives the same labels.
    pub seed: u64,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { clusters: 8, normalise: true, seed: 0 }
    }
}

/// Label of every patch, 0-based, `[rows, cols]` for each grid; clusters are shared by all grids.
///
/// # Errors
/// [`AnalysisError`] where there are fewer patches than clusters, where grids differ in width or hold NaN.
pub fn cluster(_grids: &[&FeatureGrid], _options: &ClusterOptions) -> Result<Vec<Array2<usize>>, AnalysisError> {
    todo!()
}
