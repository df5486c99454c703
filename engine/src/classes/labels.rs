//! The class of every pixel, and its file.

use std::io;
use std::path::Path;

use png::{BitDepth, ColorType};

use crate::Result;
use crate::output::write_atomically;

/// The class of every pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width]`: classes in the order they were given, then the background.
    pub data: Vec<u16>,
}

impl Labels {
    /// Pixels of each of `classes` classes, the background among them.
    pub fn areas(&self, classes: usize) -> Vec<usize> {
        let mut areas = vec![0; classes];
        self.data.iter().for_each(|label| areas[usize::from(*label)] += 1);
        areas
    }

    /// Writes a grey PNG whose values are the classes: 8 bits, or 16 where `classes` are more than 256.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where it cannot be written.
    pub fn write_png(&self, path: &Path, classes: usize) -> Result<()> {
        let (depth, samples): (_, Vec<u8>) = if classes <= 256 {
            (BitDepth::Eight, self.data.iter().map(|label| *label as u8).collect())
        } else {
            (BitDepth::Sixteen, self.data.iter().flat_map(|label| label.to_be_bytes()).collect())
        };
        write_atomically(path, |writer| {
            let side = |n: usize| u32::try_from(n).map_err(io::Error::other);
            let mut encoder = png::Encoder::new(writer, side(self.width)?, side(self.height)?);
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(depth);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&samples)?;
            Ok(writer.finish()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_classes_in_8_and_in_16_bits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labels.png");
        let labels = Labels { width: 3, height: 1, data: vec![0, 255, 7] };
        labels.write_png(&path, 256).expect("written");
        assert_eq!(image::open(&path).expect("a PNG").into_luma8().into_raw(), [0, 255, 7]);
        let labels = Labels { data: vec![0, 999, 256], ..labels };
        labels.write_png(&path, 1000).expect("written");
        let read = image::open(&path).expect("a PNG");
        assert!(matches!(read, image::DynamicImage::ImageLuma16(_)));
        assert_eq!(read.into_luma16().into_raw(), [0, 999, 256]);
        assert_eq!(labels.areas(1000)[999], 1);
    }
}
