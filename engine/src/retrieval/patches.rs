//! Features of patches of many pictures, of length 1 and in half precision.

use std::path::Path;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::analysis::unit;
use crate::features::{FeatureGrid, Geometry, Patch};
use crate::output::records::Access;
use crate::probe::grids::{Grid, GridStore};
use crate::probe::vectors::PictureKey;
use crate::{Cancel, Result};

/// Patches of pictures in a folder.
#[derive(Debug)]
pub struct PatchStore(GridStore);

impl PatchStore {
    /// Opens the store of a folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn open(folder: &Path, dim: usize, access: Access) -> Result<Self> {
        Ok(Self(GridStore::open(folder, dim, access)?))
    }

    /// The pictures, in the order they were added.
    pub fn grids(&self) -> &[Grid] {
        self.0.grids()
    }

    /// Whether a picture's patches are there.
    pub fn has(&self, key: &PictureKey) -> bool {
        self.0.has(key)
    }

    /// How a picture's patches lie over it, where they are there.
    pub fn geometry(&self, key: &PictureKey) -> Option<&Geometry> {
        self.0.geometry(key)
    }

    /// Adds a picture's patches.
    ///
    /// # Errors
    /// [`crate::analysis::AnalysisError::NotFinite`], [`crate::Error::Io`].
    pub fn push(&mut self, key: PictureKey, features: &FeatureGrid, geometry: &Geometry) -> Result<()> {
        self.0.push(key, &unit(features.clone())?, geometry)
    }

    /// The patch of each picture that is most like `direction` (`[dim]`, of length 1), and its cosine; in the order of
    /// [`Self::grids`]. A picture without patches has cosine -1.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Cancelled`].
    pub fn best_patches(&self, direction: &[f32], cancel: &Cancel) -> Result<Vec<(f32, Patch)>> {
        let map = self.0.map()?;
        let best = |(place, grid): (usize, &Grid), values: &mut Vec<f32>| -> Result<(f32, Patch)> {
            cancel.check()?;
            let halves = map.patches(place);
            let mut cosines = vec![0.0; grid.patches()];
            values.resize(halves.len(), 0.0);
            halves.convert_to_f32_slice(values);
            matmul(
                MatMut::from_column_major_slice_mut(&mut cosines, grid.patches(), 1),
                Accum::Replace,
                MatRef::from_row_major_slice(values, grid.patches(), self.0.dim()),
                MatRef::from_column_major_slice(direction, self.0.dim(), 1),
                1.0,
                Par::Seq,
            );
            let mut best = (-1.0, 0);
            for (index, &cosine) in cosines.iter().enumerate() {
                if cosine > best.0 {
                    best = (cosine, index);
                }
            }
            let cols = grid.geometry.grid.1.max(1);
            Ok((best.0, Patch { row: best.1 / cols, col: best.1 % cols }))
        };
        let grids = self.grids().par_iter().enumerate();
        grids.map_init(Vec::new, |values, grid| best(grid, values)).collect()
    }
}
