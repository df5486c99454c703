//! A linear layer trained as the reference trains it (`dinov3/eval/linear.py`): stochastic gradient descent with momentum, the
//! rate falling as a cosine, for several rates at once.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::ProbeError;
use super::logistic::{Classifier, softmax};
use crate::{Cancel, Result};

/// The reference's rates, for a batch of 256.
pub const RATES: [f64; 13] = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1];

const MOMENTUM: f32 = 0.9;

/// Deviation of the first weights.
const SPREAD: f32 = 0.01;

/// How a linear layer is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearOptions {
    /// Pictures of a step.
    pub batch: usize,
    /// Steps.
    pub steps: usize,
    /// The same seed gives the same order and first weights.
    pub seed: u64,
}

impl Default for LinearOptions {
    /// The reference's: 10 epochs of 1,250 steps.
    fn default() -> Self {
        Self { batch: 128, steps: 12_500, seed: 0 }
    }
}

/// Trains a layer for each of `rates` on features `[n, dim]` of class `labels[i] < classes`; all see the same batches.
/// `progress` hears of steps.
///
/// # Errors
/// [`ProbeError::Labels`], [`ProbeError::NotFinite`], [`crate::Error::Cancelled`].
pub fn train(
    features: ArrayView2<'_, f32>,
    labels: &[usize],
    classes: usize,
    rates: &[f64],
    options: &LinearOptions,
    progress: &(dyn Fn(usize) + Sync),
    cancel: &Cancel,
) -> Result<Vec<Classifier>> {
    let (count, dim) = features.dim();
    let largest = labels.iter().copied().max().unwrap_or_default();
    if labels.len() != count || largest >= classes || count == 0 {
        return Err(ProbeError::Labels { features: count, labels: labels.len(), classes, largest }.into());
    }
    if !features.iter().all(|value| value.is_finite()) {
        return Err(ProbeError::NotFinite.into());
    }
    let features = features.as_standard_layout();
    let x = features.as_slice().unwrap_or_default();
    let batch = options.batch.clamp(1, count);
    let mut random = Xoshiro256Plus::seed_from_u64(options.seed);
    let first: Vec<f32> = (0..classes * dim).map(|_| SPREAD * normal(&mut random)).collect();
    let mut layers: Vec<Layer> = rates
        .iter()
        .map(|rate| Layer::new(first.clone(), (classes, dim), (rate * batch as f64 / 256.0) as f32))
        .collect();
    let mut order: Vec<usize> = (0..count).collect();
    let mut next = count;
    let mut inputs = vec![0.0; batch * dim];
    for step in 0..options.steps {
        cancel.check()?;
        // What is left of an epoch and too little for a batch is left out, as data loaders do.
        if next + batch > count {
            shuffle(&mut order, &mut random);
            next = 0;
        }
        let chosen = &order[next..next + batch];
        next += batch;
        for (to, &from) in inputs.chunks_mut(dim).zip(chosen) {
            to.copy_from_slice(&x[from * dim..][..dim]);
        }
        let answers: Vec<usize> = chosen.iter().map(|&i| labels[i]).collect();
        let share = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / options.steps as f64).cos());
        layers.par_iter_mut().for_each(|layer| layer.step(&inputs, &answers, share as f32));
        progress(step + 1);
    }
    Ok(layers.into_iter().map(Layer::finish).collect())
}

struct Layer {
    classes: usize,
    dim: usize,
    rate: f32,
    /// `[classes, dim]`
    weights: Vec<f32>,
    bias: Vec<f32>,
    speed: Vec<f32>,
    bias_speed: Vec<f32>,
    slope: Vec<f32>,
}

impl Layer {
    fn new(weights: Vec<f32>, (classes, dim): (usize, usize), rate: f32) -> Self {
        let (slope, speed) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        Self { classes, dim, rate, weights, bias: vec![0.0; classes], speed, bias_speed: vec![0.0; classes], slope }
    }

    /// One step of the mean cross-entropy of a batch, at a share of the rate.
    fn step(&mut self, inputs: &[f32], answers: &[usize], share: f32) {
        let (count, classes, dim) = (answers.len(), self.classes, self.dim);
        let mut scores: Vec<f32> = self.bias.repeat(count);
        let x = MatRef::from_row_major_slice(inputs, count, dim);
        matmul(
            MatMut::from_row_major_slice_mut(&mut scores, count, classes),
            Accum::Add,
            x,
            MatRef::from_row_major_slice(&self.weights, classes, dim).transpose(),
            1.0,
            Par::Seq,
        );
        let mut bias_slope = vec![0.0; classes];
        for (row, &answer) in scores.chunks_mut(classes).zip(answers) {
            softmax(row);
            row[answer] -= 1.0;
            row.iter_mut().for_each(|value| *value /= count as f32);
            bias_slope.iter_mut().zip(&*row).for_each(|(sum, value)| *sum += value);
        }
        matmul(
            MatMut::from_row_major_slice_mut(&mut self.slope, classes, dim),
            Accum::Replace,
            MatRef::from_row_major_slice(&scores, count, classes).transpose(),
            x,
            1.0,
            Par::Seq,
        );
        let rate = self.rate * share;
        descend(&mut self.weights, &mut self.speed, &self.slope, rate);
        descend(&mut self.bias, &mut self.bias_speed, &bias_slope, rate);
    }

    fn finish(self) -> Classifier {
        let weights = Array2::from_shape_vec((self.classes, self.dim), self.weights).expect("classes * dim weights");
        Classifier { weights, intercept: Array1::from_vec(self.bias) }
    }
}

/// As torch's SGD with momentum.
fn descend(values: &mut [f32], speed: &mut [f32], slope: &[f32], rate: f32) {
    for ((value, speed), slope) in values.iter_mut().zip(speed).zip(slope) {
        *speed = MOMENTUM * *speed + slope;
        *value -= rate * *speed;
    }
}

/// Of mean 0 and deviation 1, by Box and Muller.
fn normal(random: &mut Xoshiro256Plus) -> f32 {
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let (length, angle) = (uniform(), uniform());
    ((-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

/// By Fisher and Yates.
pub(super) fn shuffle(order: &mut [usize], random: &mut Xoshiro256Plus) {
    for last in (1..order.len()).rev() {
        let other = (random.next_u64() % (last as u64 + 1)) as usize;
        order.swap(last, other);
    }
}

/// Splits numbers below `count` into a part to train on and a part to choose by, in a random order that the seed decides.
pub fn split(count: usize, held_out: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..count).collect();
    shuffle(&mut order, &mut Xoshiro256Plus::seed_from_u64(seed));
    let chosen = ((count as f64 * held_out).round() as usize).clamp(usize::from(count > 1), count);
    let train = order.split_off(chosen);
    (train, order)
}
