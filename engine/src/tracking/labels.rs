//! Which object every pixel belongs to.

use std::io;
use std::path::Path;

use ::image::{DynamicImage, ImageBuffer};

use super::TrackingError;
use crate::Result;
use crate::draw::Palette;
use crate::image::decode::{decode, read_bytes};
use crate::image::mask::{StoredSamples, stored_samples};
use crate::output::write_atomically;

/// One object id per pixel of a frame; 0 is background. Ids need not be without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width]`
    pub ids: Vec<u8>,
}

impl LabelMap {
    /// Of ids that are already there, `[height, width]`.
    ///
    /// # Errors
    /// [`TrackingError::Ids`] where the frame has no pixels or there are not as many ids.
    pub fn new(width: usize, height: usize, ids: Vec<u8>) -> Result<Self, TrackingError> {
        if ids.is_empty() || width.checked_mul(height) != Some(ids.len()) {
            return Err(TrackingError::Ids { width, height, got: ids.len() });
        }
        Ok(Self { width, height, ids })
    }

    /// The objects that have pixels, rising.
    pub fn objects(&self) -> Vec<u8> {
        let mut is_there = [false; 256];
        self.ids.iter().for_each(|&id| is_there[usize::from(id)] = true);
        (1..=u8::MAX).filter(|&id| is_there[usize::from(id)]).collect()
    }

    /// Reads a PNG: the indices of an indexed one are ids, whatever colours they stand for; a grey one with a single
    /// value beside 0 has that as object 1, otherwise its values are ids. The id `void` counts as background.
    ///
    /// # Errors
    /// As [`crate::image::read`], and [`TrackingError::Unreadable`] for any other file.
    pub fn read(path: &Path, void: Option<u8>) -> Result<Self> {
        let bytes = read_bytes(path)?;
        let refuse = |reason: &str| TrackingError::Unreadable { path: path.to_path_buf(), reason: reason.to_owned() };
        if !bytes.starts_with(b"\x89PNG") {
            return Err(refuse("it is no PNG file; save it as an indexed or grey PNG").into());
        }
        let Some(StoredSamples { width, height, is_indexed, values, .. }) = stored_samples(path, &bytes)? else {
            let reason =
                "its pixels have colours or transparency where ids are needed; save it as an indexed or grey PNG";
            return Err(refuse(reason).into());
        };
        let (_, orientation) = decode(path, &bytes)?;
        let mut upright = ImageBuffer::from_raw(width, height, values)
            .map(DynamicImage::ImageLuma16)
            .ok_or_else(|| refuse("it has too few pixels"))?;
        upright.apply_orientation(orientation);
        let (width, height) = (upright.width() as usize, upright.height() as usize);
        let values = upright.into_luma16().into_raw();

        let object = values.iter().copied().find(|value| *value > 0);
        let is_one_object = !is_indexed && values.iter().all(|value| *value == 0 || Some(*value) == object);
        let id = |value: u16| match value {
            _ if is_one_object => Ok(u8::from(value > 0)),
            _ if Some(value) == void.map(u16::from) => Ok(0),
            _ => u8::try_from(value).map_err(|_| refuse("it has ids above 255; number the objects from 1 on")),
        };
        let ids = values.into_iter().map(id).collect::<Result<Vec<u8>, _>>()?;
        Ok(Self::new(width, height, ids)?)
    }

