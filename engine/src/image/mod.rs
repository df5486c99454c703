//! From a picture file to what a backbone reads.

pub mod crops;
pub mod decode;
pub mod folder;
pub mod mask;
pub mod normalise;
pub mod resample;
pub mod size;
pub mod square;
pub(crate) mod stretch;
pub mod write;

use std::path::{Path, PathBuf};

pub use folder::pictures_below;
pub use mask::{Mask, read_mask};
pub use normalise::Normalisation;
pub use resample::Filter;
pub use size::SizeRule;

use crate::features::Geometry;

/// Endings of picture files that are read, in lower case.
pub const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif"];

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
        let geometry = self.geometry(picture.width, picture.height, stride)?;
        let (width, height) = (geometry.grid.1 * stride, geometry.grid.0 * stride);
        let mut pixels = match self.size {
            SizeRule::Native => resample::crop(picture, width, height),
            _ => resample::resize(picture, width, height, self.filter),
        };
        self.normalisation.apply(&mut pixels);
        Ok((pixels, geometry))
    }

    /// How a picture of `width` by `height` pixels and its patches will lie over each other.
    ///
    /// # Errors
    /// As [`Preprocessing::apply`].
    pub fn geometry(&self, width: usize, height: usize, stride: usize) -> Result<Geometry, PictureError> {
        let input = self.size.resolve(width, height, stride)?;
        let covered = if self.size == SizeRule::Native { input } else { (width, height) };
        Ok(Geometry { picture: (width, height), covered, grid: (input.1 / stride, input.0 / stride) })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessing(size: SizeRule) -> Preprocessing {
        Preprocessing { size, filter: Filter::Bilinear, normalisation: Normalisation::SATELLITE }
    }

    #[test]
    fn normalises_each_channel_and_knows_where_the_grid_lies() {
        let picture = Picture::from_rgb(40, 20, [255, 0, 51].repeat(800)).expect("RGB");
        let (pixels, geometry) = preprocessing(SizeRule::ShortSide(32)).apply(&picture, 16).expect("fits");
        assert_eq!((pixels.width, pixels.height), (64, 32));
        let plane = 64 * 32;
        for (channel, value) in [1.0f32, 0.0, 0.2].into_iter().enumerate() {
            let expected = (value - Normalisation::SATELLITE.mean[channel]) / Normalisation::SATELLITE.std[channel];
            let values = &pixels.data[channel * plane..][..plane];
            assert!(values.iter().all(|v| (v - expected).abs() < 1e-5), "channel {channel}");
        }
        assert_eq!(geometry, Geometry { picture: (40, 20), covered: (40, 20), grid: (2, 4) });

        let (pixels, geometry) = preprocessing(SizeRule::Native).apply(&picture, 16).expect("fits");
        assert_eq!((pixels.width, pixels.height, pixels.data.len()), (32, 16, 3 * 32 * 16));
        assert_eq!(geometry, Geometry { picture: (40, 20), covered: (32, 16), grid: (1, 2) });
    }

    #[test]
    fn one_pixel_is_a_picture() {
        let picture = Picture::from_rgb(1, 1, vec![1, 2, 3]).expect("RGB");
        let (pixels, geometry) = preprocessing(SizeRule::ShortSide(768)).apply(&picture, 16).expect("fits");
        assert_eq!((pixels.width, pixels.height, geometry.grid), (768, 768, (48, 48)));
        assert!(pixels.data.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn samples_must_be_those_of_the_size() {
        for (width, height, len) in [(2, 2, 11), (0, 5, 0), (usize::MAX, 2, 6)] {
            let error = Picture::from_rgb(width, height, vec![0; len]).expect_err("another size");
            assert!(error.to_string().contains(&len.to_string()), "{error}");
        }
    }
}
