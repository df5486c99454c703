//! Features of patches of many pictures, of length 1 and in half precision: `patches.f16` has them one after the other,
//! `patches.jsonl` says whose they are and where they lie.

use std::collections::HashMap;
use std::path::Path;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::analysis::unit;
use crate::features::{FeatureGrid, Geometry, Patch};
use crate::output::records::{Access, Records};
use crate::probe::vectors::PictureKey;
use crate::{Cancel, Result};

/// Where the patches of a picture lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Whose they are.
    pub picture: PictureKey,
    /// Over the picture.
    pub geometry: Geometry,
}

impl Grid {
    fn patches(&self) -> usize {
        self.geometry.grid.0.saturating_mul(self.geometry.grid.1)
    }
}

/// Patches of pictures in a folder.
#[derive(Debug)]
pub struct PatchStore {
    records: Records<Grid>,
    dim: usize,
    places: HashMap<PictureKey, usize>,
}

impl PatchStore {
    /// Opens the store of a folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn open(folder: &Path, dim: usize, access: Access) -> Result<Self> {
        let files = [folder.join("patches.f16"), folder.join("patches.jsonl")];
        let bytes_of = |grid: &Grid| (grid.patches() as u64).saturating_mul(2 * dim as u64);
        let records = Records::open(files, access, bytes_of)?;
        let places = records.lines().iter().map(|grid| grid.picture.clone()).zip(0..).collect();
        Ok(Self { records, dim, places })
    }

    /// The pictures, in the order they were added.
    pub fn grids(&self) -> &[Grid] {
        self.records.lines()
    }

    /// Whether a picture's patches are there.
    pub fn has(&self, key: &PictureKey) -> bool {
        self.places.contains_key(key)
    }

    /// How a picture's patches lie over it, where they are there.
    pub fn geometry(&self, key: &PictureKey) -> Option<&Geometry> {
        self.places.get(key).map(|&place| &self.grids()[place].geometry)
    }

    /// Adds a picture's patches.
    ///
    /// # Errors
    /// [`crate::analysis::AnalysisError::NotFinite`], [`crate::Error::Io`].
    pub fn push(&mut self, key: PictureKey, features: &FeatureGrid, geometry: &Geometry) -> Result<()> {
        let features = unit(features.clone())?;
        let halves: Vec<f16> = features.data.iter().map(|&value| f16::from_f32(value)).collect();
        let grid = Grid { picture: key.clone(), geometry: *geometry };
        let place = self.grids().len();
        self.records.push(grid, bytemuck::cast_slice(&halves))?;
        self.places.insert(key, place);
        Ok(())
    }

    /// The patch of each picture that is most like `direction` (`[dim]`, of length 1), and its cosine; in the order of
    /// [`Self::grids`]. A picture without patches has cosine -1.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Cancelled`].
    pub fn best_patches(&self, direction: &[f32], cancel: &Cancel) -> Result<Vec<(f32, Patch)>> {
        let map = self.records.map()?;
        let best = |(place, grid): (usize, &Grid), values: &mut Vec<f32>| -> Result<(f32, Patch)> {
            cancel.check()?;
            let range = self.records.range(place..place + 1);
            let halves: &[f16] = bytemuck::cast_slice(&map[range.start as usize..range.end as usize]);
            let mut cosines = vec![0.0; grid.patches()];
            values.resize(halves.len(), 0.0);
            halves.convert_to_f32_slice(values);
            matmul(
                MatMut::from_column_major_slice_mut(&mut cosines, grid.patches(), 1),
                Accum::Replace,
                MatRef::from_row_major_slice(values, grid.patches(), self.dim),
                MatRef::from_column_major_slice(direction, self.dim, 1),
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
        let grids = self.records.lines().par_iter().enumerate();
        grids.map_init(Vec::new, |values, grid| best(grid, values)).collect()
    }
}
