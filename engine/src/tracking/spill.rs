//! Numbers that had to leave the memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::{Error, Result};

/// A temporary file, which is gone with this value, whatever ends the program.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    /// Made at the first use.
    file: Option<File>,
    budget: u64,
    end: u64,
    /// Places that nobody needs any more, and their lengths.
    free: Vec<(u64, u64)>,
    /// Writing failed: only free places are written to from then on.
    is_full: bool,
}

impl Spill {
    /// Of at most `budget` bytes, in that folder.
    pub fn new(folder: PathBuf, budget: u64) -> Self {
        Self { folder, file: None, budget, end: 0, free: Vec::new(), is_full: false }
    }

    /// Reads like any other, and every write fails as on a full disk.
    #[cfg(all(test, target_os = "linux"))]
    pub fn full() -> Self {
        let file = File::options().write(true).read(true).open("/dev/full").expect("always there");
        Self { file: Some(file), ..Self::new("/dev".into(), u64::MAX) }
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Where the numbers lie from now on; `None` where there is no room.
    pub fn write(&mut self, numbers: &[f32]) -> Option<u64> {
        let bytes: &[u8] = bytemuck::cast_slice(numbers);
        let len = bytes.len() as u64;
        let reused = self.free.iter().position(|(_, free)| *free == len).map(|index| self.free.swap_remove(index).0);
        let place = match reused {
            Some(place) => place,
            None if self.is_full || self.end + len > self.budget => return None,
            None => self.end,
        };
        match self.write_at(place, bytes) {
            Ok(()) => {
                self.end = self.end.max(place + len);
                Some(place)
            }
            Err(error) => {
                log::warn!("frames of the clip cannot be kept in {}: {error}", self.folder.display());
                self.is_full = true;
                None
            }
        }
    }

    fn write_at(&mut self, place: u64, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(&self.folder)?);
        }
        let mut file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(place))?;
        file.write_all(bytes)
    }

    /// As many numbers from a place as [`Self::write`] put there.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn read(&self, place: u64, count: usize) -> Result<Vec<f32>> {
        let mut numbers = vec![0.0; count];
        let mut fill = || {
            let mut file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
            file.seek(SeekFrom::Start(place))?;
            file.read_exact(bytemuck::cast_slice_mut(&mut numbers))
        };
        fill().map_err(Error::io("read frames of the clip from", &self.folder))?;
        Ok(numbers)
    }

    /// Gives a place of `len` bytes back.
    pub fn release(&mut self, place: u64, len: u64) {
        self.free.push((place, len));
    }

    /// Removes the file.
    pub fn clear(&mut self) {
        self.file = None;
        self.end = 0;
        self.free.clear();
        self.is_full = false;
    }
}
