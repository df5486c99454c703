//! How good predictions are.

use ndarray::Array2;

/// Precision and recall over all thresholds, as scikit-learn's `precision_recall_curve` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// One per threshold, then 1.
    pub precision: Vec<f64>,
    /// One per threshold, falling, then 0.
    pub recall: Vec<f64>,
    /// Scores from the least to the greatest, each once.
    pub thresholds: Vec<f32>,
}

impl PrecisionRecall {
    /// Of scores with the right answers, one each.
    ///
    /// # Panics
    /// Where their numbers differ.
    pub fn of(scores: &[f32], is_positive: &[bool]) -> Self {
        assert_eq!(scores.len(), is_positive.len(), "an answer for each score");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let positives = is_positive.iter().filter(|&&positive| positive).count() as f64;
        let (mut hits, mut curve) = (0.0, Vec::new());
        for (place, &index) in order.iter().enumerate() {
            hits += f64::from(u8::from(is_positive[index]));
            // Equal scores are above a threshold together.
            let next = order.get(place + 1).map(|&next| scores[next]);
            if next != Some(scores[index]) {
                let recall = if positives > 0.0 { hits / positives } else { 1.0 };
                curve.push((hits / (place as f64 + 1.0), recall, scores[index]));
            }
        }
        curve.reverse();
        Self {
            precision: curve.iter().map(|point| point.0).chain([1.0]).collect(),
            recall: curve.iter().map(|point| point.1).chain([0.0]).collect(),
            thresholds: curve.iter().map(|point| point.2).collect(),
        }
    }

    /// Area below the curve in steps, as scikit-learn's `average_precision_score`, in 0..=1.
    pub fn average(&self) -> f64 {
        let steps = self.recall.windows(2).zip(&self.precision);
        steps.map(|(recall, precision)| (recall[0] - recall[1]) * precision).sum()
    }
}

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// `[right class, predicted class]`
    pub counts: Array2<u64>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Self { counts: Array2::zeros((classes, classes)) }
    }

    /// Counts one.
    ///
    /// # Panics
    /// Where a class is not below the number of classes.
    pub fn count(&mut self, right: usize, predicted: usize) {
        self.counts[[right, predicted]] += 1;
    }

    /// Share of what was right, in 0..=1.
    pub fn accuracy(&self) -> f64 {
        ratio(self.counts.diag().sum(), self.counts.sum()).unwrap_or_default()
    }

    /// Share of a class that was found, in 0..=1; `None` where there is none of it.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.counts[[class, class]], self.counts.row(class).sum())
    }

    /// Share of right answers among those that name a class, in 0..=1; `None` where none does.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.counts[[class, class]], self.counts.column(class).sum())
    }

    /// What is right of a class as a share of what is it or was taken for it; `None` where nothing is.
    pub fn intersection_over_union(&self, class: usize) -> Option<f64> {
        let right = self.counts[[class, class]];
        ratio(right, self.counts.row(class).sum() + self.counts.column(class).sum() - right)
    }

    /// Mean of [`Self::intersection_over_union`] over the classes that have one.
    pub fn mean_iou(&self) -> f64 {
        let all: Vec<f64> = (0..self.counts.nrows()).filter_map(|class| self.intersection_over_union(class)).collect();
        if all.is_empty() { 0.0 } else { all.iter().sum::<f64>() / all.len() as f64 }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Whether `right` is among the `k` greatest scores; of equal scores the first classes count as greater.
pub fn is_in_top(scores: &[f32], right: usize, k: usize) -> bool {
    let own = scores[right];
    let ahead =
        scores.iter().enumerate().filter(|&(class, score)| *score > own || (*score == own && class < right)).count();
    ahead < k
}

/// The first of the greatest scores.
pub fn best(scores: &[f32]) -> usize {
    let pairs = scores.iter().enumerate();
    pairs.fold((0, f32::NEG_INFINITY), |best, (class, &score)| if score > best.1 { (class, score) } else { best }).0
}
