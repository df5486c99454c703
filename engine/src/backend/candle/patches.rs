//! Convolutions whose stride is their size are linear layers on patches: here the patches are cut.

use crate::image::Pixels;

/// `[rows * cols, 3 * side * side]`: per patch its channels, rows and columns, as a convolution's weight is stored.
pub fn from_pixels(pixels: &Pixels, side: usize) -> Vec<f32> {
    let (rows, cols) = (pixels.height / side, pixels.width / side);
    let mut patches = Vec::with_capacity(rows * cols * 3 * side * side);
    for row in 0..rows {
        for col in 0..cols {
            for channel in 0..3 {
                for y in row * side..(row + 1) * side {
                    let start = (channel * pixels.height + y) * pixels.width + col * side;
                    patches.extend_from_slice(&pixels.data[start..start + side]);
                }
            }
        }
    }
    patches
}

/// A convolution's weight `[outputs, channels, taps]` as `[outputs, taps, channels]`.
pub fn channels_last(weight: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let swap = |output: &[f32]| -> Vec<f32> {
        (0..taps * channels).map(|i| output[i % channels * taps + i / channels]).collect()
    };
    weight.chunks_exact(channels * taps).flat_map(swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_keep_the_order_of_a_convolution() {
        let pixels = Pixels { width: 4, height: 2, data: (0..24).map(|i| i as f32).collect() };
        let patches = from_pixels(&pixels, 2);
        assert_eq!(patches[..12], [0., 1., 4., 5., 8., 9., 12., 13., 16., 17., 20., 21.]);
        assert_eq!(patches[12..16], [2., 3., 6., 7.]);
    }

    #[test]
    fn channels_move_behind_the_taps() {
        assert_eq!(channels_last(&[1., 2., 3., 4., 5., 6.], 2, 3), [1., 4., 2., 5., 3., 6.]);
    }
}
