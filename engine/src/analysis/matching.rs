//! Correspondences between two pictures (reference: `notebooks/dense_sparse_matching.ipynb`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use ndarray::{Array2, Array3, ArrayView1};
use rayon::prelude::*;

use super::pca::{self, Basis, Sample};
use super::{AnalysisError, check_mask, unit_rows};
use crate::features::{FeatureGrid, Geometry, Patch};
use crate::{Cancel, Result};

/// One of the two pictures.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Its features.
    pub grid: &'a FeatureGrid,
    /// Where its patches lie.
    pub geometry: &'a Geometry,
    /// `[rows, cols]`, patches that may match; all where there is none.
    pub foreground: Option<&'a Array2<bool>>,
}

impl Side<'_> {
    fn is_foreground(&self, patch: Patch) -> bool {
        self.foreground.is_none_or(|mask| mask[[patch.row, patch.col]])
    }

    fn patch(&self, index: usize) -> Patch {
        Patch { row: index / self.grid.cols, col: index % self.grid.cols }
    }

    fn patches(&self) -> usize {
        self.grid.rows * self.grid.cols
    }

    fn check(&self) -> Result<(), AnalysisError> {
        match self.foreground {
            Some(mask) => check_mask(mask.dim(), (self.grid.rows, self.grid.cols)),
            None => Ok(()),
        }
    }
}

/// Which correspondences are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MatchOptions {
    /// Only pairs that are each other's nearest.
    pub mutual: bool,
    /// Only pairs of at least this cosine.
    pub min_score: Option<f32>,
}

/// A left patch and the right patch most similar to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// In the left grid.
    pub left: Patch,
    /// In the right grid.
    pub right: Patch,
    /// Centre of the left patch in pixels of the left picture, (x, y).
    pub left_pixel: (f64, f64),
    /// Centre of the right patch in pixels of the right picture, (x, y).
    pub right_pixel: (f64, f64),
    /// Cosine, -1..=1.
    pub score: f32,
}

/// Every kept correspondence, by left patch, row by row. A left patch goes to the patch of largest cosine in the
/// whole right picture; the pair is kept when both ends are foreground and the options hold.
///
/// # Errors
/// [`AnalysisError::Dimension`] for features of two models, [`AnalysisError::MaskSize`], [`AnalysisError::NotFinite`],
/// and [`crate::Error::Cancelled`].
pub fn matches(left: &Side, right: &Side, options: &MatchOptions, cancel: &Cancel) -> Result<Vec<Pair>> {
    left.check()?;
    right.check()?;
    Ok(select(left, right, &nearest(left.grid, right.grid, cancel)?, options)?)
}

/// As [`matches()`], with the nearest patches of the two sides at hand.
///
/// # Errors
/// [`AnalysisError::MaskSize`]; [`AnalysisError::NotEnough`] where `nearest` was made of other grids.
pub fn select(
    left: &Side,
    right: &Side,
    nearest: &Nearest,
    options: &MatchOptions,
) -> Result<Vec<Pair>, AnalysisError> {
    left.check()?;
    right.check()?;
    if (nearest.right_of_left.len(), nearest.left_of_right.len()) != (left.patches(), right.patches()) {
        return Err(AnalysisError::NotEnough("the nearest patches are those of other grids: match them again".into()));
    }
    let kept = nearest.right_of_left.iter().enumerate().filter_map(|(index, &(other, score))| {
        let pair = Pair {
            left: left.patch(index),
            right: right.patch(other),
            left_pixel: left.geometry.pixel_from_patch(left.patch(index)),
            right_pixel: right.geometry.pixel_from_patch(right.patch(other)),
            score,
        };
        let keep = left.is_foreground(pair.left)
            && right.is_foreground(pair.right)
            && (!options.mutual || nearest.left_of_right[other].0 == index)
            && options.min_score.is_none_or(|least| score >= least);
        keep.then_some(pair)
    });
    Ok(kept.collect())
}

/// Most similar patches in both directions: index in the other grid, and cosine. The first of equals.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// `[left patches]`
    pub right_of_left: Vec<(usize, f32)>,
    /// `[right patches]`
    pub left_of_right: Vec<(usize, f32)>,
}

