//! Maps over pictures.

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::canvas::Canvas;
use super::sample::{Sampler, upsample};
use super::{Colormap, legend};
use crate::features::Geometry;
use crate::image::Picture;

pub use super::sample::Interpolation;

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

impl Scale {
    /// The numbers at the ends for a map.
    fn range(self, map: &Array2<f32>) -> (f32, f32) {
        match self {
            Self::Fixed { low, high } => (low, high),
            Self::Stretched => {
                let finite = map.iter().copied().filter(|v| v.is_finite());
                let (low, high) =
                    finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
                if low <= high { (low, high) } else { (0.0, 1.0) }
            }
        }
    }
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
    /// Circles around the queries.
    pub markers: Vec<Marker>,
    /// Values below show the picture alone.
    pub threshold: Option<f32>,
    /// A line where the map crosses this value.
    pub contour: Option<f32>,
    /// The picture below loses its colours, so that every hue is the map's.
    pub is_grey_below: bool,
    /// A bar with the numbers of the colours, in a lower corner of pictures large enough.
    pub color_bar: bool,
    /// Behind the bar's numbers: "", or " m" for metres.
    pub unit: &'static str,
}

/// A point that was asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker {
    /// Pixels of the picture.
    pub x: f64,
    /// Pixels of the picture.
    pub y: f64,
    /// Drawn with a minus instead of a plus.
    pub negative: bool,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self {
            colormap: Colormap::default(),
            scale: Scale::Fixed { low: 0.0, high: 1.0 },
            interpolation: Interpolation::default(),
            opacity: 0.75,
            markers: Vec::new(),
            threshold: None,
            contour: None,
            is_grey_below: true,
            color_bar: true,
            unit: "",
        }
    }
}

/// The map `[rows, cols]` over the picture, at the picture's size; what the grid does not cover keeps its colours. NaN is
/// where there is no map: the picture shows.
pub fn map_over_picture(picture: &Picture, geometry: &Geometry, map: &Array2<f32>, style: &OverlayStyle) -> Picture {
    let (low, high) = style.scale.range(map);
    let span = if high > low { high - low } else { 1.0 };
    let (values, shares) = upsample_known(map, geometry, style.interpolation);
    let underlay = if style.is_grey_below { Underlay::Grey } else { Underlay::Colour };
    let mut result = paint(picture, geometry, style.opacity, underlay, |x, y| {
        let value = values[[y, x]];
        let is_shown = style.threshold.is_none_or(|threshold| value >= threshold);
        (style.colormap.color((value - low) / span), if is_shown { shares[[y, x]] } else { 0.0 })
    });
    if let Some(level) = style.contour {
        draw_contour(&mut result, &values, level);
    }
    draw_markers(&mut result, &style.markers);
    if style.color_bar {
        let points: Vec<_> = style.markers.iter().map(|marker| (marker.x, marker.y)).collect();
        legend::color_bar(&mut result, style.colormap, (low, high), style.unit, &points);
    }
    result
}

/// Colours `[rows, cols, 3]`, or with alpha `[rows, cols, 4]`, in 0..=1 over the picture (`opacity` 1: alone), at the
/// picture's size. What the grid does not cover stays the picture's.
pub fn colours_over_picture(
    picture: &Picture,
    geometry: &Geometry,
    colours: &Array3<f32>,
    interpolation: Interpolation,
    opacity: f32,
) -> Picture {
    let sampler = Sampler::new(geometry, interpolation);
    let has_alpha = colours.dim().2 > 3;
    paint(picture, geometry, opacity, Underlay::Colour, |x, y| {
        let at = |channel| sampler.at(x, y, |row, col| colours[[row, col, channel]]);
        (std::array::from_fn(|channel| 255.0 * at(channel)), if has_alpha { at(3) } else { 1.0 })
    })
}

