//! How alike every place of a picture is to every class, and which class it is.

use std::ops::Range;

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::Labels;
use super::windows::Window;
use crate::{Cancel, Result};

/// Memory of one task's scores.
const BYTES_PER_TASK: usize = 8 << 20;
/// Rows of a picture whose labels one task finds, at most.
const ROWS_PER_TASK: usize = 32;

/// Scores of all classes. What is kept is small: patches and their classes. Everything larger is computed in bands.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Width and height of the picture.
    picture: (usize, usize),
    /// Width and height of the part that scores lie over, from the top left; the rest is as its edge.
    covered: (usize, usize),
    classes: usize,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// Cosines of the whole picture's patches.
    Whole(PatchScores),
    /// Cosines of the patches of windows that overlap.
    Slide {
        /// Width and height of the picture that the windows are cut from.
        size: (usize, usize),
        windows: Vec<(Window, PatchScores)>,
    },
}

/// Cosines between patches and classes.
#[derive(Clone, Debug)]
pub(super) struct PatchScores {
    /// Patch rows.
    pub(super) rows: usize,
    /// Patch columns.
    pub(super) cols: usize,
    /// `[rows, classes, cols]`
    pub(super) cosines: Vec<f32>,
}

impl Scores {
    pub(super) fn whole(picture: (usize, usize), covered: (usize, usize), patches: PatchScores) -> Self {
        let classes = patches.classes();
        Self { picture, covered, classes, source: Source::Whole(patches) }
    }

