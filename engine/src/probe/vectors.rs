//! One vector for each picture of a dataset, kept in a folder: what was extracted is not extracted again.
//!
//! `vectors.f32` has the vectors one after the other, `pictures.jsonl` a line for each that says whose it is.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::checkpoint::hash;
use crate::output::records::{Access, Records};
use crate::{Error, Result};

/// Which picture, in which state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PictureKey {
    /// As the person names it.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Of the last change, in nanoseconds since 1970.
    pub changed: u64,
}

impl PictureKey {
    /// Of a file as it is now.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
        let changed =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(Self { path: path.to_path_buf(), size: metadata.len(), changed: changed.as_nanos() as u64 })
    }
}

/// Vectors of pictures in a folder.
#[derive(Debug)]
pub struct VectorStore {
    records: Records<PictureKey>,
    /// Numbers of a vector.
    width: usize,
    places: HashMap<PictureKey, usize>,
}

/// The folder below `root` for vectors made in one way: `how` names the weights, the size and whatever else decides them.
pub fn folder_for(root: &Path, how: &str) -> PathBuf {
    root.join(hash::hex(&hash::of_bytes(how.as_bytes())))
}

impl VectorStore {
    /// Opens the store of a folder, which is created where it is missing. A vector has `width` numbers.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn open(folder: &Path, width: usize) -> Result<Self> {
        Self::open_for(folder, width, Access::Append)
    }

    /// As [`Self::open`], to read or to add.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn open_for(folder: &Path, width: usize, access: Access) -> Result<Self> {
        let files = [folder.join("vectors.f32"), folder.join("pictures.jsonl")];
        let records = Records::open(files, access, |_: &PictureKey| (width as u64).saturating_mul(4))?;
        let places = records.lines().iter().cloned().zip(0..).collect();
        Ok(Self { records, width, places })
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.records.lines().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whose the vectors are, in their order.
    pub fn keys(&self) -> &[PictureKey] {
        self.records.lines()
    }

    /// Whether a picture's vector is there.
    pub fn has(&self, key: &PictureKey) -> bool {
        self.places.contains_key(key)
    }

    /// A picture's vector, where it is there.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn get(&mut self, key: &PictureKey) -> Result<Option<Vec<f32>>> {
        let Some(&place) = self.places.get(key) else { return Ok(None) };
        Ok(Some(self.rows(place..place + 1)?))
    }

    /// The vectors of some places, one after the other.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn rows(&mut self, places: Range<usize>) -> Result<Vec<f32>> {
        let bytes = self.records.read(places)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// All vectors as they lie in the file.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn map(&self) -> Result<VectorMap> {
        Ok(VectorMap { map: self.records.map()?, width: self.width })
    }

    /// Adds a picture's vector.
    ///
    /// # Errors
    /// [`Error::Io`]; what was there before stays.
    ///
    /// # Panics
    /// Where the vector has another length than the store's.
    pub fn push(&mut self, key: PictureKey, vector: &[f32]) -> Result<()> {
        assert_eq!(vector.len(), self.width, "all vectors of a store are equally long");
        let place = self.len();
        self.records.push(key.clone(), bytemuck::cast_slice(vector))?;
        self.places.insert(key, place);
        Ok(())
    }
}

/// Vectors of a [`VectorStore`], read from its file as they are needed.
pub struct VectorMap {
    map: Mmap,
    width: usize,
}

impl VectorMap {
    /// The vectors of some places, one after the other.
    pub fn rows(&self, places: Range<usize>) -> &[f32] {
        let bytes = 4 * self.width;
        bytemuck::cast_slice(&self.map[places.start * bytes..places.end * bytes])
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn key(name: &str, changed: u64) -> PictureKey {
        PictureKey { path: name.into(), size: 7, changed }
    }

    #[test]
    fn vectors_come_back_later_and_for_the_same_picture_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below");
        let mut store = VectorStore::open(&path, 3).unwrap();
        store.push(key("ä b.png", 1), &[1.0, 2.0, 3.0]).unwrap();
        store.push(key("c.png", 1), &[4.0, 5.0, 6.0]).unwrap();
        assert_eq!(store.get(&key("ä b.png", 1)).unwrap().unwrap(), [1.0, 2.0, 3.0]);
        store.push(key("d.png", 1), &[7.0; 3]).unwrap();
        let mut later = VectorStore::open(&path, 3).unwrap();
        assert_eq!((later.len(), later.get(&key("d.png", 1)).unwrap()), (3, Some(vec![7.0; 3])));
        assert_eq!(later.get(&key("c.png", 2)).unwrap(), None, "the file has changed");
    }

    #[test]
    fn what_an_interruption_cut_off_is_made_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = VectorStore::open(folder.path(), 2).unwrap();
        for i in 0..4u8 {
            store.push(key(&i.to_string(), 0), &[f32::from(i); 2]).unwrap();
        }
        drop(store);
        let (lines, vectors) = (folder.path().join("pictures.jsonl"), folder.path().join("vectors.f32"));
        let cut = |path: &Path, off: u64| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() - off).unwrap();
        };
        // In the middle of the last line.
        cut(&lines, 5);
        let mut store = VectorStore::open(folder.path(), 2).unwrap();
        assert!(store.len() == 3 && !store.has(&key("3", 0)));
        store.push(key("3", 0), &[9.0; 2]).unwrap();
        drop(store);
        // In the middle of the last vector: its line goes too.
        cut(&vectors, 3);
        let mut store = VectorStore::open(folder.path(), 2).unwrap();
        assert_eq!((store.len(), store.get(&key("2", 0)).unwrap()), (3, Some(vec![2.0; 2])));
        store.push(key("3", 0), &[8.0; 2]).unwrap();
        assert_eq!(VectorStore::open(folder.path(), 2).unwrap().get(&key("3", 0)).unwrap(), Some(vec![8.0; 2]));
        assert!(VectorStore::open(folder.path(), 2).unwrap().len() == 4);
    }
}
