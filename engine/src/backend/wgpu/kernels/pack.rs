//! Features that stay on the device.

use bytemuck::{Pod, Zeroable};

use super::moved;
use crate::Result;
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;
use crate::gpu::{FEATURE_SCALE, Gpu, GpuError, ResidentGrid};

/// Keep in sync with `Uniforms` in `shaders/backbone/pack.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct PackUniforms {
    first_row: u32,
    patches: u32,
    width: u32,
    words: u32,
    length: f32,
    padding: [u32; 3],
}

/// See the shader.
pub const PACK: Kernel = Kernel {
    name: "pack",
    extensions: &[],
    sources: &[include_str!("../../../../../shaders/backbone/pack.wgsl")],
    bindings: &[Binding::Uniform, Binding::Read, Binding::Write],
};

/// x: `[first_row + rows * cols, dim]` f32; `shape` is (rows, cols, dim). The grid is filled once the recording was
/// submitted.
///
/// # Errors
/// [`GpuError::DoesNotFit`].
pub fn record(
    recording: &mut Recording<'_>,
    gpu: &Gpu,
    x: &Region,
    first_row: usize,
    shape: (usize, usize, usize),
) -> Result<ResidentGrid, GpuError> {
    let grid = ResidentGrid::empty(gpu, shape)?;
    for chunk in grid.parts() {
        let uniforms = PackUniforms {
            first_row: (first_row + chunk.first) as u32,
            patches: chunk.patches as u32,
            width: (shape.2 / 4) as u32,
            words: chunk.words as u32,
            length: FEATURE_SCALE,
            padding: [0; 3],
        };
        let size = chunk.features.size();
        let region = Region { buffer: chunk.features.clone(), start: 0, size };
        let work = moved(chunk.patches * shape.2);
        recording.dispatch(&PACK, &[], &uniforms, &[x, &region], [chunk.workgroups, 1, 1], work);
    }
    Ok(grid)
}
