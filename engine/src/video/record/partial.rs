//! Files that grow under a temporary name beside their target.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is not finished.
pub struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
}

impl Partial {
    /// `clip.mp4` grows as `clip.partial.mp4`, so that players know it. What is there already stays.
    ///
    /// # Errors
    /// Where it cannot be created.
    pub fn create(target: &Path) -> io::Result<Self> {
        let (path, file) =
            free_name(target, |path| File::options().read(true).write(true).create_new(true).open(path))?;
        Ok(Self { target: target.to_path_buf(), path, file })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Takes the place of the target.
    ///
    /// # Errors
    /// Where that is not possible; the file stays as it is then.
    pub fn finish(&self) -> io::Result<()> {
        self.file.sync_all()?;
        let target = if self.target.is_symlink() { fs::canonicalize(&self.target)? } else { self.target.clone() };
        fs::rename(&self.path, target)
    }

    /// Cuts what is worthless off. Nothing is left of a file without content.
    pub fn keep(&self, len: Option<u64>) -> Option<PathBuf> {
        let kept = len.filter(|&len| self.file.set_len(len).is_ok());
        if kept.is_none() {
            self.remove();
        }
        kept.map(|_| self.path.clone())
    }

    pub fn remove(&self) {
        // There is nobody left to tell, and nothing that could be done.
        _ = fs::remove_file(&self.path);
    }
}

/// Creates `NAME.partial.ENDING`, or `NAME.partial-2.ENDING` where that is taken, and so on.
///
/// # Errors
/// Where none can be created.
pub fn free_name<T>(target: &Path, create: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    let stem = target.file_stem().ok_or(io::ErrorKind::InvalidFilename)?;
    for number in 1.. {
        let mut name = stem.to_os_string();
        name.push(if number == 1 { ".partial".to_owned() } else { format!(".partial-{number}") });
        if let Some(ending) = target.extension() {
            name.push(".");
            name.push(ending);
        }
        let path = target.with_file_name(name);
        match create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
            created => return created.map(|created| (path, created)),
        }
    }
    unreachable!("the last number returns")
}
