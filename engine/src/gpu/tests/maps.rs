//! Kernels against their host twins.

use std::time::{Duration, Instant};

use ndarray::Array2;

use super::{finish, gpu, read_floats};
use crate::analysis::similarity::{combined_map, unit_direction};
use crate::features::{FeatureGrid, Patch};
use crate::gpu::{Combine, EXCLUDED, Gpu, GpuError, MapQuery, MapTexture, ResidentGrid, SimilarityPipeline};

/// Reproducible, without structure, in -1..=1.
fn noise(i: usize, k: usize) -> f32 {
    let hash = (i as u64 * 7919 + k as u64 * 104_729 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// Features of very different lengths with a large number in some places, as models give them.
fn grid(rows: usize, cols: usize, dim: usize) -> FeatureGrid {
    let value = |(i, k): (usize, usize)| {
        let spike = if k % 97 == 5 { 40.0 } else { 1.0 };
        noise(i, k) * spike * [1e-6, 1.0, 300.0][i % 3]
    };
    FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, dim), value) }
}

fn directions(grid: &FeatureGrid, indices: &[usize]) -> Vec<Vec<f32>> {
    let patches = grid.rows * grid.cols;
    let patch = |i: usize| Patch { row: i % patches / grid.cols, col: i % patches % grid.cols };
    indices.iter().map(|&i| unit_direction(grid, &[patch(i)]).expect("a direction")).collect()
}

fn wait_for_values(gpu: &Gpu, map: &mut MapTexture) -> Array2<f32> {
    finish(gpu);
    map.arrived(gpu).expect("all work is done").clone()
}

/// What the kernel gives, after it was compared with the host.
fn check(gpu: &Gpu, pipeline: &SimilarityPipeline, host: &FeatureGrid, resident: &ResidentGrid, query: &MapQuery) {
    let mut map = MapTexture::new(gpu, host.rows, host.cols);
    pipeline.run(gpu, resident, query, &mut map).expect("directions of the grid");
    let found = wait_for_values(gpu, &mut map);
    let expected = combined_map(host, query).expect("a map");
    let what = format!("{}x{}x{} {:?} of {}", host.rows, host.cols, host.dim(), query.combine, query.positive.len());
    assert_eq!(found.dim(), expected.dim());

    // Half precision rounds each product by at most 2^-11 of itself, so a cosine by at most 2^-11 in all; what
    // is left is the rounding of sums.
    let one_cosine = 2f32.powi(-11) + 1e-6;
    let tolerance = if query.negative.is_empty() { one_cosine } else { 2.0 * one_cosine };
    let errors: Vec<f32> = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).collect();
    let worst = errors.iter().copied().fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: {worst}");
    let mean = errors.iter().sum::<f32>() / errors.len() as f32;
    assert!(mean <= tolerance / 4.0, "{what}: {mean} on average");

    assert_eq!(read_floats(gpu, map.view()), found.iter().copied().collect::<Vec<_>>(), "{what}");
    let kept = || found.iter().copied().filter(|&v| v != EXCLUDED);
    let range = if kept().next().is_none() {
        [0.0, 0.0]
    } else {
        [kept().fold(f32::INFINITY, f32::min), kept().fold(f32::NEG_INFINITY, f32::max)]
    };
    assert_eq!(read_floats(gpu, map.range_view()), range, "{what}");
    for &patch in &query.excluded {
        if let Some(value) = found.iter().nth(patch) {
            assert_eq!(*value, EXCLUDED, "{what}: patch {patch}");
        }
    }
}

#[test]
fn maps_are_those_of_the_host() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    for (rows, cols, dim) in [
        (1, 1, 1),
        (1, 1, 3),
        (7, 5, 1),
        (7, 5, 3),
        (7, 5, 384),
        (65, 63, 3),
        (65, 67, 384),
        (7, 5, 4096),
        (3, 200, 10),
    ] {
        let host = grid(rows, cols, dim);
        let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
        let (one, three) = (directions(&host, &[11]), directions(&host, &[11, 23, 4000]));
        for combine in [Combine::Mean, Combine::Max] {
            for (positive, negative) in [(&one, &vec![]), (&three, &vec![]), (&one, &three), (&three, &one)] {
                let (positive, negative) = (positive.clone(), negative.clone());
                let query = MapQuery { positive, negative, combine, excluded: vec![0, 33, 34, 4_000_000] };
                check(&gpu, &pipeline, &host, &resident, &query);
                check(&gpu, &pipeline, &host, &resident, &MapQuery { excluded: Vec::new(), ..query });
            }
        }
        assert_eq!(resident.chunks.len(), 1);
        assert!(resident.bytes() >= rows * cols * dim * 2);
    }
}

#[test]
fn grids_of_many_buffers_are_the_same() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(13, 11, 50);
    // 143 patches of 28 words are three blocks.
    let block = 64 * 28 * 4;
    for (limit, chunks) in [(block, 3), (2 * block, 2), (3 * block - 1, 2), (3 * block, 1)] {
        let resident = ResidentGrid::upload_within(&gpu, &host, limit).expect("it fits");
        assert_eq!(resident.chunks.len(), chunks);
        let query = MapQuery {
            positive: directions(&host, &[5, 77]),
            negative: directions(&host, &[100]),
            combine: Combine::Max,
            excluded: vec![0, 31, 32, 142],
        };
        check(&gpu, &pipeline, &host, &resident, &query);
    }
    let error = ResidentGrid::upload_within(&gpu, &host, block - 1).expect_err("not even one block");
    assert!(matches!(error, GpuError::DoesNotFit { what: "the features", bytes: 21_504, .. }), "{error}");
}

