//! Drawing a picture with a layer over it, by the graphics device.

mod pipeline;
mod uniforms;

pub use pipeline::{PicturePainter, upload_texels, upload_values};

use dinoscope_engine::draw::Colormap;
use dinoscope_engine::features::Geometry;

/// What lies over a picture.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where its patches lie.
    pub geometry: Geometry,
    /// What is drawn.
    pub content: LayerContent,
    /// 0: the picture alone; 1: the layer alone.
    pub opacity: f32,
    /// From patch to patch by bilinear interpolation; else every patch in one colour.
    pub is_smooth: bool,
}

/// What a [`Layer`] draws. Textures are `cols` × `rows`.
#[derive(Clone, Debug)]
pub enum LayerContent {
    /// Nothing but what goes with the grid.
    Empty,
    /// Numbers in colours.
    Map {
        /// `r32float`
        map: wgpu::TextureView,
        /// `r32float`, 2 × 1: the map's least and greatest value.
        range: wgpu::TextureView,
        /// How it looks.
        style: MapStyle,
    },
    /// `rgba8unorm`, as shown.
    Colours(wgpu::TextureView),
}

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapStyle {
    /// The colours.
    pub colormap: Colormap,
    /// Values of the first and the last colour; `None`: the map's own least and greatest.
    pub range: Option<(f32, f32)>,
    /// Values below are not drawn.
    pub threshold: Option<f32>,
    /// A line where the map crosses this value.
    pub contour: Option<f32>,
    /// The picture below loses its colours, so that every hue is the map's.
    pub is_grey_below: bool,
}
