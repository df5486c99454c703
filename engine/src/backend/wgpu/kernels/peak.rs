//! The device's own speed, for measurements.

use bytemuck::{Pod, Zeroable};

use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;

/// Keep in sync with `Uniforms` in `shaders/backbone/peak.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct PeakUniforms {
    rounds: u32,
    factor: f32,
    summand: f32,
    padding: u32,
}

/// See the shader.
pub const PEAK: Kernel = Kernel {
    name: "peak",
    extensions: &[],
    sources: &[include_str!("../../../../../shaders/backbone/peak.wgsl")],
    bindings: &[Binding::Uniform, Binding::Write],
};

/// Threads: enough to fill any device.
pub const THREADS: usize = 1 << 18;
const ROUNDS: u32 = 64;

/// Multiplications with addition of one run.
pub const WORK: u64 = THREADS as u64 * ROUNDS as u64 * 8 * 16;

/// out: `[THREADS, 4]` f32; what each thread gets is the sum of the numbers `id` to `id + 3`.
pub fn record(recording: &mut Recording<'_>, out: &Region) {
    let uniforms = PeakUniforms { rounds: ROUNDS, factor: 1.0, summand: 0.0, padding: 0 };
    recording.dispatch(&PEAK, &[], &uniforms, &[out], [THREADS as u32 / 256, 1, 1], WORK);
}