    /// Writes an indexed PNG with the palette of the DAVIS data set, through a temporary file.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, |writer| {
            let side = |n: usize| u32::try_from(n).map_err(io::Error::other);
            let mut encoder = png::Encoder::new(writer, side(self.width)?, side(self.height)?);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_palette(Palette::davis().0.as_flattened().to_vec());
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.ids)?;
            writer.finish()?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".png").tempfile().expect("a file");
        let mut encoder = png::Encoder::new(file.as_file(), 3, 2);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder.set_palette(vec![7; 3 * 256]);
            encoder.set_trns(vec![0, 255]);
        }
        encoder.write_header().expect("header").write_image_data(data).expect("data");
        file
    }

    fn ids(color: png::ColorType, depth: png::BitDepth, void: Option<u8>, data: &[u8]) -> Vec<u8> {
        let labels = LabelMap::read(file(color, depth, data).path(), void).expect("labels");
        assert_eq!((labels.width, labels.height), (3, 2));
        labels.ids
    }

    #[test]
    fn indices_are_ids() {
        use png::BitDepth::{Eight, Four};
        let indexed = png::ColorType::Indexed;
        assert_eq!(ids(indexed, Eight, None, &[0, 9, 255, 3, 0, 0]), [0, 9, 255, 3, 0, 0]);
        assert_eq!(ids(indexed, Eight, Some(255), &[0, 9, 255, 3, 0, 0]), [0, 9, 0, 3, 0, 0]);
        assert_eq!(ids(indexed, Eight, Some(255), &[0, 7, 7, 0, 0, 0]), [0, 7, 7, 0, 0, 0]);
        assert_eq!(ids(indexed, Four, None, &[0x0f, 0x10, 0x00, 0x20]), [0, 15, 1, 0, 0, 2]);
    }

    #[test]
    fn greys_are_ids_unless_there_is_one() {
        use png::BitDepth::{Eight, One, Sixteen, Two};
        let grey = png::ColorType::Grayscale;
        assert_eq!(ids(grey, Eight, Some(255), &[0, 255, 255, 0, 0, 0]), [0, 1, 1, 0, 0, 0]);
        assert_eq!(ids(grey, Eight, Some(255), &[0, 255, 4, 0, 0, 6]), [0, 0, 4, 0, 0, 6]);
        assert_eq!(ids(grey, Eight, None, &[0, 255, 4, 0, 0, 0]), [0, 255, 4, 0, 0, 0]);
        assert_eq!(ids(grey, One, None, &[0b0100_0000, 0b1010_0000]), [0, 1, 0, 1, 0, 1]);
        assert_eq!(ids(grey, Two, None, &[0b0110_0000, 0b1100_0000]), [1, 2, 0, 3, 0, 0]);
        let sixteen = [0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 255];
        assert_eq!(ids(grey, Sixteen, Some(255), &sixteen), [0, 1, 2, 0, 0, 0]);
        let one = [255, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0];
        assert_eq!(ids(grey, Sixteen, None, &one), [1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        use png::BitDepth::{Eight, Sixteen};
        let rgb = file(png::ColorType::Rgb, Eight, &[9; 18]);
        let alpha = file(png::ColorType::GrayscaleAlpha, Eight, &[9; 12]);
        let large = file(png::ColorType::Grayscale, Sixteen, &[0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let jpeg = tempfile::NamedTempFile::new().expect("a file");
        fs::write(jpeg.path(), b"\xFF\xD8\xFF\xE0").expect("written");
        let broken = tempfile::NamedTempFile::new().expect("a file");
        fs::write(broken.path(), b"\x89PNG\r\n\x1a\n").expect("written");
        for (file, reason) in [
            (rgb, "indexed or grey"),
            (alpha, "indexed or grey"),
            (large, "above 255"),
            (jpeg, "no PNG"),
            (broken, "broken"),
        ] {
            let message = LabelMap::read(file.path(), Some(255)).expect_err("no labels").to_string();
            assert!(message.contains(reason) && message.contains(file.path().to_str().expect("text")), "{message}");
        }
    }

    #[test]
    fn files_come_back_and_look_like_davis() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("00000.png");
        let labels = LabelMap::new(256, 2, (0..=255).chain((0..=255).rev()).collect()).expect("labels");
        labels.write(&path).expect("written");
        assert_eq!(LabelMap::read(&path, None).expect("read"), labels);
        let colours = crate::image::read(&path).expect("a picture");
        assert_eq!(colours.rgb[..12], [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]);
        assert_eq!(LabelMap::new(256, 2, vec![1; 512]).expect("labels").objects(), [1]);
        assert!(LabelMap::new(3, 2, vec![0; 5]).is_err() && LabelMap::new(0, 2, vec![]).is_err());
    }
}
