//! Several directions in one map: what the window draws from resident grids, computed on the host.

use ndarray::{Array2, Axis, Zip};

use super::{Query, normalise, similarity};
use crate::analysis::AnalysisError;
use crate::features::{FeatureGrid, Patch};

/// Value of patches that a map leaves out; far below any similarity.
pub const EXCLUDED: f32 = -8.0;

/// How several queries become one map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// The cosine to the mean of the positive ones, less the mean cosine to the negative ones.
    #[default]
    Mean,
    /// The greatest cosine to a positive one; less the greatest to a negative one where there are any.
    Max,
}

/// What a map is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapQuery {
    /// Unit directions, `[dim]` each, as [`super::unit_direction`] gives them. Without any, the map leaves all out.
    pub positive: Vec<Vec<f32>>,
    /// Unit directions, `[dim]` each.
    pub negative: Vec<Vec<f32>>,
    /// How they are combined.
    pub combine: Combine,
    /// Patches to leave out, by index `row * cols + col`; they get [`EXCLUDED`].
    pub excluded: Vec<usize>,
}

/// A [`MapQuery`] as it is computed: the greatest of the positive ones, less the greatest of the negative ones.
#[derive(Debug)]
pub(crate) struct Folded {
    pub positive: Vec<Query>,
    pub negative: Vec<Query>,
}

impl MapQuery {
    /// [`Combine::Mean`] is one direction: the mean cosine to some directions is the dot product with their mean.
    pub(crate) fn folded(&self) -> Folded {
        if self.positive.is_empty() {
            return Folded { positive: Vec::new(), negative: Vec::new() };
        }
        let queries = |directions: &[Vec<f32>]| -> Vec<Query> {
            directions.iter().map(|direction| Query { direction: direction.clone(), bound: 1.0 }).collect()
        };
        match self.combine {
            Combine::Max => Folded { positive: queries(&self.positive), negative: queries(&self.negative) },
            Combine::Mean => Folded { positive: vec![self.mean()], negative: Vec::new() },
        }
    }

    fn mean(&self) -> Query {
        if let ([only], []) = (&self.positive[..], &self.negative[..]) {
            return Query { direction: only.clone(), bound: 1.0 };
        }
        let mut direction = mean(&self.positive);
        normalise(&mut direction);
        direction.iter_mut().zip(mean(&self.negative)).for_each(|(d, away)| *d -= away);
        let bound = if self.negative.is_empty() { 1.0 } else { 2.0 };
        Query { direction: direction.into_iter().map(|v| v as f32).collect(), bound }
    }

    /// That all directions have `dim` numbers.
    ///
    /// # Errors
    /// How many another one has.
    pub(crate) fn check(&self, dim: usize) -> Result<(), usize> {
        match self.positive.iter().chain(&self.negative).map(Vec::len).find(|&len| len != dim) {
            Some(len) => Err(len),
            None => Ok(()),
        }
    }
}

/// Mean of vectors of one length, `[dim]`; nothing of none.
fn mean(vectors: &[Vec<f32>]) -> Vec<f64> {
    let mut mean = vec![0.0; vectors.first().map_or(0, Vec::len)];
    for vector in vectors {
        mean.iter_mut().zip(vector).for_each(|(m, &v)| *m += f64::from(v) / vectors.len() as f64);
    }
    mean
}

/// What [`crate::gpu::SimilarityPipeline`] computes, `[rows, cols]`, in -1..=1 (-2..=2 with negatives), excluded
/// patches aside.
///
/// # Errors
/// [`AnalysisError::Dimension`] where a direction comes from another model, [`AnalysisError::NotFinite`] for NaN.
pub fn combined_map(grid: &FeatureGrid, query: &MapQuery) -> Result<Array2<f32>, AnalysisError> {
    query.check(grid.dim()).map_err(|expected| AnalysisError::Dimension { expected, got: grid.dim() })?;
    let folded = query.folded();
    let Some(mut map) = greatest(grid, &folded.positive)? else {
        return Ok(Array2::from_elem((grid.rows, grid.cols), EXCLUDED));
    };
    if let Some(away) = greatest(grid, &folded.negative)? {
        map -= &away;
    }
    if let Some(values) = map.as_slice_mut() {
        for &patch in &query.excluded {
            if let Some(value) = values.get_mut(patch) {
                *value = EXCLUDED;
            }
        }
    }
    Ok(map)
}

/// The value that [`combined_map`] has at one patch, for the number under the pointer: [`EXCLUDED`] for one left out.
///
/// # Errors
/// As [`combined_map`], and [`AnalysisError::Patch`] outside of the grid.
pub fn combined_value(grid: &FeatureGrid, query: &MapQuery, patch: Patch) -> Result<f32, AnalysisError> {
    let Patch { row, col } = patch;
    let (rows, cols) = (grid.rows, grid.cols);
    if row >= rows || col >= cols {
        return Err(AnalysisError::Patch { row, col, rows, cols });
    }
    let excluded = query.excluded.iter().filter(|&&index| index == row * cols + col).map(|_| 0).collect();
    let data = grid.at(patch).insert_axis(Axis(0)).to_owned();
    let alone = FeatureGrid { rows: 1, cols: 1, data };
    combined_map(&alone, &MapQuery { excluded, ..query.clone() }).map(|map| map[[0, 0]])
}

/// The greatest similarity of every patch to one of `queries`, `[rows, cols]`; `None` of none.
fn greatest(grid: &FeatureGrid, queries: &[Query]) -> Result<Option<Array2<f32>>, AnalysisError> {
    let Some((first, others)) = queries.split_first() else { return Ok(None) };
    let mut map = similarity(grid, first)?;
    for query in others {
        Zip::from(&mut map).and(&similarity(grid, query)?).for_each(|value, &other| *value = value.max(other));
    }
    Ok(Some(map))
}
