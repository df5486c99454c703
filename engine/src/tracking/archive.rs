//! What every tracked frame came out as.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::Array2;

use super::spill::Spill;
use super::{PatchProbabilities, TrackingError};
use crate::Result;

/// The probabilities of any number of frames in bounded memory: the newest are in memory, older ones exact in a temporary
/// file, which is gone with the last of them. Clones share both.
///
/// Where the file cannot be written they stay in memory, since nothing else knows them.
#[derive(Clone)]
pub struct ProbabilityArchive {
    shelves: Arc<Mutex<Shelves>>,
    /// Of what nobody refers to any more: told without waiting, from whatever thread lets it go.
    unused: Sender<u64>,
}

struct Shelves {
    memory_budget: usize,
    /// Frames that stay in memory in any case.
    least: usize,
    memory: usize,
    /// Rises with every frame.
    last_id: u64,
    in_memory: BTreeMap<u64, Arc<PatchProbabilities>>,
    /// Place and length in the file, in bytes.
    on_disk: BTreeMap<u64, (u64, u64)>,
    /// `None`: what leaves the memory is forgotten.
    spill: Option<Spill>,
    unused: Receiver<u64>,
}

/// One frame of a [`ProbabilityArchive`]. It stays there as long as this or a clone of it.
#[derive(Clone, Debug)]
pub struct ArchivedProbabilities(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    id: u64,
    classes: Vec<u8>,
    patches: usize,
    archive: ProbabilityArchive,
}

impl ProbabilityArchive {
    /// Holds at most `memory` bytes in memory, but the last frame in any case, and the others in a file of the system's
    /// temporary folder.
    pub fn new(memory: usize) -> Self {
        Self::in_folder(std::env::temp_dir(), memory)
    }

    /// As [`Self::new`], with the file in a folder of one's choice.
    pub fn in_folder(folder: PathBuf, memory: usize) -> Self {
        Self::with(memory, 1, Some(Spill::new(folder, u64::MAX)))
    }

    /// Holds at most `memory` bytes, but the last `least` frames in any case, and forgets what does not fit: for clips
    /// that are gone through once, where no context is longer than that.
    pub fn forgetful(memory: usize, least: usize) -> Self {
        Self::with(memory, least.max(1), None)
    }

    fn with(memory_budget: usize, least: usize, spill: Option<Spill>) -> Self {
        let (sender, unused) = channel();
        let (in_memory, on_disk) = (BTreeMap::new(), BTreeMap::new());
        let shelves = Shelves { memory_budget, least, memory: 0, last_id: 0, in_memory, on_disk, spill, unused };
        Self { shelves: Arc::new(Mutex::new(shelves)), unused: sender }
    }

    /// Takes a frame in.
    pub fn keep(&self, probabilities: PatchProbabilities) -> ArchivedProbabilities {
        let (classes, patches) = (probabilities.classes.clone(), probabilities.values.nrows());
        let id = self.shelves().put(Arc::new(probabilities));
        ArchivedProbabilities(Arc::new(Entry { id, classes, patches, archive: self.clone() }))
    }

    /// Bytes in memory, and in the file.
    pub fn used(&self) -> (usize, u64) {
        let shelves = self.shelves();
        (shelves.memory, shelves.spill.as_ref().map_or(0, Spill::bytes))
    }

    /// Without what nobody refers to. Every change is complete before anything that could panic.
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.clear_unused();
        shelves
    }
}

impl fmt::Debug for ProbabilityArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbabilityArchive").finish_non_exhaustive()
    }
}

impl ArchivedProbabilities {
    /// Object ids, rising; the first is 0, the background.
    pub fn classes(&self) -> &[u8] {
        &self.0.classes
    }

    /// The probabilities; they may come from the file.
    ///
    /// # Errors
    /// [`crate::Error::Io`], and [`TrackingError::Forgotten`] where the archive forgets.
    pub fn read(&self) -> Result<Arc<PatchProbabilities>> {
        let Entry { id, classes, patches, archive } = &*self.0;
        let shelves = archive.shelves();
        if let Some(probabilities) = shelves.in_memory.get(id) {
            return Ok(Arc::clone(probabilities));
        }
        let (Some((place, _)), Some(spill)) = (shelves.on_disk.get(id), &shelves.spill) else {
            return Err(TrackingError::Forgotten.into());
        };
        let numbers = spill.read(*place, patches * classes.len())?;
        let values = Array2::from_shape_vec((*patches, classes.len()), numbers).expect("as many as were written");
        Ok(Arc::new(PatchProbabilities { classes: classes.clone(), values }))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The other end is gone only with the archive.
        let _ = self.archive.unused.send(self.id);
    }
}

