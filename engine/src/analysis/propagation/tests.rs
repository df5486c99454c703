//! Against a plain, dense implementation of the reference.

use ndarray::Array2;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rayon::ThreadPoolBuilder;

use super::*;
use crate::Error;
use crate::analysis::unit;
use crate::backend::cpu::available;

/// Weights are exponentials of f32 numbers up to 10, and sums of a few of them.
const TOLERANCE: f64 = 3e-6;

/// Numbers that are the same every time.
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn number(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Of length 1, all different.
    pub fn features(&mut self, (rows, cols, dim): (usize, usize, usize)) -> FeatureGrid {
        let data = Array2::from_shape_simple_fn((rows * cols, dim), || self.number());
        unit(FeatureGrid { rows, cols, data }).expect("finite")
    }

    /// Small integers: dot products are exact, and many are equal.
    fn tied_features(&mut self, (rows, cols, dim): (usize, usize, usize)) -> FeatureGrid {
        let data = Array2::from_shape_simple_fn((rows * cols, dim), || (self.0.next_u32() >> 8) as f32 % 3.0 - 1.0);
        FeatureGrid { rows, cols, data }
    }

    pub fn probabilities(&mut self, patches: usize, classes: usize) -> Array2<f32> {
        let mut values = Array2::from_shape_simple_fn((patches, classes), || self.number().abs() + 0.01);
        values.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        values
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end
    }
}

/// What the notebook's `propagate` computes: similarities of all pairs, -inf outside of the neighbourhood, the `topk`-th
/// largest of each row, -inf below it, softmax, mean, and once more to a sum of 1. Here fewer than `topk` may be
/// neighbours; torch refuses that.
///
/// Dot products are summed in order, as every kernel does, so that the same pairs are equal.
pub fn dense(target: &FeatureGrid, context: &[ContextFrame<'_>], options: &PropagationOptions) -> Array2<f64> {
    let (patches, cols) = (target.rows * target.cols, target.cols);
    let classes = context[0].probabilities.ncols();
    let mut result = Array2::zeros((patches, classes));
    for i in 0..patches {
        let similarity = |frame: &ContextFrame<'_>, j: usize| {
            let (dy, dx) = ((i / cols).abs_diff(j / cols) as f64, (i % cols).abs_diff(j % cols) as f64);
            if (dy * dy + dx * dx).sqrt() > f64::from(options.radius) {
                return f32::NEG_INFINITY;
            }
            let pairs = target.data.row(i).into_iter().zip(frame.features.data.row(j));
            pairs.fold(0.0, |sum: f32, (a, b)| a.mul_add(*b, sum))
        };
        let row: Vec<f32> = context.iter().flat_map(|frame| (0..patches).map(move |j| similarity(frame, j))).collect();
        let mut sorted: Vec<f32> = row.iter().copied().filter(|s| *s > f32::NEG_INFINITY).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let least = sorted[options.topk.min(sorted.len()) - 1];
        let weight =
            |s: f32| if s >= least { (f64::from(s - sorted[0]) / f64::from(options.temperature)).exp() } else { 0.0 };
        let total: f64 = row.iter().map(|s| weight(*s)).sum();
        for (at, s) in row.iter().enumerate().filter(|(_, s)| **s >= least) {
            let probabilities = context[at / patches].probabilities.row(at % patches);
            for (class, p) in probabilities.iter().enumerate() {
                result[[i, class]] += weight(*s) / total * f64::from(*p);
            }
        }
    }
    result
}

#[track_caller]
fn assert_close(got: &Array2<f32>, expected: &Array2<f64>, what: &str) {
    assert_eq!(got.dim(), expected.dim(), "{what}");
    for (at, (got, expected)) in got.indexed_iter().zip(expected).map(|((at, got), e)| (at, (got, e))) {
        assert!((f64::from(*got) - expected).abs() <= TOLERANCE, "{what}: {at:?} is {got}, expected {expected}");
    }
}

struct Case {
    target: FeatureGrid,
    features: Vec<FeatureGrid>,
    probabilities: Vec<Array2<f32>>,
}

impl Case {
    fn new(shape: (usize, usize, usize), frames: usize, classes: usize, tied: bool) -> Self {
        let mut random = Random::new((shape.0 * 1000 + shape.1 * 100 + shape.2 * 10 + frames) as u64);
        let grid = if tied { Random::tied_features } else { Random::features };
        Self {
            target: grid(&mut random, shape),
            features: (0..frames).map(|_| grid(&mut random, shape)).collect(),
            probabilities: (0..frames).map(|_| random.probabilities(shape.0 * shape.1, classes)).collect(),
        }
    }

    fn context(&self) -> Vec<ContextFrame<'_>> {
        let frames = self.features.iter().zip(&self.probabilities);
        frames.map(|(features, probabilities)| ContextFrame { features, probabilities }).collect()
    }

    fn check(&self, options: &PropagationOptions) {
        let expected = dense(&self.target, &self.context(), options);
        let what = format!("{}x{}x{} {options:?}", self.target.rows, self.target.cols, self.target.dim());
        let got = propagate(&self.target, &self.context(), options, &Cancel::default()).expect(&what);
        assert_close(&got, &expected, &what);

        let layouts: Vec<_> = self.features.iter().map(|grid| grid.data.as_standard_layout()).collect();
        let target = self.target.data.as_standard_layout();
        let frames: Vec<_> = layouts.iter().map(|data| patch_features(&self.target, data)).collect();
        let disc = Disc::new(options.radius, self.target.rows, self.target.cols);
        for (name, kernels) in available(Dtype::F32) {
            let target = patch_features(&self.target, &target);
            let found = kernels.neighbours(target, &frames, &disc, options.topk, &Cancel::default()).expect(name);
            let got = mix(&found, &self.context(), options.temperature).expect(name);
            assert_close(&got, &expected, &format!("{name}, {what}"));
        }
    }
}

