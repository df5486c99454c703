//! Pictures cut into patches.

use bytemuck::{Pod, Zeroable};

use super::{moved, spread};
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;

/// Keep in sync with `Uniforms` in `shaders/backbone/unfold.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct UnfoldUniforms {
    width: u32,
    height: u32,
    side: u32,
    cols: u32,
    count: u32,
    padding: [u32; 3],
}

/// See the shader.
pub const UNFOLD: Kernel = Kernel {
    name: "unfold",
    extensions: &[],
    sources: &[include_str!("../../../../../shaders/backbone/unfold.wgsl")],
    bindings: &[Binding::Uniform, Binding::Read, Binding::Write],
};

/// pixels: `[3, height, width]` f32; out: `[patches, 3 * side * side]` Input.
pub fn record(
    recording: &mut Recording<'_>,
    pixels: &Region,
    (width, height): (usize, usize),
    side: usize,
    out: &Region,
) {
    let count = 3 * width * height / 4;
    let uniforms = UnfoldUniforms {
        width: width as u32,
        height: height as u32,
        side: side as u32,
        cols: (width / side) as u32,
        count: count as u32,
        padding: [0; 3],
    };
    recording.dispatch(&UNFOLD, &[], &uniforms, &[pixels, out], spread(count.div_ceil(64)), moved(4 * count));
}
