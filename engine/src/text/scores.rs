//! Cosines between a picture's patches and classes of words.

use std::ops::Range;

use self::Source::{Slide, Whole};
use crate::classes::bilinear::Taps;
use crate::classes::windows::{Window, mean_row};
use crate::classes::{ScoreSource, Scores};

/// What dino.txt says about a picture.
#[derive(Debug)]
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

/// Scores are the cosines.
pub(super) fn whole(picture: (usize, usize), covered: (usize, usize), patches: PatchScores) -> Scores {
    Scores::new(picture, covered, Whole(patches))
}

/// Scores are softmax over the classes, averaged over the windows.
pub(super) fn slide(
    picture: (usize, usize),
    covered: (usize, usize),
    size: (usize, usize),
    windows: Vec<(Window, PatchScores)>,
) -> Scores {
    Scores::new(picture, covered, Slide { size, windows })
}

impl ScoreSource for Source {
    fn classes(&self) -> usize {
        match self {
            Whole(patches) => patches.classes(),
            Slide { windows, .. } => windows.first().map_or(0, |(_, patches)| patches.classes()),
        }
    }

    fn grid(&self) -> (usize, usize) {
        match self {
            Whole(patches) => (patches.rows, patches.cols),
            Slide { size, .. } => (size.1, size.0),
        }
    }

    fn band(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        let classes = self.classes();
        match self {
            Whole(patches) => {
                let lines = patches.cosines.chunks_exact(patches.cols);
                let lines = lines.skip(rows.start * classes).take(rows.len() * classes);
                lines.flat_map(|line| &line[columns.clone()]).copied().collect()
            }
            Slide { windows, .. } => {
                let row = classes * columns.len();
                let mut band = vec![0.0; rows.len() * row];
                for (y, means) in rows.zip(band.chunks_exact_mut(row)) {
                    mean_row(windows, y, columns.clone(), means, PatchScores::softmax_row);
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

    /// Softmax over the classes in a row of pixels of the window that the patches lie in, `[classes, columns]`.
    fn softmax_row(&self, window: &Window, y: usize, columns: Range<usize>) -> Vec<f32> {
        let (top, bottom, share) = Taps::new(self.rows, window.height).at(y);
        let taps = Taps::new(self.cols, window.width);
        let taps: Vec<(usize, usize, f32)> = columns.map(|x| taps.at(x)).collect();
        let row = self.classes() * self.cols;
        let (above, below) = (&self.cosines[top * row..][..row], &self.cosines[bottom * row..][..row]);
        let cosines: Vec<f32> = above.iter().zip(below).map(|(a, b)| a * (1.0 - share) + b * share).collect();
        let wide = cosines
            .chunks_exact(self.cols)
            .flat_map(|row| taps.iter().map(|&(left, right, share)| row[left] * (1.0 - share) + row[right] * share));
        let mut powers: Vec<f32> = wide.collect();
        softmax_over_rows(&mut powers, taps.len());
        powers
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
