//! K-means clusters of patch features.

use std::cmp::Reverse;

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::{Array2, Axis, concatenate};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::AnalysisError;
use crate::features::FeatureGrid;
use crate::{Cancel, Error, Result};

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
const RUNS: u64 = 3;

/// Steps of each at most.
const MOST_STEPS: usize = 300;

/// Centres that move less than this, in all, have settled.
const SETTLED: f32 = 1e-4;

/// Label of every patch, `[rows, cols]` for each grid, by k-means++ over all grids together. Label 0 is the largest
/// cluster.
///
/// # Errors
/// [`AnalysisError::NotEnough`] where there are fewer patches than clusters, [`AnalysisError::Dimension`] where grids
/// differ in width, [`AnalysisError::NotFinite`] for NaN, and [`Error::Cancelled`] within one step of the request.
pub fn cluster(grids: &[&FeatureGrid], options: &ClusterOptions, cancel: &Cancel) -> Result<Vec<Labels>> {
    let patches = DatasetBase::from(joined(grids, options)?);
    // linfa's own loop does not stop before its end: here it takes one step at a time.
    let step = |seed: u64, start: KMeansInit<f32>| {
        cancel.check()?;
        let random = Xoshiro256Plus::seed_from_u64(seed);
        let one_step = KMeans::params_with_rng(options.clusters, random).n_runs(1).max_n_iterations(1);
        let failed = |error| Error::from(AnalysisError::NotEnough(format!("k-means failed: {error}")));
        one_step.init_method(start).fit(&patches).map_err(failed)
    };
    let settled = |run: u64| {
        let mut found = step(options.seed.wrapping_add(run), KMeansInit::KMeansPlusPlus)?;
        for _ in 1..MOST_STEPS {
            let next = step(options.seed, KMeansInit::Precomputed(found.centroids().clone()))?;
            let moved = (next.centroids() - found.centroids()).mapv(|v| v * v).sum().sqrt();
            found = next;
            if moved < SETTLED {
                break;
            }
        }
        Ok(found)
    };
    let runs = (0..RUNS).map(settled).collect::<Result<Vec<_>>>()?;
    let tightest = runs.into_iter().min_by(|a, b| a.inertia().total_cmp(&b.inertia()));
    let labels = tightest.expect("there is at least one run").predict(&patches);
    let labels = by_falling_size(labels.to_vec(), options.clusters);

    let mut rest = labels.as_slice();
    let maps = grids.iter().map(|grid| {
        let (own, others) = rest.split_at(grid.data.nrows());
        rest = others;
        Array2::from_shape_vec((grid.rows, grid.cols), own.to_vec()).expect("a grid has rows * cols features")
    });
    Ok(maps.collect())
}

/// Features of all grids as they are compared, `[patches, dim]`.
fn joined(grids: &[&FeatureGrid], options: &ClusterOptions) -> Result<Array2<f32>, AnalysisError> {
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
    Ok(features)
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
        let labels = cluster(&[&a, &b], &options, &Cancel::default()).unwrap();
        assert_eq!(labels, cluster(&[&a, &b], &options, &Cancel::default()).unwrap(), "the same seed");
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
        let cluster = |grids: &[&FeatureGrid], clusters| super::cluster(grids, &options(clusters), &Cancel::default());
        assert_eq!(cluster(&[&same], 3).unwrap()[0].dim(), (2, 2));
        let is_too_few = |error| matches!(error, Err(Error::Analysis(AnalysisError::NotEnough(_))));
        assert!(is_too_few(cluster(&[&same], 5)) && is_too_few(cluster(&[], 2)));
        let broken = FeatureGrid { data: Array2::from_elem((4, 3), f32::NAN), ..same };
        assert!(matches!(cluster(&[&broken], 2), Err(Error::Analysis(AnalysisError::NotFinite))));
    }
}
