//! Correspondences between two pictures.

use ndarray::{Array2, Array3};

use super::AnalysisError;
use crate::features::{FeatureGrid, Geometry, Patch};

/// One of the two pictures.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Its features.
    pub grid: &'a FeatureGrid,
    /// Where its patches lie.
    pub geometry: &'a Geometry,
    /// `[rows, cols]`, patches that may match; all where there is none.
    pub foreground: Option<&'a Array2<bool>>,
}

/// Which correspondences are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MatchOptions {
    /// Only pairs that are each other's nearest.
    pub mutual: bool,
    /// Only pairs of at least this cosine.
    pub min_score: Option<f32>,
}

/// A left patch and the right patch most similar to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// In the left grid.
    pub left: Patch,
    /// In the right grid.
    pub right: Patch,
    /// Centre of the left patch in pixels of the left picture, (x, y).
    pub left_pixel: (f64, f64),
    /// Centre of the right patch in pixels of the right picture, (x, y).
    pub right_pixel: (f64, f64),
    /// Cosine, -1..=1.
    pub score: f32,
}

/// Every kept correspondence, by left patch, row by row.
///
/// # Errors
/// [`AnalysisError::Dimension`], [`AnalysisError::MaskSize`], [`AnalysisError::NotFinite`].
pub fn matches(_left: &Side, _right: &Side, _options: &MatchOptions) -> Result<Vec<Pair>, AnalysisError> {
    todo!()
}

/// Thins pairs greedily: while left points lie within `distance` pixels of each other, the one with most such
/// neighbours goes. The order stays.
pub fn thin(_pairs: &[Pair], _distance: f64) -> Vec<Pair> {
    todo!()
}

/// Colours of both grids by the PCA of the matched left patches, RGB in 0..=1, `[rows, cols, 3]` each, black outside
/// of the foreground.
///
/// # Errors
/// As [`super::pca::Basis::fit`]: at least two pairs are needed.
pub fn colours(_left: &Side, _right: &Side, _pairs: &[Pair]) -> Result<(Array3<f32>, Array3<f32>), AnalysisError> {
    todo!()
}
