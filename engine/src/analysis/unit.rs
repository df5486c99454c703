//! Features of length 1, whose dot products are cosines.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::AnalysisError;
use crate::features::FeatureGrid;

/// Brings every feature to length 1; zero vectors stay.
///
/// # Errors
/// [`AnalysisError::NotFinite`]
pub fn unit(mut grid: FeatureGrid) -> Result<FeatureGrid, AnalysisError> {
    let dim = grid.dim();
    if !grid.data.is_standard_layout() {
        grid.data = grid.data.as_standard_layout().into_owned();
    }
    shorten(grid.data.as_slice_mut().expect("rows lie one after the other"), dim)?;
    Ok(grid)
}

/// Features `[n, dim]` at length 1, one after the other; zero vectors stay.
///
/// # Errors
/// [`AnalysisError::NotFinite`]
pub fn unit_rows(features: ArrayView2<'_, f32>) -> Result<Vec<f32>, AnalysisError> {
    let mut values: Vec<f32> = features.iter().copied().collect();
    shorten(&mut values, features.ncols())?;
    Ok(values)
}

fn shorten(values: &mut [f32], dim: usize) -> Result<(), AnalysisError> {
    values.par_chunks_mut(dim.max(1)).try_for_each(|feature| {
        let length = feature.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(AnalysisError::NotFinite);
        }
        if length > 0.0 {
            feature.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        }
        Ok(())
    })
}
