//! From queries, each a class and a mask, to scores of every class at every pixel.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use crate::Result;
use crate::analysis::AnalysisError;
use crate::classes::ScoreSource;
use crate::classes::bilinear::Taps;
use crate::classes::windows::{Window, mean_row};

/// Refuses more classes than labels have room for, the background being one more, and none.
pub fn check_classes(classes: usize) -> Result<(), String> {
    let most = usize::from(u16::MAX);
    if (1..=most).contains(&classes) {
        return Ok(());
    }
    Err(format!("it tells {classes} classes apart, expected 1 to {most}"))
}

/// What the queries say about a window.
#[derive(Debug)]
pub struct Masks {
    /// Softmax without "no object", `[classes, queries]`.
    classes: Array2<f32>,
    /// Logits of the masks, `[queries, rows, cols]`.
    logits: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Masks {
    /// `classes` are logits `[queries, classes + 1]`, the last that there is no object, `masks` logits
    /// `[queries, rows, cols]`.
    ///
    /// # Errors
    /// [`AnalysisError::NotFinite`].
    pub fn new(classes: &[Vec<f32>], masks: Vec<f32>, (rows, cols): (usize, usize)) -> Result<Self> {
        if !classes.iter().flatten().chain(&masks).all(|number| number.is_finite()) {
            return Err(AnalysisError::NotFinite.into());
        }
        let count = classes.first().map_or(0, |logits| logits.len() - 1);
        let mut shares = Array2::zeros((count, classes.len()));
        for (mut shares, logits) in shares.columns_mut().into_iter().zip(classes) {
            let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f32> = logits.iter().map(|logit| (logit - greatest).exp()).collect();
            let sum: f32 = powers.iter().sum();
            shares.iter_mut().zip(powers).for_each(|(share, power)| *share = power / sum);
        }
        Ok(Self { classes: shares, logits: masks, rows, cols })
    }

    /// Scores in a row of the window's pixels, `[classes, columns]`: masks are resized as logits, then each class is the
    /// sum over the queries of its share times the mask's sigmoid.
    fn score_row(&self, window: &Window, y: usize, columns: Range<usize>) -> Vec<f32> {
        let (top, bottom, down) = Taps::new(self.rows, window.height).at(y);
        let taps = Taps::new(self.cols, window.width);
        let taps: Vec<(usize, usize, f32)> = columns.map(|x| taps.at(x)).collect();
        let mut inside = Vec::with_capacity(self.classes.ncols() * taps.len());
        for mask in self.logits.chunks_exact(self.rows * self.cols) {
            let (above, below) = (&mask[top * self.cols..][..self.cols], &mask[bottom * self.cols..][..self.cols]);
            let line: Vec<f32> = above.iter().zip(below).map(|(a, b)| a * (1.0 - down) + b * down).collect();
            let logit = |&(left, right, share): &(usize, usize, f32)| line[left] * (1.0 - share) + line[right] * share;
            inside.extend(taps.iter().map(|taps| 1.0 / (1.0 + (-logit(taps)).exp())));
        }
        let inside =
            ArrayView2::from_shape((self.classes.ncols(), taps.len()), &inside).expect("a line for each query");
        self.classes.dot(&inside).into_iter().collect()
    }
}

/// What queries say about windows that together cover a picture.
#[derive(Debug)]
pub struct WindowMasks {
    /// Width and height of the picture that the windows lie in; they may reach beyond it.
    pub size: (usize, usize),
    /// Where they overlap, scores are averaged.
    pub windows: Vec<(Window, Masks)>,
}

impl ScoreSource for WindowMasks {
    fn classes(&self) -> usize {
        self.windows.first().map_or(0, |(_, masks)| masks.classes.nrows())
    }

    fn grid(&self) -> (usize, usize) {
        (self.size.1, self.size.0)
    }

    fn band(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        let row = self.classes() * columns.len();
        let mut band = vec![0.0; rows.len() * row];
        for (y, means) in rows.zip(band.chunks_exact_mut(row)) {
            mean_row(&self.windows, y, columns.clone(), means, Masks::score_row);
        }
        band
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(value: f32) -> Masks {
        // Two queries: one is class 0 for sure and lies on the left, one is nothing.
        let classes = [vec![20.0, 0.0, 0.0], vec![0.0, 0.0, 20.0]];
        Masks::new(&classes, vec![20.0, -20.0, value, value], (1, 2)).expect("numbers")
    }

    #[test]
    fn a_class_is_where_the_masks_of_its_queries_are() {
        let window = Window { x: 0, y: 0, width: 4, height: 2 };
        let source = WindowMasks { size: (4, 2), windows: vec![(window, masks(20.0))] };
        let scores = source.band(1..2, 0..4);
        assert!(scores[0] > 0.999 && scores[3] < 0.001, "{scores:?}");
        assert!(scores[4..].iter().all(|&score| score < 0.001), "{scores:?}");
        assert!(scores[1] > 0.999, "logits are resized and not the shares of pixels");
    }

    #[test]
    fn windows_are_averaged_where_they_overlap() {
        let window = |x| Window { x, y: 0, width: 2, height: 1 };
        let source = WindowMasks { size: (3, 1), windows: vec![(window(0), masks(0.0)), (window(1), masks(0.0))] };
        let scores = source.band(0..1, 0..3);
        let expected = [1.0, 0.5, 0.0];
        assert!(scores.iter().zip(expected).all(|(score, expected)| (score - expected).abs() < 1e-3), "{scores:?}");
        assert_eq!(source.band(0..1, 1..3)[..2], scores[1..3]);
    }

    #[test]
    fn broken_numbers_are_refused() {
        assert!(Masks::new(&[vec![0.0, f32::NAN]], vec![0.0], (1, 1)).is_err());
    }
}
