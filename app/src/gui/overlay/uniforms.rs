//! What `shaders/overlay/picture.wgsl` is told about one view.

use bytemuck::{Pod, Zeroable};

/// Keep in sync with `View` in shaders/overlay/picture.wgsl, where the fields are explained.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Uniforms {
    pub origin: [f32; 2],
    pub span: [f32; 2],
    pub picture: [f32; 2],
    pub covered: [f32; 2],
    pub grid: [f32; 2],
    pub range: [f32; 2],
    pub opacity: f32,
    pub threshold: f32,
    pub contour: f32,
    pub scale: f32,
    pub flags: u32,
    pub pixels_per_point: f32,
    pub padding: [f32; 2],
}

pub const MAP: u32 = 1;
pub const COLOURS: u32 = 2;
pub const SMOOTH: u32 = 4;
pub const GRID: u32 = 8;
pub const CONTOUR: u32 = 16;
pub const STRETCHED: u32 = 32;
pub const GREY: u32 = 64;
pub const SRGB_TARGET: u32 = 128;
pub const THRESHOLD: u32 = 256;
