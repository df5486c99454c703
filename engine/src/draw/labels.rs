//! Labelled objects over a frame.

use rayon::prelude::*;

use super::Palette;
use crate::image::Picture;
use crate::tracking::LabelMap;

/// What pixels that belong to no object show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// The frame.
    Frame,
    /// A colour.
    Colour([u8; 3]),
}

impl Background {
    /// Black.
    pub const BLACK: Self = Self::Colour([0; 3]);
    /// White.
    pub const WHITE: Self = Self::Colour([255; 3]);
    /// For other programs to take away.
    pub const GREEN: Self = Self::Colour([0, 255, 0]);
}

/// How labels look.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelStyle {
    /// Colours.
    pub palette: Palette,
    /// 0: objects look as in the frame; 1: their colours alone.
    pub opacity: f32,
    /// Width in pixels of a line around every object, inside of it; 0 for none.
    pub outline: usize,
    /// Everything else.
    pub background: Background,
}

/// A picture with alpha.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOut {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `[height, width, 4]`, alpha not multiplied in.
    pub rgba: Vec<u8>,
}

/// The frame with its objects coloured.
///
/// # Panics
/// Where the two differ in size.
pub fn labels_over_picture(picture: &Picture, labels: &LabelMap, style: &LabelStyle) -> Picture {
    let &Picture { width, height, .. } = picture;
    let mut rgb = picture.rgb.clone();
    paint(&mut rgb, picture, labels, style, |pixel, colour| pixel.copy_from_slice(&colour));
    Picture { width, height, rgb }
}

/// The objects of a frame, coloured likewise, transparent where none is; the style's background does not count.
///
/// # Panics
/// Where the two differ in size.
pub fn cut_out(picture: &Picture, labels: &LabelMap, style: &LabelStyle) -> CutOut {
    let &Picture { width, height, .. } = picture;
    let mut rgba = vec![0; width * height * 4];
    let style = LabelStyle { background: Background::Frame, ..style.clone() };
    paint(&mut rgba, picture, labels, &style, |pixel, [r, g, b]| pixel.copy_from_slice(&[r, g, b, 255]));
    for (pixel, _) in rgba.chunks_exact_mut(4).zip(&labels.ids).filter(|(_, id)| **id == 0) {
        pixel.fill(0);
    }
    CutOut { width, height, rgba }
}

/// Two pictures of one height, the one left of the other.
///
/// # Panics
/// Where they differ in height.
pub fn beside(left: &Picture, right: &Picture) -> Picture {
    assert_eq!(left.height, right.height, "pictures beside each other have one height");
    let lines = left.rgb.chunks_exact(3 * left.width).zip(right.rgb.chunks_exact(3 * right.width));
    let rgb = lines.flat_map(|(left, right)| [left, right]).flatten().copied().collect();
    Picture { width: left.width + right.width, height: left.height, rgb }
}

/// Hands `store` every pixel of `out` with its colour.
fn paint(
    out: &mut [u8],
    picture: &Picture,
    labels: &LabelMap,
    style: &LabelStyle,
    store: impl Fn(&mut [u8], [u8; 3]) + Sync,
) {
    let &Picture { width, height, .. } = picture;
    assert_eq!((width, height), (labels.width, labels.height), "labels of another frame");
    let opacity = style.opacity.clamp(0.0, 1.0);
    let inside = Inside::new(labels, style.outline);
    let line = out.len() / height;
    let lines = out.par_chunks_exact_mut(line).zip(picture.rgb.par_chunks_exact(3 * width)).enumerate();
    lines.for_each(|(y, (out, frame))| {
        let ids = &labels.ids[y * width..][..width];
        let pixels = out.chunks_exact_mut(out.len() / width).zip(frame.as_chunks::<3>().0);
        for (x, ((out, &frame), &id)) in pixels.zip(ids).enumerate() {
            let colour = style.palette.colour(id);
            let mixed = |channel: usize| {
                let (below, above) = (f32::from(frame[channel]), f32::from(colour[channel]));
                (below + (above - below) * opacity).round() as u8
            };
            store(
                out,
                match (id, style.background) {
                    (0, Background::Frame) => frame,
                    (0, Background::Colour(colour)) => colour,
                    _ if !inside.contains(x, y) => colour,
                    _ => std::array::from_fn(mixed),
                },
            );
        }
    });
}

/// Pixels that are not on the outline of what they belong to.
struct Inside<'a> {
    labels: &'a LabelMap,
    outline: usize,
    /// `[height, width]`: the pixels left and right up to the outline's width belong to the same object.
    in_line: Vec<bool>,
}

