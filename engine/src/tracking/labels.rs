//! Which object every pixel belongs to.

use std::path::Path;

use super::TrackingError;
use crate::Result;

/// One object id per pixel of a frame; 0 is background. Ids need not be without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width]`
    pub ids: Vec<u8>,
}

impl LabelMap {
    /// Of ids that are already there, `[height, width]`.
    ///
    /// # Errors
    /// [`TrackingError::Ids`] where the frame has no pixels or there are not as many ids.
    pub fn new(width: usize, height: usize, ids: Vec<u8>) -> Result<Self, TrackingError> {
        if ids.is_empty() || width.checked_mul(height) != Some(ids.len()) {
            return Err(TrackingError::Ids { width, height, got: ids.len() });
        }
        Ok(Self { width, height, ids })
    }

    /// The objects that have pixels, rising.
    pub fn objects(&self) -> Vec<u8> {
        let mut is_there = [false; 256];
        self.ids.iter().for_each(|&id| is_there[usize::from(id)] = true);
        (1..=u8::MAX).filter(|&id| is_there[usize::from(id)]).collect()
    }

    /// Reads a PNG: the indices of an indexed one are ids, whatever colours they stand for; a grey one with a single
    /// value beside 0 has that as object 1, otherwise its values are ids. The id `void` beside others is background.
    ///
    /// # Errors
    /// As [`crate::image::read`], and [`TrackingError::Unreadable`] for any other file.
    pub fn read(path: &Path, void: Option<u8>) -> Result<Self> {
        todo!()
    }

    /// Writes an indexed PNG with the palette of the DAVIS data set, through a temporary file.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn write(&self, path: &Path) -> Result<()> {
        todo!()
    }
}
