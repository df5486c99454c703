//! Features of a clip's frames, so that a model runs once per frame.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array2;

use super::spill::Spill;
use crate::Result;
use crate::features::FeatureGrid;

/// Features of length 1 by frame, within a memory budget; beyond it, those that were used longest ago wait in a
/// temporary file as exact f32, which is gone with the store, whatever ends the program.
///
/// Where the disk is full, or its budget used up, frames that leave the memory are forgotten and have to be encoded
/// again. Those that are on the disk already stay: a clip is gone through from one end to the other, and letting the
/// oldest go would leave nothing for the next time.
#[derive(Debug)]
pub struct FrameFeatures {
    memory_budget: usize,
    memory: usize,
    frames: HashMap<usize, Entry>,
    uses: u64,
    spill: Spill,
}

#[derive(Debug)]
struct Entry {
    /// Rows, columns, numbers per patch.
    shape: (usize, usize, usize),
    in_memory: Option<Arc<FeatureGrid>>,
    /// Where it lies in the file.
    on_disk: Option<u64>,
    /// Value of [`FrameFeatures::uses`] at the last use.
    last_use: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        let (rows, cols, dim) = self.shape;
        rows * cols * dim * size_of::<f32>()
    }
}

impl FrameFeatures {
    /// Holds at most `memory` bytes in memory, but the last frame in any case, and `disk` bytes in a file of the
    /// system's temporary folder.
    pub fn new(memory: usize, disk: u64) -> Self {
        Self::in_folder(std::env::temp_dir(), memory, disk)
    }

    /// As [`Self::new`], with the file in a folder of one's choice.
    pub fn in_folder(folder: PathBuf, memory: usize, disk: u64) -> Self {
        let spill = Spill::new(folder, disk);
        Self { memory_budget: memory, memory: 0, frames: HashMap::new(), uses: 0, spill }
    }

    /// Keeps a frame's features, `grid` being as [`crate::analysis::unit`] makes it.
    pub fn insert(&mut self, frame: usize, grid: Arc<FeatureGrid>) {
        self.forget(frame);
        self.uses += 1;
        let shape = (grid.rows, grid.cols, grid.dim());
        let entry = Entry { shape, in_memory: Some(grid), on_disk: None, last_use: self.uses };
        self.memory += entry.bytes();
        self.frames.insert(frame, entry);
        self.shrink(frame);
    }

    /// The features of a frame; `None` where they were never kept or are forgotten.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where the temporary file cannot be read.
    pub fn get(&mut self, frame: usize) -> Result<Option<Arc<FeatureGrid>>> {
        self.uses += 1;
        let Some(entry) = self.frames.get_mut(&frame) else { return Ok(None) };
        entry.last_use = self.uses;
        if let Some(grid) = &entry.in_memory {
            return Ok(Some(Arc::clone(grid)));
        }
        let Some(place) = entry.on_disk else { return Ok(None) };
        let (rows, cols, dim) = entry.shape;
        let numbers = self.spill.read(place, rows * cols * dim)?;
        let data = Array2::from_shape_vec((rows * cols, dim), numbers).expect("as many as were written");
        let grid = Arc::new(FeatureGrid { rows, cols, data });
        entry.in_memory = Some(Arc::clone(&grid));
        self.memory += entry.bytes();
        self.shrink(frame);
        Ok(Some(grid))
    }

    /// Whether [`Self::get`] has them; does not count as a use.
    pub fn contains(&self, frame: usize) -> bool {
        self.frames.contains_key(&frame)
    }

    /// Bytes in memory, and in the file.
    pub fn used(&self) -> (usize, u64) {
        (self.memory, self.spill.bytes())
    }

