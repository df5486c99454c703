//! Which files of a folder are pictures.

use std::path::{Path, PathBuf};

use super::ENDINGS;
use crate::{Error, Result};

/// Whether there is a file whose ending is that of a picture.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str()) && path.is_file()
}

/// The picture files of a folder and of its subfolders, by name; what is hidden and links to folders are left out.
///
/// # Errors
/// [`Error::Io`] where one of the folders cannot be read.
pub fn pictures_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut paths, mut waiting) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if !is_hidden && path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            } else if !is_hidden && is_picture(&path) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}
