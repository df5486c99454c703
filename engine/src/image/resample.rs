//! Antialiased resizing as torchvision's `resize(..., antialias=True)` does it: along the rows, then along the columns.
//!
//! Two references do not agree with each other: transformers' `DINOv3ViTImageProcessor` resizes floats; `make_transform`
//! of the reference's README and the notebooks resize 8-bit pictures, whose values are rounded and cut off at 0 and 255
//! after each pass. Bilinear, the default, is that of transformers here and within 1/255 of the other. Bicubic is used
//! by the notebooks alone, on pictures of Pillow, so it is Pillow's, bit for bit: with floats its overshoot would give
//! results several steps away.

use std::ops::{AddAssign, Mul, Range};

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

/// What a filter computes with; values are 0..=255.
trait Sample: Copy + Default + Send + Sync + AddAssign + Mul<Output = Self> + From<u8> {
    fn weight(weight: f64) -> Self;

    /// A sum after one pass.
    fn after_pass(self) -> Self;

    fn to_f32(self) -> f32;
}

/// Bilinear.
impl Sample for f32 {
    fn weight(weight: f64) -> Self {
        weight as Self
    }

    fn after_pass(self) -> Self {
        self
    }

    fn to_f32(self) -> f32 {
        self
    }
}

/// Bicubic. Pillow's `Resample.c` sums integers with weights of 22 fractional bits; f64 holds such sums exactly.
impl Sample for f64 {
    fn weight(weight: f64) -> Self {
        const ONE: f64 = (1 << 22) as f64;
        (weight * ONE).round() / ONE
    }

    fn after_pass(self) -> Self {
        // The cast cuts off at 0 and 255.
        Self::from((self + 0.5) as u8)
    }

    fn to_f32(self) -> f32 {
        self as f32
    }
}

/// The input samples that one output sample is made of.
struct Window<S> {
    first: usize,
    /// They sum to one.
    weights: Vec<S>,
}

/// One window per output sample; the rule is that of Pillow's `precompute_coeffs`, which torch follows.
fn windows<S: Sample>(from: usize, to: usize, filter: Filter) -> Vec<Window<S>> {
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
            Window { first, weights: weights.iter().map(|weight| S::weight(weight / sum)).collect() }
        })
        .collect()
}

/// The resize along one side as a matrix, `[to, from]`.
pub(crate) fn matrix(from: usize, to: usize, filter: Filter) -> Vec<f32> {
    let mut matrix = vec![0.0; to * from];
    for (row, window) in matrix.chunks_exact_mut(from).zip(windows::<f32>(from, to, filter)) {
        row[window.first..][..window.weights.len()].copy_from_slice(&window.weights);
    }
    matrix
}

/// Output rows that one task makes: the input rows between them are resized once, and fit in a core's cache.
const BAND: usize = 32;

/// Resizes `picture` to `width` by `height` pixels; values are 0..=1.
pub fn resize(picture: &Picture, width: usize, height: usize, filter: Filter) -> Pixels {
    match filter {
        Filter::Bilinear => resize_as::<f32>(picture, width, height, filter),
        Filter::Bicubic => resize_as::<f64>(picture, width, height, filter),
    }
}

/// As Pillow resizes a picture of 8 bits, whatever the filter: rounded after each pass. Values are 0..=1.
pub fn resize_as_pillow(picture: &Picture, width: usize, height: usize, filter: Filter) -> Pixels {
    resize_as::<f64>(picture, width, height, filter)
}

/// As [`resize`], rounded to a picture of 8 bits again.
pub fn resize_picture(picture: &Picture, width: usize, height: usize, filter: Filter) -> Picture {
    let resized = resize(picture, width, height, filter);
    let plane = width * height;
    let byte = |i: usize, channel: usize| (resized.data[channel * plane + i] * 255.0).round() as u8;
    let rgb = (0..plane).into_par_iter().flat_map_iter(|i| [0, 1, 2].map(|channel| byte(i, channel))).collect();
    Picture { width, height, rgb }
}

