//! One file of a repository into the cache: resumed, checked, and put in place whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::HubError;
use super::cache::RepoCache;
use super::client::{Client, FileMeta, header, unreachable};
use super::disk::free_space;
use crate::{Cancel, Progress, Result};

const CHUNK: usize = 1 << 20;
const LOCK_POLL: Duration = Duration::from_millis(100);

/// A file of a commit, and everything needed to fetch it.
pub(super) struct Fetch<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a RepoCache,
    pub(super) repo: &'a str,
    pub(super) commit: &'a str,
    pub(super) file: &'a str,
    pub(super) meta: &'a FileMeta,
    pub(super) progress: &'a dyn Fn(Progress),
    pub(super) cancel: &'a Cancel,
}

impl Fetch<'_> {
    /// Makes the file part of the snapshot. Runs that want the same file at once wait for each other.
    pub(super) fn run(&self) -> Result<()> {
        let blob = self.cache.blob(&self.meta.etag);
        if !blob.exists() && !self.cache.snapshot(self.commit).join(self.file).exists() {
            let _lock = self.lock()?;
            if !blob.exists() {
                self.download(&blob)?;
            }
        }
        Ok(self.cache.link(&self.meta.etag, self.commit, self.file)?)
    }

    /// Held until it is dropped. The same file and the same system call as `huggingface_hub`'s.
    fn lock(&self) -> Result<File> {
        let path = self.cache.lock(&self.meta.etag);
        create_parent(&path)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(HubError::cache("lock", &path))?;
        loop {
            self.cancel.check()?;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    let stage = format!("waiting for another program that downloads {}", self.file);
                    let done = fs::metadata(self.part_path()).map_or(0, |data| data.len());
                    (self.progress)(Progress { stage, done, total: self.meta.size });
                    thread::sleep(LOCK_POLL);
                }
                // Where the file system has no locks: `Part` tolerates a second writer.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(HubError::cache("lock", &path)(error).into()),
            }
        }
    }

    fn part_path(&self) -> PathBuf {
        self.cache.blob(&format!("{}.incomplete", self.meta.etag))
    }

    fn download(&self, blob: &Path) -> Result<()> {
        let path = self.part_path();
        create_parent(&path)?;
        let mut part = Part::open(&path)?;
        self.rehash(&mut part)?;
        self.check_space(&part)?;
        let resumed = part.len > 0;
        self.stream_persistently(&mut part)?;
        let mut checked = part.check(self.file, &self.meta.etag);
        if checked.is_err() && resumed {
            // The part that was there may be what is wrong.
            log::warn!("{} does not fit its checksum; starting over", self.file);
            part.restart()?;
            self.stream_persistently(&mut part)?;
            checked = part.check(self.file, &self.meta.etag);
        }
        if let Err(error) = checked {
            let _ = fs::remove_file(&path);
            return Err(error.into());
        }
        Ok(part.finish(blob)?)
    }

    /// Hashes what an earlier run left.
    fn rehash(&self, part: &mut Part) -> Result<()> {
        let present = part.file.metadata().map_or(0, |data| data.len());
        if self.meta.size.is_some_and(|size| present > size) {
            return Ok(());
        }
        let mut buffer = vec![0; CHUNK];
        let mut file = part.file.try_clone().map_err(HubError::cache("read", &part.path))?.take(present);
        loop {
            self.cancel.check()?;
            let count = file.read(&mut buffer).map_err(HubError::cache("read", &part.path))?;
            if count == 0 {
                return Ok(());
            }
            part.hasher.update(&buffer[..count]);
            part.len += count as u64;
            let stage = format!("checking the part of {} that is there", self.file);
            (self.progress)(Progress { stage, done: part.len, total: self.meta.size });
        }
    }

    fn check_space(&self, part: &Part) -> Result<(), HubError> {
        let folder = self.cache.folder();
        match (self.meta.size.map(|size| size.saturating_sub(part.len)), free_space(folder)) {
            (Some(needed), Some(free)) if needed > free => {
                Err(HubError::DiskFull { folder: folder.to_path_buf(), needed, free: Some(free) })
            }
            _ => Ok(()),
        }
    }

    /// Streams to the end, going on after broken connections; only attempts that bring nothing count as failed.
    fn stream_persistently(&self, part: &mut Part) -> Result<()> {
        let mut failures = 0;
        loop {
            let before = part.len;
            match self.stream(part) {
                Err(crate::Error::Hub(error)) if error.is_transient() => {
                    if part.len > before {
                        failures = 0;
                    }
                    if failures >= self.client.config().retries {
                        return Err(error.into());
                    }
                    log::warn!("{error}; going on at byte {}", part.len);
                    self.client.back_off(failures, self.cancel)?;
                    failures += 1;
                }
                other => return other,
            }
        }
    }

    fn stream(&self, part: &mut Part) -> Result<()> {
        self.cancel.check()?;
        if self.meta.size.is_some_and(|size| size == part.len) {
            return Ok(());
        }
        let response = self.client.open(self.repo, self.commit, self.file, part.len)?;
        let url = format!("{}/{}", self.client.config().endpoint, self.repo);
        let continues = response.status() == StatusCode::PARTIAL_CONTENT
            && header(&response, "content-range").and_then(range_start) == Some(part.len);
        if part.len > 0 && !continues {
            part.restart()?;
            if response.status() != StatusCode::OK {
                // What is there does not fit the file (416), or another part came than was asked for.
                let reason = format!("no bytes from {} on", part.len);
                return Err(HubError::Unreachable { host: self.client.config().endpoint.clone(), reason }.into());
            }
        }
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            self.cancel.check()?;
            let count = body.read(&mut buffer).map_err(|error| unreachable(&url, &error.into()))?;
            if count == 0 {
                break;
            }
            self.write(part, &buffer[..count])?;
            let stage = format!("downloading {}", self.file);
            (self.progress)(Progress { stage, done: part.len, total: self.meta.size });
        }
        match self.meta.size {
            Some(size) if part.len < size => {
                let reason = format!("the connection ended after {} of {size} bytes", part.len);
                Err(HubError::Unreachable { host: self.client.config().endpoint.clone(), reason }.into())
            }
            _ => Ok(()),
        }
    }

    fn write(&self, part: &mut Part, chunk: &[u8]) -> Result<(), HubError> {
        part.write(chunk).map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => HubError::DiskFull {
                folder: self.cache.folder().to_path_buf(),
                needed: self.meta.size.map_or(chunk.len() as u64, |size| size.saturating_sub(part.len)),
                free: free_space(self.cache.folder()),
            },
            _ => HubError::cache("write", &part.path)(error),
        })
    }
}

