//! The mean over all positions.

use bytemuck::{Pod, Zeroable};

use super::moved;
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;

/// Keep in sync with `Uniforms` in `shaders/backbone/mean.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MeanUniforms {
    rows: u32,
    width: u32,
    padding: [u32; 2],
}

/// See the shader.
pub const MEAN: Kernel = Kernel {
    name: "mean",
    extensions: &[],
    sources: &[include_str!("../../../../../shaders/backbone/mean.wgsl")],
    bindings: &[Binding::Uniform, Binding::Read, Binding::Write],
};

/// x: `[rows, width]` f32; out: `[width]` f32.
pub fn record(recording: &mut Recording<'_>, x: &Region, (rows, width): (usize, usize), out: &Region) {
    let uniforms = MeanUniforms { rows: rows as u32, width: (width / 4) as u32, padding: [0; 2] };
    recording.dispatch(&MEAN, &[], &uniforms, &[x, out], [width.div_ceil(64) as u32, 1, 1], moved(rows * width));
}
