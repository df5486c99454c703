//! Nearest patches and PCA scores against their host twins.

use ndarray::{Array2, Array3};

use super::gpu;
use crate::analysis::matching::nearest;
use crate::analysis::pca::{Basis, Sample};
use crate::features::FeatureGrid;
use crate::gpu::{Gpu, GpuError, NearestPipeline, ProjectionPipeline, ResidentGrid};
use crate::{Cancel, Error};

/// A cosine of features in half precision: each product is off by at most 2^-11 of itself, and both its factors are.
const COSINE: f32 = 1.0 / 1024.0;

/// Reproducible, without structure, in -1..=1.
fn noise(seed: usize, i: usize, k: usize) -> f32 {
    let mut hash = ((seed << 40) + (i << 16) + k) as u64;
    for _ in 0..2 {
        hash = (hash ^ (hash >> 29)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// Features of very different lengths.
fn grid(seed: usize, rows: usize, cols: usize, dim: usize) -> FeatureGrid {
    let value = |(i, k): (usize, usize)| noise(seed, i, k) * [1e-6, 1.0, 300.0][i % 3];
    FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, dim), value) }
}

fn unit(grid: &FeatureGrid) -> FeatureGrid {
    let mut unit = grid.clone();
    for mut feature in unit.data.rows_mut() {
        let length = feature.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        feature.mapv_inplace(|v| (f64::from(v) / length) as f32);
    }
    unit
}

/// Each found patch is as near as the nearest, but for rounding, and its cosine is what it says.
fn check_one_way(from: &FeatureGrid, to: &FeatureGrid, found: &[(usize, f32)], best: &[(usize, f32)], what: &str) {
    let (from, to) = (unit(from), unit(to));
    assert_eq!(found.len(), best.len(), "{what}");
    for (i, (&(index, cosine), &(_, greatest))) in found.iter().zip(best).enumerate() {
        let exact = from.data.row(i).dot(&to.data.row(index));
        assert!((cosine - exact).abs() <= COSINE, "{what}: patch {i} has {cosine} to {index}, it is {exact}");
        assert!(exact >= greatest - 2.0 * COSINE, "{what}: patch {i} went to {index} with {exact}, not {greatest}");
    }
}

#[test]
fn nearest_patches_are_those_of_the_host() {
    let gpu = gpu();
    let pipeline = NearestPipeline::new(&gpu);
    for (left, right, dim) in [
        ((1, 1), (1, 1), 1),
        ((1, 1), (7, 5), 3),
        ((7, 5), (1, 1), 50),
        ((9, 15), (13, 11), 384),
        ((8, 8), (16, 4), 16),
        ((67, 63), (5, 13), 10),
    ] {
        let what = format!("{left:?} to {right:?} of {dim}");
        let (left, right) = (grid(1, left.0, left.1, dim), grid(2, right.0, right.1, dim));
        let [on_left, on_right] = [&left, &right].map(|grid| ResidentGrid::upload(&gpu, grid).expect("room"));
        let found = pipeline.run(&gpu, &on_left, &on_right, &Cancel::default()).unwrap_or_else(|e| panic!("{e}"));
        let best = nearest(&left, &right, &Cancel::default()).expect("features");
        check_one_way(&left, &right, &found.right_of_left, &best.right_of_left, &what);
        check_one_way(&right, &left, &found.left_of_right, &best.left_of_right, &what);
    }
}

