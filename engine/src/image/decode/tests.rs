use std::io::Write;

use image::{ExtendedColorType, ImageEncoder};
use proptest::prelude::*;

use super::*;

const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::Gif];

/// A name that promises another format than any: only the content counts.
fn decode_all(bytes: &[u8]) -> Result<Picture, PictureError> {
    from_bytes(Path::new("some.jpeg2000"), bytes)
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

/// Smooth, so that JPEG keeps it.
fn ramp(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * 200 / width) as u8, (y * 200 / height) as u8, 40 + (x + y) as u8])
    })
}

#[test]
fn every_format() {
    // Blocks of eight pixels, so that JPEG keeps them and GIF's palette suffices.
    let image = image::RgbImage::from_fn(24, 17, |x, y| image::Rgb([(x / 8 * 90) as u8, (y / 8 * 90) as u8, 50]));
    for format in FORMATS {
        let picture = decode_all(&encode(&image.clone().into(), format)).expect("a picture");
        assert_eq!((picture.width, picture.height), (24, 17), "{format:?}");
        let tolerance = if format == ImageFormat::Jpeg { 12 } else { 0 };
        let off = picture.rgb.iter().zip(image.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
        assert!(off <= tolerance, "{format:?} is {off} off");
    }
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let values = vec![0u16, 128, 129, 257, 32_767, 65_406, 65_407, 65_535];
    let expected = [0u8, 0, 1, 1, 127, 254, 255, 255];
    let grey = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(8, 1, values.clone()).expect("grey");
    let rgb = values.iter().flat_map(|&v| [v; 3]).collect();
    let rgb = image::ImageBuffer::<image::Rgb<u16>, Vec<u16>>::from_raw(8, 1, rgb).expect("RGB");
    for image in [DynamicImage::ImageLuma16(grey), DynamicImage::ImageRgb16(rgb)] {
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            let picture = decode_all(&encode(&image, format)).expect("a picture");
            assert_eq!(picture.rgb, expected.iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>(), "{format:?}");
        }
    }
}

#[test]
fn alpha_is_composited_on_white() {
    // Pillow: Image.new("L", size, 255).paste(value, mask=alpha).
    let rgba = image::RgbaImage::from_raw(3, 1, vec![10, 20, 30, 0, 10, 20, 30, 128, 10, 20, 30, 255]).expect("RGBA");
    let expected = [255, 255, 255, 132, 137, 142, 10, 20, 30];
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        assert_eq!(decode_all(&encode(&rgba.clone().into(), format)).expect("a picture").rgb, expected, "{format:?}");
    }
    let grey = image::GrayAlphaImage::from_raw(2, 1, vec![100, 0, 100, 200]).expect("grey");
    assert_eq!(
        decode_all(&encode(&grey.into(), ImageFormat::Png)).expect("a picture").rgb,
        [255, 255, 255, 133, 133, 133]
    );
    let deep =
        image::ImageBuffer::<image::Rgba<u16>, _>::from_raw(1, 1, vec![0u16, 65_535, 257 * 7, 32_768]).expect("RGBA");
    assert_eq!(decode_all(&encode(&deep.into(), ImageFormat::Png)).expect("a picture").rgb, [127, 255, 131]);
    let deep = image::ImageBuffer::<image::LumaA<u16>, _>::from_raw(1, 1, vec![0u16, 0]).expect("grey");
    assert_eq!(decode_all(&encode(&deep.into(), ImageFormat::Png)).expect("a picture").rgb, [255; 3]);
}

#[test]
fn palettes_and_single_bits() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette([1, 2, 3, 4, 5, 6, 7, 8, 9].as_slice());
    encoder.set_trns([255, 255, 0].as_slice());
    encoder.write_header().expect("header").write_image_data(&[0b0001_1000]).expect("data");
    assert_eq!(decode_all(&bytes).expect("a picture").rgb, [1, 2, 3, 4, 5, 6, 255, 255, 255, 1, 2, 3]);

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().expect("header").write_image_data(&[0b1010_0000]).expect("data");
    assert_eq!(decode_all(&bytes).expect("a picture").rgb, [255, 255, 255, 0, 0, 0, 255, 255, 255]);
}

