//! How strongly to regularise: trained without one picture and tried on it, for each picture.

use ndarray::{Array2, Axis};

use super::ProbeError;
use super::logistic::{Classifier, LogisticOptions, fit};
use super::metrics::PrecisionRecall;
use crate::{Progress, Result, Watch};

/// Patches of several pictures with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledPatches {
    /// `[n, dim]`
    pub features: Array2<f32>,
    /// 1 is foreground, `[n]`
    pub labels: Vec<usize>,
    /// Which picture each is of, counted from 0, `[n]`
    pub pictures: Vec<usize>,
}

impl LabelledPatches {
    /// Those that `keeps` names by their picture.
    fn only(&self, keeps: impl Fn(usize) -> bool) -> (Array2<f32>, Vec<usize>) {
        let chosen: Vec<usize> = (0..self.labels.len()).filter(|&i| keeps(self.pictures[i])).collect();
        let labels = chosen.iter().map(|&i| self.labels[i]).collect();
        (self.features.select(Axis(0), &chosen), labels)
    }
}

/// What came of leaving one picture out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// The picture.
    pub picture: usize,
    /// For each C, in the order asked for.
    pub curves: Vec<PrecisionRecall>,
}

/// Leaves each of `pictures` out in turn, and trains with each of `cs` on the others.
///
/// # Errors
/// [`ProbeError::TooFewPictures`] for fewer than two, and as [`fit`].
pub fn leave_one_out(
    patches: &LabelledPatches,
    pictures: usize,
    cs: &[f64],
    options: &LogisticOptions,
    watch: Watch<'_>,
) -> Result<Vec<Fold>> {
    if pictures < 2 {
        return Err(ProbeError::TooFewPictures { pictures }.into());
    }
    let total = (pictures * cs.len()) as u64;
    let report = |done: usize| {
        (watch.progress)(Progress { stage: "training".to_owned(), done: done as u64, total: Some(total) })
    };
    let fold = |picture: usize| {
        let (features, labels) = patches.only(|of| of != picture);
        let (held_out, answers) = patches.only(|of| of == picture);
        let answers: Vec<bool> = answers.iter().map(|&label| label == 1).collect();
        let mut last: Option<Classifier> = None;
        let mut curves = Vec::with_capacity(cs.len());
        for (place, &c) in cs.iter().enumerate() {
            report(picture * cs.len() + place);
            let options = LogisticOptions { c, ..*options };
            let classifier = fit(features.view(), &labels, 2, &options, last.as_ref(), watch.cancel)?;
            let scores = classifier.probabilities(held_out.view())?.column(1).to_vec();
            curves.push(PrecisionRecall::of(&scores, &answers));
            last = Some(classifier);
        }
        Ok(Fold { picture, curves })
    };
    (0..pictures).map(fold).collect()
}

/// Mean average precision of each C over the folds.
pub fn mean_average_precision(folds: &[Fold]) -> Vec<f64> {
    let cs = folds.first().map_or(0, |fold| fold.curves.len());
    let mean = |c: usize| folds.iter().map(|fold| fold.curves[c].average()).sum::<f64>() / folds.len() as f64;
    (0..cs).map(mean).collect()
}
