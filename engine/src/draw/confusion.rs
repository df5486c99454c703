//! A confusion matrix as a picture.

use super::canvas::Canvas;
use super::{Colormap, text};
use crate::image::Picture;
use crate::probe::metrics::Confusion;

/// Side of all cells together at least, in pixels.
const SIDE: usize = 640;

/// Cells smaller than that have no names.
const LEAST_NAMED: usize = 14;

/// Room for names, in pixels.
const NAMES: usize = 180;

const MARGIN: usize = 28;
const INK: [f32; 3] = [235.0; 3];
const PAPER: u8 = 20;

/// A row for each right class, a column for each predicted one; colours say which share of the row is there.
pub fn confusion_matrix(confusion: &Confusion, names: &[String], colormap: Colormap) -> Picture {
    let classes = confusion.counts.nrows();
    let cell = (SIDE / classes.max(1)).clamp(1, 64);
    let has_names = cell >= LEAST_NAMED && names.len() == classes;
    let left = MARGIN + if has_names { NAMES } else { 0 };
    let (width, height) = (left + cell * classes + MARGIN, 2 * MARGIN + cell * classes);
    let mut picture = Picture { width, height, rgb: vec![PAPER; 3 * width * height] };
    for ((right, predicted), count) in confusion.counts.indexed_iter() {
        let share = *count as f32 / confusion.counts.row(right).sum().max(1) as f32;
        let colour = colormap.color(share).map(|channel| channel.round() as u8);
        let gap = usize::from(cell > 8);
        for y in MARGIN + right * cell..MARGIN + (right + 1) * cell - gap {
            let start = 3 * (y * width + left + predicted * cell);
            picture.rgb[start..start + 3 * (cell - gap)].as_chunks_mut().0.fill(colour);
        }
    }
    let mut canvas = Canvas { picture: &mut picture };
    let size = (0.8 * cell as f32).clamp(10.0, 15.0);
    text::draw(&mut canvas, "rows: right class, columns: predicted class", (left as f32, 6.0), 14.0, INK);
    if has_names {
        for (class, name) in names.iter().enumerate() {
            let name = text::shortened(name, size, NAMES as f32 - 8.0);
            let x = left as f32 - 8.0 - text::width(&name, size);
            let y = (MARGIN + class * cell) as f32 + (cell as f32 - size) / 2.0;
            text::draw(&mut canvas, &name, (x, y), size, INK);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answers_lie_on_the_diagonal() {
        let mut confusion = Confusion::new(3);
        [(0, 0), (1, 1), (2, 0)].into_iter().for_each(|(right, predicted)| confusion.count(right, predicted));
        let names = ["a", "b", "c"].map(str::to_owned);
        let picture = confusion_matrix(&confusion, &names, Colormap::Viridis);
        let cell = |row: usize, col: usize| {
            let (x, y) = (MARGIN + NAMES + 64 * col + 20, MARGIN + 64 * row + 20);
            picture.rgb[3 * (y * picture.width + x)..][..3].to_vec()
        };
        assert!(cell(0, 0) == cell(1, 1) && cell(2, 0) == cell(0, 0) && cell(2, 2) == cell(0, 1));
        assert_ne!(cell(0, 0), cell(0, 1));
        // Thousands of classes, and none.
        assert_eq!(confusion_matrix(&Confusion::new(1000), &[], Colormap::Viridis).width, 1000 + 2 * MARGIN);
        confusion_matrix(&Confusion::new(0), &[], Colormap::Viridis);
    }
}
