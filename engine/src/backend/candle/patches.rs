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
}
