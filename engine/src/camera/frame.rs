//! From what cameras send to RGB.

use std::path::Path;

use yuv::{YuvPackedImage, YuvRange, YuvStandardMatrix};

use crate::image::Picture;
use crate::image::decode::from_bytes;

/// The segment by which decoders know Motion JPEG, whose Huffman tables are those of the standard's annex K.
const MOTION_JPEG: &[u8] = b"\xFF\xE0\x00\x07AVI1\0";

/// How a camera encodes its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A JPEG file each; the tables of "Motion JPEG" may be left out.
    Jpeg,
    /// Y', Cb, Y', Cr for two pixels, rows `stride` bytes apart; BT.601 with limited range, as cameras send it.
    Yuyv {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// In bytes.
        stride: usize,
    },
}

/// Decodes a frame.
///
/// # Errors
/// What is wrong with it.
pub fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Picture, String> {
    match encoding {
        Encoding::Jpeg if has_tables(bytes) == Some(false) => {
            decode_jpeg(&[&bytes[..2], MOTION_JPEG, &bytes[2..]].concat())
        }
        Encoding::Jpeg => decode_jpeg(bytes),
        Encoding::Yuyv { width, height, stride } => {
            let (expected, got) = (stride * height, bytes.len());
            if got < expected {
                return Err(format!("it has {got} bytes where {expected} are expected"));
            }
            let yuy = &bytes[..expected];
            let packed = YuvPackedImage { yuy, yuy_stride: stride as u32, width: width as u32, height: height as u32 };
            let mut rgb = vec![0; width * height * 3];
            let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
            yuv::yuyv422_to_rgb(&packed, &mut rgb, 3 * width as u32, range, matrix).map_err(|e| e.to_string())?;
            Picture::from_rgb(width, height, rgb).map_err(|error| error.to_string())
        }
    }
}

fn decode_jpeg(bytes: &[u8]) -> Result<Picture, String> {
    from_bytes(Path::new("frame.jpg"), bytes).map_err(|error| error.to_string())
}

/// Whether a JPEG file brings its Huffman tables; `None` where it ends too soon to tell.
fn has_tables(jpeg: &[u8]) -> Option<bool> {
    let mut at = 2;
    loop {
        let &[_, marker, high, low] = jpeg.get(at..at + 4)?.first_chunk()?;
        match marker {
            0xC4 => return Some(true),
            0xDA => return Some(false),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_are_rgb() {
        // White and black, then red twice (BT.601); a row ends with two bytes that are no samples.
        let rows = [[235, 128, 16, 128, 81, 90, 81, 240, 7, 7], [16, 128, 235, 128, 81, 90, 81, 240, 7, 7]];
        let encoding = Encoding::Yuyv { width: 4, height: 2, stride: 10 };
        let picture = decode(encoding, rows.as_flattened()).expect("a picture");
        let near = |at: usize, colour: [u8; 3]| {
            let got = &picture.rgb[3 * at..3 * at + 3];
            assert!(got.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 2), "pixel {at} is {got:?}");
        };
        let (white, black, red) = ([255; 3], [0; 3], [255, 0, 0]);
        [white, black, red, red, black, white, red, red].into_iter().enumerate().for_each(|(at, c)| near(at, c));
        assert!(decode(encoding, &rows.as_flattened()[..19]).is_err());
    }

    /// As cameras send them: without the Huffman tables, which are always the same.
    #[test]
    fn jpegs_without_tables_are_read() {
        let pixel = |x: u32, y: u32| image::Rgb([(8 * x) as u8, (8 * y) as u8, 128]);
        let mut whole = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut whole, 90);
        image::RgbImage::from_fn(32, 24, pixel).write_with_encoder(encoder).expect("a JPEG");
        let picture = decode(Encoding::Jpeg, &whole).expect("a picture");
        assert_eq!((picture.width, picture.height), (32, 24));
        assert_eq!(decode(Encoding::Jpeg, &without_tables(&whole)).expect("a picture"), picture);
        assert!(decode(Encoding::Jpeg, &whole[..40]).is_err());
    }

    fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
        loop {
            let len = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            match jpeg[at + 1] {
                0xDA => {
                    out.extend(&jpeg[at..]);
                    return out;
                }
                0xC4 => {}
                _ => out.extend(&jpeg[at..at + len]),
            }
            at += len;
        }
    }
}
