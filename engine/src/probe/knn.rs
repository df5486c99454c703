//! Nearest neighbours as the reference votes with them (`dinov3/eval/knn.py`).

use std::cmp::Ordering;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::ProbeError;
use crate::analysis::unit_rows;
use crate::{Cancel, Result};

/// Temperature of the votes.
pub const TEMPERATURE: f32 = 0.07;

/// Features that are compared with all others at a time.
const BLOCK: usize = 64;

/// Votes of the nearest neighbours.
#[derive(Clone, Debug, PartialEq)]
pub struct Votes {
    /// Neighbours that vote.
    pub k: usize,
    /// `[queries, classes]`
    pub votes: Array2<f32>,
}

/// Votes on each of `queries` `[m, dim]` by the `k` most similar of `train` `[n, dim]`, for each of `ks` (cut off at `n`):
/// a neighbour's vote is its share of the softmax of cosine / [`TEMPERATURE`] over the most neighbours of any k.
///
/// # Errors
/// [`ProbeError::Dimension`], [`ProbeError::Labels`], [`crate::analysis::AnalysisError::NotFinite`],
/// [`crate::Error::Cancelled`].
pub fn vote(
    train: ArrayView2<'_, f32>,
    labels: &[usize],
    classes: usize,
    queries: ArrayView2<'_, f32>,
    ks: &[usize],
    cancel: &Cancel,
) -> Result<Vec<Votes>> {
    let (count, dim) = train.dim();
    let largest = labels.iter().copied().max().unwrap_or_default();
    if labels.len() != count || largest >= classes {
        return Err(ProbeError::Labels { features: count, labels: labels.len(), classes, largest }.into());
    }
    if queries.ncols() != dim {
        return Err(ProbeError::Dimension { expected: dim, got: queries.ncols() }.into());
    }
    let (train, queries) = (unit_rows(train)?, unit_rows(queries)?);
    let mut ks: Vec<usize> = ks.iter().map(|&k| k.min(count)).filter(|&k| k > 0).collect();
    ks.sort_unstable();
    ks.dedup();
    let most = ks.last().copied().unwrap_or_default();
    let blocks: Vec<Vec<Vec<(f32, usize)>>> = queries
        .par_chunks((BLOCK * dim).max(1))
        .map(|block| {
            cancel.check()?;
            let rows = block.len() / dim;
            let mut cosines = vec![0.0; rows * count];
            matmul(
                MatMut::from_row_major_slice_mut(&mut cosines, rows, count),
                Accum::Replace,
                MatRef::from_row_major_slice(block, rows, dim),
                MatRef::from_row_major_slice(&train, count, dim).transpose(),
                1.0,
                Par::Seq,
            );
            Ok(cosines.chunks(count).map(|cosines| nearest(cosines, most)).collect())
        })
        .collect::<Result<_>>()?;
    let neighbours: Vec<Vec<(f32, usize)>> = blocks.into_iter().flatten().collect();
    Ok(ks.into_iter().map(|k| Votes { k, votes: tally(&neighbours, labels, classes, k) }).collect())
}

/// The greatest cosines with their places, falling; of equal ones the first.
pub fn nearest(cosines: &[f32], most: usize) -> Vec<(f32, usize)> {
    let closer = |a: &(f32, usize), b: &(f32, usize)| -> Ordering { b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)) };
    let mut all: Vec<(f32, usize)> = cosines.iter().copied().zip(0..).collect();
    if most < all.len() {
        all.select_nth_unstable_by(most, closer);
        all.truncate(most);
    }
    all.sort_unstable_by(closer);
    all
}

fn tally(neighbours: &[Vec<(f32, usize)>], labels: &[usize], classes: usize, k: usize) -> Array2<f32> {
    let mut votes = Array2::zeros((neighbours.len(), classes));
    for (neighbours, mut votes) in neighbours.iter().zip(votes.rows_mut()) {
        let greatest = neighbours.first().map_or(0.0, |first| first.0);
        let weights = neighbours.iter().map(|(cosine, _)| ((cosine - greatest) / TEMPERATURE).exp());
        let sum: f32 = weights.clone().sum();
        for ((_, neighbour), weight) in neighbours.iter().zip(weights).take(k) {
            votes[labels[*neighbour]] += weight / sum;
        }
    }
    votes
}
