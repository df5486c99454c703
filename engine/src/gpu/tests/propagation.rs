//! Labels that move on the device against those that move on the host.

use half::f16;
use ndarray::Array2;

use super::gpu;
use crate::analysis::AnalysisError;
use crate::analysis::propagation::tests::Random;
use crate::analysis::propagation::{ContextFrame, PropagationOptions, propagate};
use crate::features::FeatureGrid;
use crate::gpu::{FEATURE_SCALE, Gpu, PropagationPipeline, ResidentContext, ResidentGrid};
use crate::{Cancel, Error};

/// Of sums in f32 in whatever order the device takes.
pub(crate) const TOLERANCE: f32 = 1e-5;

/// What a resident grid holds of features.
pub(crate) fn rounded(grid: &FeatureGrid) -> FeatureGrid {
    let mut grid = grid.clone();
    for mut feature in grid.data.rows_mut() {
        let length = feature.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let scale = f64::from(FEATURE_SCALE) / length;
        feature.mapv_inplace(|v| f16::from_f32((f64::from(v) * scale) as f32).to_f32() / FEATURE_SCALE);
    }
    grid
}

/// Of length 1 in exact arithmetic, with many equal cosines: four numbers of `dim` are a half or minus that.
fn tied(random: &mut Random, (rows, cols, dim): (usize, usize, usize)) -> FeatureGrid {
    let mut data = Array2::zeros((rows * cols, dim));
    for mut feature in data.rows_mut() {
        for i in 0..4 {
            feature[(random.below(3) + i * 3) % dim] = [0.5, -0.5][random.below(2)];
        }
        while feature.iter().filter(|v| **v != 0.0).count() < 4 {
            feature[random.below(dim)] = 0.5;
        }
    }
    FeatureGrid { rows, cols, data }
}

struct Case {
    /// The target, then the context.
    grids: Vec<FeatureGrid>,
    probabilities: Vec<Array2<f32>>,
}

impl Case {
    fn new(seed: u64, shape: (usize, usize, usize), frames: usize, classes: usize, with_ties: bool) -> Self {
        let mut random = Random::new(seed);
        let mut grid = || if with_ties { tied(&mut random, shape) } else { random.features(shape) };
        let grids = (0..=frames).map(|_| grid()).collect();
        let probabilities = (0..frames).map(|_| random.probabilities(shape.0 * shape.1, classes)).collect();
        Self { grids, probabilities }
    }

    /// Grids are split into buffers of at most `limit` bytes.
    fn check(&self, gpu: &Gpu, pipeline: &mut PropagationPipeline, options: &PropagationOptions, limit: u64) {
        let cancel = Cancel::default();
        let resident: Vec<ResidentGrid> =
            self.grids.iter().map(|grid| ResidentGrid::upload_within(gpu, grid, limit).expect("it fits")).collect();
        let context: Vec<ResidentContext<'_>> = resident[1..]
            .iter()
            .zip(&self.probabilities)
            .map(|(features, probabilities)| ResidentContext { features, probabilities })
            .collect();
        let found = pipeline.run(gpu, &resident[0], &context, options, &cancel).expect("labels");

        let rounded: Vec<FeatureGrid> = self.grids.iter().map(rounded).collect();
        let context: Vec<ContextFrame<'_>> = rounded[1..]
            .iter()
            .zip(&self.probabilities)
            .map(|(features, probabilities)| ContextFrame { features, probabilities })
            .collect();
        let expected = propagate(&rounded[0], &context, options, &cancel).expect("labels");
        let grid = &self.grids[0];
        let what = format!("{}x{}x{}, {} frames, {options:?}", grid.rows, grid.cols, grid.dim(), context.len());
        assert_eq!(found.dim(), expected.dim(), "{what}");
        for (at, (found, expected)) in found.indexed_iter().zip(&expected).map(|((at, found), e)| (at, (found, e))) {
            assert!((found - expected).abs() <= TOLERANCE, "{what}: {at:?} is {found}, on the host {expected}");
        }
    }
}

const UNLIMITED: u64 = 1 << 27;

#[test]
fn labels_are_those_of_the_host() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    let shapes = [(1, 1, 12), (1, 30, 20), (7, 5, 16), (8, 8, 50), (9, 17, 70), (26, 19, 33)];
    for (i, shape) in shapes.into_iter().enumerate() {
        for with_ties in [false, true] {
            let case = Case::new(i as u64, shape, 1 + i % 4, 1 + (i + 1) % 4, with_ties);
            for radius in [0.0, 2.5, 12.0, f32::INFINITY] {
                for topk in [1, 5, 64] {
                    let options = PropagationOptions { radius, topk, temperature: [0.2, 1.0][topk % 2] };
                    case.check(&gpu, &mut pipeline, &options, UNLIMITED);
                }
            }
        }
    }
}

