//! Labelled objects over a frame.

use crate::image::Picture;
use crate::tracking::LabelMap;

/// A colour per object id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette(pub [[u8; 3]; 256]);

/// What happens to pixels that belong to no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// They show the frame.
    Frame,
    /// They have this colour.
    Colour([u8; 3]),
}

impl Background {
    /// For cutting objects out later.
    pub const GREEN: Self = Self::Colour([0, 255, 0]);
    /// Black.
    pub const BLACK: Self = Self::Colour([0; 3]);
    /// White.
    pub const WHITE: Self = Self::Colour([255; 3]);
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
    todo!()
}

/// As [`labels_over_picture`], transparent where no object is.
///
/// # Panics
/// Where the two differ in size.
pub fn cut_out(picture: &Picture, labels: &LabelMap, style: &LabelStyle) -> CutOut {
    todo!()
}

/// Two pictures of one height, the one left of the other.
///
/// # Panics
/// Where they differ in height.
pub fn beside(left: &Picture, right: &Picture) -> Picture {
    todo!()
}
