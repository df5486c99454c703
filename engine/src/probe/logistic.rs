//! Logistic regression, scikit-learn's objective: `C · Σ loss + ½ ‖weights‖²`, the intercept free.
//!
//! Minimised by Newton's method; its steps are found by conjugate gradients, which need the features only in products with
//! a few vectors. A start near the minimum, the classifier of a stroke ago, saves most of the steps.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use super::ProbeError;
use crate::{Cancel, Result};

/// Rows whose features stay in cache between the two products that they are in.
const BLOCK: usize = 256;

/// Tasks that rows are shared out to; always as many, so that sums come out the same on all machines.
const TASKS: usize = 64;

/// How a classifier is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticOptions {
    /// Inverse of the strength of regularisation: smaller keeps weights smaller.
    pub c: f64,
    /// Training ends where the mean loss can fall by no more than that.
    pub tolerance: f64,
    /// Newton's steps at most.
    pub most_steps: usize,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self { c: 0.1, tolerance: 1e-12, most_steps: 100 }
    }
}

/// A linear classifier of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// `[outputs, dim]`; one output, the log-odds of class 1, where there are two classes, else one per class.
    pub weights: Array2<f32>,
    /// `[outputs]`
    pub intercept: Array1<f32>,
}

impl Classifier {
    /// How many classes it tells apart.
    pub fn classes(&self) -> usize {
        let outputs = self.weights.nrows();
        if outputs == 1 { 2 } else { outputs }
    }

    /// Numbers per feature.
    pub fn dim(&self) -> usize {
        self.weights.ncols()
    }