impl Shelves {
    fn put(&mut self, probabilities: Arc<PatchProbabilities>) -> u64 {
        self.last_id += 1;
        self.memory += bytes(&probabilities);
        self.in_memory.insert(self.last_id, probabilities);
        while self.memory > self.memory_budget && self.in_memory.len() > self.least && self.move_oldest() {}
        self.last_id
    }

    /// Takes the oldest frame out of the memory; false where it has to stay there.
    fn move_oldest(&mut self) -> bool {
        let Some((&id, oldest)) = self.in_memory.first_key_value() else { return false };
        let len = bytes(oldest);
        if let Some(spill) = &mut self.spill {
            let place = oldest.values.as_standard_layout().as_slice().and_then(|numbers| spill.write(numbers));
            let Some(place) = place else { return false };
            self.on_disk.insert(id, (place, len as u64));
        }
        self.in_memory.remove(&id);
        self.memory -= len;
        true
    }

    fn clear_unused(&mut self) {
        for id in self.unused.try_iter() {
            if let Some(probabilities) = self.in_memory.remove(&id) {
                self.memory -= bytes(&probabilities);
            }
            if let (Some((place, len)), Some(spill)) = (self.on_disk.remove(&id), &mut self.spill) {
                spill.release(place, len);
            }
        }
    }
}

fn bytes(probabilities: &PatchProbabilities) -> usize {
    probabilities.values.len() * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8 patches of 2 classes, 64 bytes.
    fn frame(number: usize) -> PatchProbabilities {
        let values = Array2::from_shape_fn((8, 2), |(i, k)| ((number * 100 + i * 10 + k) as f32).sqrt());
        PatchProbabilities { classes: vec![0, 7], values }
    }

    fn filled(archive: &ProbabilityArchive, frames: usize) -> Vec<ArchivedProbabilities> {
        (0..frames).map(|number| archive.keep(frame(number))).collect()
    }

    #[track_caller]
    fn assert_all(kept: &[ArchivedProbabilities]) {
        for (number, kept) in kept.iter().enumerate() {
            assert_eq!(*kept.read().expect("readable"), frame(number), "frame {number}");
            assert_eq!(kept.classes(), [0, 7]);
        }
    }

    #[test]
    fn memory_is_bounded_and_everything_comes_back_as_it_was() {
        let archive = ProbabilityArchive::new(3 * 64);
        let kept = filled(&archive, 50);
        assert_eq!(archive.used(), (3 * 64, 47 * 64));
        assert_all(&kept);
        assert_eq!(archive.used(), (3 * 64, 47 * 64), "reading changes nothing");
    }

    #[test]
    fn what_nobody_refers_to_makes_room() {
        let archive = ProbabilityArchive::new(2 * 64);
        let kept = filled(&archive, 10);
        let clones = kept.clone();
        drop(kept);
        assert_eq!(archive.used(), (2 * 64, 8 * 64));
        assert_all(&clones);
        drop(clones);
        assert_eq!(archive.used().0, 0);
        let kept = filled(&archive, 10);
        assert_eq!(archive.used(), (2 * 64, 8 * 64), "places in the file are used again");
        assert_all(&kept);
        drop(archive);
        assert_all(&kept);
    }

    #[test]
    fn what_cannot_be_written_stays_in_memory() {
        let archive = ProbabilityArchive::in_folder("/nowhere/at/all".into(), 64);
        let kept = filled(&archive, 10);
        assert_eq!(archive.used(), (10 * 64, 0));
        assert_all(&kept);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_nothing() {
        let archive = ProbabilityArchive::with(2 * 64, 1, Some(Spill::full()));
        let kept = filled(&archive, 10);
        assert_eq!(archive.used(), (10 * 64, 0));
        assert_all(&kept);
    }

    #[test]
    fn a_forgetful_one_says_so() {
        let archive = ProbabilityArchive::forgetful(3 * 64, 1);
        let kept = filled(&archive, 10);
        assert_eq!(archive.used(), (3 * 64, 0));
        assert!(
            kept[..7]
                .iter()
                .all(|kept| { matches!(kept.read(), Err(crate::Error::Tracking(TrackingError::Forgotten))) })
        );
        assert_eq!(*kept[7].read().expect("in memory"), frame(7));
        let archive = ProbabilityArchive::forgetful(1, 4);
        let kept = filled(&archive, 10);
        assert!(kept[5].read().is_err());
        assert!((6..10).all(|number| *kept[number].read().expect("the last four stay") == frame(number)));
    }
}
