//! Free space.

use std::path::Path;

/// Bytes that this user can still write below `path`, which need not exist yet; `None` where the system does not say.
#[cfg(unix)]
pub fn free_space(path: &Path) -> Option<u64> {
    let path = std::path::absolute(path).ok()?;
    let existing = path.ancestors().find(|folder| folder.exists())?;
    let info = rustix::fs::statvfs(existing).ok()?;
    info.f_bavail.checked_mul(info.f_frsize)
}

/// Bytes that this user can still write below `path`; not known on this system.
#[cfg(not(unix))]
pub fn free_space(_path: &Path) -> Option<u64> {
    None
}
