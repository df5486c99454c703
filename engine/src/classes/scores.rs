//! How alike every place of a picture is to every class, and which class it is.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::Labels;
use super::bilinear::Taps;
use crate::{Cancel, Result};

/// Memory of one task's scores.
const BYTES_PER_TASK: usize = 8 << 20;
/// Rows of a picture whose labels one task finds, at most.
const ROWS_PER_TASK: usize = 32;

/// What scores are computed from, part by part.
pub trait ScoreSource: Debug + Send + Sync {
    /// How many classes there are.
    fn classes(&self) -> usize;

    /// Rows and columns that there are scores at.
    fn grid(&self) -> (usize, usize);

    /// The scores of a part of the grid, `[rows, classes, columns]`.
    fn band(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32>;
}

/// Scores of all classes. What is kept is small; everything larger is computed in bands.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Width and height of the picture.
    picture: (usize, usize),
    /// Width and height of the part that scores lie over, from the top left; the rest is as its edge.
    covered: (usize, usize),
    classes: usize,
    source: Arc<dyn ScoreSource>,
}

impl Scores {
    /// Scores that lie over the upper left `covered` of a picture, both width and height in its pixels.
    pub fn new(picture: (usize, usize), covered: (usize, usize), source: impl ScoreSource + 'static) -> Self {
        Self { picture, covered, classes: source.classes(), source: Arc::new(source) }
    }

    /// Width and height of the picture.
    pub fn picture(&self) -> (usize, usize) {
        self.picture
    }

    /// Width and height, in pixels of the picture, of the part that scores lie over, from the top left.
    pub fn covered(&self) -> (usize, usize) {
        self.covered
    }

    /// How many classes were asked for.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows and columns of [`Scores::to_array`]: the patch grid's, or the pixels' of the picture that was looked at.
    pub fn grid(&self) -> (usize, usize) {
        self.source.grid()
    }

    /// All scores, `[classes, rows, cols]` as [`Scores::grid`] says. Mind the memory.
    pub fn to_array(&self) -> Array3<f32> {
        let (rows, cols) = self.grid();
        let mut all = Array3::zeros((self.classes, rows, cols));
        for row in 0..rows {
            let band = self.source.band(row..row + 1, 0..cols);
            for (class, scores) in band.chunks_exact(cols).enumerate() {
                all.slice_mut(ndarray::s![class, row, ..]).assign(&ndarray::ArrayView1::from(scores));
            }
        }
        all
    }

    /// Scores of one class, `[rows, cols]` as [`Scores::grid`] says.
    ///
    /// # Panics
    /// Where there is no such class.
    pub fn class_map(&self, class: usize) -> Array2<f32> {
        let (rows, cols) = self.grid();
        let row = |row: usize| self.source.band(row..row + 1, 0..cols)[class * cols..][..cols].to_vec();
        let bands: Vec<Vec<f32>> = (0..rows).into_par_iter().map(row).collect();
        Array2::from_shape_vec((rows, cols), bands.concat()).expect("rows are `cols` long")
    }

    /// Scores of all classes at a pixel of the picture, `[classes]`.
    pub fn at_pixel(&self, x: usize, y: usize) -> Vec<f32> {
        let (rows, cols) = self.grid();
        let (columns, lines) = (Taps::new(cols, self.covered.0), Taps::new(rows, self.covered.1));
        let (top, bottom, share) = lines.at(y);
        let (left, right, across) = columns.at(x);
        let band = self.source.band(top..bottom + 1, left..right + 1);
        let width = right + 1 - left;
        let row = |row: usize, class: usize| {
            let scores = &band[((row - top) * self.classes + class) * width..][..width];
            scores[0] * (1.0 - across) + scores[width - 1] * across
        };
        (0..self.classes).map(|class| row(top, class) * (1.0 - share) + row(bottom, class) * share).collect()
    }

    /// The class of the greatest score at each pixel of the picture. Where no score passes `background` it is one more
    /// than the last class.
    pub fn labels(&self, background: Option<f32>) -> Labels {
        self.labels_of_size(self.picture, background, &Cancel::default()).expect("nobody stops it")
    }