    /// Probability of each class for each feature `[n, dim]`: `[n, classes]`.
    ///
    /// # Errors
    /// [`ProbeError::Dimension`] where features have another width.
    pub fn probabilities(&self, features: ArrayView2<'_, f32>) -> Result<Array2<f32>, ProbeError> {
        let (count, dim) = features.dim();
        if dim != self.dim() {
            return Err(ProbeError::Dimension { expected: self.dim(), got: dim });
        }
        let features = features.as_standard_layout();
        let x = features.as_slice().unwrap_or_default();
        let parameters: Vec<f64> = joined(&self.weights, &self.intercept);
        let problem = Problem { x, labels: &[], dim, outputs: self.weights.nrows(), penalty: 0.0 };
        let mut scores = vec![0.0; count * problem.outputs];
        problem.scores(&parameters, &mut scores);
        let classes = self.classes();
        let mut probabilities = Array2::zeros((count, classes));
        for (scores, mut row) in scores.chunks_mut(problem.outputs.max(1)).zip(probabilities.rows_mut()) {
            if let [log_odds] = scores {
                let one = sigmoid(*log_odds);
                (row[0], row[1]) = (1.0 - one, one);
            } else {
                softmax(scores);
                row.iter_mut().zip(scores).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(probabilities)
    }
}

/// Trains on features `[n, dim]`, whose class is `labels[i] < classes`. `start` is a classifier of as many classes to begin at.
///
/// # Errors
/// [`ProbeError::OneClass`] where fewer than two classes have features, [`ProbeError::Labels`] where labels are missing or too
/// large, [`ProbeError::NotFinite`], and [`crate::Error::Cancelled`] within a product of the request.
pub fn fit(
    features: ArrayView2<'_, f32>,
    labels: &[usize],
    classes: usize,
    options: &LogisticOptions,
    start: Option<&Classifier>,
    cancel: &Cancel,
) -> Result<Classifier> {
    let (count, dim) = features.dim();
    check(count, labels, classes)?;
    let features = features.as_standard_layout();
    let x = features.as_slice().unwrap_or_default();
    let outputs = if classes == 2 { 1 } else { classes };
    let problem = Problem { x, labels, dim, outputs, penalty: 1.0 / (options.c * count as f64) };
    let fits = |start: &&Classifier| start.weights.dim() == (outputs, dim);
    let first = match start.filter(fits) {
        Some(start) => joined(&start.weights, &start.intercept),
        None => vec![0.0; outputs * (dim + 1)],
    };
    let last = newton(&problem, first, options, cancel)?;
    let weights = Array2::from_shape_fn((outputs, dim), |(output, i)| last[output * (dim + 1) + i] as f32);
    let intercept = Array1::from_shape_fn(outputs, |output| last[output * (dim + 1) + dim] as f32);
    Ok(Classifier { weights, intercept })
}

fn check(count: usize, labels: &[usize], classes: usize) -> Result<(), ProbeError> {
    let largest = labels.iter().copied().max().unwrap_or_default();
    if labels.len() != count || largest >= classes {
        return Err(ProbeError::Labels { features: count, labels: labels.len(), classes, largest });
    }
    let first = labels.first().copied();
    if labels.iter().all(|&label| Some(label) == first) {
        return Err(ProbeError::OneClass);
    }
    Ok(())
}

/// Weights and intercept of each output side by side, `[outputs, dim + 1]`.
fn joined(weights: &Array2<f32>, intercept: &Array1<f32>) -> Vec<f64> {
    let rows = weights.rows().into_iter().zip(intercept);
    rows.flat_map(|(row, &last)| row.iter().copied().chain([last]).map(f64::from).collect::<Vec<_>>()).collect()
}

/// What is minimised: the mean loss of all features and `½ penalty ‖weights‖²`.
struct Problem<'a> {
    /// `[n, dim]`
    x: &'a [f32],
    labels: &'a [usize],
    dim: usize,
    outputs: usize,
    penalty: f64,
}

/// Where the search is.
struct Place {
    /// `[outputs, dim + 1]`
    parameters: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Probability less 1 for the right class, `[n, outputs]`.
    residuals: Vec<f32>,
}

fn newton(problem: &Problem<'_>, start: Vec<f64>, options: &LogisticOptions, cancel: &Cancel) -> Result<Vec<f64>> {
    let mut place = problem.at(start);
    if !place.value.is_finite() {
        return Err(ProbeError::NotFinite.into());
    }
    let scales = problem.scales();
    for _ in 0..options.most_steps {
        let step = conjugate_gradients(problem, &place, &scales, cancel)?;
        let slope = dot(&step, &place.gradient);
        // A whole step gains half of its slope.
        if -slope <= 2.0 * options.tolerance {
            break;
        }
        let mut length = 1.0;
        let next = loop {
            cancel.check()?;
            let moved = place.parameters.iter().zip(&step).map(|(at, step)| at + length * step).collect();
            let next = problem.at(moved);
            // Armijo's rule; near the minimum the values differ by less than their rounding.
            if next.value <= place.value + 1e-4 * length * slope {
                break Some(next);
            }
            length /= 2.0;
            if length < 1e-6 {
                break None;
            }
        };
        // What no longer falls differs by the rounding of single precision.
        match next.filter(|next| next.value < place.value) {
            Some(next) => place = next,
            None => break,
        }
    }
    Ok(place.parameters)
}

/// The step that Newton's method takes, as exactly as it is worth at this distance from the minimum.
fn conjugate_gradients(problem: &Problem<'_>, place: &Place, scales: &[f64], cancel: &Cancel) -> Result<Vec<f64>> {
    let size = place.gradient.len();
    let mut scratch = vec![0.0; place.residuals.len()];
    let mut step = vec![0.0; size];
    let mut residual: Vec<f64> = place.gradient.iter().map(|slope| -slope).collect();
    let length = dot(&residual, &residual).sqrt();
    let enough = length * length.sqrt().min(0.1);
    let scaled = |residual: &[f64]| -> Vec<f64> { residual.iter().zip(scales).map(|(r, scale)| r / scale).collect() };
    let mut preconditioned = scaled(&residual);
    let mut direction = preconditioned.clone();
    let mut product = dot(&residual, &preconditioned);
    for _ in 0..size.min(1000) {
        cancel.check()?;
        let curved = problem.curvature(place, &direction, &mut scratch);
        let curvature = dot(&direction, &curved);
        if curvature <= 0.0 {
            break;
        }
        let along = product / curvature;
        step.iter_mut().zip(&direction).for_each(|(step, direction)| *step += along * direction);
        residual.iter_mut().zip(&curved).for_each(|(residual, curved)| *residual -= along * curved);
        if dot(&residual, &residual).sqrt() <= enough {
            break;
        }
        preconditioned = scaled(&residual);
        let next = dot(&residual, &preconditioned);
        let kept = next / product;
        direction.iter_mut().zip(&preconditioned).for_each(|(direction, new)| *direction = new + kept * *direction);
        product = next;
    }
    Ok(step)
}

impl Problem<'_> {
    fn count(&self) -> usize {
        self.x.len().checked_div(self.dim).unwrap_or_default()
    }

