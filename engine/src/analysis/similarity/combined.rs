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

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    /// Two rows of two patches: along x, along y, between them, against x.
    fn grid() -> FeatureGrid {
        let data = arr2(&[[2.0, 0.0], [0.0, 5.0], [3.0, 3.0], [-1.0, 0.0]]);
        FeatureGrid { rows: 2, cols: 2, data }
    }

    fn asked(positive: &[[f32; 2]], negative: &[[f32; 2]], combine: Combine) -> MapQuery {
        let directions = |all: &[[f32; 2]]| all.iter().map(|direction| direction.to_vec()).collect();
        MapQuery { positive: directions(positive), negative: directions(negative), combine, excluded: Vec::new() }
    }

    fn check(query: &MapQuery, expected: [f32; 4]) {
        let map = combined_map(&grid(), query).expect("a map");
        let close = map.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6);
        assert!(close, "{query:?}: {map}, not {expected:?}");
        for (index, expected) in expected.into_iter().enumerate() {
            let patch = Patch { row: index / 2, col: index % 2 };
            let value = combined_value(&grid(), query, patch).expect("a value");
            assert!((value - expected).abs() < 1e-6, "{query:?} at {patch:?}: {value}, not {expected}");
        }
    }

    const X: [f32; 2] = [1.0, 0.0];
    const Y: [f32; 2] = [0.0, 1.0];
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

    #[test]
    fn one_direction_gives_cosines() {
        for combine in [Combine::Mean, Combine::Max] {
            check(&asked(&[X], &[], combine), [1.0, 0.0, HALF, -1.0]);
        }
    }

    #[test]
    fn the_mean_is_a_direction_and_the_greatest_is_not() {
        check(&asked(&[X, Y], &[], Combine::Mean), [HALF, HALF, 1.0, -HALF]);
        check(&asked(&[X, Y], &[], Combine::Max), [1.0, 1.0, HALF, 0.0]);
    }

    #[test]
    fn negatives_are_taken_off() {
        for combine in [Combine::Mean, Combine::Max] {
            check(&asked(&[X], &[Y], combine), [1.0, -1.0, 0.0, -1.0]);
        }
        // Opposite directions: their mean says nothing, the greatest of them does.
        check(&asked(&[Y], &[X, [-1.0, 0.0]], Combine::Mean), [0.0, 1.0, HALF, 0.0]);
        check(&asked(&[Y], &[X, [-1.0, 0.0]], Combine::Max), [-1.0, 1.0, 0.0, -1.0]);
    }

    #[test]
    fn what_is_left_out_and_what_is_not_asked() {
        let excluded = MapQuery { excluded: vec![1, 99], ..asked(&[X], &[], Combine::Mean) };
        check(&excluded, [1.0, EXCLUDED, HALF, -1.0]);
        check(&asked(&[], &[X], Combine::Mean), [EXCLUDED; 4]);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let query = MapQuery { positive: vec![vec![1.0; 3]], ..MapQuery::default() };
        assert_eq!(combined_map(&grid(), &query), Err(AnalysisError::Dimension { expected: 3, got: 2 }));
        let query = asked(&[X], &[], Combine::Mean);
        let outside = Patch { row: 2, col: 0 };
        let error = combined_value(&grid(), &query, outside);
        assert_eq!(error, Err(AnalysisError::Patch { row: 2, col: 0, rows: 2, cols: 2 }));
        let mut broken = grid();
        broken.data[[0, 0]] = f32::NAN;
        assert_eq!(combined_map(&broken, &query), Err(AnalysisError::NotFinite));
    }
}
