//! Vectors of phrases that were computed before: the tower needs minutes for some lists of classes.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::checkpoint::hash;
use crate::output::write_atomically;
use crate::{Error, Result};

/// Vectors of phrases by weights, templates and phrase, in memory and in a folder.
#[derive(Clone, Debug, Default)]
pub struct TextCache {
    /// `None`: in memory alone.
    folder: Option<PathBuf>,
    known: HashMap<(String, String), Vec<f32>>,
}

impl TextCache {
    /// In memory alone.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// In that folder, which is created when it is needed.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), known: HashMap::new() }
    }

    /// Where the system keeps such things, or in memory alone where it has no place for them.
    pub fn of_user() -> Self {
        dirs::cache_dir().map_or_else(Self::in_memory, |folder| Self::in_folder(folder.join("dinoscope").join("text")))
    }

    /// What is known about a phrase: `len` numbers.
    pub(super) fn get(&mut self, set: &str, phrase: &str, len: usize) -> Option<&[f32]> {
        let key = (set.to_owned(), phrase.to_owned());
        if !self.known.contains_key(&key) {
            let bytes = std::fs::read(self.file(set, phrase)?).ok()?;
            let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            // A damaged file counts for nothing.
            if bytes.len() != 4 * len || !numbers.iter().all(|number| number.is_finite()) {
                return None;
            }
            self.known.insert(key.clone(), numbers);
        }
        self.known.get(&key).map(Vec::as_slice)
    }

    /// Keeps what was found out. A folder that cannot be written is no failure.
    pub(super) fn put(&mut self, set: &str, phrase: &str, numbers: Vec<f32>) {
        if let Some(file) = self.file(set, phrase)
            && let Err(error) = write(&file, &numbers)
        {
            log::warn!("vectors of phrases are not kept: {error}");
            self.folder = None;
        }
        self.known.insert((set.to_owned(), phrase.to_owned()), numbers);
    }

    fn file(&self, set: &str, phrase: &str) -> Option<PathBuf> {
        let name = hash::hex(&hash::of_bytes(phrase.as_bytes()));
        Some(self.folder.as_ref()?.join(set).join(name).with_extension("f32"))
    }
}

fn write(file: &std::path::Path, numbers: &[f32]) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    write_atomically(file, |out| numbers.iter().try_for_each(|number| out.write_all(&number.to_le_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_program_finds_what_was_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut cache = TextCache::in_folder(folder.path().join("below"));
        assert_eq!(cache.get("set", "a cat", 2), None);
        cache.put("set", "a cat", vec![1.0, -2.5]);
        assert_eq!(cache.get("set", "a cat", 2), Some(&[1.0, -2.5][..]));
        let mut later = TextCache::in_folder(folder.path().join("below"));
        assert_eq!(later.get("set", "a cat", 2), Some(&[1.0, -2.5][..]));
        assert_eq!(later.get("other", "a cat", 2), None);
        assert_eq!(later.get("set", "a dog", 2), None);
    }

    #[test]
    fn damaged_files_and_folders_count_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cache");
        TextCache::in_folder(path.clone()).put("set", "a cat", vec![1.0]);
        let file = TextCache::in_folder(path.clone()).file("set", "a cat").expect("a name");
        for bytes in [&[0u8; 3][..], &[0; 8], &[0xff; 4]] {
            std::fs::write(&file, bytes).expect("written");
            assert_eq!(TextCache::in_folder(path.clone()).get("set", "a cat", 1), None);
        }
        std::fs::write(folder.path().join("file"), "in the way").expect("written");
        let mut cache = TextCache::in_folder(folder.path().join("file"));
        cache.put("set", "a cat", vec![1.0]);
        assert_eq!(cache.get("set", "a cat", 1), Some(&[1.0][..]), "in memory it is kept");
    }
}