/// Software devices run no more than 65,535 turns of a program's loops, and say nothing.
#[test]
fn wide_features_and_neighbourhoods_are_the_same() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    for (shape, radius) in [((17, 33, 4096), 12.0), ((40, 40, 64), f32::INFINITY)] {
        let case = Case::new(3, shape, 1, 2, false);
        case.check(&gpu, &mut pipeline, &PropagationOptions { radius, ..PropagationOptions::default() }, UNLIMITED);
    }
}

/// A clip that stands still: each patch is as similar to itself in all frames, and all of them count.
#[test]
fn ties_between_frames_count() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    let mut case = Case::new(7, (6, 7, 12), 8, 3, true);
    case.grids = vec![case.grids[0].clone(); 9];
    for topk in [1, 5, 9] {
        case.check(&gpu, &mut pipeline, &PropagationOptions { topk, ..PropagationOptions::default() }, UNLIMITED);
    }
}

#[test]
fn grids_of_many_buffers_are_the_same() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    // 143 patches of 8 words are three blocks of 64.
    let block = 64 * 8 * 4;
    for limit in [block, 2 * block, 3 * block] {
        for with_ties in [false, true] {
            let case = Case::new(8, (13, 11, 16), 3, 2, with_ties);
            case.check(
                &gpu,
                &mut pipeline,
                &PropagationOptions { radius: 4.0, ..PropagationOptions::default() },
                limit,
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    let case = Case::new(9, (3, 4, 12), 1, 2, false);
    let upload = |grid: &FeatureGrid| ResidentGrid::upload(&gpu, grid).expect("it fits");
    let (target, features) = (upload(&case.grids[0]), upload(&case.grids[1]));
    let probabilities = &case.probabilities[0];
    let mut refused = |context: &[ResidentContext<'_>], options: &PropagationOptions| match pipeline.run(
        &gpu,
        &target,
        context,
        options,
        &Cancel::default(),
    ) {
        Err(Error::Analysis(error)) => error,
        other => panic!("{other:?}"),
    };
    let options = PropagationOptions::default();
    let context = ResidentContext { features: &features, probabilities };
    assert!(matches!(refused(&[], &options), AnalysisError::NotEnough(_)));
    let option = refused(&[context], &PropagationOptions { topk: 0, ..options });
    assert!(matches!(option, AnalysisError::Option { name: "topk", .. }));
    let turned = upload(&FeatureGrid { rows: 4, cols: 3, data: case.grids[1].data.clone() });
    let error = refused(&[ResidentContext { features: &turned, ..context }], &options);
    assert_eq!(error, AnalysisError::GridSize { expected: (3, 4), got: (4, 3) });
    let narrow = upload(&Random::new(1).features((3, 4, 5)));
    let error = refused(&[ResidentContext { features: &narrow, ..context }], &options);
    assert_eq!(error, AnalysisError::Dimension { expected: 12, got: 5 });
    let few = Array2::zeros((11, 2));
    let error = refused(&[context, ResidentContext { probabilities: &few, ..context }], &options);
    assert_eq!(error, AnalysisError::Probabilities { expected: (12, 2), got: (11, 2) });
    let wide = Case::new(9, (9, 9, 12), 1, 2, false);
    let grids: Vec<_> = wide.grids.iter().map(upload).collect();
    let context_of_wide = ResidentContext { features: &grids[1], probabilities: &wide.probabilities[0] };
    let many = PropagationOptions { topk: 65, ..options };
    let refusal = pipeline.run(&gpu, &grids[0], &[context_of_wide], &many, &Cancel::default()).expect_err("too many");
    assert!(refusal.to_string().starts_with("topk 65"), "{refusal}");

    let cancel = Cancel::default();
    cancel.cancel();
    let stopped = pipeline.run(&gpu, &target, &[context], &options, &cancel);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn a_lost_device_is_an_error() {
    let gpu = gpu();
    let mut pipeline = PropagationPipeline::new(&gpu);
    let case = Case::new(10, (5, 6, 12), 1, 2, false);
    let grids: Vec<ResidentGrid> = case.grids.iter().map(|g| ResidentGrid::upload(&gpu, g).expect("it fits")).collect();
    let context = [ResidentContext { features: &grids[1], probabilities: &case.probabilities[0] }];
    let mut run = || pipeline.run(&gpu, &grids[0], &context, &PropagationOptions::default(), &Cancel::default());
    run().expect("labels");
    gpu.device.destroy();
    assert!(matches!(run(), Err(Error::Gpu(_))));
}
