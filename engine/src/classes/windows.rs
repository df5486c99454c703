//! Parts of a picture that overlap and are looked at one by one (references:
//! `notebooks/dinotxt_segmentation_inference.ipynb`, `dinov3/eval/segmentation/inference.py`; both the same).

use std::ops::Range;

use crate::image::Pixels;

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its left edge, in pixels.
    pub x: usize,
    /// Its upper edge, in pixels.
    pub y: usize,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
}

/// Squares of `side` every `stride` pixels, row by row; the last of a row or column is moved back into the picture. A
/// picture smaller than a square is cut off at its edges.
pub fn windows(width: usize, height: usize, side: usize, stride: usize) -> Vec<Window> {
    let starts = |len: usize| {
        let count = (len + stride - 1).saturating_sub(side) / stride + 1;
        let last = len.saturating_sub(side);
        (0..count).map(move |i| (i * stride).min(last))
    };
    let (window_width, window_height) = (side.min(width), side.min(height));
    let row = |y: usize| starts(width).map(move |x| Window { x, y, width: window_width, height: window_height });
    starts(height).flat_map(row).collect()
}

/// A window's pixels.
pub fn cut(pixels: &Pixels, window: Window) -> Pixels {
    let Window { x, y, width, height } = window;
    let planes = pixels.data.chunks_exact(pixels.width * pixels.height);
    let rows = planes.flat_map(|plane| plane.chunks_exact(pixels.width).skip(y).take(height));
    Pixels { width, height, data: rows.flat_map(|row| &row[x..x + width]).copied().collect() }
}

/// A row of the mean over the windows that cover it, `[classes, columns]`, into zeros; `row_of` gives a row of one window
/// in its own coordinates, `[classes, columns]`.
pub(crate) fn mean_row<T>(
    windows: &[(Window, T)],
    y: usize,
    columns: Range<usize>,
    means: &mut [f32],
    row_of: impl Fn(&T, &Window, usize, Range<usize>) -> Vec<f32>,
) {
    let width = columns.len();
    let mut counts = vec![0f32; width];
    for (window, content) in windows.iter().filter(|(window, _)| (window.y..window.y + window.height).contains(&y)) {
        let (start, end) = (window.x.max(columns.start), (window.x + window.width).min(columns.end));
        if start >= end {
            continue;
        }
        let row = row_of(content, window, y - window.y, start - window.x..end - window.x);
        let inside = start - columns.start..end - columns.start;
        for (means, row) in means.chunks_exact_mut(width).zip(row.chunks_exact(end - start)) {
            means[inside.clone()].iter_mut().zip(row).for_each(|(mean, score)| *mean += score);
        }
        counts[inside].iter_mut().for_each(|count| *count += 1.0);
    }
    for means in means.chunks_exact_mut(width) {
        means.iter_mut().zip(&counts).for_each(|(mean, count)| *mean /= count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(width: usize, side: usize, stride: usize) -> Vec<usize> {
        windows(width, side, side, stride).iter().map(|window| window.x).collect()
    }

    #[test]
    fn windows_cover_every_pixel() {
        assert_eq!(starts(384, 384, 192), [0]);
        assert_eq!(starts(385, 384, 192), [0, 1]);
        assert_eq!(starts(512, 384, 192), [0, 128]);
        assert_eq!(starts(768, 384, 192), [0, 192, 384]);
        assert_eq!(starts(769, 384, 192), [0, 192, 384, 385]);
        assert_eq!(starts(10, 384, 192), [0]);
        for (width, height) in [(300, 700), (512, 683), (1, 1)] {
            let mut covered = vec![false; width * height];
            for Window { x, y, width: w, height: h } in windows(width, height, 100, 60) {
                assert_eq!((w, h), (width.min(100), height.min(100)));
                (y..y + h).for_each(|y| covered[y * width + x..][..w].fill(true));
            }
            assert!(covered.iter().all(|covered| *covered), "{width}x{height}");
        }
    }

    #[test]
    fn a_window_is_cut_out() {
        let pixels = Pixels { width: 3, height: 2, data: (0..18).map(|v| v as f32).collect() };
        let cut = cut(&pixels, Window { x: 1, y: 1, width: 2, height: 1 });
        assert_eq!(cut, Pixels { width: 2, height: 1, data: vec![4.0, 5.0, 10.0, 11.0, 16.0, 17.0] });
    }
}
