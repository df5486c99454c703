//! PNG files with metadata.

use std::io::{self, Write};
use std::path::Path;

use png::{BitDepth, ColorType};

use super::Picture;
use crate::Result;
use crate::output::{Metadata, write_atomically};

/// Writes a PNG of 8-bit RGB with a text chunk for each pair of `metadata`, through a temporary file.
///
/// # Errors
/// [`crate::Error::Io`] where it cannot be written, or the samples are not `width` by `height`.
pub fn write_picture(path: &Path, picture: &Picture, metadata: &Metadata<'_>) -> Result<()> {
    let size = (picture.width, picture.height);
    write_atomically(path, |writer| encode(writer, size, (ColorType::Rgb, BitDepth::Eight), &picture.rgb, metadata))
}

/// Writes a PNG of 8-bit samples with alpha, `[height, width, 4]`.
///
/// # Errors
/// As [`write_picture`].
pub fn write_rgba(path: &Path, size: (usize, usize), rgba: &[u8]) -> Result<()> {
    write_atomically(path, |writer| encode(writer, size, (ColorType::Rgba, BitDepth::Eight), rgba, &[]))
}

/// Writes a PNG of 8-bit grey, `[height, width]`.
///
/// # Errors
/// As [`write_picture`].
pub fn write_grey(path: &Path, size: (usize, usize), grey: &[u8]) -> Result<()> {
    write_atomically(path, |writer| encode(writer, size, (ColorType::Grayscale, BitDepth::Eight), grey, &[]))
}

/// Writes a PNG of 16-bit grey, `[height, width]`, with a text chunk for each pair of `metadata`.
///
/// # Errors
/// As [`write_picture`].
pub fn write_grey16(path: &Path, size: (usize, usize), grey: &[u16], metadata: &Metadata<'_>) -> Result<()> {
    let samples: Vec<u8> = grey.iter().flat_map(|value| value.to_be_bytes()).collect();
    write_atomically(path, |writer| encode(writer, size, (ColorType::Grayscale, BitDepth::Sixteen), &samples, metadata))
}

fn encode(
    writer: &mut dyn Write,
    (width, height): (usize, usize),
    (colour, depth): (ColorType, BitDepth),
    samples: &[u8],
    metadata: &Metadata<'_>,
) -> io::Result<()> {
    let side = |n: usize| u32::try_from(n).map_err(io::Error::other);
    let mut encoder = png::Encoder::new(writer, side(width)?, side(height)?);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    for (key, value) in metadata {
        // A tEXt chunk holds Latin-1 only.
        if value.chars().all(|c| u32::from(c) < 256) {
            encoder.add_text_chunk((*key).to_owned(), value.clone())?;
        } else {
            encoder.add_itxt_chunk((*key).to_owned(), value.clone())?;
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn metadata_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.png");
        let metadata = [("model", "demo".to_owned()), ("source", "Straße.jpg".to_owned()), ("query", "猫".to_owned())];
        let picture = Picture::from_rgb(1, 1, vec![1, 2, 3]).expect("a picture");
        write_picture(&path, &picture, &metadata).expect("written");
        let file = io::BufReader::new(fs::File::open(&path).expect("opened"));
        let reader = png::Decoder::new(file).read_info().expect("a PNG");
        let info = reader.info();
        let latin: Vec<_> = info.uncompressed_latin1_text.iter().map(|c| (&*c.keyword, &*c.text)).collect();
        assert_eq!(latin, [("model", "demo"), ("source", "Straße.jpg")]);
        assert_eq!(info.utf8_text[0].get_text().expect("text"), "猫");
    }

    #[test]
    fn pictures_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.png");
        let picture = Picture::from_rgb(3, 2, (0..18).collect()).expect("a picture");
        write_picture(&path, &picture, &[]).expect("written");
        assert_eq!(super::super::read(&path).expect("read"), picture);
    }

    #[test]
    fn wrong_number_of_samples_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.png");
        let picture = Picture { width: 3, height: 2, rgb: vec![0; 17] };
        let error = write_picture(&path, &picture, &[]).expect_err("one too few");
        assert!(error.to_string().contains("out.png"), "{error}");
        assert!(!path.exists());
    }
}
