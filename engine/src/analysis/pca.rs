//! Rainbow PCA: principal components of patch features, whitened, as colours.

use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};

use super::AnalysisError;
use crate::features::FeatureGrid;

/// Patches to fit on.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Features of one picture.
    pub grid: &'a FeatureGrid,
    /// `[rows, cols]`, the patches that count; all of them where there is none.
    pub foreground: Option<&'a Array2<bool>>,
}

/// A fitted PCA: a mean, and orthonormal directions by falling variance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// `[dim]`
    pub mean: Vec<f64>,
    /// `[components][dim]`
    pub components: Vec<Vec<f64>>,
    /// `[components]`, of the samples along each component, with n - 1 in the denominator.
    pub variances: Vec<f64>,
    /// Of the samples along all `dim` directions.
    pub total_variance: f64,
}

impl Basis {
    /// Fits the first `components` components over all samples together.
    ///
    /// # Errors
    /// [`AnalysisError`] where there are fewer patches than it takes, where grids differ in width or hold NaN.
    pub fn fit(_samples: &[Sample], _components: usize) -> Result<Self, AnalysisError> {
        todo!()
    }

    /// Whitened scores of every patch on the chosen components (0-based), `[rows, cols, components.len()]`.
    ///
    /// # Errors
    /// [`AnalysisError::Dimension`], [`AnalysisError::NotEnough`] for a component that was not fitted.
    pub fn project(&self, _grid: &FeatureGrid, _components: &[usize]) -> Result<Array3<f32>, AnalysisError> {
        todo!()
    }

    /// Share of the total variance along each component, `[components]`.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        todo!()
    }

    /// Flips components that point against those of `reference`, so that colours stay the same from fit to fit.
    pub fn align_to(&mut self, _reference: &Basis) {
        todo!()
    }
}

/// `sigmoid(2 * x)` as RGB in 0..=1, `[rows, cols, 3]`; black outside of the foreground. One component gives grey,
/// a second one leaves blue at the middle; more than three are not shown.
pub fn colours(_projected: &Array3<f32>, _foreground: Option<&Array2<bool>>) -> Array3<f32> {
    todo!()
}
