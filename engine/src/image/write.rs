//! PNG files with metadata.

use std::io::{self, Write};
use std::path::Path;

use png::{BitDepth, ColorType};

use super::Picture;
use crate::Result;
use crate::output::{Metadata, write_atomically};

/// Samples of a PNG to be written, row by row.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a> {
    /// `[height, width, 3]`
    Rgb8(&'a [u8]),
    /// `[height, width, 4]`, alpha not multiplied in.
    Rgba8(&'a [u8]),
    /// `[height, width]`
    Grey8(&'a [u8]),
    /// `[height, width]`
    Grey16(&'a [u16]),
}

/// Writes a PNG with a text chunk for each pair of `metadata`, through a temporary file.
///
/// # Errors
/// [`crate::Error::Io`] where it cannot be written, or the samples are not `width` by `height`.
pub fn write_png(
    path: &Path,
    width: usize,
    height: usize,
    samples: Samples<'_>,
    metadata: &Metadata<'_>,
) -> Result<()> {
    write_atomically(path, |writer| encode(writer, width, height, samples, metadata))
}

/// As [`write_png`] for a whole picture.
///
/// # Errors
/// As [`write_png`].
pub fn write_picture(path: &Path, picture: &Picture, metadata: &Metadata<'_>) -> Result<()> {
    write_png(path, picture.width, picture.height, Samples::Rgb8(&picture.rgb), metadata)
}

fn encode(
    writer: &mut dyn Write,
    width: usize,
    height: usize,
    samples: Samples<'_>,
    metadata: &Metadata<'_>,
) -> io::Result<()> {
    let side = |n: usize| u32::try_from(n).map_err(io::Error::other);
    let mut encoder = png::Encoder::new(writer, side(width)?, side(height)?);
    let (color, depth) = match samples {
        Samples::Rgb8(_) => (ColorType::Rgb, BitDepth::Eight),
        Samples::Rgba8(_) => (ColorType::Rgba, BitDepth::Eight),
        Samples::Grey8(_) => (ColorType::Grayscale, BitDepth::Eight),
        Samples::Grey16(_) => (ColorType::Grayscale, BitDepth::Sixteen),
    };
    encoder.set_color(color);
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
    match samples {
        Samples::Rgb8(bytes) | Samples::Rgba8(bytes) | Samples::Grey8(bytes) => writer.write_image_data(bytes)?,
        Samples::Grey16(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
            writer.write_image_data(&bytes)?;
        }
    }
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn metadata_and_samples_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.png");
        let metadata = [("model", "demo".to_owned()), ("source", "Straße.jpg".to_owned()), ("query", "猫".to_owned())];
        write_png(&path, 2, 1, Samples::Grey16(&[1, 65_535]), &metadata).expect("written");
        let file = io::BufReader::new(fs::File::open(&path).expect("opened"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut data = [0; 4];
        reader.next_frame(&mut data).expect("samples");
        assert_eq!(data, [0, 1, 255, 255]);
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
        write_png(&path, 1, 1, Samples::Rgba8(&[10, 20, 30, 0]), &[]).expect("written");
        assert_eq!(super::super::read(&path).expect("read").rgb, [255; 3]);
    }

    #[test]
    fn wrong_number_of_samples_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.png");
        let error = write_png(&path, 3, 2, Samples::Rgb8(&[0; 17]), &[]).expect_err("one too few");
        assert!(error.to_string().contains("out.png"), "{error}");
        assert!(!path.exists());
    }
}