impl<'a> Inside<'a> {
    fn new(labels: &'a LabelMap, outline: usize) -> Self {
        let mut in_line = vec![true; labels.ids.len()];
        if outline > 0 {
            let lines = in_line.par_chunks_exact_mut(labels.width).zip(labels.ids.par_chunks_exact(labels.width));
            lines.for_each(|(in_line, ids)| {
                let mut start = 0;
                for run in ids.chunk_by(|a, b| a == b) {
                    let end = start + run.len();
                    // The frame's border is no outline.
                    if start > 0 {
                        in_line[start..end.min(start + outline)].fill(false);
                    }
                    if end < ids.len() {
                        in_line[start.max(end.saturating_sub(outline))..end].fill(false);
                    }
                    start = end;
                }
            });
        }
        Self { labels, outline, in_line }
    }

    fn contains(&self, x: usize, y: usize) -> bool {
        let LabelMap { width, height, ids } = self.labels;
        let mut around = y.saturating_sub(self.outline)..=(y + self.outline).min(height - 1);
        around.all(|other| self.in_line[other * width + x] && ids[other * width + x] == ids[y * width + x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style() -> LabelStyle {
        LabelStyle { palette: Palette::of_objects(2), opacity: 0.5, outline: 0, background: Background::Frame }
    }

    /// 5×3: object 2 is the 3×3 in the middle.
    fn frame() -> (Picture, LabelMap) {
        let picture = Picture::from_rgb(5, 3, vec![100; 45]).expect("a picture");
        let labels = LabelMap::new(5, 3, [0, 2, 2, 2, 0].repeat(3)).expect("labels");
        (picture, labels)
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        std::array::from_fn(|channel| picture.rgb[3 * (y * picture.width + x) + channel])
    }

    #[test]
    fn objects_are_mixed_with_their_colour() {
        let (picture, labels) = frame();
        let mixed = [178, 114, 57];
        let drawn = labels_over_picture(&picture, &labels, &style());
        assert_eq!([0, 1, 2, 3, 4].map(|x| pixel(&drawn, x, 1)), [[100; 3], mixed, mixed, mixed, [100; 3]]);
        let opaque = labels_over_picture(&picture, &labels, &LabelStyle { opacity: 1.0, ..style() });
        assert_eq!(pixel(&opaque, 2, 2), [255, 127, 14]);
        let green = LabelStyle { opacity: 0.0, background: Background::GREEN, ..style() };
        let drawn = labels_over_picture(&picture, &labels, &green);
        assert_eq!([0, 1].map(|x| pixel(&drawn, x, 0)), [[0, 255, 0], [100; 3]]);
    }

    #[test]
    fn outlines_are_inside_and_not_along_the_border() {
        let (picture, labels) = frame();
        let style = LabelStyle { opacity: 0.0, outline: 1, ..style() };
        let drawn = labels_over_picture(&picture, &labels, &style);
        let line = [255, 127, 14];
        for y in 0..3 {
            assert_eq!([0, 1, 2, 3, 4].map(|x| pixel(&drawn, x, y)), [[100; 3], line, [100; 3], line, [100; 3]]);
        }
        let across = LabelMap::new(3, 5, [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2].to_vec()).expect("labels");
        let picture = Picture::from_rgb(3, 5, vec![100; 45]).expect("a picture");
        let drawn = labels_over_picture(&picture, &across, &style);
        let is_line = |y: usize| pixel(&drawn, 1, y) != [100; 3];
        assert_eq!([0, 1, 2, 3, 4].map(is_line), [false, true, false, true, true]);
        let drawn = labels_over_picture(&picture, &across, &LabelStyle { outline: 9, ..style });
        assert_eq!(pixel(&drawn, 1, 2), [31, 119, 180], "a line wider than the object");
    }

    #[test]
    fn cut_outs_are_transparent_around_objects() {
        let (picture, labels) = frame();
        let cut = cut_out(&picture, &labels, &LabelStyle { opacity: 0.0, background: Background::BLACK, ..style() });
        assert_eq!((cut.width, cut.height), (5, 3));
        assert_eq!(cut.rgba[..8], [0, 0, 0, 0, 100, 100, 100, 255]);
    }

    #[test]
    fn pictures_beside_each_other() {
        let left = Picture::from_rgb(1, 2, (0..6).collect()).expect("a picture");
        let right = Picture::from_rgb(2, 2, (20..32).collect()).expect("a picture");
        let both = beside(&left, &right);
        assert_eq!((both.width, both.height), (3, 2));
        assert_eq!(both.rgb, [0, 1, 2, 20, 21, 22, 23, 24, 25, 3, 4, 5, 26, 27, 28, 29, 30, 31]);
    }
}