    /// Forgets all frames and removes the file.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.memory = 0;
        self.spill.clear();
    }

    fn forget(&mut self, frame: usize) {
        let Some(entry) = self.frames.remove(&frame) else { return };
        if entry.in_memory.is_some() {
            self.memory -= entry.bytes();
        }
        if let Some(place) = entry.on_disk {
            self.spill.release(place, entry.bytes() as u64);
        }
    }

    /// Lets frames leave the memory until the budget holds, never that one.
    fn shrink(&mut self, newest: usize) {
        while self.memory > self.memory_budget {
            let in_memory =
                self.frames.iter_mut().filter(|(frame, entry)| **frame != newest && entry.in_memory.is_some());
            let Some((&frame, entry)) = in_memory.min_by_key(|(_, entry)| entry.last_use) else { return };
            let Some(grid) = entry.in_memory.take() else { return };
            self.memory -= entry.bytes();
            if entry.on_disk.is_none() {
                entry.on_disk = grid.data.as_standard_layout().as_slice().and_then(|numbers| self.spill.write(numbers));
            }
            if entry.on_disk.is_none() {
                self.frames.remove(&frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 patches of 4 numbers, 64 bytes.
    fn grid(frame: usize) -> Arc<FeatureGrid> {
        let data = Array2::from_shape_fn((4, 4), |(i, k)| ((frame * 100 + i * 10 + k) as f32).sqrt());
        Arc::new(FeatureGrid { rows: 2, cols: 2, data })
    }

    fn filled(memory: usize, disk: u64) -> FrameFeatures {
        let mut store = FrameFeatures::new(64 * memory, 64 * disk);
        (0..8).for_each(|frame| store.insert(frame, grid(frame)));
        store
    }

    fn kept(store: &FrameFeatures) -> Vec<usize> {
        (0..20).filter(|frame| store.contains(*frame)).collect()
    }

    #[test]
    fn what_leaves_the_memory_comes_back_as_it_was() {
        let mut store = filled(3, 100);
        assert_eq!((kept(&store), store.used()), ((0..8).collect(), (3 * 64, 5 * 64)));
        for frame in [0, 7, 3, 0, 5, 4, 6, 1, 2] {
            assert_eq!(store.get(frame).expect("readable"), Some(grid(frame)), "frame {frame}");
        }
        assert_eq!(store.used(), (3 * 64, 8 * 64), "every frame is written once");
        assert_eq!(store.get(8).expect("nothing to read"), None);
    }

    #[test]
    fn beyond_the_disk_the_first_frames_stay() {
        let mut store = filled(2, 3);
        assert_eq!((kept(&store), store.used()), (vec![0, 1, 2, 6, 7], (2 * 64, 3 * 64)));
        for frame in 0..3 {
            assert_eq!(store.get(frame).expect("readable"), Some(grid(frame)));
        }
        assert_eq!(kept(&store), [0, 1, 2], "6 and 7 had to make room");
    }

    #[test]
    fn places_of_replaced_frames_are_used_again() {
        let mut store = filled(1, 100);
        let before = store.used();
        for frame in 0..8 {
            store.insert(frame, grid(frame + 10));
        }
        assert_eq!(store.used(), before);
        for frame in 0..8 {
            assert_eq!(store.get(frame).expect("readable"), Some(grid(frame + 10)));
        }
        store.clear();
        assert_eq!((kept(&store), store.used()), (vec![], (0, 0)));
        store.insert(1, grid(1));
        assert_eq!(store.get(1).expect("in memory"), Some(grid(1)));
    }

    #[test]
    fn without_a_folder_it_goes_on_in_memory() {
        let mut store = FrameFeatures::in_folder("/nowhere/at/all".into(), 128, 1 << 20);
        (0..8).for_each(|frame| store.insert(frame, grid(frame)));
        assert_eq!((kept(&store), store.used()), (vec![6, 7], (128, 0)));
        assert_eq!(store.get(7).expect("in memory"), Some(grid(7)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_frames_but_nothing_else() {
        let mut store = filled(2, 100);
        store.spill = Spill::full();
        store.insert(8, grid(8));
        assert_eq!(kept(&store), [0, 1, 2, 3, 4, 5, 7, 8], "6 could not be written");
        store.insert(9, grid(9));
        assert_eq!(store.get(9).expect("in memory"), Some(grid(9)));
    }

    #[test]
    fn one_frame_stays_whatever_the_budget() {
        let mut store = filled(0, 0);
        assert_eq!((kept(&store), store.used()), (vec![7], (64, 0)));
        assert_eq!(store.get(7).expect("in memory"), Some(grid(7)));
    }
}
