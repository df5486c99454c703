//! The cache on disk, laid out as `huggingface_hub` does (`file_download.py`), so that either finds the other's files.
//!
//! ```text
//! CACHE/models--ORG--NAME/blobs/ETAG            contents
//!                         refs/main             commit
//!                         snapshots/COMMIT/FILE -> ../../blobs/ETAG
//! CACHE/.locks/models--ORG--NAME/ETAG.lock
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{HubError, Repo};

pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The folders of one repository.
pub(super) struct RepoCache {
    folder: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, repo: &Repo) -> Self {
        let name = format!("models--{}", repo.id.replace('/', "--"));
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(&name) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    pub(super) fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The snapshot that holds everything the repository needs: that of `main`, else the newest one.
    pub(super) fn locate(&self, repo: &Repo) -> Option<PathBuf> {
        let main = fs::read_to_string(self.folder.join("refs").join("main")).ok();
        let main = main.map(|commit| self.snapshot(commit.trim())).filter(|path| is_complete(path, repo));
        main.or_else(|| {
            let entries = fs::read_dir(self.folder.join("snapshots")).ok()?.flatten();
            entries.map(|entry| entry.path()).filter(|path| is_complete(path, repo)).max_by_key(|path| modified(path))
        })
    }

    /// Makes `main` point at `commit`; readers see the old or the new one, never half of it.
    pub(super) fn write_ref(&self, commit: &str) -> Result<(), HubError> {
        let refs = self.folder.join("refs");
        let path = refs.join("main");
        if fs::read_to_string(&path).is_ok_and(|old| old == commit) {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            fs::create_dir_all(&refs)?;
            let mut file = tempfile::NamedTempFile::new_in(&refs)?;
            io::Write::write_all(&mut file, commit.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(HubError::cache("write", &path))
    }

    /// Puts a blob into a snapshot under its file name.
    pub(super) fn link(&self, etag: &str, commit: &str, file: &str) -> Result<(), HubError> {
        let folder = self.snapshot(commit);
        let pointer = folder.join(file);
        let blob = self.blob(etag);
        fs::create_dir_all(&folder).map_err(HubError::cache("write", &folder))?;
        if pointer.exists() {
            return Ok(());
        }
        // A dangling link would make the new one fail.
        let _ = fs::remove_file(&pointer);
        let target: PathBuf = ["..", "..", "blobs", etag].iter().collect();
        match symlink(&target, &pointer) {
            Ok(()) => Ok(()),
            // Another run made the same link in between.
            Err(_) if pointer.exists() => Ok(()),
            // Without the right to make links (Windows), the file itself goes there, as `huggingface_hub` does.
            Err(_) => fs::rename(&blob, &pointer).map_err(HubError::cache("write", &pointer)),
        }
    }

    /// Bytes of all files, finished or not; links are not followed.
    pub(super) fn bytes(&self) -> u64 {
        bytes_under(&self.folder)
    }

    /// Deletes the repository's files; false where there were none.
    pub(super) fn remove(&self) -> Result<bool, HubError> {
        let existed = self.folder.exists();
        for folder in [&self.folder, &self.locks] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(HubError::cache("delete", folder)(error));
                }
                _ => {}
            }
        }
        Ok(existed)
    }
}

fn bytes_under(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_under(&entry.path()),
        Ok(data) if data.is_file() => data.len(),
        _ => 0,
    });
    bytes.sum()
}

/// Names of the shards in an index file; none of them leaves the snapshot's folder.
pub(super) fn shards(index: &Path) -> Option<BTreeSet<String>> {
    let index: serde_json::Value = serde_json::from_slice(&fs::read(index).ok()?).ok()?;
    let shards = index.get("weight_map")?.as_object()?.values();
    let shards: Option<BTreeSet<String>> = shards.map(|name| name.as_str().map(str::to_owned)).collect();
    shards.filter(|names| !names.is_empty() && names.iter().all(|name| is_plain_name(name)))
}

/// Whether a name that came over the network is safe as a file name.
pub(super) fn is_plain_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && !name.starts_with('.') && name.len() < 200 && name.chars().all(allowed)
}

fn is_complete(snapshot: &Path, repo: &Repo) -> bool {
    let has = |file: &str| snapshot.join(file).is_file();
    let has_weights =
        || has(WEIGHTS) || shards(&snapshot.join(INDEX)).is_some_and(|files| files.iter().all(|f| has(f)));
    repo.companions.iter().all(|file| has(file)) && has_weights()
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
