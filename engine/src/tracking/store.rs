//! Features of a clip's frames, so that a model runs once per frame.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Result;
use crate::features::FeatureGrid;

/// Features of length 1 by frame, within a memory budget; beyond it, those that were used longest ago wait in a
/// temporary file as exact f32, which is gone with the store, whatever ends the program.
#[derive(Debug)]
pub struct FrameFeatures {}

impl FrameFeatures {
    /// Holds at most `memory` bytes in memory and `disk` bytes in a file of the system's temporary folder.
    pub fn new(memory: usize, disk: u64) -> Self {
        todo!()
    }

    /// Keeps a frame's features, `grid` being as [`crate::analysis::unit`] makes it. Where the disk is full or its
    /// budget used up, the frame that was used longest ago is forgotten: [`Self::get`] gives `None` and it has to be
    /// encoded again.
    pub fn insert(&mut self, frame: usize, grid: Arc<FeatureGrid>) {
        todo!()
    }

    /// The features of a frame; `None` where they were never kept or are forgotten.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where the temporary file cannot be read.
    pub fn get(&mut self, frame: usize) -> Result<Option<Arc<FeatureGrid>>> {
        todo!()
    }

    /// Whether [`Self::get`] has them; does not count as a use.
    pub fn contains(&self, frame: usize) -> bool {
        todo!()
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        todo!()
    }
}
