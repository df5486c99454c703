//! Which patches belong to the object.

use ndarray::{Array2, Axis};

use super::pca::{Basis, Sample};
use super::{AnalysisError, check_mask};
use crate::features::{FeatureGrid, Geometry};

/// `[rows, cols]`, true for patches that belong to the object.
pub type PatchMask = Array2<bool>;

/// Share of each patch that a pixel mask `[height, width]` covers, `[rows, cols]` in 0..=1. Pixels that lie in two
/// patches count in each by their overlap.
///
/// # Errors
/// [`AnalysisError::MaskSize`] where the mask has not the picture's size.
pub fn coverage(mask: &Array2<bool>, geometry: &Geometry) -> Result<Array2<f32>, AnalysisError> {
    let (width, height) = geometry.picture;
    check_mask(mask.dim(), (height, width))?;
    let (rows, cols) = geometry.grid;
    let across: Vec<Overlap> = (0..cols).map(|col| overlap(col, cols, geometry.covered.0)).collect();
    let mut shares = Array2::zeros((rows, cols));
    for row in 0..rows {
        let down = overlap(row, rows, geometry.covered.1);
        for (col, across) in across.iter().enumerate() {
            let mut share = 0.0;
            for (y, wy) in down.pixels() {
                for (x, wx) in across.pixels() {
                    if mask[[y, x]] {
                        share += wx * wy;
                    }
                }
            }
            shares[[row, col]] = share as f32;
        }
    }
    Ok(shares)
}

/// Pixels under a patch along one axis, and the share of the patch that each takes; the shares add up to 1.
struct Overlap {
    first: usize,
    shares: Vec<f64>,
}

impl Overlap {
    fn pixels(&self) -> impl Iterator<Item = (usize, f64)> {
        self.shares.iter().enumerate().map(|(i, &share)| (self.first + i, share))
    }
}

fn overlap(index: usize, patches: usize, pixels: usize) -> Overlap {
    let size = pixels as f64 / patches as f64;
    let (start, end) = (index as f64 * size, (index + 1) as f64 * size);
    let first = start as usize;
    let last = (end.ceil() as usize).min(pixels);
    let share = |pixel: usize| (end.min(pixel as f64 + 1.0) - start.max(pixel as f64)).max(0.0) / size;
    Overlap { first, shares: (first..last).map(share).collect() }
}

/// Patches that a pixel mask `[height, width]` covers by more than half, `[rows, cols]`.
///
/// # Errors
/// As [`coverage`].
pub fn from_mask(mask: &Array2<bool>, geometry: &Geometry) -> Result<Array2<bool>, AnalysisError> {
    Ok(coverage(mask, geometry)?.mapv(|share| share > 0.5))
}

/// Splits the first principal component by Otsu's threshold; the side that touches the border less is foreground,
/// cleaned by a 3×3 median. `[rows, cols]`
///
/// # Errors
/// As [`Basis::fit`]; [`AnalysisError::NotEnough`] where nothing remains.
pub fn automatic(grid: &FeatureGrid) -> Result<Array2<bool>, AnalysisError> {
    let basis = Basis::fit(&[Sample { grid, foreground: None }], 1)?;
    let scores = basis.project(grid, &[0])?.index_axis_move(Axis(2), 0);
    let threshold = otsu(scores.iter().copied().collect());
    let upper = scores.mapv(|score| score > threshold);
    let is_border = |row: usize, col: usize| row == 0 || col == 0 || row + 1 == grid.rows || col + 1 == grid.cols;
    let border: Vec<bool> =
        upper.indexed_iter().filter(|&((row, col), _)| is_border(row, col)).map(|(_, &upper)| upper).collect();
    let upper_on_border = border.iter().filter(|&&upper| upper).count();
    let foreground_is_upper = 2 * upper_on_border <= border.len();
    let foreground = upper.mapv(|is_upper| if is_upper == foreground_is_upper { 1.0 } else { 0.0 });
    let cleaned = median_3x3(&foreground).mapv(|v| v > 0.5);
    if cleaned.iter().any(|&v| v) {
        Ok(cleaned)
    } else {
        Err(AnalysisError::NotEnough("no foreground stands out; give a mask, or use all patches".into()))
    }
}

