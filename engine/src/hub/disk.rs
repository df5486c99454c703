//! Folders of the disk, and free space.

use std::path::{Path, PathBuf};

/// Where `torch.hub`, and with it the reference, stores what it downloads.
pub fn torch_hub_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(dirs::home_dir()?.join(".cache")));
    let torch = variable("TORCH_HOME").or_else(|| Some(cache()?.join("torch"))).unwrap_or_default();
    torch.join("hub").join("checkpoints")
}

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
