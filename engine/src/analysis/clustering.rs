//! K-means clusters of patch features.

use std::cmp::Reverse;

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::{Array2, Axis, concatenate};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::AnalysisError;
use crate::features::FeatureGrid;

/// Cluster of every patch, `[rows, cols]`.
pub type Labels = Array2<usize>;

/// How patches are clustered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// Compare directions rather than positions.
    pub normalise: bool,
    /// The same seed gives the same labels.
    pub seed: u64,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { clusters: 8, normalise: true, seed: 0 }
    }
}

/// Starts of which the tightest result counts.
const RUNS: usize = 3;

/// Label of every patch, `[rows, cols]` for each grid, by k-means++ over all grids together. Label 0 is the largest
/// cluster.
///
/// # Errors
/// [`AnalysisError::NotEnough`] where there are fewer patches than clusters, [`AnalysisError::Dimension`] where grids
/// differ in width, [`AnalysisError::NotFinite`] for NaN.
pub fn cluster(grids: &[&FeatureGrid], options: &ClusterOptions) -> Result<Vec<Labels>, AnalysisError> {
    let expected = grids.first().map_or(0, |grid| grid.dim());
    if let Some(other) = grids.iter().find(|grid| grid.dim() != expected) {
        return Err(AnalysisError::Dimension { expected, got: other.dim() });
    }
    let patches: usize = grids.iter().map(|grid| grid.data.nrows()).sum();
    if options.clusters == 0 || patches < options.clusters || expected == 0 {
        let clusters = options.clusters;
        return Err(AnalysisError::NotEnough(format!("{patches} patches cannot form {clusters} clusters")));
    }
    let views: Vec<_> = grids.iter().map(|grid| grid.data.view()).collect();
    let mut features = concatenate(Axis(0), &views).expect("all grids are equally wide");
    for mut feature in features.rows_mut() {
        let length = feature.dot(&feature).sqrt();
        if !length.is_finite() {
            return Err(AnalysisError::NotFinite);
        }
        if options.normalise && length > 0.0 {
            feature /= length;
        }
    }

    let dataset = DatasetBase::from(features);
    let random = Xoshiro256Plus::seed_from_u64(options.seed);
    let model = KMeans::params_with_rng(options.clusters, random)
        .n_runs(RUNS)
        .fit(&dataset)
        .map_err(|error| AnalysisError::NotEnough(format!("k-means failed: {error}")))?;
    let labels = by_falling_size(model.predict(&dataset).to_vec(), options.clusters);

    let mut rest = labels.as_slice();
    let maps = grids.iter().map(|grid| {
        let (own, others) = rest.split_at(grid.data.nrows());
        rest = others;
        Array2::from_shape_vec((grid.rows, grid.cols), own.to_vec()).expect("a grid has rows * cols features")
    });
    Ok(maps.collect())
}

/// Renames labels so that the largest cluster is 0.
fn by_falling_size(labels: Vec<usize>, clusters: usize) -> Vec<usize> {
    let mut sizes = vec![0; clusters];
    labels.iter().for_each(|&label| sizes[label] += 1);
    let mut order: Vec<usize> = (0..clusters).collect();
    order.sort_by_key(|&label| Reverse(sizes[label]));
    let mut rank = vec![0; clusters];
    order.iter().enumerate().for_each(|(new, &old)| rank[old] = new);
    labels.into_iter().map(|label| rank[label]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directions 0, 1 or 2 by column, at growing lengths.
    fn striped(cols: usize) -> FeatureGrid {
        let data = Array2::from_shape_fn((4 * cols, 3), |(i, k)| {
            let (row, col) = (i / cols, i % cols);
            if col * 3 / cols == k { 1.0 + row as f32 } else { 0.01 }
        });
        FeatureGrid { rows: 4, cols, data }
    }

    #[test]
    fn clusters_are_shared_by_all_pictures() {
        let (a, b) = (striped(6), striped(9));
        let options = ClusterOptions { clusters: 3, ..ClusterOptions::default() };
        let labels = cluster(&[&a, &b], &options).unwrap();
        assert_eq!(labels, cluster(&[&a, &b], &options).unwrap(), "the same seed");
        for row in 0..4 {
            for stripe in 0..3 {
                assert_eq!(labels[0][[row, stripe * 2]], labels[0][[0, stripe * 2 + 1]]);
                assert_eq!(labels[0][[row, stripe * 2]], labels[1][[row, stripe * 3]]);
            }
        }
        let mut seen = vec![labels[0][[0, 0]], labels[0][[0, 2]], labels[0][[0, 4]]];
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }

    #[test]
    fn label_0_is_the_largest() {
        assert_eq!(by_falling_size(vec![2, 2, 0, 2, 1, 1], 3), [0, 0, 2, 0, 1, 1]);
    }

    #[test]
    fn odd_input_is_an_error_or_a_result() {
        let same = FeatureGrid { rows: 2, cols: 2, data: Array2::ones((4, 3)) };
        let options = |clusters| ClusterOptions { clusters, ..ClusterOptions::default() };
        assert_eq!(cluster(&[&same], &options(3)).unwrap()[0].dim(), (2, 2));
        assert!(matches!(cluster(&[&same], &options(5)), Err(AnalysisError::NotEnough(_))));
        assert!(matches!(cluster(&[], &options(2)), Err(AnalysisError::NotEnough(_))));
        let broken = FeatureGrid { data: Array2::from_elem((4, 3), f32::NAN), ..same };
        assert_eq!(cluster(&[&broken], &options(2)), Err(AnalysisError::NotFinite));
    }
}