/// In grids of many buffers as in one; of equals the first one is found.
#[test]
fn nearest_patches_are_found_across_buffers() {
    let gpu = gpu();
    let pipeline = NearestPipeline::new(&gpu);
    let mut left = grid(1, 13, 11, 50);
    // Every patch of the left lies on the right three times, far apart.
    let data = Array2::from_shape_fn((429, 50), |(i, k)| left.data[[i % 143, k]]);
    let right = FeatureGrid { rows: 39, cols: 11, data };
    // And twice on the left.
    let first = left.data.row(3).to_owned();
    left.data.row_mut(140).assign(&first);
    // 64 patches of 28 words.
    let block = 64 * 28 * 4;
    let upload = |grid, blocks: u64| ResidentGrid::upload_within(&gpu, grid, blocks * block).expect("room");
    let cancel = Cancel::default();
    let run = |blocks_left, blocks_right| {
        let (left, right) = (upload(&left, blocks_left), upload(&right, blocks_right));
        pipeline.run(&gpu, &left, &right, &cancel).unwrap_or_else(|e| panic!("{e}"))
    };
    let whole = run(3, 7);
    for (blocks_left, blocks_right) in [(1, 1), (2, 3), (3, 2)] {
        assert_eq!(run(blocks_left, blocks_right), whole, "{blocks_left} and {blocks_right} blocks in a buffer");
    }
    let expected = |i: usize| if i == 140 { 3 } else { i };
    for (i, (index, _)) in whole.right_of_left.iter().enumerate() {
        assert_eq!(*index, expected(i), "of the left patch {i}");
    }
}

#[test]
fn grids_of_two_models_are_not_compared() {
    let gpu = gpu();
    let [left, right] = [4, 5].map(|dim| ResidentGrid::upload(&gpu, &grid(1, 2, 2, dim)).expect("room"));
    let error = NearestPipeline::new(&gpu).run(&gpu, &left, &right, &Cancel::default());
    assert!(matches!(error, Err(Error::Gpu(GpuError::Dimension { expected: 4, got: 5 }))));
    let basis = Basis::fit(&[Sample { grid: &grid(1, 2, 2, 5), foreground: None }], 1).expect("four patches");
    let error = ProjectionPipeline::new(&gpu).run(&gpu, &left, &basis, &[0]);
    assert!(matches!(error, Err(Error::Gpu(GpuError::Dimension { expected: 5, got: 4 }))));
}

fn check_scores(gpu: &Gpu, host: &FeatureGrid, resident: &ResidentGrid, basis: &Basis, chosen: &[usize]) {
    let found = ProjectionPipeline::new(gpu).run(gpu, resident, basis, chosen).unwrap_or_else(|e| panic!("{e}"));
    let expected: Array3<f32> = basis.project(&unit(host), chosen).expect("its own basis");
    assert_eq!(found.dim(), expected.dim());
    for (((_, _, i), found), expected) in found.indexed_iter().zip(&expected) {
        // An axis is as long as one over the deviation, and a feature of length 1 is off by at most 2^-11.
        let tolerance = 2f64.powi(-11) / basis.variances[chosen[i]].sqrt() + 1e-4;
        assert!(f64::from((found - expected).abs()) <= tolerance, "{found} {expected}");
    }
}

#[test]
fn scores_are_those_of_the_host() {
    let gpu = gpu();
    for (rows, cols, dim, components) in [(2, 2, 3, 1), (7, 5, 6, 6), (9, 15, 384, 9), (67, 63, 10, 3)] {
        let host = grid(1, rows, cols, dim);
        let basis = Basis::fit(&[Sample { grid: &unit(&host), foreground: None }], components).expect("enough patches");
        let resident = ResidentGrid::upload(&gpu, &host).expect("room");
        let all: Vec<usize> = (0..components).rev().collect();
        check_scores(&gpu, &host, &resident, &basis, &all);
        // One patch, one component, no component.
        let single = FeatureGrid { rows: 1, cols: 1, data: host.data.slice(ndarray::s![..1, ..]).to_owned() };
        check_scores(&gpu, &single, &ResidentGrid::upload(&gpu, &single).expect("room"), &basis, &all[..1]);
        check_scores(&gpu, &host, &resident, &basis, &[]);
    }
    let host = grid(1, 13, 11, 50);
    let basis = Basis::fit(&[Sample { grid: &unit(&host), foreground: None }], 3).expect("enough patches");
    let many = ResidentGrid::upload_within(&gpu, &host, 64 * 28 * 4).expect("room");
    assert_eq!(many.chunks.len(), 3);
    check_scores(&gpu, &host, &many, &basis, &[0, 1, 2]);
    assert!(ProjectionPipeline::new(&gpu).run(&gpu, &many, &basis, &[3]).is_err(), "it was not fitted");
}
