//! Picture files to RGB.
use std::path::Path;

use super::Picture;

/// Reads JPEG, PNG, WebP, TIFF, BMP or GIF (its first frame).
///
/// # Errors
/// [`crate::Error::Io`] where the file cannot be opened, [`super::PictureError`] where it is no picture or too large.
pub fn read(_path: &Path) -> crate::Result<Picture> {
    todo!()
}
