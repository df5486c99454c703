//! Maps of patches brought to pixels along the picture's edges: He, Sun and Tang, "Guided image filtering" (2013), and their
//! "Fast guided filter" (2015).

use ndarray::Array2;

use crate::draw::overlay::Interpolation;
use crate::draw::sample::{Sampler, upsample};
use crate::features::Geometry;
use crate::image::{Filter, Picture, resample};

/// Longest side of the picture that edges are looked for in, in pixels.
const LONGEST: usize = 1024;

/// Variance of brightness, 0..=1, below which there is no edge.
const FLAT: f64 = 1e-3;

/// The map `[rows, cols]` at the picture's resolution, `[covered height, covered width]`, following edges as wide as a patch
/// around. Values stay within those of the map.
pub fn follow_edges(map: &Array2<f32>, picture: &Picture, geometry: &Geometry) -> Array2<f32> {
    let (width, height) = geometry.covered;
    let scale = (LONGEST as f64 / width.max(height) as f64).min(1.0);
    let small = |side: usize| ((side as f64 * scale).round() as usize).max(1);
    let (across, down) = (small(width), small(height));
    let grey = brightness(picture, small(picture.width).max(across), small(picture.height).max(down));
    let coarse = Geometry { picture: (across, down), covered: (across, down), grid: geometry.grid };
    let guide = Array2::from_shape_fn((down, across), |at| grey[at]);
    let values = upsample(map, &coarse, Interpolation::Bilinear).mapv(f64::from);
    let patch = (down as f64 / geometry.grid.0 as f64).max(across as f64 / geometry.grid.1 as f64);
    let radius = patch.round().max(1.0) as usize;

    let mean = |values: &Array2<f64>| box_mean(values, radius);
    let (guide_mean, value_mean) = (mean(&guide), mean(&values));
    let variance = mean(&(&guide * &guide)) - &guide_mean * &guide_mean;
    let covariance = mean(&(&guide * &values)) - &guide_mean * &value_mean;
    let slope = covariance / variance.mapv(|variance| variance.max(0.0) + FLAT);
    let offset = value_mean - &slope * &guide_mean;
    let (slope, offset) = (mean(&slope).mapv(|v| v as f32), mean(&offset).mapv(|v| v as f32));

    let fine = Geometry { grid: (down, across), ..*geometry };
    let sampler = Sampler::new(&fine, Interpolation::Bilinear);
    let (least, most) = map.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    Array2::from_shape_fn((height, width), |(y, x)| {
        let at = |values: &Array2<f32>| sampler.at(x, y, |row, col| values[[row, col]]);
        let pixel = &picture.rgb[3 * (y * picture.width + x)..][..3];
        let value = at(&slope) * luma([pixel[0], pixel[1], pixel[2]].map(|v| f32::from(v) / 255.0)) + at(&offset);
        value.clamp(least, most)
    })
}

/// Brightness of the picture at another size, `[height, width]` in 0..=1.
fn brightness(picture: &Picture, width: usize, height: usize) -> Array2<f64> {
    let pixels = resample::resize(picture, width, height, Filter::Bilinear);
    let plane = |channel: usize, at: usize| pixels.data[channel * width * height + at];
    Array2::from_shape_fn((height, width), |(y, x)| {
        f64::from(luma(std::array::from_fn(|channel| plane(channel, y * width + x))))
    })
}

/// As ITU-R BT.601 weighs red, green and blue.
fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Mean over the pixels that are at most `radius` away along both axes, of those that there are.
fn box_mean(values: &Array2<f64>, radius: usize) -> Array2<f64> {
    let along_rows = lines_mean(values, radius);
    lines_mean(&along_rows.reversed_axes(), radius).reversed_axes()
}

fn lines_mean(values: &Array2<f64>, radius: usize) -> Array2<f64> {
    let (rows, cols) = values.dim();
    let mut means = Array2::zeros((rows, cols));
    let mut sums = vec![0.0; cols + 1];
    for (values, mut means) in values.rows().into_iter().zip(means.rows_mut()) {
        for (i, value) in values.iter().enumerate() {
            sums[i + 1] = sums[i] + value;
        }
        for (i, mean) in means.iter_mut().enumerate() {
            let (start, end) = (i.saturating_sub(radius), (i + radius + 1).min(cols));
            *mean = (sums[end] - sums[start]) / (end - start) as f64;
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark on the left of `edge`, bright on its right.
    fn picture(width: usize, height: usize, edge: usize) -> Picture {
        let rgb = (0..width * height).flat_map(|i| [if i % width < edge { 40 } else { 210 }; 3]).collect();
        Picture { width, height, rgb }
    }

    #[test]
    fn the_edge_is_the_pictures_and_not_the_patches() {
        // Patches of 16 pixels whose border lies at 48; the picture's edge is at 54.
        let picture = picture(96, 64, 54);
        let geometry = Geometry { picture: (96, 64), covered: (96, 64), grid: (4, 6) };
        let map = Array2::from_shape_fn((4, 6), |(_, col)| if col < 3 { 0.0 } else { 1.0 });
        let fine = follow_edges(&map, &picture, &geometry);
        assert_eq!(fine.dim(), (64, 96));
        let steepest = (1..96).max_by(|&a, &b| {
            let step = |x: usize| fine[[32, x]] - fine[[32, x - 1]];
            step(a).total_cmp(&step(b))
        });
        assert_eq!(steepest, Some(54));
        assert!(fine.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(fine[[32, 10]] < 0.05 && fine[[32, 90]] > 0.95);
    }

    #[test]
    fn without_edges_and_without_a_picture_to_speak_of_the_map_is_smooth() {
        let geometry = Geometry { picture: (1, 1), covered: (1, 1), grid: (1, 1) };
        let flat = follow_edges(&Array2::from_elem((1, 1), 0.3), &picture(1, 1, 0), &geometry);
        assert!((flat[[0, 0]] - 0.3).abs() < 1e-6);
        let geometry = Geometry { picture: (3000, 20), covered: (2992, 16), grid: (1, 187) };
        let map = Array2::from_shape_fn((1, 187), |(_, col)| col as f32 / 186.0);
        let fine = follow_edges(&map, &picture(3000, 20, 3000), &geometry);
        assert_eq!(fine.dim(), (16, 2992));
        assert!(fine.row(8).iter().zip(fine.row(8).iter().skip(1)).all(|(a, b)| b >= a), "rising");
    }
}
