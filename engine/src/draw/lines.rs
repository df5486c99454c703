//! Two pictures side by side with lines between matching points.

use crate::image::Picture;

/// A coloured line from a point of the left picture to one of the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// (x, y) in pixels of the left picture.
    pub left: (f64, f64),
    /// (x, y) in pixels of the right picture.
    pub right: (f64, f64),
    /// RGB in 0..=1.
    pub colour: [f32; 3],
}

/// Side by side at one height, with anti-aliased lines and dots.
pub fn side_by_side(_left: &Picture, _right: &Picture, _lines: &[Line]) -> Picture {
    todo!()
}

/// One picture above the other, centred on the wider of them.
pub fn stacked(_top: &Picture, _bottom: &Picture) -> Picture {
    todo!()
}
