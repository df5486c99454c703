//! Depthwise 7 × 7 convolution, channels last.

use rayon::prelude::*;

use super::tile::{Portable, TileKernel, Work};

const SIDE: usize = 7;
/// Channels that are summed in registers at a time.
const CHANNELS: usize = 32;

/// Weights of a depthwise 7 × 7 convolution with padding 3 and stride 1.
#[derive(Clone, Debug)]
pub struct Depthwise {
    /// `[7, 7, channels]`
    weight: Vec<f32>,
    /// `[channels]`
    bias: Vec<f32>,
}

impl Depthwise {
    /// `weight` as stored, `[channels, 1, 7, 7]`; `bias` is `[channels]`.
    pub fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let channels = bias.len();
        let taps = SIDE * SIDE;
        let transposed = (0..taps * channels).map(|i| weight[i % channels * taps + i / channels]).collect();
        Self { weight: transposed, bias }
    }

    /// `x` and `out` are `[rows, cols, channels]`.
    pub fn apply(&self, x: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
        let width = cols * self.bias.len();
        out.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
            Portable.vectorize(Row { layer: self, x, rows, cols, row, out });
        });
    }
}

/// One row of the output.
struct Row<'a> {
    layer: &'a Depthwise,
    x: &'a [f32],
    rows: usize,
    cols: usize,
    row: usize,
    /// `[cols, channels]`
    out: &'a mut [f32],
}

impl Work for Row<'_> {
    #[inline(always)]
    fn run(self) {
        let channels = self.layer.bias.len();
        for (col, out) in self.out.chunks_exact_mut(channels).enumerate() {
            for (block, out) in out.chunks_mut(CHANNELS).enumerate() {
                let first = block * CHANNELS;
                let count = out.len();
                let mut sums = [0f32; CHANNELS];
                sums[..count].copy_from_slice(&self.layer.bias[first..first + count]);
                for (dy, y) in taps(self.row, self.rows) {
                    for (dx, x) in taps(col, self.cols) {
                        let pixel = &self.x[(y * self.cols + x) * channels + first..][..count];
                        let weight = &self.layer.weight[(dy * SIDE + dx) * channels + first..][..count];
                        accumulate(&mut sums, pixel, weight);
                    }
                }
                out.copy_from_slice(&sums[..count]);
            }
        }
    }
}

/// Taps of the kernel that fall inside of an axis of `len`, with the place that each reads, for the output at `at`.
#[inline(always)]
fn taps(at: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    const PADDING: usize = SIDE / 2;
    let first = PADDING.saturating_sub(at);
    let last = SIDE.min(len + PADDING - at);
    (first..last).map(move |tap| (tap, at + tap - PADDING))
}

#[inline(always)]
fn accumulate(sums: &mut [f32; CHANNELS], pixel: &[f32], weight: &[f32]) {
    match (pixel.first_chunk::<CHANNELS>(), weight.first_chunk::<CHANNELS>()) {
        (Some(pixel), Some(weight)) => {
            for ((sum, pixel), weight) in sums.iter_mut().zip(pixel).zip(weight) {
                *sum = pixel.mul_add(*weight, *sum);
            }
        }
        _ => {
            for ((sum, pixel), weight) in sums.iter_mut().zip(pixel).zip(weight) {
                *sum = pixel.mul_add(*weight, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_up_to_the_border() {
        let (rows, cols, channels) = (5, 9, 37);
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let x: Vec<f32> = (0..rows * cols * channels).map(number).collect();
        let weight: Vec<f32> = (0..channels * 49).map(|i| number(i + 17)).collect();
        let bias: Vec<f32> = (0..channels).map(|i| number(i + 5)).collect();
        let mut out = vec![f32::NAN; x.len()];
        Depthwise::new(&weight, bias.clone()).apply(&x, rows, cols, &mut out);
        for (i, got) in out.iter().enumerate() {
            let (row, col, channel) = (i / channels / cols, i / channels % cols, i % channels);
            let mut expected = f64::from(bias[channel]);
            for dy in 0..7 {
                for dx in 0..7 {
                    let (y, x_at) = ((row + dy).wrapping_sub(3), (col + dx).wrapping_sub(3));
                    if y < rows && x_at < cols {
                        let pixel = x[(y * cols + x_at) * channels + channel];
                        expected += f64::from(pixel) * f64::from(weight[channel * 49 + dy * 7 + dx]);
                    }
                }
            }
            assert!((f64::from(*got) - expected).abs() < 1e-5, "{row} {col} {channel}: {got} {expected}");
        }
    }
}