#[test]
fn first_frame_of_an_animation() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for grey in [10, 200] {
        let frame = image::RgbaImage::from_pixel(5, 4, image::Rgba([grey, grey, grey, 255]));
        encoder.encode_frame(image::Frame::new(frame)).expect("a frame");
    }
    drop(encoder);
    assert_eq!(decode_all(&bytes).expect("a picture").rgb, [10; 60]);
}

#[test]
fn floating_point_is_a_clear_error() {
    let image = DynamicImage::ImageRgb32F(image::ImageBuffer::from_pixel(2, 2, image::Rgb([0.5; 3])));
    let message = decode_all(&encode(&image, ImageFormat::Tiff)).expect_err("floats").to_string();
    assert!(message.contains("floating-point") && message.contains("16 bits"), "{message}");
}

/// A little-endian EXIF block with nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn every_orientation_of_every_format_that_has_it() {
    // Upright, the corners are red, green, blue and black; three by two blocks of eight for JPEG.
    let corner = |x: u32, y: u32, w: u32, h: u32| match (x * 2 < w, y * 2 < h) {
        (true, true) => [250u8, 10, 10],
        (false, true) => [10, 250, 10],
        (true, false) => [10, 10, 250],
        (false, false) => [10, 10, 10],
    };
    for orientation in 1..=8u8 {
        // Where the stored pixel (x, y) of EXIF 2.3's table ends up, inverted: stored = f(upright).
        let (width, height) = if orientation >= 5 { (32, 48) } else { (48, 32) };
        let stored = image::RgbImage::from_fn(width, height, |x, y| {
            let (mx, my) = (width - 1 - x, height - 1 - y);
            let (upright_x, upright_y) = match orientation {
                1 => (x, y),
                2 => (mx, y),
                3 => (mx, my),
                4 => (x, my),
                5 => (y, x),
                6 => (my, x),
                7 => (my, mx),
                _ => (y, mx),
            };
            image::Rgb(corner(upright_x, upright_y, 48, 32))
        });
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
            let picture = decode_all(&with_orientation(&stored, format, orientation)).expect("a picture");
            assert_eq!((picture.width, picture.height), (48, 32), "{format:?} {orientation}");
            for (x, y) in [(4, 4), (40, 4), (4, 28), (40, 28)] {
                let pixel = &picture.rgb[(y * 48 + x) * 3..][..3];
                let expected = corner(x as u32, y as u32, 48, 32);
                let off = pixel.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max().expect("channels");
                assert!(off < 20, "{format:?} {orientation} ({x}, {y}): {pixel:?}, not {expected:?}");
            }
        }
    }
}

fn with_orientation(image: &image::RgbImage, format: ImageFormat, orientation: u8) -> Vec<u8> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    let written = match format {
        ImageFormat::Jpeg => {
            let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
            encoder.set_exif_metadata(exif(orientation)).expect("EXIF");
            encoder.write_image(image, width, height, ExtendedColorType::Rgb8)
        }
        ImageFormat::Png => {
            let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif(orientation)).expect("EXIF");
            encoder.write_image(image, width, height, ExtendedColorType::Rgb8)
        }
        ImageFormat::WebP => {
            let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
            encoder.set_exif_metadata(exif(orientation)).expect("EXIF");
            encoder.write_image(image, width, height, ExtendedColorType::Rgb8)
        }
        _ => {
            bytes = tiff(width, height, u16::from(orientation), image);
            Ok(())
        }
    };
    written.expect("encodes");
    bytes
}

