//! What is searched for: directions in the space of CLS tokens, or of patches.

use super::RetrievalError;
use crate::Result;
use crate::analysis::similarity::unit_direction;
use crate::features::{FeatureGrid, Features, Geometry, Patch};

/// A rectangle of a picture, in pixels of the original.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Of the left edge.
    pub x: f64,
    /// Of the upper edge.
    pub y: f64,
    /// To the right.
    pub width: f64,
    /// Down.
    pub height: f64,
}

impl Region {
    /// The patches whose centres lie inside; where there is none, the patch under the middle. None where the region lies
    /// outside of the patches.
    pub fn patches(&self, geometry: &Geometry) -> Vec<Patch> {
        let (rows, cols) = geometry.grid;
        let inside = |patch: &Patch| {
            let (x, y) = geometry.pixel_from_patch(*patch);
            (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
        };
        let all = (0..rows * cols).map(|index| Patch { row: index / cols, col: index % cols });
        let patches: Vec<Patch> = all.filter(inside).collect();
        if !patches.is_empty() {
            return patches;
        }
        geometry.patch_from_pixel(self.x + self.width / 2.0, self.y + self.height / 2.0).into_iter().collect()
    }
}

/// What is asked of a picture, `[dim]`: its CLS token, or what the patches of a region have in common.
///
/// # Errors
/// [`RetrievalError::Outside`], [`crate::analysis::AnalysisError::NotFinite`].
pub fn vector_of(features: &Features, geometry: &Geometry, region: Option<&Region>) -> Result<Vec<f32>> {
    let Some(region) = region else { return Ok(features.cls.clone()) };
    let patches = region.patches(geometry);
    if patches.is_empty() {
        return Err(RetrievalError::Outside { picture: geometry.picture }.into());
    }
    Ok(unit_direction(&features.patch, &patches)?)
}

/// The normalised mean of the normalised `vectors`, `[dim]`; zero where they cancel out.
///
/// # Errors
/// [`crate::analysis::AnalysisError::NotFinite`]; [`crate::analysis::AnalysisError::NotEnough`] without a vector.
pub fn mean_direction(vectors: &[Vec<f32>]) -> Result<Vec<f32>> {
    let dim = vectors.first().map_or(0, Vec::len);
    let data = ndarray::Array2::from_shape_fn((vectors.len(), dim), |(row, number)| vectors[row][number]);
    let grid = FeatureGrid { rows: vectors.len(), cols: 1, data };
    let all: Vec<Patch> = (0..vectors.len()).map(|row| Patch { row, col: 0 }).collect();
    Ok(unit_direction(&grid, &all)?)
}
