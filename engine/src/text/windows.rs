//! Parts of a picture that are described one by one, and their way to a size that a backbone takes (reference:
//! `notebooks/dinotxt_segmentation_inference.ipynb`).

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

/// The same picture at the next multiples of `patch`, as torch's `interpolate(mode="bicubic")` enlarges it: without
/// antialiasing, with a = -0.75, and free to leave the range of its values.
pub fn stretch(pixels: Pixels, patch: usize) -> Pixels {
    let (width, height) = (pixels.width.next_multiple_of(patch), pixels.height.next_multiple_of(patch));
    if (width, height) == (pixels.width, pixels.height) {
        return pixels;
    }
    let columns: Vec<Taps> = (0..width).map(|x| Taps::at(x, pixels.width, width)).collect();
    let mut data = Vec::with_capacity(3 * width * height);
    for plane in pixels.data.chunks_exact(pixels.width * pixels.height) {
        let narrow = plane.chunks_exact(pixels.width);
        let wide: Vec<f32> = narrow.flat_map(|row| columns.iter().map(|taps| taps.sum(|index| row[index]))).collect();
        for y in 0..height {
            let taps = Taps::at(y, pixels.height, height);
            data.extend((0..width).map(|x| taps.sum(|index| wide[index * width + x])));
        }
    }
    Pixels { width, height, data }
}

/// Four neighbours and their weights.
struct Taps {
    indices: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    fn at(index: usize, from: usize, to: usize) -> Self {
        let position = (from as f32 / to as f32) * (index as f32 + 0.5) - 0.5;
        let first = position.floor();
        let share = position - first;
        let clamped = |offset: isize| (first as isize + offset).clamp(0, from as isize - 1) as usize;
        Self { indices: [-1, 0, 1, 2].map(clamped), weights: [share + 1.0, share, 1.0 - share, 2.0 - share].map(cubic) }
    }

    fn sum(&self, value: impl Fn(usize) -> f32) -> f32 {
        self.indices.iter().zip(self.weights).map(|(&index, weight)| value(index) * weight).sum()
    }
}

/// Keys' kernel with a = -0.75 at a distance of 0 to 2.
fn cubic(x: f32) -> f32 {
    const A: f32 = -0.75;
    if x <= 1.0 { ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0 } else { ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A }
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
    fn stretching_is_torchs() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 1., 5.], [2., -4., 3.]]]]), (4, 4), mode="bicubic")
        let expected = [
            -0.335_706_7,
            0.496_259_7,
            3.045_705_8,
            5.475_336,
            0.495_182,
            -0.435_794_83,
            1.489_147_2,
            4.882_770_5,
            1.863_704_7,
            -1.970_943_5,
            -1.074_596_4,
            3.906_780_2,
            2.694_593_4,
            -2.902_998,
            -2.631_155,
            3.314_214_7,
        ];
        let plane = [0.0, 1.0, 5.0, 2.0, -4.0, 3.0];
        let found = stretch(Pixels { width: 3, height: 2, data: plane.repeat(3) }, 4);
        assert_eq!((found.width, found.height), (4, 4));
        for (got, expected) in found.data.iter().zip(expected.repeat(3)) {
            assert!((got - expected).abs() < 1e-5, "{:?}", found.data);
        }
        let same = Pixels { width: 4, height: 4, data: found.data };
        assert_eq!(stretch(same.clone(), 4), same);
    }

    #[test]
    fn a_window_is_cut_out() {
        let pixels = Pixels { width: 3, height: 2, data: (0..18).map(|v| v as f32).collect() };
        let cut = cut(&pixels, Window { x: 1, y: 1, width: 2, height: 1 });
        assert_eq!(cut, Pixels { width: 2, height: 1, data: vec![4.0, 5.0, 10.0, 11.0, 16.0, 17.0] });
    }
}
