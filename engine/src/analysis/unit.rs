//! Features of length 1, whose dot products are cosines.

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
    let features = grid.data.as_slice_mut().expect("rows lie one after the other");
    features.par_chunks_mut(dim.max(1)).try_for_each(|feature| {
        let length = feature.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(AnalysisError::NotFinite);
        }
        if length > 0.0 {
            feature.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        }
        Ok(())
    })?;
    Ok(grid)
}
