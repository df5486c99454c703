//! What kind of clip a path is, by its content.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::{animation, folder};
use crate::{Error, Result};

/// What reads a clip.
pub(super) enum Kind {
    /// Of pictures.
    Folder,
    /// GIF, PNG or WebP, of one frame or more.
    Animation(ImageFormat),
    /// None of these.
    Unknown,
}

/// # Errors
/// [`Error::Io`] where the path cannot be read.
pub(super) fn kind(path: &Path) -> Result<Kind> {
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    if metadata.is_dir() {
        return Ok(Kind::Folder);
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut head)).map_err(Error::io("read", path))?;
    Ok(match image::guess_format(&head) {
        Ok(format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::WebP)) => Kind::Animation(format),
        _ => Kind::Unknown,
    })
}

/// Whether [`super::Video::open`] is the one to open `path`: a video file, an animated picture of more than one frame,
/// a folder of numbered pictures. Reads no more than the file's structure.
pub fn is_video(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    match kind(path) {
        Ok(Kind::Folder) => folder::numbered_pictures(path).is_ok_and(|pictures| !pictures.is_empty()),
        // A pipe gives its bytes only once.
        Ok(Kind::Animation(format)) => is_file && animation::is_animated(path, format),
        Ok(Kind::Unknown) | Err(_) => false,
    }
}
