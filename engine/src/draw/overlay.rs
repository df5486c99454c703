//! Maps over pictures.

use ndarray::{Array2, Array3};

use super::Colormap;
use crate::features::Geometry;
use crate::image::Picture;

/// Which numbers get the ends of the colour map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// These two.
    Fixed {
        /// First colour.
        low: f32,
        /// Last colour.
        high: f32,
    },
    /// The least and the greatest of this map.
    Stretched,
}

/// How patches become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Smooth between patch centres, as torch's `interpolate(mode="bilinear", align_corners=False)`.
    #[default]
    Bilinear,
    /// Every pixel has the value of its patch.
    Patches,
}

/// How [`map_over_picture`] looks.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayStyle {
    /// Colours.
    pub colormap: Colormap,
    /// Their range.
    pub scale: Scale,
    /// Between patches.
    pub interpolation: Interpolation,
    /// 0: the picture alone; 1: the map alone.
    pub opacity: f32,
    /// Circles around the queries, in pixels of the picture.
    pub markers: Vec<Marker>,
    /// A line where the map crosses this value.
    pub contour: Option<f32>,
    /// A bar with the numbers, to the right of the picture.
    pub color_bar: bool,
}

/// A point that was asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker {
    /// Pixels of the picture.
    pub x: f64,
    /// Pixels of the picture.
    pub y: f64,
    /// Drawn as a minus instead of a plus.
    pub negative: bool,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self {
            colormap: Colormap::default(),
            scale: Scale::Fixed { low: 0.0, high: 1.0 },
            interpolation: Interpolation::default(),
            opacity: 0.7,
            markers: Vec::new(),
            contour: None,
            color_bar: true,
        }
    }
}

/// The map `[rows, cols]` over the picture, at the picture's resolution; a colour bar widens the result.
pub fn map_over_picture(
    _picture: &Picture,
    _geometry: &Geometry,
    _map: &Array2<f32>,
    _style: &OverlayStyle,
) -> Picture {
    todo!()
}

/// Colours `[rows, cols, 3]` in 0..=1 over the picture (`opacity` 1: alone), at the picture's resolution. What the
/// grid does not cover stays the picture's.
pub fn colours_over_picture(
    _picture: &Picture,
    _geometry: &Geometry,
    _colours: &Array3<f32>,
    _interpolation: Interpolation,
    _opacity: f32,
) -> Picture {
    todo!()
}
