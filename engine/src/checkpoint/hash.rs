//! SHA-256 of weights, which identifies them in every export.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::open::unreadable;
use crate::{Cancel, Result};

pub(crate) fn of_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(super) fn of_file(path: &Path, cancel: &Cancel) -> Result<[u8; 32]> {
    let gone = |error: std::io::Error| unreadable(path, error);
    let mut file = File::open(path).map_err(gone)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        cancel.check()?;
        match file.read(&mut block).map_err(gone)? {
            0 => return Ok(hasher.finalize().into()),
            n => hasher.update(&block[..n]),
        }
    }
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
