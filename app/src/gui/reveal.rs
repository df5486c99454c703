//! Files and folders in the system's file manager.

use std::path::Path;
use std::process::Command;

/// Opens a folder, or the folder of a file; beside the window, since starting a program takes time.
pub fn show(path: &Path) {
    let path = path.to_path_buf();
    std::thread::spawn(move || {
        let is_folder = path.is_dir();
        let mut command = if cfg!(target_os = "windows") {
            let mut command = Command::new("explorer");
            command.args((!is_folder).then_some("/select,")).arg(&path);
            command
        } else if cfg!(target_os = "macos") {
            let mut command = Command::new("open");
            command.args((!is_folder).then_some("-R")).arg(&path);
            command
        } else {
            let mut command = Command::new("xdg-open");
            command.arg(if is_folder { &path } else { path.parent().unwrap_or(&path) });
            command
        };
        if let Err(error) = command.status() {
            log::warn!("cannot show {}: {error}", path.display());
        }
    });
}
