//! Against numpy and scikit-learn (`tests/golden/make_analysis.py`), degenerate features, and properties.

use ndarray::{Array, Array2, Array3, Axis, Dimension, concatenate};
use ndarray_npy::ReadableElement;
use proptest::prelude::*;

use super::AnalysisError;
use super::clustering::{ClusterOptions, cluster};
use super::matching::{MatchOptions, Side, matches, nearest, stratify};
use super::pca::{Basis, Sample, colours};
use super::similarity::{Query, similarity};
use crate::features::{FeatureGrid, Geometry, Patch};
use crate::{Cancel, Error};

fn golden<T: ReadableElement, D: Dimension>(name: &str) -> Array<T, D> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/analysis");
    ndarray_npy::read_npy(format!("{folder}/{name}.npy")).unwrap_or_else(|error| panic!("{name}.npy: {error}"))
}

fn golden_grid(name: &str) -> FeatureGrid {
    let features: Array3<f32> = golden(name);
    let (rows, cols, dim) = features.dim();
    FeatureGrid { rows, cols, data: features.into_shape_with_order((rows * cols, dim)).unwrap() }
}

fn grid(rows: usize, cols: usize, dim: usize, value: impl Fn(usize, usize) -> f32) -> FeatureGrid {
    FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, dim), |(i, k)| value(i, k)) }
}

/// Reproducible, without structure, in -1..=1.
fn noise(i: usize, k: usize) -> f32 {
    let hash = (i as u64 * 7919 + k as u64 * 104_729 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn fit(grid: &FeatureGrid, components: usize) -> Result<Basis, AnalysisError> {
    Basis::fit(&[Sample { grid, foreground: None }], components)
}

fn assert_close(found: &Array3<f32>, expected: &Array3<f64>, tolerance: f64) {
    assert_eq!(found.dim(), expected.dim());
    for (component, (found, expected)) in found.axis_iter(Axis(2)).zip(expected.axis_iter(Axis(2))).enumerate() {
        let worst =
            |sign: f64| found.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - sign * b).abs()).fold(0.0, f64::max);
        let error = worst(1.0).min(worst(-1.0));
        assert!(error <= tolerance, "component {component}: {error}");
    }
}

fn assert_ratios(basis: &Basis, name: &str) {
    let expected: ndarray::Array1<f64> = golden(name);
    for (found, expected) in basis.explained_variance_ratio().iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-4, "{found} {expected}");
    }
}

#[test]
fn similarity_is_numpys() {
    let (left, right) = (golden_grid("left"), golden_grid("right"));
    let patch = |index: usize| Patch { row: index / left.cols, col: index % left.cols };
    let query = Query::new(&left, &[patch(3), patch(20)], &[patch(11), patch(40)]).unwrap();
    let expected: Array2<f32> = golden("similarity");
    let found = similarity(&right, &query).unwrap();
    assert!((&found - &expected).iter().all(|d| d.abs() < 1e-5), "{found}\n{expected}");
}

#[test]
fn similarity_of_zero_vectors_is_zero() {
    let features = grid(2, 2, 3, |i, k| if i == 1 { 0.0 } else { noise(i, k) });
    let query = Query::new(&features, &[Patch { row: 0, col: 0 }], &[]).unwrap();
    let map = similarity(&features, &query).unwrap();
    assert_eq!(map[[0, 1]], 0.0);
    let zero = Query::new(&features, &[Patch { row: 0, col: 1 }], &[]).unwrap();
    assert_eq!(similarity(&features, &zero).unwrap(), Array2::<f32>::zeros((2, 2)));
}