    /// As [`Scores::labels`], as if the picture had that width and height.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn labels_of_size(&self, size: (usize, usize), background: Option<f32>, cancel: &Cancel) -> Result<Labels> {
        let (width, height) = size;
        let scaled = |covered: usize, to: usize, from: usize| ((covered * to) as f64 / from as f64).round() as usize;
        let covered_width = scaled(self.covered.0, width, self.picture.0).max(1);
        let covered_height = scaled(self.covered.1, height, self.picture.1).max(1);
        let (rows, cols) = self.grid();
        let (columns, lines) = (Taps::new(cols, covered_width), Taps::new(rows, covered_height));
        let columns: Vec<(usize, usize, f32)> = (0..width).map(|x| columns.at(x)).collect();
        let rows_in_memory = BYTES_PER_TASK / (size_of::<f32>() * self.classes * cols).max(1);
        let rows_at_once = (rows_in_memory * covered_height / rows).clamp(1, ROWS_PER_TASK);
        let mut data = vec![0u16; width * height];
        data.par_chunks_mut(width * rows_at_once).enumerate().try_for_each(|(task, labels)| -> Result<()> {
            cancel.check()?;
            let first_line = task * rows_at_once;
            let taps = |line: usize| lines.at(first_line + line);
            let first_row = taps(0).0;
            let band = self.source.band(first_row..taps(labels.len() / width - 1).1 + 1, 0..cols);
            let scores = |row: usize, class: usize| &band[((row - first_row) * self.classes + class) * cols..][..cols];
            let mut line_scores = vec![0.0; cols];
            let mut greatest = vec![0.0; width];
            for (line, labels) in labels.chunks_exact_mut(width).enumerate() {
                let (top, bottom, share) = taps(line);
                greatest.fill(background.unwrap_or(f32::NEG_INFINITY));
                labels.fill(if background.is_some() { self.classes as u16 } else { 0 });
                for class in 0..self.classes {
                    let (above, below) = (scores(top, class), scores(bottom, class));
                    for ((score, above), below) in line_scores.iter_mut().zip(above).zip(below) {
                        *score = above * (1.0 - share) + below * share;
                    }
                    for ((label, greatest), &(left, right, share)) in labels.iter_mut().zip(&mut greatest).zip(&columns)
                    {
                        let score = line_scores[left] * (1.0 - share) + line_scores[right] * share;
                        if score > *greatest {
                            (*label, *greatest) = (class as u16, score);
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(Labels { width, height, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 × 2 patches of 4 pixels; class 1 is best in the lower right one.
    #[derive(Debug)]
    struct Patches;

    impl ScoreSource for Patches {
        fn classes(&self) -> usize {
            2
        }

        fn grid(&self) -> (usize, usize) {
            (2, 2)
        }

        fn band(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
            const SCORES: [[[f32; 2]; 2]; 2] = [[[0.5, 0.5], [0.1, 0.1]], [[0.5, 0.1], [0.1, 0.9]]];
            SCORES[rows].iter().flatten().flat_map(|line| &line[columns.clone()]).copied().collect()
        }
    }

    fn scores() -> Scores {
        Scores::new((8, 8), (8, 8), Patches)
    }

    #[test]
    fn labels_of_any_size_look_alike() {
        let all = scores().labels(None);
        assert_eq!((all.data[0], all.data[7], all.data[63]), (0, 0, 1));
        let labels = |width, height| scores().labels_of_size((width, height), None, &Cancel::default());
        let small = labels(4, 4).expect("labels");
        let every_second: Vec<u16> = (0..16).map(|i| all.data[(2 * (i / 4) + 1) * 8 + 2 * (i % 4) + 1]).collect();
        let differing = small.data.iter().zip(&every_second).filter(|(a, b)| a != b).count();
        assert!(differing <= 2, "{:?} and {every_second:?}", small.data);
        assert_eq!(labels(1, 1).expect("labels").data.len(), 1);
        let stopped = Cancel::default();
        stopped.cancel();
        assert!(scores().labels_of_size((4, 4), None, &stopped).is_err());
    }

    #[test]
    fn a_pixel_has_the_scores_of_its_patch() {
        assert_eq!(scores().at_pixel(0, 0), [0.5, 0.1]);
        assert_eq!(scores().at_pixel(7, 7), [0.1, 0.9]);
        let middle = scores().at_pixel(4, 4);
        assert!(middle[0] > 0.1 && middle[0] < 0.5 && middle[1] > 0.1 && middle[1] < 0.9, "{middle:?}");
    }
}
