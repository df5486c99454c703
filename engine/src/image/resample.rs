//! Antialiased resizing as torchvision's `resize(..., antialias=True)` does it on floats, which is what transformers'
//! `DINOv3ViTImageProcessor` runs. The `make_transform` of the reference's README resizes 8-bit pictures instead and
//! rounds after each pass; it differs from this by less than 1/255.
//!
//! Each output row is the weighted sum of a few input rows, resized horizontally at once: 8-bit input is read as it is,
//! and nothing larger than one row lies between input and output.

use rayon::prelude::*;

use super::{Picture, Pixels};

/// Interpolation of the resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Triangle, the models' default.
    Bilinear,
    /// Cubic with a = -0.5, as Pillow and torchvision use it when antialiasing.
    Bicubic,
}

impl Filter {
    /// Half the width of the kernel, in input pixels when enlarging.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            // Keys' kernel with a = -0.5, in Horner form.
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Self::Bicubic => 0.0,
        }
    }
}

/// The input samples that one output sample is made of.
struct Window {
    first: usize,
    /// They sum to one.
    weights: Vec<f32>,
}

/// One window per output sample; the rule is that of Pillow's `precompute_coeffs`, which torch follows.
fn windows(from: usize, to: usize, filter: Filter) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // When shrinking, the kernel is stretched over the input: this is the antialiasing.
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (first..end).map(|j| filter.at((j as f64 - centre + 0.5) / stretch)).collect();
            let sum: f64 = weights.iter().sum();
            Window { first, weights: weights.iter().map(|w| (w / sum) as f32).collect() }
        })
        .collect()
}

/// Resizes `picture` to `width` by `height` pixels; values are 0..=1, a bicubic overshoot is cut off there.
pub fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Pixels {
    let columns = windows(picture.width, width, filter);
    let rows = windows(picture.height, height, filter);
    let row_len = picture.width * 3;
    let mut pixels = Pixels { width, height, data: vec![0.0; 3 * width * height] };
    let (red, rest) = pixels.data.split_at_mut(width * height);
    let (green, blue) = rest.split_at_mut(width * height);
    (red.par_chunks_mut(width), green.par_chunks_mut(width), blue.par_chunks_mut(width), &rows)
        .into_par_iter()
        .for_each_init(
            || vec![0.0f32; row_len],
            |mixed, (red, green, blue, window)| {
                mixed.fill(0.0);
                let input = picture.rgb[window.first * row_len..].chunks_exact(row_len);
                for (line, weight) in input.zip(&window.weights) {
                    for (sum, &value) in mixed.iter_mut().zip(line) {
                        *sum += weight * f32::from(value);
                    }
                }
                for (x, column) in columns.iter().enumerate() {
                    let mut rgb = [0.0f32; 3];
                    for (pixel, weight) in mixed[column.first * 3..].as_chunks::<3>().0.iter().zip(&column.weights) {
                        for channel in 0..3 {
                            rgb[channel] += weight * pixel[channel];
                        }
                    }
                    let [r, g, b] = rgb.map(|value| (value / 255.0).clamp(0.0, 1.0));
                    (red[x], green[x], blue[x]) = (r, g, b);
                }
            },
        );
    pixels
}

/// The top left `width` by `height` pixels of `picture` as they are; values are 0..=1.
pub fn crop(picture: &Picture, width: usize, height: usize) -> Pixels {
    let mut pixels = Pixels { width, height, data: vec![0.0; 3 * width * height] };
    for (index, plane) in pixels.data.chunks_exact_mut(width * height).enumerate() {
        for (line, input) in plane.chunks_exact_mut(width).zip(picture.rgb.chunks_exact(picture.width * 3)) {
            for (value, pixel) in line.iter_mut().zip(input.as_chunks::<3>().0) {
                *value = f32::from(pixel[index]) / 255.0;
            }
        }
    }
    pixels
}
