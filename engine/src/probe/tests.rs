//! Against scikit-learn (`tests/golden/make_probe.py`), and input that cannot be learned from.

use ndarray::{Array, Array1, Array2, Array3, ArrayView2, Dimension, array};
use ndarray_npy::ReadableElement;

use super::ProbeError;
use super::cross_validation::{LabelledPatches, leave_one_out, mean_average_precision};
use super::knn::vote;
use super::linear::{LinearOptions, split, train};
use super::logistic::{Classifier, LogisticOptions, fit};
use super::metrics::{Confusion, PrecisionRecall, best, is_in_top};
use crate::{Cancel, Error, Watch};

fn golden<T: ReadableElement, D: Dimension>(name: &str) -> Array<T, D> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/probe");
    ndarray_npy::read_npy(format!("{folder}/{name}.npy")).unwrap_or_else(|error| panic!("{name}.npy: {error}"))
}

fn golden_labels(name: &str) -> Vec<usize> {
    golden::<i64, ndarray::Ix1>(name).iter().map(|&label| label as usize).collect()
}

/// Within scikit-learn's minimum by a thousandth of the largest number.
fn assert_close(got: impl IntoIterator<Item = f64>, expected: impl IntoIterator<Item = f64> + Clone, what: &str) {
    let largest = expected.clone().into_iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let (got, expected): (Vec<_>, Vec<_>) = (got.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert!((got - expected).abs() <= 1e-3 * largest, "{what}: number {i} is {got}, expected {expected}");
    }
}

#[test]
fn weights_are_those_of_scikit_learn() {
    let cs: Array1<f64> = golden("cs");
    for (name, classes) in [("two", 2), ("four", 4)] {
        let (features, labels): (Array2<f32>, _) =
            (golden(&format!("{name}_features")), golden_labels(&format!("{name}_labels")));
        let weights: Array3<f64> = golden(&format!("{name}_weights"));
        let intercepts: Array2<f64> = golden(&format!("{name}_intercepts"));
        let probabilities: Array3<f64> = golden(&format!("{name}_probabilities"));
        let mut last: Option<Classifier> = None;
        for (i, &c) in cs.iter().enumerate() {
            let options = LogisticOptions { c, ..LogisticOptions::default() };
            // From nothing and from another classifier: the minimum is the same.
            for start in [None, last.clone()] {
                let what = format!("{name} classes, C {c}, start {}", start.is_some());
                let found =
                    fit(features.view(), &labels, classes, &options, start.as_ref(), &Cancel::default()).unwrap();
                let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
                assert_close(
                    wide(found.weights.as_slice().unwrap()),
                    weights.index_axis(ndarray::Axis(0), i).iter().copied(),
                    &what,
                );
                assert_close(wide(found.intercept.as_slice().unwrap()), intercepts.row(i).iter().copied(), &what);
                let got = found.probabilities(features.view()).unwrap();
                assert_close(
                    wide(got.as_slice().unwrap()),
                    probabilities.index_axis(ndarray::Axis(0), i).iter().copied(),
                    &what,
                );
                last = Some(found);
            }
        }
    }
}

#[test]
fn the_same_c_is_the_best() {
    let expected: Array2<f64> = golden("average_precision");
    let cs: Array1<f64> = golden("cs");
    let (pictures, labels) = (expected.nrows(), golden_labels("two_labels"));
    let share = labels.len() / pictures;
    let patches = LabelledPatches {
        features: golden("two_features"),
        pictures: (0..labels.len()).map(|i| i / share).collect(),
        labels,
    };
    let cancel = Cancel::default();
    let watch = Watch { progress: &|_| (), cancel: &cancel };
    let cs = cs.as_slice().unwrap();
    let folds = leave_one_out(&patches, pictures, cs, &LogisticOptions::default(), watch).unwrap();
    for fold in &folds {
        let got = fold.curves.iter().map(PrecisionRecall::average);
        assert_close(got, expected.row(fold.picture).iter().copied(), "average precision");
    }
    let greatest = |values: &[f64]| (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]));
    let means: Vec<f64> = expected.columns().into_iter().map(|column| column.mean().unwrap()).collect();
    assert_eq!(greatest(&mean_average_precision(&folds)), greatest(&means));
    assert!(matches!(
        leave_one_out(&patches, 1, cs, &LogisticOptions::default(), watch),
        Err(Error::Probe(ProbeError::TooFewPictures { pictures: 1 }))
    ));
}