    /// Rows of a task.
    fn share(&self) -> usize {
        self.count().div_ceil(TASKS).next_multiple_of(BLOCK)
    }

    /// Scores of all features, `[n, outputs]`.
    fn scores(&self, parameters: &[f64], scores: &mut [f32]) {
        let columns = Columns::of(self, parameters);
        let rows = self.share();
        let tasks =
            scores.par_chunks_mut((rows * self.outputs).max(1)).zip(self.x.par_chunks((rows * self.dim).max(1)));
        tasks.for_each(|(scores, x)| columns.multiply(x, scores));
    }

    /// Turns the scores of each feature into a row of `rows` `[n, outputs]` by `turn`, and gives the sum of what that returns
    /// and `rowsᵀ · [x, 1]`, `[outputs, dim + 1]`, both as means over the features.
    fn sweep(
        &self,
        parameters: &[f64],
        rows: &mut [f32],
        turn: impl Fn(usize, &mut [f32]) -> f64 + Sync,
    ) -> (f64, Vec<f64>) {
        let columns = Columns::of(self, parameters);
        let (dim, outputs, share) = (self.dim, self.outputs, self.share());
        let tasks = rows.par_chunks_mut(share * outputs).zip(self.x.par_chunks(share * dim)).enumerate();
        let parts: Vec<(f64, Vec<f32>, Vec<f64>)> = tasks
            .map(|(task, (rows, x))| {
                let (mut value, mut sums, mut totals) = (0.0, vec![0.0; outputs * dim], vec![0.0; outputs]);
                let blocks = rows.chunks_mut(BLOCK * outputs).zip(x.chunks(BLOCK * dim)).enumerate();
                for (block, (rows, x)) in blocks {
                    columns.multiply(x, rows);
                    for (i, row) in rows.chunks_mut(outputs).enumerate() {
                        value += turn(task * share + block * BLOCK + i, row);
                        totals.iter_mut().zip(row).for_each(|(total, value)| *total += f64::from(*value));
                    }
                    let count = x.len() / dim;
                    matmul(
                        MatMut::from_row_major_slice_mut(&mut sums, outputs, dim),
                        Accum::Add,
                        MatRef::from_row_major_slice(rows, count, outputs).transpose(),
                        MatRef::from_row_major_slice(x, count, dim),
                        1.0,
                        Par::Seq,
                    );
                }
                (value, sums, totals)
            })
            .collect();
        let count = self.count() as f64;
        let mut sums = vec![0.0; outputs * (dim + 1)];
        for (_, part, totals) in &parts {
            for (output, sums) in sums.chunks_mut(dim + 1).enumerate() {
                let part = &part[output * dim..][..dim];
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += f64::from(*part) / count);
                sums[dim] += totals[output] / count;
            }
        }
        (parts.iter().map(|(value, ..)| value).sum::<f64>() / count, sums)
    }

    fn at(&self, parameters: Vec<f64>) -> Place {
        let mut residuals = vec![0.0; self.count() * self.outputs];
        let (loss, mut gradient) = self.sweep(&parameters, &mut residuals, |i, row| self.loss(i, row));
        let mut value = loss;
        self.penalised(&parameters, |i, weight| {
            value += 0.5 * self.penalty * weight * weight;
            gradient[i] += self.penalty * weight;
        });
        self.centre(&mut gradient);
        Place { parameters, value, gradient, residuals }
    }

    /// Loss of a feature; its scores become its residuals.
    fn loss(&self, index: usize, scores: &mut [f32]) -> f64 {
        let label = self.labels[index];
        if let [log_odds] = scores {
            let (z, y) = (f64::from(*log_odds), label as f64);
            *log_odds = (f64::from(sigmoid(*log_odds)) - y) as f32;
            return z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z;
        }
        let own = f64::from(scores[label]);
        let log_sum = softmax(scores);
        scores[label] -= 1.0;
        log_sum - own
    }

    /// The Hessian times a direction, both `[outputs, dim + 1]`.
    fn curvature(&self, place: &Place, direction: &[f64], scratch: &mut [f32]) -> Vec<f64> {
        let (_, mut curved) = self.sweep(direction, scratch, |index, row| {
            let residuals = &place.residuals[index * self.outputs..][..self.outputs];
            let label = self.labels[index];
            if let ([row], [residual]) = (&mut *row, residuals) {
                let probability = residual + label as f32;
                *row *= probability * (1.0 - probability);
                return 0.0;
            }
            let probability = |output: usize| residuals[output] + if output == label { 1.0 } else { 0.0 };
            let mean: f32 = row.iter().enumerate().map(|(output, value)| probability(output) * value).sum();
            row.iter_mut().enumerate().for_each(|(output, value)| *value = probability(output) * (*value - mean));
            0.0
        });
        self.penalised(direction, |i, weight| curved[i] += self.penalty * weight);
        self.centre(&mut curved);
        curved
    }

    /// About the Hessian's diagonal, `[outputs, dim + 1]`: what the conjugate gradients are measured by.
    fn scales(&self) -> Vec<f64> {
        let count = self.count().max(1) as f64;
        let mut squares = vec![0.0; self.dim];
        for feature in self.x.chunks(self.dim.max(1)) {
            squares.iter_mut().zip(feature).for_each(|(sum, value)| *sum += f64::from(value * value) / count);
        }
        let one = squares.iter().map(|square| 0.25 * square + self.penalty).chain([0.25]);
        let one: Vec<f64> = one.map(|scale| scale.max(f64::MIN_POSITIVE)).collect();
        one.repeat(self.outputs)
    }

    /// Several outputs are the same classifier when all grow alike; the minimum is the one whose mean is 0, and rounding must
    /// not lead away from it.
    fn centre(&self, values: &mut [f64]) {
        let width = self.dim + 1;
        for column in (0..width).filter(|_| self.outputs > 1) {
            let mean = values[column..].iter().step_by(width).sum::<f64>() / self.outputs as f64;
            values[column..].iter_mut().step_by(width).for_each(|value| *value -= mean);
        }
    }

    /// Names every weight that is penalised: all but the intercepts.
    fn penalised(&self, parameters: &[f64], mut take: impl FnMut(usize, f64)) {
        for (i, weight) in parameters.iter().enumerate() {
            if i % (self.dim + 1) != self.dim {
                take(i, *weight);
            }
        }
    }
}