/// The file that grows. It is cut to length only at the end, and bytes are written at their own place: where locks do
/// not work, two runs write the same bytes twice and do no harm.
struct Part {
    path: PathBuf,
    file: File,
    /// Bytes that are right so far; the file may be longer.
    len: u64,
    /// Of those bytes.
    hasher: Sha256,
}

impl Part {
    fn open(path: &Path) -> Result<Self, HubError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(HubError::cache("write", path))?;
        Ok(Self { path: path.to_path_buf(), file, len: 0, hasher: Sha256::new() })
    }

    fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        self.file.write_all(chunk)?;
        self.hasher.update(chunk);
        self.len += chunk.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), HubError> {
        self.file.seek(SeekFrom::Start(0)).map_err(HubError::cache("write", &self.path))?;
        self.len = 0;
        self.hasher = Sha256::new();
        Ok(())
    }

    /// Small files carry Git's SHA-1 as their etag, which is not checked; their length is.
    fn check(&self, file: &str, etag: &str) -> Result<(), HubError> {
        if etag.len() != 64 || !etag.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(());
        }
        let got = format!("{:x}", self.hasher.clone().finalize());
        if got.eq_ignore_ascii_case(etag) {
            return Ok(());
        }
        Err(HubError::Checksum { file: file.to_owned(), expected: etag.to_owned(), got })
    }

    fn finish(self, blob: &Path) -> Result<(), HubError> {
        let write = HubError::cache("write", &self.path);
        self.file.set_len(self.len).and_then(|()| self.file.sync_all()).map_err(write)?;
        drop(self.file);
        match fs::rename(&self.path, blob) {
            // Another run was faster, where locks do not work.
            Err(_) if blob.exists() => Ok(()),
            other => other.map_err(HubError::cache("write", blob)),
        }
    }
}

fn create_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::cache("write", folder))
}

/// First byte of `bytes 100-199/200`.
fn range_start(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