#[test]
fn curves_are_those_of_scikit_learn() {
    let (scores, answers): (Array1<f32>, Array1<bool>) = (golden("curve_scores"), golden("curve_answers"));
    let curve = PrecisionRecall::of(scores.as_slice().unwrap(), answers.as_slice().unwrap());
    let [precision, recall]: [Array1<f64>; 2] = ["curve_precision", "curve_recall"].map(golden);
    assert_eq!((&curve.precision, &curve.recall), (&precision.to_vec(), &recall.to_vec()));
    assert_eq!(curve.thresholds, golden::<f32, ndarray::Ix1>("curve_thresholds").to_vec());
    let average: Array1<f64> = golden("curve_average");
    assert!((curve.average() - average[0]).abs() < 1e-12);
}

#[test]
fn neighbours_vote_as_in_the_reference() {
    let (features, labels): (Array2<f32>, _) = (golden("four_features"), golden_labels("four_labels"));
    let expected: Array3<f64> = golden("neighbour_votes");
    let (train, queries) = features.view().split_at(ndarray::Axis(0), 180);
    let votes = vote(train, &labels[..180], 4, queries, &[1000, 5, 20], &Cancel::default()).unwrap();
    assert_eq!(votes.iter().map(|votes| votes.k).collect::<Vec<_>>(), [5, 20, 180]);
    for (votes, expected) in votes.iter().zip(expected.outer_iter()) {
        assert_close(votes.votes.iter().copied().map(f64::from), expected.iter().copied(), &format!("k {}", votes.k));
        for (votes, expected) in votes.votes.rows().into_iter().zip(expected.rows()) {
            let wide: Vec<f32> = expected.iter().map(|&vote| vote as f32).collect();
            assert_eq!(best(votes.as_slice().unwrap()), best(&wide));
        }
    }
}

#[test]
fn counts_and_ranks() {
    let mut confusion = Confusion::new(3);
    [(0, 0), (0, 0), (0, 1), (1, 1)].into_iter().for_each(|(right, predicted)| confusion.count(right, predicted));
    assert_eq!(confusion.accuracy(), 0.75);
    assert_eq!((confusion.recall(0), confusion.precision(1), confusion.recall(2)), (Some(2.0 / 3.0), Some(0.5), None));
    assert_eq!(confusion.mean_iou(), f64::midpoint(2.0 / 3.0, 0.5));
    assert!(is_in_top(&[0.1, 0.5, 0.4], 2, 2) && !is_in_top(&[0.1, 0.5, 0.4], 0, 2));
    assert!(is_in_top(&[0.5, 0.5], 0, 1) && !is_in_top(&[0.5, 0.5], 1, 1), "of equals the first");
    assert_eq!(Confusion::new(2).accuracy(), 0.0);
}