/// The map at the resolution of the picture, from the patches around that are no NaN, and their share there, 0..=1.
fn upsample_known(map: &Array2<f32>, geometry: &Geometry, interpolation: Interpolation) -> (Array2<f32>, Array2<f32>) {
    if !map.iter().any(|value| value.is_nan()) {
        let values = upsample(map, geometry, interpolation);
        let shares = Array2::ones(values.dim());
        return (values, shares);
    }
    let known = map.mapv(|value| f32::from(u8::from(!value.is_nan())));
    let filled = map.mapv(|value| if value.is_nan() { 0.0 } else { value });
    let shares = upsample(&known, geometry, interpolation);
    let mut values = upsample(&filled, geometry, interpolation);
    values.zip_mut_with(&shares, |value, &share| *value = if share > 0.0 { *value / share } else { f32::NAN });
    (values, shares)
}

/// What a map lies on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Underlay {
    Colour,
    Grey,
}

/// Mixes `colour(x, y)`, RGB in 0..=255 and alpha in 0..=1, into all covered pixels.
fn paint(
    picture: &Picture,
    geometry: &Geometry,
    opacity: f32,
    underlay: Underlay,
    colour: impl Fn(usize, usize) -> ([f32; 3], f32) + Sync,
) -> Picture {
    let mut result = picture.clone();
    let (width, height) = geometry.covered;
    let opacity = opacity.clamp(0.0, 1.0);
    let rows = result.rgb.par_chunks_exact_mut(picture.width.max(1) * 3).take(height).enumerate();
    rows.for_each(|(y, row)| {
        for (x, pixel) in row.chunks_exact_mut(3).take(width).enumerate() {
            let mut below = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            if underlay == Underlay::Grey {
                below = [0.299 * below[0] + 0.587 * below[1] + 0.114 * below[2]; 3];
            }
            let (above, alpha) = colour(x, y);
            for ((out, below), above) in pixel.iter_mut().zip(below).zip(above) {
                *out = (below + (above - below) * opacity * alpha).round() as u8;
            }
        }
    });
    result
}

/// A white line where `values` cross `level`.
fn draw_contour(picture: &mut Picture, values: &Array2<f32>, level: f32) {
    let (height, width) = values.dim();
    let half_width = line_width(picture) as f32 / 2.0;
    let mut canvas = Canvas { picture };
    for y in 0..height {
        for x in 0..width {
            let at = |dx: usize, dy: usize| {
                values[[(y + dy).saturating_sub(1).min(height - 1), (x + dx).saturating_sub(1).min(width - 1)]]
            };
            let slope = (at(2, 1) - at(0, 1)).hypot(at(1, 2) - at(1, 0)) / 2.0;
            let distance = (at(1, 1) - level).abs() / slope;
            let alpha = (half_width + 0.5 - distance).clamp(0.0, 1.0);
            if alpha > 0.0 {
                canvas.blend(x, y, [255.0; 3], alpha);
            }
        }
    }
}

/// In pixels, for a picture of that size.
fn line_width(picture: &Picture) -> f64 {
    (picture.width.min(picture.height) as f64 / 300.0).max(1.2)
}