    pub(super) fn slide(
        picture: (usize, usize),
        covered: (usize, usize),
        size: (usize, usize),
        windows: Vec<(Window, PatchScores)>,
    ) -> Self {
        let classes = windows.first().map_or(0, |(_, patches)| patches.classes());
        Self { picture, covered, classes, source: Source::Slide { size, windows } }
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

    /// Rows and columns of [`Scores::to_array`]: the patch grid's, or the pixels' that windows were cut from.
    pub fn grid(&self) -> (usize, usize) {
        match &self.source {
            Source::Whole(patches) => (patches.rows, patches.cols),
            Source::Slide { size, .. } => (size.1, size.0),
        }
    }

    /// All scores, `[classes, rows, cols]`: cosines of the whole picture, or softmax over the classes averaged over the
    /// windows. Mind the memory.
    pub fn to_array(&self) -> Array3<f32> {
        let (rows, cols) = self.grid();
        let mut all = Array3::zeros((self.classes, rows, cols));
        for row in 0..rows {
            let band = self.band(row..row + 1, 0..cols);
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
        let row = |row: usize| self.band(row..row + 1, 0..cols)[class * cols..][..cols].to_vec();
        let bands: Vec<Vec<f32>> = (0..rows).into_par_iter().map(row).collect();
        Array2::from_shape_vec((rows, cols), bands.concat()).expect("rows are `cols` long")
    }

    /// Scores of all classes at a pixel of the picture, `[classes]`.
    pub fn at_pixel(&self, x: usize, y: usize) -> Vec<f32> {
        let (rows, cols) = self.grid();
        let (columns, lines) = (Taps::new(cols, self.covered.0), Taps::new(rows, self.covered.1));
        let (top, bottom, share) = lines.at(y);
        let (left, right, across) = columns.at(x);
        let band = self.band(top..bottom + 1, left..right + 1);
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
            let band = self.band(first_row..taps(labels.len() / width - 1).1 + 1, 0..cols);
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

    /// A part of the scores, `[rows, classes, columns]`.
    fn band(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        match &self.source {
            Source::Whole(patches) => {
                let lines = patches.cosines.chunks_exact(patches.cols);
                let lines = lines.skip(rows.start * self.classes).take(rows.len() * self.classes);
                lines.flat_map(|line| &line[columns.clone()]).copied().collect()
            }
            Source::Slide { windows, .. } => {
                let row = self.classes * columns.len();
                let mut band = vec![0.0; rows.len() * row];
                for (y, sums) in rows.zip(band.chunks_exact_mut(row)) {
                    slide_row(windows, y, columns.clone(), sums);
                }
                band
            }
        }
    }
}

impl PatchScores {
    fn classes(&self) -> usize {
        self.cosines.len() / (self.rows * self.cols)
    }
}

/// One row of the windows' mean softmax, `[classes, columns]`.
fn slide_row(windows: &[(Window, PatchScores)], y: usize, columns: Range<usize>, means: &mut [f32]) {
    let width = columns.len();
    let mut counts = vec![0f32; width];
    let over = windows.iter().filter(|(window, _)| (window.y..window.y + window.height).contains(&y));
    for (window, patches) in over {
        let (start, end) = (window.x.max(columns.start), (window.x + window.width).min(columns.end));
        if start >= end {
            continue;
        }
        let (top, bottom, share) = Taps::new(patches.rows, window.height).at(y - window.y);
        let taps = Taps::new(patches.cols, window.width);
        let taps: Vec<(usize, usize, f32)> = (start..end).map(|x| taps.at(x - window.x)).collect();
        let row = patches.classes() * patches.cols;
        let (above, below) = (&patches.cosines[top * row..][..row], &patches.cosines[bottom * row..][..row]);
        let cosines: Vec<f32> = above.iter().zip(below).map(|(a, b)| a * (1.0 - share) + b * share).collect();
        let wide = cosines
            .chunks_exact(patches.cols)
            .flat_map(|row| taps.iter().map(|&(left, right, share)| row[left] * (1.0 - share) + row[right] * share));
        let mut powers: Vec<f32> = wide.collect();
        softmax_over_rows(&mut powers, end - start);
        for (means, powers) in means.chunks_exact_mut(width).zip(powers.chunks_exact(end - start)) {
            let means = &mut means[start - columns.start..end - columns.start];
            means.iter_mut().zip(powers).for_each(|(mean, power)| *mean += power);
        }
        counts[start - columns.start..end - columns.start].iter_mut().for_each(|count| *count += 1.0);
    }
    for means in means.chunks_exact_mut(width) {
        means.iter_mut().zip(&counts).for_each(|(mean, count)| *mean /= count);
    }
}

/// Softmax down the columns of `[rows, width]`.
fn softmax_over_rows(values: &mut [f32], width: usize) {
    let mut greatest = vec![f32::NEG_INFINITY; width];
    for row in values.chunks_exact(width) {
        greatest.iter_mut().zip(row).for_each(|(greatest, value)| *greatest = greatest.max(*value));
    }
    let mut sums = vec![0f32; width];
    for row in values.chunks_exact_mut(width) {
        for ((value, greatest), sum) in row.iter_mut().zip(&greatest).zip(&mut sums) {
            *value = (*value - greatest).exp();
            *sum += *value;
        }
    }
    for row in values.chunks_exact_mut(width) {
        row.iter_mut().zip(&sums).for_each(|(value, sum)| *value /= sum);
    }
}

/// Neighbours along one axis, as torch's `interpolate(mode="bilinear", align_corners=False)` takes them.
struct Taps {
    from: usize,
    to: usize,
}

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        Self { from, to }
    }

    /// Two values, and the share of the second; beyond the end as at the end.
    fn at(&self, index: usize) -> (usize, usize, f32) {
        let last = self.from - 1;
        let index = index.min(self.to - 1);
        if self.from == self.to {
            return (index, index, 0.0);
        }
        let position = (self.from as f32 / self.to as f32) * (index as f32 + 0.5) - 0.5;
        let position = position.max(0.0);
        let first = (position as usize).min(last);
        (first, (first + 1).min(last), (position - first as f32).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 × 2 patches of 4 pixels; class 1 is best in the lower right one.
    fn scores() -> Scores {
        let cosines = vec![0.5, 0.5, 0.1, 0.1, 0.5, 0.1, 0.1, 0.9];
        Scores::whole((8, 8), (8, 8), PatchScores { rows: 2, cols: 2, cosines })
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
