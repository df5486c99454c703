//! From a picture file to what a backbone reads.

pub mod decode;
pub mod mask;
pub mod normalise;
pub mod resample;
pub mod size;
pub mod write;

use std::path::{Path, PathBuf};

pub use mask::{Mask, read_mask};
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

impl Picture {
    /// A picture of samples that are already there, `rgb` being `[height, width, 3]`.
    ///
    /// # Errors
    /// [`PictureError::Samples`] where the picture has no pixels or `rgb` has another length.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, PictureError> {
        let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
        if rgb.is_empty() || expected != Some(rgb.len()) {
            return Err(PictureError::Samples { width, height, got: rgb.len() });
        }
        Ok(Self { width, height, rgb })
    }
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
    pub fn apply(&self, picture: &Picture, stride: usize) -> Result<(Pixels, Geometry), PictureError> {
        let (width, height) = self.size.resolve(picture.width, picture.height, stride)?;
        let original = (picture.width, picture.height);
        let (mut pixels, covered) = match self.size {
            SizeRule::Native => (resample::crop(picture, width, height), (width, height)),
            _ => (resample::resize(picture, width, height, self.filter), original),
        };
        self.normalisation.apply(&mut pixels);
        Ok((pixels, Geometry { picture: original, covered, grid: (height / stride, width / stride) }))
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
    #[error(
        "{} is too large: it has {width}x{height} pixels, at most {} on a side and {} million in all are read; \
         scale it down",
        path.display(), decode::MAX_SIDE, decode::MAX_MEGAPIXELS
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Samples that are no picture of the size named with them.
    #[error("a picture of {width}x{height} pixels has 3 bytes a pixel and at least one pixel, got {got} bytes")]
    Samples {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Bytes.
        got: usize,
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
