//! Features of all patches of many pictures, kept in a folder: what was extracted is not extracted again.
//!
//! `patches.f16` has them one after the other, `patches.jsonl` says whose they are and where they lie.

use std::collections::HashMap;
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::vectors::PictureKey;
use crate::features::{FeatureGrid, Geometry};
use crate::output::records::{Access, Records};
use crate::{Error, Result};

/// Where the patches of a picture lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Whose they are.
    pub picture: PictureKey,
    /// Over the picture.
    pub geometry: Geometry,
}

impl Grid {
    /// How many patches there are.
    pub fn patches(&self) -> usize {
        self.geometry.grid.0.saturating_mul(self.geometry.grid.1)
    }
}

/// Patches of pictures in a folder, in half precision.
#[derive(Debug)]
pub struct GridStore {
    records: Records<Grid>,
    dim: usize,
    places: HashMap<PictureKey, usize>,
}

impl GridStore {
    /// Opens the store of a folder, whose patches have `dim` numbers.
    ///
    /// # Errors
    /// [`Error::Io`]
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

    /// Numbers of a patch.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether a picture's patches are there.
    pub fn has(&self, key: &PictureKey) -> bool {
        self.places.contains_key(key)
    }

    /// How a picture's patches lie over it, where they are there.
    pub fn geometry(&self, key: &PictureKey) -> Option<&Geometry> {
        self.places.get(key).map(|&place| &self.grids()[place].geometry)
    }

    /// All patches, to be read without copies.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn map(&self) -> Result<GridMap<'_>> {
        Ok(GridMap { records: &self.records, bytes: self.records.map()? })
    }

    /// A picture's patches, where they are there.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn get(&mut self, key: &PictureKey) -> Result<Option<(FeatureGrid, Geometry)>> {
        let Some(&place) = self.places.get(key) else { return Ok(None) };
        let geometry = self.records.lines()[place].geometry;
        let bytes = self.records.read(place..place + 1)?;
        let halves: Vec<f16> = bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect();
        let (rows, cols) = geometry.grid;
        let data = Array2::from_shape_vec((rows * cols, self.dim), halves.to_f32_vec());
        let data = data.expect("a record has as many numbers as its grid says");
        Ok(Some((FeatureGrid { rows, cols, data }, geometry)))
    }

    /// Adds a picture's patches; they come back rounded to half precision.
    ///
    /// # Errors
    /// [`super::ProbeError::NotFinite`] where they are too large for half precision, [`Error::Io`].
    pub fn push(&mut self, key: PictureKey, features: &FeatureGrid, geometry: &Geometry) -> Result<()> {
        let halves: Vec<f16> = features.data.iter().map(|&value| f16::from_f32(value)).collect();
        if !halves.iter().all(|half| half.is_finite()) {
            return Err(Error::from(super::ProbeError::NotFinite));
        }
        let place = self.records.lines().len();
        self.records.push(Grid { picture: key.clone(), geometry: *geometry }, bytemuck::cast_slice(&halves))?;
        self.places.insert(key, place);
        Ok(())
    }
}

/// All patches of a [`GridStore`].
pub struct GridMap<'a> {
    records: &'a Records<Grid>,
    bytes: Mmap,
}

impl GridMap<'_> {
    /// The patches of the picture at that place, `[patches, dim]`.
    pub fn patches(&self, place: usize) -> &[f16] {
        let range = self.records.range(place..place + 1);
        bytemuck::cast_slice(&self.bytes[range.start as usize..range.end as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_come_back_later_and_for_the_same_picture_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = |changed| PictureKey { path: "a.png".into(), size: 1, changed };
        let data = Array2::from_shape_fn((6, 4), |(row, col)| row as f32 - 0.5 * col as f32);
        let grid = FeatureGrid { rows: 2, cols: 3, data };
        let geometry = Geometry { picture: (48, 32), covered: (48, 32), grid: (2, 3) };
        let mut store = GridStore::open(folder.path(), 4, Access::Append).unwrap();
        store.push(key(1), &grid, &geometry).unwrap();
        let huge = FeatureGrid { data: &grid.data * 1e6, ..grid.clone() };
        assert!(store.push(key(2), &huge, &geometry).is_err(), "it would come back as infinity");
        let mut later = GridStore::open(folder.path(), 4, Access::Append).unwrap();
        assert_eq!(later.get(&key(1)).unwrap(), Some((grid, geometry)));
        assert_eq!(later.get(&key(2)).unwrap(), None);
    }
}
