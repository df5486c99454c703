//! Two pictures and what matches in them, as files show it.

use ndarray::Array3;

use super::lines::{Line, common_height, side_by_side, stacked};
use super::overlay::{Interpolation, colours_over_picture};
use crate::analysis::matching::Pair;
use crate::features::Geometry;
use crate::image::Picture;

/// Least distance between the left ends of lines in pixels, as in the reference's notebook, but of the picture as it is
/// drawn: large pictures do not drown in lines, and small ones get some.
const LINE_DISTANCE: f64 = 100.0;

/// One of the two pictures.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The picture.
    pub picture: &'a Picture,
    /// Where its patches lie.
    pub geometry: &'a Geometry,
    /// `[rows, cols, 3]` in 0..=1.
    pub colours: &'a Array3<f32>,
}

/// Distance in pixels of the left picture that leaves as many lines as a drawing of both has room for.
pub fn line_distance(left: &Picture, right: &Picture) -> f64 {
    LINE_DISTANCE * left.height as f64 / common_height(left, right) as f64
}

/// Both pictures in the colours of their patches above, and below them as they are with a line for each pair, in the
/// colour of its left patch.
pub fn figure(left: &Side, right: &Side, pairs: &[Pair]) -> Picture {
    let lines: Vec<Line> = pairs
        .iter()
        .map(|pair| Line {
            left: pair.left_pixel,
            right: pair.right_pixel,
            colour: [0, 1, 2].map(|channel| left.colours[[pair.left.row, pair.left.col, channel]]),
        })
        .collect();
    let coloured =
        |side: &Side| colours_over_picture(side.picture, side.geometry, side.colours, Interpolation::Patches, 1.0);
    let above = side_by_side(&coloured(left), &coloured(right), &[]);
    stacked(&above, &side_by_side(left.picture, right.picture, &lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Patch;

    #[test]
    fn colours_lie_above_and_lines_below() {
        let picture = Picture { width: 400, height: 400, rgb: vec![0; 400 * 400 * 3] };
        let geometry = Geometry { picture: (400, 400), covered: (400, 400), grid: (2, 2) };
        let red = Array3::from_shape_fn((2, 2, 3), |(_, _, channel)| if channel == 0 { 1.0 } else { 0.0 });
        let side = Side { picture: &picture, geometry: &geometry, colours: &red };
        let patch = Patch { row: 0, col: 0 };
        let pair =
            Pair { left: patch, right: patch, left_pixel: (100.0, 100.0), right_pixel: (100.0, 100.0), score: 1.0 };
        let drawn = figure(&side, &side, &[pair]);
        let pixel = |x: usize, y: usize| &drawn.rgb[(y * drawn.width + x) * 3..][..3];
        assert_eq!(pixel(300, 300), [255, 0, 0], "a patch above");
        assert_eq!(pixel(100, drawn.height - 300), [255, 0, 0], "the line's left end");
        assert_eq!(pixel(300, drawn.height - 50), [0; 3], "the picture below");
    }

    #[test]
    fn lines_keep_their_distance_as_drawn() {
        let picture = |height| Picture { width: height, height, rgb: vec![0; height * height * 3] };
        assert_eq!(line_distance(&picture(2160), &picture(100)), 200.0);
        assert_eq!(line_distance(&picture(180), &picture(180)), 50.0);
    }
}