/// An uncompressed RGB TIFF of one strip.
fn tiff(width: u32, height: u32, orientation: u16, rgb: &[u8]) -> Vec<u8> {
    let (short, long) = (3u16, 4u16);
    let tags: [(u16, u16, u32); 10] = [
        (256, long, width),
        (257, long, height),
        (258, short, 8),
        (259, short, 1),
        (262, short, 2),
        (273, long, 8),
        (274, short, u32::from(orientation)),
        (277, short, 3),
        (278, long, height),
        (279, long, rgb.len() as u32),
    ];
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((8 + rgb.len() as u32).to_le_bytes());
    bytes.extend(rgb);
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// Headers that claim far more pixels than the file holds.
#[test]
fn bombs_are_refused_from_the_header() {
    for side in [16_383, 16_385, 30_000, 65_535] {
        for format in FORMATS {
            if format == ImageFormat::WebP && side > 16_384 {
                // The format ends there.
                continue;
            }
            let error = decode_all(&claiming(format, side)).expect_err("a bomb");
            let message = error.to_string();
            let expected = matches!(error, PictureError::TooLarge { width, height, .. }
                if width == u32::from(side) && height == u32::from(side));
            assert!(expected, "{format:?} {side}: {message}");
        }
    }
}

/// A small file whose header says `side` by `side` pixels.
fn claiming(format: ImageFormat, side: u16) -> Vec<u8> {
    let mut bytes = encode(&ramp(16, 16).into(), format);
    let wide = u32::from(side);
    let mut put = |at: usize, data: &[u8]| bytes[at..at + data.len()].copy_from_slice(data);
    match format {
        ImageFormat::Png => {
            let mut chunk = b"IHDR".to_vec();
            chunk.extend([wide.to_be_bytes(), wide.to_be_bytes()].as_flattened());
            chunk.extend([8, 2, 0, 0, 0]);
            put(12, &chunk);
            put(29, &crc32(&chunk).to_be_bytes());
        }
        ImageFormat::Bmp => {
            put(18, &wide.to_le_bytes());
            put(22, &wide.to_le_bytes());
        }
        ImageFormat::Gif => {
            put(6, &side.to_le_bytes());
            put(8, &side.to_le_bytes());
        }
        ImageFormat::WebP => {
            // The lossless header: 14 bits each of width - 1 and height - 1 after the signature 2F.
            put(21, &((wide - 1) | (wide - 1) << 14).to_le_bytes());
        }
        ImageFormat::Jpeg => {
            let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).expect("a baseline frame");
            bytes[frame + 5..frame + 9].copy_from_slice([side.to_be_bytes(), side.to_be_bytes()].as_flattened());
        }
        _ => bytes = tiff(wide, wide, 1, &[0; 12]),
    }
    bytes
}

/// Of PNG chunks.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn truncated_files_are_errors() {
    for format in FORMATS {
        let bytes = encode(&ramp(40, 30).into(), format);
        // What follows the last pixel may be missing: a PNG's end chunk, a GIF's end code and trailer.
        let tail = match format {
            ImageFormat::Png => 12,
            ImageFormat::Gif => 3,
            _ => 0,
        };
        for length in 0..bytes.len() - tail {
            let whole = bytes.len();
            assert!(decode_all(&bytes[..length]).is_err(), "{format:?} cut to {length} of {whole} is taken as whole");
        }
    }
}

#[test]
fn garbage_is_an_error_that_names_the_file() {
    let noise: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for format in FORMATS {
        let mut bytes = encode(&ramp(4, 4).into(), format)[..4.max(signature(format))].to_vec();
        bytes.extend(&noise);
        let message = decode_all(&bytes).expect_err("garbage").to_string();
        assert!(
            message.starts_with("cannot read some.jpeg2000 as a picture: ") || message.contains("too large"),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
    }
    for bytes in [&b""[..], b"\xFF\xD8", b"hello, this is a text file", &noise] {
        let message = decode_all(bytes).expect_err("no picture").to_string();
        assert!(message.contains("it is not a JPEG, PNG"), "{message}");
    }
}

fn signature(format: ImageFormat) -> usize {
    match format {
        ImageFormat::WebP => 12,
        ImageFormat::Png => 8,
        _ => 4,
    }
}

#[test]
fn files_that_cannot_be_opened_are_io_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().join("missing.png"), folder.path().to_path_buf()] {
        let error = read(&path).expect_err("no file");
        assert!(matches!(error, Error::Io { action: "read", .. }), "{error}");
    }
    let path = folder.path().join("picture");
    let mut file = File::create(&path).expect("created");
    file.write_all(&encode(&ramp(3, 2).into(), ImageFormat::Bmp)).expect("written");
    assert_eq!(read(&path).expect("a picture").rgb, ramp(3, 2).into_raw());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a mutated file decodes to, it is an error or a whole picture, never a panic.
    #[test]
    fn mutations_never_panic(
        which in 0..FORMATS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = encode(&ramp(20, 15).into(), FORMATS[which]);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(picture) = decode_all(&bytes) {
            prop_assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
            prop_assert!(!picture.rgb.is_empty());
        }
        if let Ok(mask) = crate::image::mask::from_bytes(Path::new("mask.png"), &bytes) {
            prop_assert_eq!(mask.data.len(), mask.width * mask.height);
        }
    }
}