#[test]
fn no_positive_direction_leaves_all_out() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(7, 5, 8);
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    for combine in [Combine::Mean, Combine::Max] {
        let negative = directions(&host, &[3]);
        let query = MapQuery { negative, combine, ..MapQuery::default() };
        check(&gpu, &pipeline, &host, &resident, &query);
        let everything = MapQuery { positive: directions(&host, &[3]), excluded: (0..35).collect(), ..query };
        check(&gpu, &pipeline, &host, &resident, &everything);
    }
    let fresh = MapTexture::new(&gpu, 7, 5);
    assert_eq!(read_floats(&gpu, fresh.view()), vec![EXCLUDED; 35]);
}

#[test]
fn degenerate_features_give_finite_maps() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let mut host = grid(2, 2, 4);
    host.data.row_mut(0).assign(&ndarray::arr1(&[f32::NAN, 0.0, 3.0, f32::INFINITY]));
    host.data.row_mut(1).fill(0.0);
    host.data.row_mut(2).assign(&ndarray::arr1(&[3e38, -3e38, 3e38, 3e38]));
    host.data.row_mut(3).assign(&ndarray::arr1(&[1e-42, 0.0, 0.0, 0.0]));
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let mut map = MapTexture::new(&gpu, 2, 2);
    let query = MapQuery { positive: vec![vec![0.6, 0.0, 0.8, f32::NAN]], ..MapQuery::default() };
    pipeline.run(&gpu, &resident, &query, &mut map).expect("four numbers");
    let found = wait_for_values(&gpu, &mut map);
    for (value, expected) in found.iter().zip([0.8, 0.0, 0.7, 0.6]) {
        assert!((value - expected).abs() <= 1e-6, "{found}");
    }
}

/// A device without any extra: half precision is unpacked by arithmetic that every one has.
#[test]
fn maps_need_no_f16_in_shaders() {
    let gpu = Gpu::with_features(wgpu::Features::empty()).expect("the adapter, without extras");
    assert!(!gpu.device.features().contains(wgpu::Features::SHADER_F16));
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(9, 15, 384);
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let query = MapQuery { positive: directions(&host, &[11, 23]), ..MapQuery::default() };
    check(&gpu, &pipeline, &host, &resident, &query);
}

/// A number that dwarfs all others must not push them below what half precision holds.
#[test]
fn small_numbers_beside_a_large_one_count() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let data = Array2::from_shape_fn((1, 4096), |(_, k)| if k == 0 { 1.0 } else { 4e-5 });
    let host = FeatureGrid { rows: 1, cols: 1, data };
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let mut map = MapTexture::new(&gpu, 1, 1);
    let query = MapQuery { positive: vec![vec![1.0 / 64.0; 4096]], ..MapQuery::default() };
    pipeline.run(&gpu, &resident, &query, &mut map).expect("4096 numbers");
    let (found, expected) = (wait_for_values(&gpu, &mut map), combined_map(&host, &query).expect("a map"));
    assert!((found[[0, 0]] - expected[[0, 0]]).abs() < 1e-6, "{found} {expected}");
}

#[test]
fn a_direction_of_another_model_is_refused() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(2, 2, 6);
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let mut map = MapTexture::new(&gpu, 2, 2);
    let query = MapQuery {
        positive: directions(&host, &[0]),
        negative: directions(&grid(2, 2, 5), &[0]),
        ..MapQuery::default()
    };
    let error = pipeline.run(&gpu, &resident, &query, &mut map).expect_err("another width");
    assert_eq!(error, GpuError::Dimension { expected: 6, got: 5 });
    finish(&gpu);
    assert!(map.arrived(&gpu).is_none());
    assert!(combined_map(&host, &query).is_err());
}

#[test]
fn a_map_takes_the_size_of_its_grid() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(5, 9, 6);
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let mut map = MapTexture::new(&gpu, 2, 2);
    let query = MapQuery { positive: directions(&host, &[0]), ..MapQuery::default() };
    pipeline.run(&gpu, &resident, &query, &mut map).expect("six numbers");
    assert_eq!((map.rows, map.cols, wait_for_values(&gpu, &mut map).dim()), (5, 9, (5, 9)));
}

/// More runs than staging buffers, then silence: the last run's values come all the same, and older ones never come
/// after newer ones.
#[test]
fn the_last_values_arrive() {
    let gpu = gpu();
    let pipeline = SimilarityPipeline::new(&gpu);
    let host = grid(64, 64, 384);
    let resident = ResidentGrid::upload(&gpu, &host).expect("it fits");
    let mut map = MapTexture::new(&gpu, 64, 64);
    assert!(map.arrived(&gpu).is_none());
    for run in 0..40 {
        let query = MapQuery { positive: directions(&host, &[run * 100]), ..MapQuery::default() };
        pipeline.run(&gpu, &resident, &query, &mut map).expect("directions of the grid");
    }
    let last = combined_map(&host, &MapQuery { positive: directions(&host, &[3900]), ..MapQuery::default() });
    let last = last.expect("a map");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if map.arrived(&gpu).is_some_and(|values| (values - &last).iter().all(|d| d.abs() < 1e-3)) {
            break;
        }
        assert!(Instant::now() < deadline, "the last values never came");
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = map.arrived(&gpu).cloned();
    finish(&gpu);
    assert_eq!(map.arrived(&gpu).cloned(), before, "nothing newer is on its way");
}
