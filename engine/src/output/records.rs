//! Records that are added one by one, and survive whatever interrupts that.
//!
//! One file has the records' bytes one after the other, the other a line of JSON for each. Both only grow, the line after
//! its bytes: what an interruption leaves are bytes without a whole line, which are dropped.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// What records are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read, perhaps while others are added elsewhere: the files stay as they are.
    Read,
    /// To be added to: files are created where they are missing, and what an interruption left is cut off.
    Append,
}

/// Records whose lines are `L`.
#[derive(Debug)]
pub struct Records<L> {
    bytes: (PathBuf, File),
    text: (PathBuf, File),
    lines: Vec<L>,
    /// Where the bytes of each record end.
    ends: Vec<u64>,
}

impl<L: Serialize + DeserializeOwned> Records<L> {
    /// Opens the file of bytes and the file of lines; `bytes_of` a line is how many bytes belong to it.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn open([bytes, text]: [PathBuf; 2], access: Access, bytes_of: impl Fn(&L) -> u64) -> Result<Self> {
        let appends = access == Access::Append;
        let open = |path: PathBuf| -> Result<(PathBuf, File)> {
            if let Some(folder) = path.parent().filter(|_| appends) {
                fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            }
            let file = OpenOptions::new().read(true).write(appends).create(appends).truncate(false).open(&path);
            let file = file.map_err(Error::io("open", &path))?;
            Ok((path, file))
        };
        let mut records = Self { bytes: open(bytes)?, text: open(text)?, lines: Vec::new(), ends: Vec::new() };
        let kept = records.read_lines(bytes_of)?;
        if appends {
            let end = records.end();
            cut(&mut records.text, kept)?;
            cut(&mut records.bytes, end)?;
        }
        Ok(records)
    }

    /// Takes the lines that are whole and have all their bytes; how long they are together.
    fn read_lines(&mut self, bytes_of: impl Fn(&L) -> u64) -> Result<u64> {
        let (path, file) = &mut self.text;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::io("read", path))?;
        let stored = self.bytes.1.metadata().map_err(Error::io("read", &self.bytes.0))?.len();
        let mut kept = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<L>(line).ok());
            let Some(whole) = whole else { break };
            let end = self.end().saturating_add(bytes_of(&whole));
            if end > stored {
                break;
            }
            self.lines.push(whole);
            self.ends.push(end);
            kept += line.len() as u64;
        }
        Ok(kept)
    }

    fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The lines, in the order they were added.
    pub fn lines(&self) -> &[L] {
        &self.lines
    }

    /// Where the bytes of some records lie in their file.
    pub fn range(&self, records: Range<usize>) -> Range<u64> {
        let end = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        end(records.start)..end(records.end)
    }

    /// The bytes of some records.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn read(&mut self, records: Range<usize>) -> Result<Vec<u8>> {
        let range = self.range(records);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let (path, file) = &mut self.bytes;
        let read = file.seek(SeekFrom::Start(range.start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(Error::io("read", path))?;
        Ok(bytes)
    }

    /// The bytes of all records.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn map(&self) -> Result<Mmap> {
        let (path, file) = &self.bytes;
        // SAFETY: the map is read-only, and the file only grows. Another program that shortens it while it is open can
        // end this one, as with a checkpoint.
        unsafe { Mmap::map(file) }.map_err(Error::io("read", path))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`Error::Io`]; what was there before stays.
    pub fn push(&mut self, line: L, bytes: &[u8]) -> Result<()> {
        let end = self.end();
        let (path, file) = &mut self.bytes;
        let written = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(bytes));
        written.map_err(Error::io("write", path))?;
        let (path, file) = &mut self.text;
        let mut text = serde_json::to_vec(&line).map_err(|error| Error::io("write", path)(error.into()))?;
        text.push(b'\n');
        file.write_all(&text).map_err(Error::io("write", path))?;
        self.lines.push(line);
        self.ends.push(end + bytes.len() as u64);
        Ok(())
    }
}

fn cut((path, file): &mut (PathBuf, File), length: u64) -> Result<()> {
    let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
    cut.map(drop).map_err(Error::io("write", Path::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, access: Access) -> Result<Records<u64>> {
        Records::open([folder.join("bytes"), folder.join("lines")], access, |length| *length)
    }

    #[test]
    fn records_of_any_length_come_back_while_others_are_added() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path(), Access::Read).is_err() && fs::read_dir(folder.path()).unwrap().count() == 0);
        let mut records = open(folder.path(), Access::Append).unwrap();
        records.push(3, b"abc").unwrap();
        records.push(0, b"").unwrap();
        records.push(2, b"de").unwrap();
        // As if another one was being added: a reader leaves it alone.
        records.bytes.1.write_all(b"half").unwrap();
        let mut read = open(folder.path(), Access::Read).unwrap();
        assert_eq!(read.lines(), [3, 0, 2]);
        assert_eq!((read.read(0..1).unwrap(), read.read(1..3).unwrap()), (b"abc".to_vec(), b"de".to_vec()));
        assert_eq!((&read.map().unwrap()[..], read.range(2..3)), (&b"abcdehalf"[..], 3..5));
        let mut resumed = open(folder.path(), Access::Append).unwrap();
        assert_eq!(fs::metadata(folder.path().join("bytes")).unwrap().len(), 5);
        resumed.push(1, b"f").unwrap();
        assert_eq!(open(folder.path(), Access::Read).unwrap().read(0..4).unwrap(), b"abcdef");
    }
}