impl Nearest {
    /// The same patches, with cosines computed anew from the features of the two grids.
    pub fn with_cosines_of(mut self, left: &FeatureGrid, right: &FeatureGrid) -> Self {
        let cosine = |a: usize, b: usize| {
            let (a, b) = (left.data.row(a), right.data.row(b));
            let dot = |a: ArrayView1<f32>, b: ArrayView1<f32>| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let lengths = (dot(a, a) * dot(b, b)).sqrt();
            if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) as f32 } else { 0.0 }
        };
        self.right_of_left.par_iter_mut().enumerate().for_each(|(i, (other, score))| *score = cosine(i, *other));
        self.left_of_right.par_iter_mut().enumerate().for_each(|(i, (other, score))| *score = cosine(*other, i));
        self
    }
}

/// Patches of the left and the right grid that are compared at a time.
const TILE: (usize, usize) = (128, 512);

/// The most similar patches of two grids, tile by tile: the full matrix of cosines never exists.
///
/// # Errors
/// [`AnalysisError::Dimension`] for features of two models, [`AnalysisError::NotEnough`] for an empty grid,
/// [`AnalysisError::NotFinite`], and [`crate::Error::Cancelled`] within one tile of the request.
pub fn nearest(left: &FeatureGrid, right: &FeatureGrid, cancel: &Cancel) -> Result<Nearest> {
    let dim = left.dim();
    if right.dim() != dim {
        return Err(AnalysisError::Dimension { expected: dim, got: right.dim() }.into());
    }
    let (left, right) = (unit_rows(left.data.view())?, unit_rows(right.data.view())?);
    if left.is_empty() || right.is_empty() {
        return Err(AnalysisError::NotEnough("matching needs at least one patch on both sides".into()).into());
    }
    let right_len = right.len() / dim;
    let nothing = (0, f32::NEG_INFINITY);

    let compare = |mut found: Nearest, (tile, rows): (usize, &[f32])| -> Result<Nearest> {
        let first_left = tile * TILE.0;
        let count = rows.len() / dim;
        let start = found.right_of_left.len();
        found.right_of_left.resize(start + count, nothing);
        let to_right = &mut found.right_of_left[start..];
        let to_left = &mut found.left_of_right;
        let mut cosines = vec![0f32; count * TILE.1];
        for first_right in (0..right_len).step_by(TILE.1) {
            cancel.check()?;
            let width = TILE.1.min(right_len - first_right);
            let tile = &mut cosines[..count * width];
            matmul(
                MatMut::from_row_major_slice_mut(tile, count, width),
                Accum::Replace,
                MatRef::from_row_major_slice(rows, count, dim),
                MatRef::from_row_major_slice(&right[first_right * dim..][..width * dim], width, dim).transpose(),
                1.0,
                Par::Seq,
            );
            for (l, row) in tile.chunks_exact(width).enumerate() {
                for (r, &score) in row.iter().enumerate() {
                    if score > to_right[l].1 {
                        to_right[l] = (first_right + r, score);
                    }
                    if score > to_left[first_right + r].1 {
                        to_left[first_right + r] = (first_left + l, score);
                    }
                }
            }
        }
        Ok(found)
    };
    // Both combine neighbours in order: of equals the first stays.
    let join = |mut first: Nearest, second: Nearest| {
        first.right_of_left.extend(second.right_of_left);
        for (best, found) in first.left_of_right.iter_mut().zip(second.left_of_right) {
            if found.1 > best.1 {
                *best = found;
            }
        }
        Ok(first)
    };
    let none = || Nearest { right_of_left: Vec::new(), left_of_right: vec![nothing; right_len] };
    let mut nearest = left.par_chunks(TILE.0 * dim).enumerate().try_fold(none, compare).try_reduce(none, join)?;
    for (_, score) in nearest.right_of_left.iter_mut().chain(&mut nearest.left_of_right) {
        *score = score.clamp(-1.0, 1.0);
    }
    Ok(nearest)
}