/// The threshold that separates values into two classes of largest between-class variance (Otsu 1979), exact rather
/// than by histogram: halfway between the two neighbouring values it parts.
fn otsu(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    let total: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let (mut below, mut best, mut threshold) = (0.0, f64::NEG_INFINITY, 0.0);
    for (index, pair) in values.windows(2).enumerate() {
        below += f64::from(pair[0]);
        let (lower, upper) = (index as f64 + 1.0, (values.len() - index - 1) as f64);
        let between = lower * upper * (below / lower - (total - below) / upper).powi(2);
        if pair[0] < pair[1] && between > best {
            best = between;
            threshold = f32::midpoint(pair[0], pair[1]);
        }
    }
    threshold
}

/// Median over 3×3 patches with zeros beyond the border, as `scipy.signal.medfilt2d`. `[rows, cols]`
pub fn median_3x3(map: &Array2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(map.dim(), |(row, col)| {
        let mut around = [0.0; 9];
        for (slot, value) in around.iter_mut().enumerate() {
            // Indices are one too high, so that a patch beyond the top or left is 0 rather than negative.
            let (y, x) = (row + slot / 3, col + slot % 3);
            if y > 0 && x > 0 {
                *value = map.get((y - 1, x - 1)).copied().unwrap_or(0.0);
            }
        }
        around.sort_by(f32::total_cmp);
        around[4]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(picture: (usize, usize), covered: (usize, usize), grid: (usize, usize)) -> Geometry {
        Geometry { picture, covered, grid }
    }

    #[test]
    fn coverage_is_the_box_mean() {
        let mask = Array2::from_shape_fn((4, 6), |(y, x)| y < 1 && x < 3);
        let shares = coverage(&mask, &geometry((6, 4), (6, 4), (2, 3))).unwrap();
        assert_eq!(shares, ndarray::arr2(&[[0.5, 0.25, 0.0], [0.0, 0.0, 0.0]]));
    }

    #[test]
    fn a_pixel_between_two_patches_counts_by_its_overlap() {
        let mask = ndarray::arr2(&[[false, true, false]]);
        let shares = coverage(&mask, &geometry((3, 1), (3, 1), (1, 2))).unwrap();
        assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-6), "{shares}");
    }

    #[test]
    fn what_the_grid_does_not_cover_does_not_count() {
        let mask = Array2::from_shape_fn((2, 5), |(_, x)| x >= 4);
        let shares = coverage(&mask, &geometry((5, 2), (4, 2), (1, 2))).unwrap();
        assert_eq!(shares.sum(), 0.0);
    }

    #[test]
    fn a_mask_of_another_size_is_refused() {
        let error = coverage(&Array2::from_elem((3, 4), true), &geometry((6, 4), (6, 4), (2, 3))).unwrap_err();
        assert_eq!(error, AnalysisError::MaskSize { expected: (6, 4), got: (4, 3) });
    }

    #[test]
    fn otsu_parts_two_clouds() {
        let values = vec![0.1, 5.0, 0.2, 5.2, 0.0, 4.9];
        let threshold = otsu(values);
        assert!((0.2..4.9).contains(&threshold), "{threshold}");
    }

    #[test]
    fn median_has_zeros_beyond_the_border() {
        let map = Array2::from_elem((3, 3), 1.0);
        // A corner has four patches and five zeros.
        let expected = ndarray::arr2(&[[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]);
        assert_eq!(median_3x3(&map), expected);
    }

    #[test]
    fn automatic_finds_the_object_in_the_middle() {
        let inside = |row: usize, col: usize| (3..8).contains(&row) && (4..9).contains(&col);
        for sign in [1.0, -1.0] {
            let data = Array2::from_shape_fn((12 * 14, 5), |(i, k)| {
                let noise = ((i * 31 + k * 17) % 13) as f32 * 0.01;
                noise + if inside(i / 14, i % 14) { sign } else { 0.0 } * (k as f32 + 1.0)
            });
            let found = automatic(&FeatureGrid { rows: 12, cols: 14, data }).unwrap();
            let corner = |row, col| [3, 7].contains(&row) && [4, 8].contains(&col);
            for ((row, col), &foreground) in found.indexed_iter() {
                assert_eq!(foreground, inside(row, col) && !corner(row, col), "({row}, {col})");
            }
        }
    }
}
