//! Two pictures side by side with lines between matching points.

use ::image::RgbImage;
use ::image::imageops::{self, FilterType};

use super::canvas::Canvas;
use crate::image::Picture;

/// A coloured line from a point of the left picture to one of the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// (x, y) in pixels of the left picture.
    pub left: (f64, f64),
    /// (x, y) in pixels of the right picture.
    pub right: (f64, f64),
    /// RGB in 0..=1.
    pub colour: [f32; 3],
}

/// Heights that pictures are brought to, in pixels: small ones are enlarged, so that lines can be told apart.
const HEIGHTS: std::ops::RangeInclusive<usize> = 360..=1080;
/// Width in pixels that no picture is brought to, however flat it is.
const MAX_WIDTH: usize = 16_384;
/// Between and around pictures.
const BACKGROUND: [u8; 3] = [18, 19, 23];

/// Height in pixels at which two pictures stand side by side: that of the taller, within 360 to 1080; less where one of
/// them is very flat.
pub fn common_height(left: &Picture, right: &Picture) -> usize {
    let highest = |picture: &Picture| (MAX_WIDTH * picture.height / picture.width).max(1);
    let height = left.height.max(right.height).clamp(*HEIGHTS.start(), *HEIGHTS.end());
    height.min(highest(left)).min(highest(right))
}

/// Side by side at their [`common_height`], with anti-aliased lines and dots.
pub fn side_by_side(left: &Picture, right: &Picture, lines: &[Line]) -> Picture {
    let height = common_height(left, right);
    let (left_scale, right_scale) = (height as f64 / left.height as f64, height as f64 / right.height as f64);
    let (left, right) = (scaled_to_height(left, height), scaled_to_height(right, height));
    let gap = height / 60;
    let right_start = left.width + gap;
    let mut result = blank(right_start + right.width, height);
    paste(&mut result, &left, (0, 0));
    paste(&mut result, &right, (right_start, 0));

    let width = height as f64 / 320.0;
    let mut canvas = Canvas { picture: &mut result };
    let ends: Vec<_> = lines
        .iter()
        .map(|line| {
            let from = (line.left.0 * left_scale, line.left.1 * left_scale);
            let to = (right_start as f64 + line.right.0 * right_scale, line.right.1 * right_scale);
            (from, to, line.colour.map(|v| v * 255.0))
        })
        .collect();
    for &(from, to, colour) in &ends {
        canvas.segment(from, to, width + 2.0, [0.0; 3], 0.35);
        canvas.segment(from, to, width, colour, 0.95);
    }
    for &(from, to, colour) in &ends {
        for end in [from, to] {
            canvas.disc(end, 2.2 * width + 2.0, [255.0; 3], 1.0);
            canvas.disc(end, 2.2 * width, colour, 1.0);
        }
    }
    result
}

/// One picture above the other, centred on the wider of them.
pub fn stacked(top: &Picture, bottom: &Picture) -> Picture {
    let width = top.width.max(bottom.width);
    let gap = (top.height + bottom.height) / 120;
    let mut result = blank(width, top.height + gap + bottom.height);
    paste(&mut result, top, ((width - top.width) / 2, 0));
    paste(&mut result, bottom, ((width - bottom.width) / 2, top.height + gap));
    result
}

fn blank(width: usize, height: usize) -> Picture {
    Picture { width, height, rgb: BACKGROUND.repeat(width * height) }
}

/// Copies a picture into a larger one, which must have the room.
pub(super) fn paste(onto: &mut Picture, picture: &Picture, (x, y): (usize, usize)) {
    for (row, source) in picture.rgb.chunks_exact(picture.width * 3).enumerate() {
        let start = ((y + row) * onto.width + x) * 3;
        onto.rgb[start..start + source.len()].copy_from_slice(source);
    }
}

fn scaled_to_height(picture: &Picture, height: usize) -> Picture {
    if picture.height == height {
        return picture.clone();
    }
    scaled(picture, (picture.width * height).div_ceil(picture.height).max(1), height)
}

/// The picture at another size.
pub(super) fn scaled(picture: &Picture, width: usize, height: usize) -> Picture {
    let source = RgbImage::from_raw(picture.width as u32, picture.height as u32, picture.rgb.clone())
        .expect("a picture holds width * height * 3 numbers");
    let scaled = imageops::resize(&source, width as u32, height as u32, FilterType::Triangle);
    Picture { width, height, rgb: scaled.into_raw() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize, value: u8) -> Picture {
        Picture { width, height, rgb: vec![value; width * height * 3] }
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let start = (y * picture.width + x) * 3;
        [picture.rgb[start], picture.rgb[start + 1], picture.rgb[start + 2]]
    }

    #[test]
    fn pictures_come_to_one_height_and_lines_end_on_their_points() {
        let line = Line { left: (100.0, 100.0), right: (50.0, 150.0), colour: [1.0, 0.0, 0.0] };
        let result = side_by_side(&plain(300, 400, 0), &plain(100, 200, 255), &[line]);
        assert_eq!((result.width, result.height), (300 + 6 + 200, 400));
        assert_eq!(pixel(&result, 100, 100), [255, 0, 0]);
        assert_eq!(pixel(&result, 306 + 100, 300), [255, 0, 0]);
        assert_eq!(pixel(&result, 20, 380), [0; 3]);
        assert_eq!(pixel(&result, 500, 20), [255; 3]);
    }

    #[test]
    fn stacked_pictures_are_centred() {
        let result = stacked(&plain(4, 60, 200), &plain(2, 60, 100));
        assert_eq!((result.width, result.height), (4, 121));
        assert_eq!(pixel(&result, 0, 0), [200; 3]);
        assert_eq!(pixel(&result, 0, 120), BACKGROUND);
        assert_eq!(pixel(&result, 1, 120), [100; 3]);
    }

    #[test]
    fn tiny_pictures_and_far_points_do_no_harm() {
        let line = Line { left: (-900.0, 1e5), right: (1e5, -3.0), colour: [0.5; 3] };
        let still = Line { left: (0.0, 0.0), right: (0.0, 0.0), colour: [0.5; 3] };
        assert_eq!(side_by_side(&plain(1, 1, 0), &plain(1, 1, 0), &[line, still]).height, 360);
        let flat = side_by_side(&plain(16_384, 2, 0), &plain(1, 1, 0), &[line, still]);
        assert_eq!((flat.width, flat.height), (16_384 + 2, 2));
    }
}
