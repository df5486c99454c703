//! Pixels on their way to a size that a network takes, as torch's `interpolate` resizes them: without antialiasing.

use super::Pixels;
use crate::classes::bilinear;

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

/// The same picture as a square, as torch's `interpolate(mode="bilinear")` resizes it: without antialiasing.
pub fn to_square(pixels: &Pixels, side: usize) -> Pixels {
    let (columns, rows) = (bilinear::Taps::new(pixels.width, side), bilinear::Taps::new(pixels.height, side));
    let mut data = Vec::with_capacity(3 * side * side);
    for plane in pixels.data.chunks_exact(pixels.width * pixels.height) {
        for y in 0..side {
            let (top, bottom, down) = rows.at(y);
            let value = |x: usize, row: usize| {
                let (left, right, share) = columns.at(x);
                plane[row * pixels.width + left] * (1.0 - share) + plane[row * pixels.width + right] * share
            };
            data.extend((0..side).map(|x| value(x, top) * (1.0 - down) + value(x, bottom) * down));
        }
    }
    Pixels { width: side, height: side, data }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