/// A white circle with a dark edge and a plus or minus at each point.
fn draw_markers(picture: &mut Picture, markers: &[Marker]) {
    let width = line_width(picture);
    let radius = 5.0 * width;
    let mut canvas = Canvas { picture };
    for marker in markers {
        let (x, y) = (marker.x, marker.y);
        let arm = 2.2 * width;
        let mut draw = |width: f64, colour: [f32; 3], opacity: f64| {
            canvas.ring((x, y), radius, width, colour, opacity);
            canvas.segment((x - arm, y), (x + arm, y), width, colour, opacity);
            if !marker.negative {
                canvas.segment((x, y - arm), (x, y + arm), width, colour, opacity);
            }
        };
        draw(2.6 * width, [0.0; 3], 0.75);
        draw(width, [255.0; 3], 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize) -> Picture {
        Picture { width, height, rgb: vec![90; width * height * 3] }
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let start = (y * picture.width + x) * 3;
        [picture.rgb[start], picture.rgb[start + 1], picture.rgb[start + 2]]
    }

    #[test]
    fn fully_opaque_patches_show_the_colour_map_alone() {
        let geometry = Geometry { picture: (10, 9), covered: (8, 8), grid: (2, 2) };
        let style = OverlayStyle { opacity: 1.0, interpolation: Interpolation::Patches, ..OverlayStyle::default() };
        let map = ndarray::arr2(&[[0.0, 1.0], [-1.0, 2.0]]);
        let result = map_over_picture(&grey(10, 9), &geometry, &map, &style);
        assert_eq!((result.width, result.height), (10, 9));
        assert_eq!(pixel(&result, 0, 0), [0, 0, 4]);
        assert_eq!(pixel(&result, 7, 3), [252, 253, 191]);
        assert_eq!(pixel(&result, 3, 7), [0, 0, 4], "clamped");
        assert_eq!(pixel(&result, 8, 0), [90; 3], "not covered");
        assert_eq!(pixel(&result, 0, 8), [90; 3], "not covered");
    }

    #[test]
    fn a_stretched_map_uses_all_colours_and_a_constant_one_survives() {
        let geometry = Geometry { picture: (4, 4), covered: (4, 4), grid: (2, 2) };
        let style = OverlayStyle {
            opacity: 1.0,
            scale: Scale::Stretched,
            interpolation: Interpolation::Patches,
            ..OverlayStyle::default()
        };
        let picture = grey(4, 4);
        let result = map_over_picture(&picture, &geometry, &ndarray::arr2(&[[0.3, 0.3], [0.3, 0.4]]), &style);
        assert_eq!(pixel(&result, 0, 0), [0, 0, 4]);
        assert_eq!(pixel(&result, 3, 3), [252, 253, 191]);
        let constant = map_over_picture(&picture, &geometry, &Array2::from_elem((2, 2), 0.3), &style);
        assert_eq!(pixel(&constant, 1, 1), [0, 0, 4]);
    }

    #[test]
    fn where_there_is_no_map_or_too_little_of_it_the_picture_shows() {
        let geometry = Geometry { picture: (8, 2), covered: (8, 2), grid: (1, 4) };
        let style = OverlayStyle {
            opacity: 1.0,
            threshold: Some(0.5),
            interpolation: Interpolation::Patches,
            ..OverlayStyle::default()
        };
        let map = ndarray::arr2(&[[f32::NAN, 0.4, 0.5, 1.0]]);
        let result = map_over_picture(&grey(8, 2), &geometry, &map, &style);
        assert_eq!(pixel(&result, 0, 0), [90; 3]);
        assert_eq!(pixel(&result, 2, 0), [90; 3]);
        assert_ne!(pixel(&result, 4, 0), [90; 3]);
        let style = OverlayStyle { interpolation: Interpolation::Bilinear, threshold: None, ..style };
        let result = map_over_picture(&grey(8, 2), &geometry, &map, &style);
        assert_eq!(pixel(&result, 0, 0), [90; 3]);
        assert_eq!(pixel(&result, 7, 0), [252, 253, 191]);
    }

    #[test]
    fn no_opacity_leaves_colours_over_picture_the_picture() {
        let geometry = Geometry { picture: (5, 3), covered: (5, 3), grid: (1, 2) };
        let colours = Array3::from_elem((1, 2, 3), 1.0);
        let picture = grey(5, 3);
        let draw = |opacity| colours_over_picture(&picture, &geometry, &colours, Interpolation::Bilinear, opacity);
        assert_eq!(draw(0.0), picture);
        assert_eq!(draw(1.0).rgb, vec![255; 45]);
    }

    #[test]
    fn extras_fit_pictures_of_every_size() {
        for (width, height) in [(1, 1), (3, 700), (400, 2), (500, 400)] {
            let geometry = Geometry { picture: (width, height), covered: (width, height), grid: (1, 1) };
            let style = OverlayStyle {
                contour: Some(0.5),
                markers: vec![Marker { x: 0.0, y: -40.0, negative: false }, Marker { x: 1e4, y: 2.0, negative: true }],
                ..OverlayStyle::default()
            };
            let result = map_over_picture(&grey(width, height), &geometry, &Array2::from_elem((1, 1), 0.5), &style);
            assert_eq!(result.rgb.len(), width * height * 3);
        }
    }
}
