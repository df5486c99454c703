//! Depthwise convolutions.

use bytemuck::{Pod, Zeroable};

use super::spread;
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;

/// Keep in sync with `Uniforms` in `shaders/backbone/depthwise.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct DepthwiseUniforms {
    rows: u32,
    cols: u32,
    channels: u32,
    padding: u32,
}

/// See the shader.
pub const DEPTHWISE: Kernel = Kernel {
    name: "depthwise",
    extensions: &[],
    sources: &[include_str!("../../../../../shaders/backbone/depthwise.wgsl")],
    bindings: &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write],
};

/// 7 × 7 taps on the device.
#[derive(Debug)]
pub struct Depthwise {
    /// `[49, channels]` f32.
    pub weight: Region,
    /// `[channels]` f32.
    pub bias: Region,
    /// A multiple of 4.
    pub channels: usize,
}

/// x, out: `[rows * cols, channels]` f32.
pub fn record(recording: &mut Recording<'_>, x: &Region, grid: (usize, usize), layer: &Depthwise, out: &Region) {
    let (rows, cols) = grid;
    let uniforms =
        DepthwiseUniforms { rows: rows as u32, cols: cols as u32, channels: (layer.channels / 4) as u32, padding: 0 };
    let threads = rows * cols.div_ceil(4) * layer.channels / 4;
    let regions = [x, &layer.weight, &layer.bias, out];
    let work = 49 * (rows * cols * layer.channels) as u64;
    recording.dispatch(&DEPTHWISE, &[], &uniforms, &regions, spread(threads.div_ceil(64)), work);
}
