//! Picture files to RGB.
//!
//! The format is guessed from the content. Size limits are checked on the header, before any pixel is allocated.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Picture, PictureError};
use crate::Error;

/// Longest side that is read, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Largest area that is read.
pub const MAX_MEGAPIXELS: u32 = 250;
/// Largest file that is read, in bytes: more than [`MAX_MEGAPIXELS`] of uncompressed 16-bit RGBA.
const MAX_FILE_BYTES: u64 = 2_200_000_000;

/// Reads JPEG, PNG, WebP, TIFF, BMP or GIF (its first frame).
///
/// # Errors
/// [`crate::Error::Io`] where the file cannot be opened, [`super::PictureError`] where it is no picture or too large.
pub fn read(path: &Path) -> crate::Result<Picture> {
    Ok(from_bytes(path, &read_bytes(path)?)?)
}

/// The whole file, so that pipes work too.
pub(crate) fn read_bytes(path: &Path) -> crate::Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(path, "the file is larger than 2.2 GB").into());
    }
    Ok(bytes)
}

/// Decodes the content of a picture file; `path` is for messages.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Picture, PictureError> {
    let (decoded, orientation) = decode(path, bytes)?;
    let (width, height) = (decoded.width(), decoded.height());
    let rgb = rgb8(decoded).ok_or_else(|| {
        unreadable(path, "its samples are floating-point numbers without a fixed range; convert it to 8 or 16 bits")
    })?;
    let mut upright = image::RgbImage::from_raw(width, height, rgb)
        .map(DynamicImage::ImageRgb8)
        .ok_or_else(|| unreadable(path, "the decoder returned too few samples"))?;
    upright.apply_orientation(orientation);
    let (width, height) = (upright.width() as usize, upright.height() as usize);
    Ok(Picture { width, height, rgb: upright.into_bytes() })
}

/// Samples as they are stored, and how to turn them upright.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .ok_or_else(|| unreadable(path, "it is not a JPEG, PNG, WebP, TIFF, BMP or GIF file"))?;
    let broken = |error: ImageError| unreadable(path, &reason(format, &error));

    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_FILE_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    check_dimensions(path, width, height)?;
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err(unreadable(path, "the JPEG file ends too early; it may be a partial copy"));
    }
    limits.reserve(decoder.total_bytes()).map_err(broken)?;
    decoder.set_limits(limits).map_err(broken)?;
    // A broken EXIF block is no reason to refuse a good picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(broken)?, orientation))
}

/// # Errors
/// [`PictureError::TooLarge`], and [`PictureError::Unreadable`] for a picture without pixels.
pub(crate) fn check_dimensions(path: &Path, width: u32, height: u32) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(unreadable(path, "it has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > u64::from(MAX_MEGAPIXELS) * 1_000_000 {
        return Err(PictureError::TooLarge { path: path.to_path_buf(), width, height });
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, reason: &str) -> PictureError {
    PictureError::Unreadable { path: path.to_path_buf(), reason: reason.to_owned() }
}

/// One line for people.
fn reason(format: ImageFormat, error: &ImageError) -> String {
    let name = format!("{format:?}").to_uppercase();
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("the {name} file ends too early; it may be a partial copy")
        }
        ImageError::Unsupported(_) => format!("this kind of {name} file is not supported, convert it to PNG ({error})"),
        ImageError::Limits(_) => format!("the {name} file needs more memory than is allowed"),
        _ => format!("the {name} file is broken ({error})"),
    }
    .replace(['\n', '\r'], " ")
}

/// Whether the end-of-image marker is reached. The decoder fills what is missing with grey instead of failing.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Entropy-coded data, in which FF stands before 00 (stuffing) or a restart marker, and fill bytes FF.
        let Some(marker) = bytes.get(at..).and_then(|rest| {
            rest.windows(2).position(|w| w[0] == 0xFF && !matches!(w[1], 0x00 | 0x01 | 0xD0..=0xD8 | 0xFF))
        }) else {
            return false;
        };
        at += marker;
        if bytes[at + 1] == 0xD9 {
            return true;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4).and_then(|length| length.first_chunk()) else {
            return false;
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

/// `[height, width, 3]`, or `None` for floating-point samples.
pub(crate) fn rgb8(image: DynamicImage) -> Option<Vec<u8>> {
    Some(match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageLuma8(image) => image.as_raw().iter().flat_map(|&v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => {
            image.as_raw().as_chunks().0.iter().flat_map(|&[v, a]| [on_white(v, a); 3]).collect()
        }
        DynamicImage::ImageRgba8(image) => {
            image.as_raw().as_chunks().0.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|v| on_white(v, a))).collect()
        }
        DynamicImage::ImageRgb16(image) => image.as_raw().iter().map(|&v| eight_bits(v)).collect(),
        DynamicImage::ImageLuma16(image) => image.as_raw().iter().flat_map(|&v| [eight_bits(v); 3]).collect(),
        DynamicImage::ImageLumaA16(image) => {
            image.as_raw().as_chunks().0.iter().flat_map(|&[v, a]| [on_white_16(v, a); 3]).collect()
        }
        DynamicImage::ImageRgba16(image) => {
            image.as_raw().as_chunks().0.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|v| on_white_16(v, a))).collect()
        }
        _ => return None,
    })
}

/// Rounded to nearest.
fn eight_bits(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// Composited on white in sRGB values and rounded to nearest, as Pillow's `paste` with a mask.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// As [`on_white`] from 16 bits, rounded once.
fn on_white_16(value: u16, alpha: u16) -> u8 {
    const SCALE: u64 = 65_535 * 257;
    let (value, alpha) = (u64::from(value), u64::from(alpha));
    ((value * alpha + 65_535 * (65_535 - alpha) + SCALE / 2) / SCALE) as u8
}

#[cfg(test)]
mod tests;