#[test]
fn it_is_the_reference_for_every_size_and_option() {
    let shapes =
        [(1, 1, 4), (1, 23, 3), (23, 1, 17), (2, 2, 1), (4, 8, 32), (5, 9, 2), (9, 15, 300), (17, 14, 16), (31, 33, 7)];
    for (i, shape) in shapes.into_iter().enumerate() {
        for tied in [false, true] {
            let case = Case::new(shape, 1 + i % 4, 1 + i % 3, tied);
            for radius in [0.0, 1.0, 2.9, 5.0, 12.0, f32::INFINITY] {
                for topk in [1, 2, 5, 70, usize::MAX] {
                    let temperature = [0.2, 1.0, 0.05][topk % 3];
                    case.check(&PropagationOptions { radius, topk, temperature });
                }
            }
        }
    }
}

#[test]
fn random_cases_are_the_reference() {
    let mut random = Random::new(5);
    for _ in 0..120 {
        let shape = (1 + random.below(26), 1 + random.below(26), 1 + random.below(40));
        let case = Case::new(shape, 1 + random.below(9), 2 + random.below(4), random.below(2) == 0);
        let radius = random.below(200) as f32 / 10.0;
        case.check(&PropagationOptions { radius, topk: 1 + random.below(12), temperature: 0.2 });
    }
}

/// A clip that stands still: each patch is as similar to itself in all frames, and all of them count.
#[test]
fn ties_beyond_the_topk_count() {
    let mut random = Random::new(1);
    let still = random.features((6, 7, 24));
    let probabilities: Vec<_> = (0..8).map(|_| random.probabilities(42, 3)).collect();
    let context: Vec<_> =
        probabilities.iter().map(|probabilities| ContextFrame { features: &still, probabilities }).collect();
    let got = propagate(&still, &context, &PropagationOptions::default(), &Cancel::default()).expect("labels");
    let mean = probabilities.iter().fold(Array2::zeros((42, 3)), |sum, p| sum + p.mapv(f64::from)) / 8.0;
    assert_close(&got, &mean, "a still clip");
}

#[test]
fn threads_change_nothing() {
    let case = Case::new((30, 31, 20), 3, 2, false);
    let run = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| propagate(&case.target, &case.context(), &PropagationOptions::default(), &Cancel::default()))
            .expect("labels")
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(16));
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new((3, 4, 5), 2, 2, false);
    let refused = |target: &FeatureGrid, context: &[ContextFrame<'_>], options: PropagationOptions| match propagate(
        target,
        context,
        &options,
        &Cancel::default(),
    ) {
        Err(Error::Analysis(error)) => error,
        other => panic!("{other:?}"),
    };
    let options = PropagationOptions::default();
    let context = case.context();
    assert!(matches!(refused(&case.target, &[], options), AnalysisError::NotEnough(_)));
    let turned = FeatureGrid { rows: 4, cols: 3, data: case.target.data.clone() };
    assert_eq!(refused(&turned, &context, options), AnalysisError::GridSize { expected: (4, 3), got: (3, 4) });
    let narrow = Random::new(1).features((3, 4, 4));
    assert_eq!(refused(&narrow, &context, options), AnalysisError::Dimension { expected: 4, got: 5 });
    let few = Array2::zeros((12, 3));
    let mixed = [context[0], ContextFrame { probabilities: &few, ..context[1] }];
    let expected = AnalysisError::Probabilities { expected: (12, 2), got: (12, 3) };
    assert_eq!(refused(&case.target, &mixed, options), expected);
    let empty = FeatureGrid { rows: 0, cols: 0, data: Array2::zeros((0, 5)) };
    assert!(matches!(refused(&empty, &context, options), AnalysisError::NotEnough(_)));
    for (options, name) in [
        (PropagationOptions { radius: -1.0, ..options }, "radius -1"),
        (PropagationOptions { radius: f32::NAN, ..options }, "radius NaN"),
        (PropagationOptions { topk: 0, ..options }, "topk 0"),
        (PropagationOptions { temperature: 0.0, ..options }, "temperature 0"),
        (PropagationOptions { temperature: f32::INFINITY, ..options }, "temperature inf"),
    ] {
        let error = refused(&case.target, &context, options);
        assert!(error.to_string().starts_with(name), "{error}");
    }
    for broken in [f32::NAN, f32::INFINITY] {
        let mut target = case.target.clone();
        target.data[[3, 2]] = broken;
        assert_eq!(refused(&target, &context, options), AnalysisError::NotFinite);
    }
}

#[test]
fn it_stops() {
    let case = Case::new((3, 4, 5), 2, 2, false);
    let cancel = Cancel::default();
    cancel.cancel();
    let stopped = propagate(&case.target, &case.context(), &PropagationOptions::default(), &cancel);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
