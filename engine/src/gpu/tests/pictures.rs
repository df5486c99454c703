//! Pictures and colours as they lie on the device.

use ndarray::arr3;

use super::{gpu, read_texture};
use crate::gpu::{GpuError, PictureTexture, upload_colours};
use crate::image::Picture;

fn picture(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Picture {
    let pixels = (0..width * height).map(|i| pixel(i % width, i / width));
    Picture::from_rgb(width, height, pixels.flatten().collect()).expect("a picture")
}

#[test]
fn a_picture_is_there_with_all_levels() {
    let gpu = gpu();
    let pixel = |x: usize, y: usize| [x as u8, y as u8, (x * y) as u8];
    for (width, height, levels) in [(1, 1, 1), (64, 32, 7), (37, 5, 6), (3, 250, 8)] {
        let uploaded = PictureTexture::upload(&gpu, &picture(width, height, pixel)).expect("it fits");
        let texture = uploaded.view.texture();
        assert_eq!((uploaded.size, texture.mip_level_count()), ((width as u32, height as u32), levels));
        assert_eq!(texture.format(), wgpu::TextureFormat::Rgba8UnormSrgb);
        let expected: Vec<[u8; 4]> =
            (0..width * height).map(|i| pixel(i % width, i / width)).map(|[r, g, b]| [r, g, b, 255]).collect();
        assert_eq!(read_texture(&gpu, texture, 0), expected);
        let texels: usize = (0..levels).map(|level| (width >> level).max(1) * (height >> level).max(1)).sum();
        assert_eq!(uploaded.bytes, 4 * texels);
    }
}

/// Half the light is 188 as sRGB, not 128.
#[test]
fn a_checkerboard_becomes_mid_grey_in_linear_light() {
    let gpu = gpu();
    let board = picture(64, 64, |x, y| if (x + y) % 2 == 0 { [255, 255, 0] } else { [0, 255, 0] });
    let uploaded = PictureTexture::upload(&gpu, &board).expect("it fits");
    for level in 1..7 {
        for [red, green, blue, alpha] in read_texture(&gpu, uploaded.view.texture(), level) {
            assert!(red.abs_diff(188) <= 1, "level {level}: {red}");
            assert_eq!([green, blue, alpha], [255, 0, 255], "level {level}");
        }
    }
}

/// A column of 3 and of 5 texels, of which one is lit: each texel below has the share of it that it covers.
#[test]
fn odd_sides_are_covered_evenly() {
    let gpu = gpu();
    let encode = |linear: f32| ((1.055 * linear.powf(1.0 / 2.4) - 0.055) * 255.0).round() as u8;
    for (height, lit, level, expected) in [
        (3, 0, 1, &[1.0 / 3.0][..]),
        (3, 1, 1, &[1.0 / 3.0]),
        (3, 2, 1, &[1.0 / 3.0]),
        (5, 2, 1, &[0.2, 0.2]),
        (5, 1, 1, &[0.4, 0.0]),
    ] {
        let column = picture(1, height, |_, y| if y == lit { [255; 3] } else { [0; 3] });
        let uploaded = PictureTexture::upload(&gpu, &column).expect("it fits");
        let found = read_texture(&gpu, uploaded.view.texture(), level);
        assert_eq!(found.len(), expected.len());
        for (texel, &light) in found.iter().zip(expected) {
            let expected = if light == 0.0 { 0 } else { encode(light) };
            assert!(texel[0].abs_diff(expected) <= 1, "{lit} of {height}: {found:?}");
        }
    }
}

#[test]
fn a_large_picture_is_scaled_down() {
    let gpu = gpu();
    let halves = picture(300, 100, |x, _| if x < 150 { [200, 0, 10] } else { [0, 100, 10] });
    let uploaded = PictureTexture::upload_within(&gpu, &halves, 64).expect("it fits");
    assert_eq!(uploaded.size, (64, 21));
    for (i, texel) in read_texture(&gpu, uploaded.view.texture(), 0).into_iter().enumerate() {
        match i % 64 {
            ..31 => assert_eq!(texel, [200, 0, 10, 255], "texel {i}"),
            33.. => assert_eq!(texel, [0, 100, 10, 255], "texel {i}"),
            _ => {}
        }
    }
    let line = picture(500, 1, |_, _| [7; 3]);
    assert_eq!(PictureTexture::upload_within(&gpu, &line, 16).expect("it fits").size, (16, 1));
    let error = PictureTexture::upload_within(&gpu, &picture(1 << 20, 1, |_, _| [7; 3]), u32::MAX);
    assert!(matches!(error, Err(GpuError::DoesNotFit { what: "the picture", .. })), "{error:?}");
}

#[test]
fn colours_are_bytes_per_patch() {
    let gpu = gpu();
    let colours = arr3(&[[[0.0, 0.5, 1.0], [-1.0, 2.0, f32::NAN]], [[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]]]);
    let view = upload_colours(&gpu, &colours);
    assert_eq!(view.texture().format(), wgpu::TextureFormat::Rgba8Unorm);
    let expected = [[0, 128, 255, 255], [0, 255, 0, 255], [26, 51, 77, 255], [255; 4]];
    assert_eq!(read_texture(&gpu, view.texture(), 0), expected);
}
