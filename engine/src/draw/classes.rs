//! Classes over a picture, and the legend that says which is which.

use rayon::prelude::*;

use super::canvas::Canvas;
use super::palette::{TAB10, rgb};
use super::text;
use crate::classes::Labels;
use crate::image::Picture;

const INK: [f32; 3] = [240.0; 3];
const PLATE: [f32; 3] = [18.0, 19.0, 23.0];

/// A class as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassStyle {
    /// For the legend.
    pub name: String,
    /// Of all its pixels.
    pub colour: [u8; 3],
    /// 0: it is not drawn, nor in the legend; 1: its colour alone.
    pub opacity: f32,
}

/// The colour of one among `classes`: matplotlib's tab10 for few; for many, neighbours in the list differ in hue, later
/// ones in lightness too.
pub fn class_colour(class: usize, classes: usize) -> [u8; 3] {
    if classes <= TAB10.len() {
        return rgb(TAB10[class % TAB10.len()]);
    }
    // Steps of the golden ratio never come close to each other.
    let hue = (class as f64 * 0.618_033_988_749_895 + 0.08).fract() * 6.0;
    let (lightest, darkest) = [(255.0, 40.0), (190.0, 10.0), (255.0, 120.0)][class / 8 % 3];
    let channel = |offset: f64| {
        let share = ((hue + offset) % 6.0 - 3.0).abs() - 1.0;
        (darkest + (lightest - darkest) * share.clamp(0.0, 1.0)).round() as u8
    };
    [channel(0.0), channel(4.0), channel(2.0)]
}

/// The classes over a picture of the same size, with a legend of those that are found, the largest first. Where a label
/// has no class (the background), the picture shows.
///
/// # Panics
/// Where the labels are those of a picture of another size.
pub fn classes_with_legend(picture: &Picture, labels: &Labels, classes: &[ClassStyle]) -> Picture {
    let mut drawn = classes_over_picture(picture, labels, classes);
    let areas = labels.areas(classes.len() + 1);
    let is_drawn = |&class: &usize| areas[class] > 0 && classes[class].opacity > 0.0;
    let mut found: Vec<usize> = (0..classes.len()).filter(is_drawn).collect();
    found.sort_by_key(|&class| std::cmp::Reverse(areas[class]));
    let line = |&class: &usize| LegendLine { colour: classes[class].colour, name: classes[class].name.clone() };
    class_legend(&mut drawn, &found.iter().map(line).collect::<Vec<_>>());
    drawn
}

fn classes_over_picture(picture: &Picture, labels: &Labels, classes: &[ClassStyle]) -> Picture {
    assert_eq!((picture.width, picture.height), (labels.width, labels.height), "labels of another picture");
    let mut result = picture.clone();
    let rows = result.rgb.par_chunks_mut(3 * picture.width).zip(labels.data.par_chunks(picture.width));
    rows.for_each(|(row, labels)| {
        for (pixel, &label) in row.chunks_exact_mut(3).zip(labels) {
            let Some(ClassStyle { colour, opacity, .. }) = classes.get(usize::from(label)) else { continue };
            for (below, &above) in pixel.iter_mut().zip(colour) {
                let mixed = f32::from(*below) + (f32::from(above) - f32::from(*below)) * opacity.clamp(0.0, 1.0);
                *below = mixed.round() as u8;
            }
        }
    });
    result
}

/// A line of a legend.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LegendLine {
    /// Of the class.
    colour: [u8; 3],
    /// What it is called.
    name: String,
}

/// Draws lines on a dark plate in the upper left corner, as many as there is room for. A picture too small for one stays
/// as it is.
fn class_legend(picture: &mut Picture, lines: &[LegendLine]) {
    let size = (picture.width.min(picture.height) as f32 / 26.0).clamp(11.0, 36.0);
    let (pad, swatch) = (0.5 * size, 0.8 * size);
    let room = picture.width as f32 * 0.5 - 3.0 * pad - swatch;
    let fitting = ((picture.height as f32 - 3.0 * pad) / (1.25 * size)) as usize;
    if lines.is_empty() || fitting == 0 || room < 3.0 * size {
        return;
    }
    let mut shown: Vec<(Option<[u8; 3]>, String)> =
        lines.iter().take(fitting).map(|line| (Some(line.colour), text::shortened(&line.name, size, room))).collect();
    if lines.len() > fitting {
        shown.pop();
        let hidden = lines.len() - shown.len();
        shown.push((None, text::shortened(&format!("+ {hidden} more"), size, room)));
    }
    let widest = shown.iter().map(|(_, name)| text::width(name, size)).fold(0.0, f32::max);
    let (left, top) = (0.5 * pad, 0.5 * pad);
    let right = left + 3.0 * pad + swatch + widest;
    let bottom = top + 1.5 * pad + 1.25 * size * shown.len() as f32;
    let mut canvas = Canvas { picture };
    canvas.plate([left, right, top, bottom].map(f64::from), f64::from(0.4 * size), PLATE, 0.82);
    for (index, (colour, name)) in shown.iter().enumerate() {
        let y = top + pad + 1.25 * size * index as f32;
        let x = left + pad;
        if let Some(colour) = colour {
            let square = [x, x + swatch, y + 0.1 * size, y + 0.1 * size + swatch].map(f64::from);
            canvas.plate(square, f64::from(0.15 * size), colour.map(f32::from), 1.0);
        }
        text::draw(&mut canvas, name, (x + swatch + pad, y), size, INK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_classes_are_told_apart() {
        let distance = |a: [u8; 3], b: [u8; 3]| -> i32 {
            a.iter().zip(b).map(|(a, b)| (i32::from(*a) - i32::from(b)).abs()).sum()
        };
        for classes in [10, 24] {
            for a in 0..classes {
                for b in 0..a {
                    let distance = distance(class_colour(a, classes), class_colour(b, classes));
                    assert!(distance > 40, "{a} and {b} of {classes}");
                }
            }
        }
        class_colour(usize::from(u16::MAX), usize::MAX);
    }

    #[test]
    fn classes_cover_the_picture_where_they_have_a_colour() {
        let picture = Picture { width: 2, height: 1, rgb: vec![100; 6] };
        let labels = Labels { width: 2, height: 1, data: vec![0, 1] };
        let class = |opacity| ClassStyle { name: "cat".to_owned(), colour: [200, 0, 100], opacity };
        let drawn = |classes: &[ClassStyle]| classes_with_legend(&picture, &labels, classes).rgb;
        assert_eq!(drawn(&[class(0.5)]), [150, 50, 100, 100, 100, 100], "the second label is the background");
        assert_eq!(drawn(&[class(0.0), class(1.0)]), [100, 100, 100, 200, 0, 100]);
    }

    #[test]
    fn legends_fit_pictures_of_every_size() {
        let lines: Vec<LegendLine> = (0..40)
            .map(|i| LegendLine { colour: class_colour(i, 40), name: "a name that is long ".repeat(i) })
            .collect();
        for (width, height) in [(1, 1), (40, 2000), (2000, 12), (300, 200)] {
            let before = Picture { width, height, rgb: vec![90; width * height * 3] };
            let mut after = before.clone();
            class_legend(&mut after, &lines);
            assert_eq!(after.rgb.len(), before.rgb.len());
            assert_eq!(after != before, width == 300, "{width}x{height}");
        }
    }
}