#[test]
fn what_cannot_be_learned_from_is_told() {
    let x = array![[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let train = |x: ArrayView2<'_, f32>, labels: &[usize]| {
        fit(x, labels, 2, &LogisticOptions::default(), None, &Cancel::default())
    };
    let error = |result: crate::Result<Classifier>| match result {
        Err(Error::Probe(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error(train(x.view(), &[1, 1, 1])), ProbeError::OneClass);
    assert!(matches!(error(train(x.view(), &[1, 0])), ProbeError::Labels { labels: 2, features: 3, .. }));
    assert!(matches!(error(train(x.view(), &[1, 0, 2])), ProbeError::Labels { largest: 2, .. }));
    let broken = array![[1.0f32, f32::NAN], [3.0, 4.0]];
    assert_eq!(error(train(broken.view(), &[1, 0])), ProbeError::NotFinite);
    let stopped = Cancel::default();
    stopped.cancel();
    let result = fit(x.view(), &[1, 0, 1], 2, &LogisticOptions::default(), None, &stopped);
    assert!(matches!(result, Err(Error::Cancelled)));
    let found = train(x.view(), &[1, 0, 1]).unwrap();
    assert_eq!(found.probabilities(array![[1.0f32]].view()), Err(ProbeError::Dimension { expected: 2, got: 1 }));
    // Classes that a line parts have no minimum without a penalty; with one they do.
    let parted = fit(
        x.view(),
        &[0, 0, 1],
        2,
        &LogisticOptions { c: 1e6, ..LogisticOptions::default() },
        None,
        &Cancel::default(),
    );
    let probabilities = parted.unwrap().probabilities(x.view()).unwrap();
    assert!(probabilities[[0, 0]] > 0.99 && probabilities[[2, 1]] > 0.99, "{probabilities}");
}

/// [`train`] by loops, in f64.
fn twin(x: &Array2<f32>, labels: &[usize], classes: usize, first: &Classifier, rate: f64, steps: usize) -> Array2<f64> {
    let (count, dim) = x.dim();
    let x = x.mapv(f64::from);
    let mut all = Array2::from_shape_fn((classes, dim + 1), |(class, i)| {
        f64::from(if i < dim { first.weights[[class, i]] } else { first.intercept[class] })
    });
    let mut speed = Array2::<f64>::zeros(all.dim());
    for step in 0..steps {
        let mut slope = Array2::<f64>::zeros(all.dim());
        for (row, &label) in x.rows().into_iter().zip(labels) {
            let powers: Vec<f64> =
                all.rows().into_iter().map(|own| (row.dot(&own.slice(ndarray::s![..dim])) + own[dim]).exp()).collect();
            let sum: f64 = powers.iter().sum();
            for (class, power) in powers.iter().enumerate() {
                let residual = (power / sum - f64::from(u8::from(class == label))) / count as f64;
                for i in 0..dim {
                    slope[[class, i]] += residual * row[i];
                }
                slope[[class, dim]] += residual;
            }
        }
        speed = 0.9 * speed + slope;
        let share = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
        all = all - &speed * (rate * share);
    }
    all
}

#[test]
fn a_linear_layer_descends_as_torchs_does() {
    let (features, labels): (Array2<f32>, _) = (golden("four_features"), golden_labels("four_labels"));
    let options = |steps| LinearOptions { batch: labels.len(), steps, seed: 3 };
    let layers = |steps, rates: &[f64]| {
        train(features.view(), &labels, 4, rates, &options(steps), &|_| (), &Cancel::default()).unwrap()
    };
    // At rate 0 the first weights stay: of deviation 0.01.
    let first = layers(1, &[0.0]).remove(0);
    let deviation = (first.weights.mapv(|w| w * w).sum() / first.weights.len() as f32).sqrt();
    assert!((0.007..0.013).contains(&deviation), "{deviation}");
    let rate = 0.02;
    let found = layers(40, &[rate]).remove(0);
    // Every step sees all of them, so that their order does not count.
    let expected = twin(&features, &labels, 4, &first, rate * labels.len() as f64 / 256.0, 40);
    let weights = found.weights.iter().copied().map(f64::from);
    assert_close(weights, expected.slice(ndarray::s![.., ..16]).iter().copied(), "weights");
    assert_close(found.intercept.iter().copied().map(f64::from), expected.column(16).iter().copied(), "intercepts");
    // Batches of a part of them reach all in time.
    let small = LinearOptions { batch: 32, steps: 4000, seed: 1 };
    let layers = train(features.view(), &labels, 4, &[0.1], &small, &|_| (), &Cancel::default()).unwrap();
    let scores = layers[0].probabilities(features.view()).unwrap();
    let right = scores.rows().into_iter().zip(&labels).filter(|(row, label)| best(&row.to_vec()) == **label).count();
    let fitted = fit(
        features.view(),
        &labels,
        4,
        &LogisticOptions { c: 100.0, ..LogisticOptions::default() },
        None,
        &Cancel::default(),
    );
    let scores = fitted.unwrap().probabilities(features.view()).unwrap();
    let most = scores.rows().into_iter().zip(&labels).filter(|(row, label)| best(&row.to_vec()) == **label).count();
    assert!(right as f64 > 0.95 * most as f64, "{right} of {most}");
}

#[test]
fn a_split_takes_each_once() {
    let (rest, chosen) = split(100, 0.1, 0);
    let mut all = [rest.clone(), chosen.clone()].concat();
    all.sort_unstable();
    assert_eq!((chosen.len(), all), (10, (0..100).collect::<Vec<_>>()));
    assert_eq!(split(100, 0.1, 0), (rest, chosen), "the seed decides");
    assert_eq!((split(1, 0.1, 0).1.len(), split(2, 0.1, 0).1.len()), (0, 1));
}