/// Thins pairs greedily: while left points lie within `distance` pixels of each other, the one with most such
/// neighbours goes (the first of equals). The order stays.
///
/// # Errors
/// [`crate::Error::Cancelled`]
pub fn thin(pairs: &[Pair], distance: f64, cancel: &Cancel) -> Result<Vec<Pair>> {
    let points: Vec<_> = pairs.iter().map(|pair| pair.left_pixel).collect();
    Ok(stratify(&points, distance, cancel)?.into_iter().map(|index| pairs[index]).collect())
}

/// Indices of the points that [`thin`] keeps, rising.
///
/// # Errors
/// [`crate::Error::Cancelled`]
pub fn stratify(points: &[(f64, f64)], distance: f64, cancel: &Cancel) -> Result<Vec<usize>> {
    if distance.is_nan() || distance <= 0.0 {
        return Ok((0..points.len()).collect());
    }
    let cell = |(x, y): (f64, f64)| ((x / distance).floor() as i64, (y / distance).floor() as i64);
    let mut cells: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
    for (index, &point) in points.iter().enumerate() {
        cells.entry(cell(point)).or_default().push(index);
    }
    let within = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2) <= distance * distance;
    let neighbours = |cells: &HashMap<(i64, i64), Vec<usize>>, index: usize| -> Vec<usize> {
        let (column, row) = cell(points[index]);
        let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (column.wrapping_add(dx), row.wrapping_add(dy))));
        around
            .filter_map(|key| cells.get(&key))
            .flatten()
            .copied()
            .filter(|&other| other != index && within(points[index], points[other]))
            .collect()
    };

    let count = |index| cancel.check().map(|()| neighbours(&cells, index).len());
    let mut counts = (0..points.len()).map(count).collect::<Result<Vec<usize>>>()?;
    // Counts only fall, so an entry of the heap is never too small: one that is out of date is put back corrected.
    let mut crowded: BinaryHeap<_> = counts.iter().enumerate().map(|(index, &count)| (count, Reverse(index))).collect();
    let mut kept = vec![true; points.len()];
    while let Some((count, Reverse(index))) = crowded.pop() {
        if count == 0 {
            break;
        }
        if count != counts[index] {
            crowded.push((counts[index], Reverse(index)));
            continue;
        }
        cancel.check()?;
        kept[index] = false;
        neighbours(&cells, index).into_iter().for_each(|other| counts[other] -= 1);
        if let Some(members) = cells.get_mut(&cell(points[index])) {
            members.retain(|&member| member != index);
        }
    }
    Ok((0..points.len()).filter(|&index| kept[index]).collect())
}

/// Colours of both grids by the PCA (3 components, whitened) of the matched left patches, on features of length 1:
/// RGB in 0..=1, `[rows, cols, 3]` each, black outside of the foreground.
///
/// # Errors
/// As [`Basis::fit`]: at least four pairs are needed.
pub fn colours(left: &Side, right: &Side, pairs: &[Pair]) -> Result<(Array3<f32>, Array3<f32>), AnalysisError> {
    let basis = basis(left, pairs)?;
    Ok((paint(left, &basis)?, paint(right, &basis)?))
}

/// The PCA (3 components) of the matched left patches, on features of length 1.
///
/// # Errors
/// As [`Basis::fit`].
pub fn basis(left: &Side, pairs: &[Pair]) -> Result<Basis, AnalysisError> {
    let mut matched = Array2::from_elem((left.grid.rows, left.grid.cols), false);
    for pair in pairs {
        matched[[pair.left.row, pair.left.col]] = true;
    }
    Basis::fit(&[Sample { grid: &unit(left.grid)?, foreground: Some(&matched) }], 3)
}

/// Colours of one side by a [`basis`].
///
/// # Errors
/// As [`Basis::project`].
pub fn paint(side: &Side, basis: &Basis) -> Result<Array3<f32>, AnalysisError> {
    Ok(pca::colours(&basis.project(&unit(side.grid)?, &[0, 1, 2])?, side.foreground))
}

fn unit(grid: &FeatureGrid) -> Result<FeatureGrid, AnalysisError> {
    let data =
        Array2::from_shape_vec(grid.data.dim(), unit_rows(grid.data.view())?).expect("normalising keeps the size");
    Ok(FeatureGrid { data, ..*grid })
}