/// Parameters in the form that products need.
struct Columns {
    /// `[outputs, dim]`
    weights: Vec<f32>,
    intercept: Vec<f32>,
    dim: usize,
}

impl Columns {
    fn of(problem: &Problem<'_>, parameters: &[f64]) -> Self {
        let dim = problem.dim;
        let rows = parameters.chunks(dim + 1);
        let weights = rows.clone().flat_map(|row| row[..dim].iter().map(|&weight| weight as f32)).collect();
        Self { weights, intercept: rows.map(|row| row[dim] as f32).collect(), dim }
    }

    /// Scores of features `[n, dim]`, `[n, outputs]`.
    fn multiply(&self, x: &[f32], scores: &mut [f32]) {
        let (count, outputs) = (x.len() / self.dim, self.intercept.len());
        scores.chunks_mut(outputs).for_each(|row| row.copy_from_slice(&self.intercept));
        matmul(
            MatMut::from_row_major_slice_mut(scores, count, outputs),
            Accum::Add,
            MatRef::from_row_major_slice(x, count, self.dim),
            MatRef::from_row_major_slice(&self.weights, outputs, self.dim).transpose(),
            1.0,
            Par::Seq,
        );
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// In place; returns the logarithm of the sum of the scores' powers.
pub(super) fn softmax(scores: &mut [f32]) -> f64 {
    let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - greatest).exp();
        sum += f64::from(*score);
    }
    scores.iter_mut().for_each(|score| *score = (f64::from(*score) / sum) as f32);
    f64::from(greatest) + sum.ln()
}