#[test]
fn similarity_refuses_what_does_not_fit() {
    let features = grid(2, 2, 3, noise);
    assert!(matches!(Query::new(&features, &[], &[]), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(Query::new(&features, &[Patch { row: 2, col: 0 }], &[]), Err(AnalysisError::Patch { .. })));
    let query = Query::new(&features, &[Patch { row: 0, col: 0 }], &[]).unwrap();
    let other = similarity(&grid(2, 2, 4, noise), &query);
    assert_eq!(other, Err(AnalysisError::Dimension { expected: 3, got: 4 }));
    let broken = grid(2, 2, 3, |i, k| if (i, k) == (3, 1) { f32::NAN } else { 1.0 });
    assert_eq!(similarity(&broken, &query), Err(AnalysisError::NotFinite));
    assert_eq!(Query::new(&broken, &[Patch { row: 1, col: 1 }], &[]), Err(AnalysisError::NotFinite));
}

#[test]
fn pca_is_scikit_learns() {
    let left = golden_grid("left");
    let basis = fit(&left, 5).unwrap();
    assert_close(&basis.project(&left, &[0, 1, 2, 3, 4]).unwrap(), &golden("pca"), 1e-3);
    assert_ratios(&basis, "pca_ratio");
    let picked = basis.project(&left, &[3, 1]).unwrap();
    let all = basis.project(&left, &[0, 1, 2, 3]).unwrap();
    assert_eq!(picked.index_axis(Axis(2), 0), all.index_axis(Axis(2), 3));
    assert_eq!(picked.index_axis(Axis(2), 1), all.index_axis(Axis(2), 1));
}

#[test]
fn pca_of_fewer_patches_than_dimensions_is_scikit_learns() {
    let left = golden_grid("left");
    let foreground = Array2::from_shape_fn((left.rows, left.cols), |(row, col)| row * left.cols + col < 9);
    let basis = Basis::fit(&[Sample { grid: &left, foreground: Some(&foreground) }], 3).unwrap();
    assert_close(&basis.project(&left, &[0, 1, 2]).unwrap(), &golden("pca_few"), 1e-3);
    assert_ratios(&basis, "pca_few_ratio");
}

#[test]
fn joint_pca_is_scikit_learns() {
    let (left, right) = (golden_grid("left"), golden_grid("right"));
    let samples = [&left, &right].map(|grid| Sample { grid, foreground: None });
    let basis = Basis::fit(&samples, 3).unwrap();
    assert_close(&basis.project(&right, &[0, 1, 2]).unwrap(), &golden("pca_joint"), 1e-3);
}

#[test]
fn pca_survives_one_dominant_direction() {
    for (patches, dim) in [(40, 6), (12, 30)] {
        let line = grid(1, patches, dim, |i, k| 1e4 * (i as f32 - 5.0) * (k as f32 + 1.0));
        let basis = fit(&line, 3).unwrap();
        assert!((basis.explained_variance_ratio()[0] - 1.0).abs() < 1e-9);
        assert_eq!(basis.variances[1..], [0.0, 0.0]);
        let scores = basis.project(&line, &[0, 1, 2]).unwrap();
        assert!(scores.index_axis(Axis(2), 1).iter().all(|&v| v == 0.0));
        assert!(scores[[0, patches - 1, 0]] > 1.0);

        let nearly = grid(1, patches, dim, |i, k| line.data[[i, k]] + noise(i, k));
        let basis = fit(&nearly, 3).unwrap();
        assert!(basis.variances[1] > 0.0 && basis.project(&nearly, &[0, 1, 2]).is_ok());
    }
}

#[test]
fn pca_refuses_what_has_no_components() {
    assert!(matches!(fit(&grid(3, 3, 4, |_, k| 0.1 + k as f32), 1), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(fit(&grid(1, 3, 4, noise), 3), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(fit(&grid(1, 1, 4, noise), 0), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(fit(&grid(3, 3, 2, noise), 3), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(Basis::fit(&[], 1), Err(AnalysisError::NotEnough(_))));
    let broken = grid(3, 3, 4, |i, k| if (i, k) == (4, 2) { f32::INFINITY } else { noise(i, k) });
    assert_eq!(fit(&broken, 2), Err(AnalysisError::NotFinite));
    let basis = fit(&grid(3, 3, 4, noise), 2).unwrap();
    assert!(matches!(basis.project(&grid(3, 3, 4, noise), &[2]), Err(AnalysisError::NotEnough(_))));
    assert!(matches!(basis.project(&grid(3, 3, 5, noise), &[0]), Err(AnalysisError::Dimension { .. })));
    let (three, four) = (grid(3, 3, 3, noise), grid(3, 3, 4, noise));
    let samples = [&three, &four].map(|grid| Sample { grid, foreground: None });
    assert_eq!(Basis::fit(&samples, 1), Err(AnalysisError::Dimension { expected: 3, got: 4 }));
    let mask = Array2::from_elem((3, 2), true);
    let masked = Basis::fit(&[Sample { grid: &three, foreground: Some(&mask) }], 1);
    assert_eq!(masked, Err(AnalysisError::MaskSize { expected: (3, 3), got: (2, 3) }));
}

#[test]
fn signs_are_fixed_and_follow_a_reference() {
    let features = grid(6, 6, 5, noise);
    let basis = fit(&features, 3).unwrap();
    for component in &basis.components {
        let peak = component.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        assert!(peak > 0.0);
    }
    let mut flipped = basis.clone();
    flipped.components[1].iter_mut().for_each(|v| *v = -*v);
    assert_ne!(flipped, basis);
    flipped.align_to(&basis);
    assert_eq!(flipped, basis);
}

#[test]
fn colours_are_a_sigmoid_and_black_outside() {
    let scores = ndarray::arr3(&[[[0.0, 1.0, -1.0], [9.0, 9.0, 9.0]]]);
    let foreground = ndarray::arr2(&[[true, false]]);
    let shown = colours(&scores, Some(&foreground));
    let expected = [0.5, 0.880_797, 0.119_203, 0.0, 0.0, 0.0];
    assert!(shown.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{shown}");
    let grey = colours(&ndarray::arr3(&[[[1.0]]]), None);
    assert!(grey.iter().all(|v| (v - 0.880_797).abs() < 1e-6));
}

#[test]
fn nearest_patches_are_numpys() {
    let expected: Array2<i64> = golden("nearest");
    let found = nearest(&golden_grid("left"), &golden_grid("right"), &Cancel::default()).unwrap();
    let indices = |pairs: &[(usize, f32)]| pairs.iter().map(|&(index, _)| index as i64).collect::<Vec<_>>();
    assert_eq!(indices(&found.right_of_left), expected.row(0).to_vec());
    assert_eq!(indices(&found.left_of_right), expected.row(1).to_vec());
}

#[test]
fn nearest_across_tiles_is_the_plain_search() {
    // More patches than a tile on both sides, and neither a multiple of it.
    let (left, right) = (grid(13, 21, 6, noise), grid(29, 37, 6, |i, k| noise(i + 5000, k)));
    let found = nearest(&left, &right, &Cancel::default()).unwrap();
    let unit = |grid: &FeatureGrid| {
        let mut data = grid.data.mapv(f64::from);
        data.rows_mut().into_iter().for_each(|mut row| row /= row.dot(&row).sqrt());
        data
    };
    let table = unit(&left).dot(&unit(&right).t());
    for (row, &(index, score)) in table.rows().into_iter().zip(&found.right_of_left) {
        let best = row.iter().copied().fold(f64::MIN, f64::max);
        assert!((f64::from(score) - best).abs() < 1e-6 && (row[index] - best).abs() < 1e-6);
    }
    for (column, &(index, score)) in table.columns().into_iter().zip(&found.left_of_right) {
        let best = column.iter().copied().fold(f64::MIN, f64::max);
        assert!((f64::from(score) - best).abs() < 1e-6 && (column[index] - best).abs() < 1e-6);
    }
}

#[test]
fn thinning_is_the_references() {
    let points: Array2<f64> = golden("points");
    let points: Vec<_> = points.rows().into_iter().map(|p| (p[0], p[1])).collect();
    let expected: ndarray::Array1<i64> = golden("thinned");
    let kept: Vec<_> =
        stratify(&points, 100.0, &Cancel::default()).unwrap().into_iter().map(|index| index as i64).collect();
    assert_eq!(kept, expected.to_vec());
    assert_eq!(stratify(&points, 0.0, &Cancel::default()).unwrap().len(), points.len());
    assert_eq!(stratify(&points, 1e9, &Cancel::default()).unwrap().len(), 1);
}

#[test]
fn what_takes_long_stops_where_that_is_asked() {
    let large = grid(40, 40, 8, noise);
    let stopped = Cancel::default();
    stopped.cancel();
    let points: Vec<_> = (0..99).map(|i| (f64::from(i), 0.0)).collect();
    assert!(matches!(nearest(&large, &large, &stopped), Err(Error::Cancelled)));
    assert!(matches!(stratify(&points, 10.0, &stopped), Err(Error::Cancelled)));
    assert!(matches!(cluster(&[&large], &ClusterOptions::default(), &stopped), Err(Error::Cancelled)));
}

#[test]
fn matches_keep_foreground_mutual_and_good_pairs() {
    let (left, right) = (golden_grid("left"), golden_grid("right"));
    let geometry = Geometry { picture: (70, 60), covered: (70, 60), grid: (left.rows, left.cols) };
    let foreground = Array2::from_shape_fn((left.rows, left.cols), |(row, _)| row < 3);
    let side = |grid| Side { grid, geometry: &geometry, foreground: None };
    let masked = |grid| Side { grid, geometry: &geometry, foreground: Some(&foreground) };
    let go_on = Cancel::default();
    let all = matches(&side(&left), &side(&right), &MatchOptions::default(), &go_on).unwrap();
    assert_eq!(all.len(), left.rows * left.cols);
    assert_eq!(all[8].left_pixel, (15.0, 15.0));

    let kept = matches(&masked(&left), &masked(&right), &MatchOptions::default(), &go_on).unwrap();
    let expected: Vec<_> = all.iter().copied().filter(|pair| pair.left.row < 3 && pair.right.row < 3).collect();
    assert_eq!(kept, expected);
    assert!(!kept.is_empty() && kept.len() < all.len());

    let least = all[0].score;
    let options = MatchOptions { min_score: Some(least), ..Default::default() };
    let good = matches(&side(&left), &side(&right), &options, &go_on);
    assert!(good.unwrap().iter().all(|pair| pair.score >= least));

    let (dense_left, dense_right) = super::matching::colours(&masked(&left), &masked(&right), &all).unwrap();
    assert_eq!(dense_left.dim(), (left.rows, left.cols, 3));
    assert!(dense_right.indexed_iter().all(|((row, _, _), &v)| (row < 3) == (v > 0.0)));
    assert!(super::matching::colours(&side(&left), &side(&right), &all[..2]).is_err());
}

fn small_grid() -> impl Strategy<Value = FeatureGrid> {
    (2usize..5, 2usize..5).prop_flat_map(|(rows, cols)| {
        prop::collection::vec(-5.0f32..5.0, rows * cols * 4).prop_map(move |values| {
            let data = Array2::from_shape_vec((rows * cols, 4), values).unwrap();
            FeatureGrid { rows, cols, data }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cosines_stay_in_range(features in small_grid()) {
        let query = Query::new(&features, &[Patch { row: 0, col: 1 }], &[]).unwrap();
        let map = similarity(&features, &query).unwrap();
        prop_assert!(map.iter().all(|v| (-1.0..=1.0).contains(v)));
        prop_assert!((map[[0, 1]] - 1.0).abs() < 1e-5 || features.data.row(1).iter().all(|&v| v == 0.0));
    }

    #[test]
    fn joint_pca_of_halves_is_that_of_the_whole(features in small_grid()) {
        let half = FeatureGrid { rows: 1, cols: features.cols, data: features.data.slice(ndarray::s![..features.cols, ..]).to_owned() };
        let rest = FeatureGrid {
            rows: features.rows - 1,
            cols: features.cols,
            data: features.data.slice(ndarray::s![features.cols.., ..]).to_owned(),
        };
        prop_assert_eq!(concatenate![Axis(0), half.data, rest.data], features.data.clone());
        let joint = Basis::fit(&[&half, &rest].map(|grid| Sample { grid, foreground: None }), 3);
        prop_assert_eq!(joint, fit(&features, 3));
    }

    #[test]
    fn mutual_pairs_are_symmetric(left in small_grid(), right in small_grid()) {
        let geometry = |grid: &FeatureGrid| Geometry { picture: (16, 16), covered: (16, 16), grid: (grid.rows, grid.cols) };
        let (left_geometry, right_geometry) = (geometry(&left), geometry(&right));
        let left = Side { grid: &left, geometry: &left_geometry, foreground: None };
        let right = Side { grid: &right, geometry: &right_geometry, foreground: None };
        let options = MatchOptions { mutual: true, min_score: None };
        let go_on = Cancel::default();
        let mut forth: Vec<_> = matches(&left, &right, &options, &go_on).unwrap().iter().map(|p| (p.left.row, p.left.col, p.right.row, p.right.col)).collect();
        let mut back: Vec<_> = matches(&right, &left, &options, &go_on).unwrap().iter().map(|p| (p.right.row, p.right.col, p.left.row, p.left.col)).collect();
        forth.sort_unstable();
        back.sort_unstable();
        prop_assert_eq!(forth, back);
    }

    #[test]
    fn thinned_points_keep_their_distance(points in prop::collection::vec((-50.0f64..50.0, -50.0f64..50.0), 0..60)) {
        let kept = stratify(&points, 12.0, &Cancel::default()).unwrap();
        for (i, &a) in kept.iter().enumerate() {
            for &b in &kept[i + 1..] {
                prop_assert!((points[a].0 - points[b].0).hypot(points[a].1 - points[b].1) > 12.0);
            }
        }
        prop_assert!(points.is_empty() || !kept.is_empty());
    }
}

#[test]
fn a_basis_comes_back_from_json_and_nothing_else_does() {
    let basis = Basis {
        mean: vec![0.5, -1.0],
        components: vec![vec![0.6, 0.8], vec![0.8, -0.6]],
        variances: vec![2.0, 1.0],
        total_variance: 3.0,
    };
    let text = serde_json::to_string(&basis).unwrap();
    assert_eq!(Basis::from_json(&text), Ok(basis.clone()));
    let broken = [
        Basis { mean: vec![0.5], ..basis.clone() },
        Basis { variances: vec![2.0], ..basis.clone() },
        Basis { total_variance: 0.0, ..basis.clone() },
        Basis { components: Vec::new(), ..basis },
    ];
    for basis in broken {
        let text = serde_json::to_string(&basis).unwrap();
        assert!(matches!(Basis::from_json(&text), Err(AnalysisError::Basis(_))), "{text}");
    }
    assert!(matches!(Basis::from_json("{}"), Err(AnalysisError::Basis(_))));
}
