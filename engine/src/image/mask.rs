//! Mask files: PNG pictures that say which pixels belong to something.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage};
use ndarray::Array2;

use super::PictureError;
use super::decode::{check_dimensions, decode, read_bytes, unreadable};

/// Which pixels of a picture are foreground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width]`, true for foreground.
    pub data: Vec<bool>,
}

impl Mask {
    /// `[height, width]`
    ///
    /// # Panics
    /// Where `data` has not `width * height` entries.
    pub fn to_array(&self) -> Array2<bool> {
        Array2::from_shape_vec((self.height, self.width), self.data.clone()).expect("one entry per pixel")
    }
}

/// Reads a PNG: non-zero is foreground, or alpha above one half where the picture has alpha. An indexed picture
/// without alpha counts by its indices, whatever colours they stand for.
///
/// # Errors
/// As [`super::read`], and [`PictureError::Unreadable`] for anything but a PNG.
pub fn read_mask(path: &Path) -> crate::Result<Mask> {
    Ok(from_bytes(path, &read_bytes(path)?)?)
}

pub(super) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Mask, PictureError> {
    if !bytes.starts_with(b"\x89PNG") {
        return Err(unreadable(path, "a mask must be a PNG file"));
    }
    let (mut samples, orientation) = decode(path, bytes)?;
    if let Some(indices) = indices(path, bytes)? {
        samples = DynamicImage::ImageLuma8(indices);
    }
    samples.apply_orientation(orientation);
    let data = match &samples {
        DynamicImage::ImageLuma8(image) => image.as_raw().iter().map(|&v| v != 0).collect(),
        DynamicImage::ImageLuma16(image) => image.as_raw().iter().map(|&v| v != 0).collect(),
        DynamicImage::ImageRgb8(image) => image.pixels().map(|p| p.0 != [0; 3]).collect(),
        DynamicImage::ImageRgb16(image) => image.pixels().map(|p| p.0 != [0; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.pixels().map(|p| p.0[1] > u8::MAX / 2).collect(),
        DynamicImage::ImageLumaA16(image) => image.pixels().map(|p| p.0[1] > u16::MAX / 2).collect(),
        DynamicImage::ImageRgba8(image) => image.pixels().map(|p| p.0[3] > u8::MAX / 2).collect(),
        DynamicImage::ImageRgba16(image) => image.pixels().map(|p| p.0[3] > u16::MAX / 2).collect(),
        _ => return Err(unreadable(path, "this kind of PNG is not supported as a mask")),
    };
    Ok(Mask { width: samples.width() as usize, height: samples.height() as usize, data })
}

/// The palette indices of an indexed PNG without alpha, as stored; `None` for other PNGs.
fn indices(path: &Path, bytes: &[u8]) -> Result<Option<GrayImage>, PictureError> {
    let stored = stored_samples(path, bytes)?.filter(|stored| stored.is_indexed && !stored.has_alpha);
    Ok(stored.and_then(|StoredSamples { width, height, values, .. }| {
        GrayImage::from_raw(width, height, values.into_iter().map(|value| value as u8).collect())
    }))
}

/// The samples of a PNG with one number per pixel, neither scaled to 8 bits nor looked up in a palette.
pub(crate) struct StoredSamples {
    pub width: u32,
    pub height: u32,
    /// Indices of a palette; otherwise greys.
    pub is_indexed: bool,
    /// Whether some indices or greys stand for transparency.
    pub has_alpha: bool,
    /// `[height, width]`
    pub values: Vec<u16>,
}

/// The samples of a PNG as they are stored; `None` where a pixel has several numbers.
pub(crate) fn stored_samples(path: &Path, bytes: &[u8]) -> Result<Option<StoredSamples>, PictureError> {
    let broken = |error: png::DecodingError| unreadable(path, &format!("the PNG file is broken ({error})"));
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(broken)?;
    let info = reader.info();
    let is_indexed = info.color_type == png::ColorType::Indexed;
    if !is_indexed && info.color_type != png::ColorType::Grayscale {
        return Ok(None);
    }
    let (width, height, bits, has_alpha) = (info.width, info.height, info.bit_depth as usize, info.trns.is_some());
    check_dimensions(path, width, height)?;
    let size = reader.output_buffer_size().ok_or_else(|| unreadable(path, "it has too many pixels"))?;
    let mut packed = vec![0; size];
    let line_size = reader.next_frame(&mut packed).map_err(broken)?.line_size;
    let value = |line: &[u8], x: usize| {
        if bits == 16 {
            return u16::from_be_bytes([line[2 * x], line[2 * x + 1]]);
        }
        let bit = x * bits;
        let shift = 8 - bits - bit % 8;
        u16::from(line[bit / 8] >> shift & (0xFF >> (8 - bits)) as u8)
    };
    let lines = packed.chunks_exact(line_size);
    let values = lines.flat_map(|line| (0..width as usize).map(move |x| value(line, x))).collect();
    Ok(Some(StoredSamples { width, height, is_indexed, has_alpha, values }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(color: png::ColorType, depth: png::BitDepth, trns: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            // Index 0 is white and index 1 black: colours must not matter.
            encoder.set_palette([255, 255, 255, 0, 0, 0, 9, 9, 9, 0, 0, 0].as_slice());
        }
        if let Some(trns) = trns {
            encoder.set_trns(trns.to_vec());
        }
        encoder.write_header().expect("header").write_image_data(data).expect("data");
        bytes
    }

    fn mask(bytes: &[u8]) -> Vec<u8> {
        let mask = from_bytes(Path::new("mask.png"), bytes).expect("a mask");
        assert_eq!((mask.width, mask.height), (3, 2));
        mask.data.into_iter().map(u8::from).collect()
    }

    #[test]
    fn indices_count_not_colours() {
        let indexed = png::ColorType::Indexed;
        assert_eq!(mask(&png(indexed, png::BitDepth::One, None, &[0b0100_0000, 0b1010_0000])), [0, 1, 0, 1, 0, 1]);
        assert_eq!(mask(&png(indexed, png::BitDepth::Two, None, &[0b0011_0100, 0b0000_1000])), [0, 1, 1, 0, 0, 1]);
        assert_eq!(mask(&png(indexed, png::BitDepth::Four, None, &[0x03, 0x10, 0x00, 0x20])), [0, 1, 1, 0, 0, 1]);
        assert_eq!(mask(&png(indexed, png::BitDepth::Eight, None, &[0, 1, 2, 3, 0, 0])), [0, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn alpha_above_one_half() {
        let data = [9, 127, 0, 128, 9, 255, 9, 0, 0, 255, 0, 1];
        assert_eq!(mask(&png(png::ColorType::GrayscaleAlpha, png::BitDepth::Eight, None, &data)), [0, 1, 1, 0, 1, 0]);
        let transparent = png(png::ColorType::Indexed, png::BitDepth::Eight, Some(&[255, 0]), &[0, 1, 2, 1, 0, 0]);
        assert_eq!(mask(&transparent), [1, 0, 1, 0, 1, 1]);
    }

    #[test]
    fn any_value_but_zero() {
        assert_eq!(
            mask(&png(png::ColorType::Grayscale, png::BitDepth::One, None, &[0b0100_0000, 0b1010_0000])),
            [0, 1, 0, 1, 0, 1]
        );
        let sixteen = [0, 0, 0, 1, 1, 0, 0, 0, 255, 255, 0, 0];
        assert_eq!(mask(&png(png::ColorType::Grayscale, png::BitDepth::Sixteen, None, &sixteen)), [0, 1, 1, 0, 1, 0]);
        let rgb = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(mask(&png(png::ColorType::Rgb, png::BitDepth::Eight, None, &rgb)), [0, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn only_png() {
        let message = from_bytes(Path::new("m.jpg"), b"\xFF\xD8\xFF\xE0").expect_err("no PNG").to_string();
        assert!(message.contains("m.jpg") && message.contains("PNG"), "{message}");
    }
}
