//! From a picture file to what a backbone reads.

pub mod decode;
pub mod normalise;
pub mod resample;
pub mod size;

use std::path::{Path, PathBuf};

pub use normalise::Normalisation;
pub use resample::Filter;
pub use size::SizeRule;

use crate::features::Geometry;

/// A decoded picture as a person sees it: EXIF rotation applied, alpha composited on white, 16-bit scaled to 8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

/// A picture at the size of the model's input, normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// In pixels, a multiple of the stride.
    pub width: usize,
    /// In pixels, a multiple of the stride.
    pub height: usize,
    /// `[3, height, width]`
    pub data: Vec<f32>,
}

/// How a picture becomes [`Pixels`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    /// Size of the model's input.
    pub size: SizeRule,
    /// How it is resized.
    pub filter: Filter,
    /// Mean and deviation that the weights were trained with.
    pub normalisation: Normalisation,
}

impl Preprocessing {
    /// Resizes and normalises `picture` for a backbone of that `stride`.
    ///
    /// # Errors
    /// [`PictureError::Size`] where the picture does not fit the size rule.
    pub fn apply(&self, _picture: &Picture, _stride: usize) -> Result<(Pixels, Geometry), PictureError> {
        todo!()
    }
}

/// Why a picture could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Not a picture of a known kind, or broken.
    #[error("cannot read {} as a picture: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// Larger than the decoding limits.
    #[error("{} is too large: {width}x{height} pixels, at most {limit} megapixels are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Megapixels.
        limit: u32,
    },
    /// The size rule cannot be met.
    #[error("{0}")]
    Size(String),
}

/// Reads a picture file; see [`decode::read`].
///
/// # Errors
/// As [`decode::read`].
pub fn read(path: &Path) -> crate::Result<Picture> {
    decode::read(path)
}