fn resize_as<S: Sample>(picture: &Picture, width: usize, height: usize, filter: Filter) -> Pixels {
    let columns = windows::<S>(picture.width, width, filter);
    let rows = windows::<S>(picture.height, height, filter);
    let mut pixels = Pixels { width, height, data: vec![0.0; 3 * width * height] };
    let (red, rest) = pixels.data.split_at_mut(width * height);
    let (green, blue) = rest.split_at_mut(width * height);
    let band = width * BAND;
    (red.par_chunks_mut(band), green.par_chunks_mut(band), blue.par_chunks_mut(band), rows.par_chunks(BAND))
        .into_par_iter()
        .for_each(|(red, green, blue, rows)| {
            let first = rows.first().map_or(0, |window| window.first);
            let end = rows.last().map_or(0, |window| window.first + window.weights.len());
            let narrowed = resize_rows(picture, first..end, &columns);
            let planes =
                red.chunks_exact_mut(width).zip(green.chunks_exact_mut(width)).zip(blue.chunks_exact_mut(width));
            let mut sums = vec![[S::default(); 3]; width];
            for (((red, green), blue), window) in planes.zip(rows) {
                sums.fill([S::default(); 3]);
                let lines = narrowed[(window.first - first) * width..].chunks_exact(width);
                for (line, &weight) in lines.zip(&window.weights) {
                    for (sum, &value) in sums.as_flattened_mut().iter_mut().zip(line.as_flattened()) {
                        *sum += weight * value;
                    }
                }
                for (x, rgb) in sums.iter().enumerate() {
                    [red[x], green[x], blue[x]] = rgb.map(|value| value.after_pass().to_f32() / 255.0);
                }
            }
        });
    pixels
}

/// `lines` of `picture` at the width of `columns`, `[lines, columns]`; values are 0..=255.
fn resize_rows<S: Sample>(picture: &Picture, lines: Range<usize>, columns: &[Window<S>]) -> Vec<[S; 3]> {
    let row_len = picture.width * 3;
    picture.rgb[lines.start * row_len..lines.end * row_len]
        .chunks_exact(row_len)
        .flat_map(|line| {
            let line = line.as_chunks::<3>().0;
            columns.iter().map(move |window| {
                let mut rgb = [S::default(); 3];
                for (pixel, &weight) in line[window.first..].iter().zip(&window.weights) {
                    for (sum, &value) in rgb.iter_mut().zip(pixel) {
                        *sum += weight * S::from(value);
                    }
                }
                rgb.map(S::after_pass)
            })
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use safetensors::SafeTensors;

    use super::*;

    /// Largest difference between `pixels` and `expected(i)`.
    fn difference(pixels: &Pixels, expected: impl Fn(usize) -> f32) -> f32 {
        pixels.data.iter().enumerate().map(|(i, value)| (value - expected(i)).abs()).fold(0.0, f32::max)
    }

    /// Against `tests/golden/make_resample.py`.
    #[test]
    fn equals_torchvision() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/resample");
        let mut compared = 0;
        for name in ["37x23", "1x1", "301x2", "3x200"] {
            let bytes = fs::read(folder.join(name).with_extension("safetensors")).expect("a golden file");
            let golden = SafeTensors::deserialize(&bytes).expect("safetensors");
            let input = golden.tensor("input").expect("the input");
            let picture = Picture::from_rgb(input.shape()[1], input.shape()[0], input.data().to_vec()).expect("RGB");
            for key in golden.names().into_iter().filter_map(|name| name.strip_suffix(".u8")) {
                let rounded = golden.tensor(&format!("{key}.u8")).expect("8-bit values");
                let filter = if key.starts_with("bicubic") { Filter::Bicubic } else { Filter::Bilinear };
                let got = resize(&picture, rounded.shape()[2], rounded.shape()[1], filter);
                assert_eq!(got.data.len(), rounded.data().len());
                let off = difference(&got, |i| f32::from(rounded.data()[i]) / 255.0) * 255.0;
                assert!(off <= 1.0, "{name} {key}: {off} steps of 255 off");
                if filter == Filter::Bilinear {
                    let floats = golden.tensor(&format!("{key}.f32")).expect("floats");
                    let floats = floats.data().as_chunks().0;
                    let off = difference(&got, |i| f32::from_le_bytes(floats[i]));
                    assert!(off <= 1e-5, "{name} {key}: {off} off");
                }
                compared += 1;
            }
        }
        assert_eq!(compared, 20);
    }

    #[test]
    fn same_size_changes_nothing() {
        let picture = Picture::from_rgb(5, 7, (0..105).map(|v| v * 2).collect()).expect("RGB");
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            assert_eq!(resize(&picture, 5, 7, filter), crop(&picture, 5, 7));
        }
    }

    #[test]
    fn crop_takes_the_top_left() {
        let picture = Picture::from_rgb(3, 2, (0..18).collect()).expect("RGB");
        let bytes: Vec<u8> = crop(&picture, 2, 1).data.iter().map(|v| (v * 255.0).round() as u8).collect();
        assert_eq!(bytes, [0, 3, 1, 4, 2, 5]);
    }
}
