//! Cosine maps from resident grids: the host twin is [`crate::analysis::similarity`].

use super::{Gpu, GpuError, MapTexture, ResidentGrid};

/// How several queries become one map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// The cosine to the mean of the positive ones, less the mean cosine to the negative ones.
    #[default]
    Mean,
    /// The greatest cosine to a positive one; less the greatest to a negative one where there are any.
    Max,
}

/// What a map is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapQuery {
    /// Unit directions, `[dim]` each.
    pub positive: Vec<Vec<f32>>,
    /// Unit directions, `[dim]` each.
    pub negative: Vec<Vec<f32>>,
    /// How they are combined.
    pub combine: Combine,
    /// Patches to leave out, by index `row * cols + col`; they get [`super::EXCLUDED`].
    pub excluded: Vec<usize>,
}

/// Computes maps; one for all grids.
#[derive(Debug)]
pub struct SimilarityPipeline {}

impl SimilarityPipeline {
    /// Compiles the kernels.
    pub fn new(_gpu: &Gpu) -> Self {
        todo!()
    }

    /// Submits one small piece of work that fills `map` (and its range, and its way back to the host). Returns at once.
    ///
    /// # Errors
    /// [`GpuError::Dimension`] where a direction has another width than the grid.
    pub fn run(
        &self,
        _gpu: &Gpu,
        _grid: &ResidentGrid,
        _query: &MapQuery,
        _map: &mut MapTexture,
    ) -> Result<(), GpuError> {
        todo!()
    }
}
