//! Which patches belong to the object.

use ndarray::Array2;

use super::AnalysisError;
use crate::features::{FeatureGrid, Geometry};

/// Share of each patch that a pixel mask `[height, width]` covers, `[rows, cols]` in 0..=1.
///
/// # Errors
/// [`AnalysisError::MaskSize`] where the mask has not the picture's size.
pub fn coverage(_mask: &Array2<bool>, _geometry: &Geometry) -> Result<Array2<f32>, AnalysisError> {
    todo!()
}

/// Patches that a pixel mask `[height, width]` covers by more than half, `[rows, cols]`.
///
/// # Errors
/// As [`coverage`].
pub fn from_mask(_mask: &Array2<bool>, _geometry: &Geometry) -> Result<Array2<bool>, AnalysisError> {
    todo!()
}

/// Splits the first principal component by Otsu's threshold; the side that touches the border less is foreground.
/// `[rows, cols]`
///
/// # Errors
/// As [`super::pca::Basis::fit`].
pub fn automatic(_grid: &FeatureGrid) -> Result<Array2<bool>, AnalysisError> {
    todo!()
}

/// Median over 3×3 patches with zeros beyond the border, as `scipy.signal.medfilt2d`. `[rows, cols]`
pub fn median_3x3(_map: &Array2<f32>) -> Array2<f32> {
    todo!()
}
