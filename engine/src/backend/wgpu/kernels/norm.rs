//! Layer norms.

use bytemuck::{Pod, Zeroable};

use super::{moved, spread};
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Constant, Kernel};
use crate::backend::wgpu::recording::Recording;
use crate::backend::wgpu::weights::Norm;

/// Keep in sync with `Uniforms` in `shaders/backbone/layer_norm.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct NormUniforms {
    first_row: u32,
    rows: u32,
    width: u32,
    grid_cols: u32,
    epsilon: f32,
    padding: [u32; 3],
}

const LAYER_NORM: &str = include_str!("../../../../../shaders/backbone/layer_norm.wgsl");
const BINDINGS: &[Binding] = &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write];

/// For every device.
pub const PLAIN: Kernel = Kernel {
    name: "layer_norm_plain",
    extensions: &[],
    sources: &[LAYER_NORM, include_str!("../../../../../shaders/backbone/layer_norm_plain.wgsl")],
    bindings: BINDINGS,
};

/// For devices with [`wgpu::Features::SUBGROUP`].
pub const SUBGROUP: Kernel = Kernel {
    name: "layer_norm_subgroup",
    extensions: &[],
    sources: &[LAYER_NORM, include_str!("../../../../../shaders/backbone/layer_norm_subgroup.wgsl")],
    bindings: BINDINGS,
};

/// Threads of a workgroup, a power of two.
const THREADS: u32 = 64;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// Rows of f32.
    Floats,
    /// Rows of Input.
    Inputs,
    /// Rows of Input; those of 2 × 2 neighbouring positions in a grid of that many columns become one.
    Joined {
        /// Of the grid that x is.
        grid_cols: usize,
    },
}

/// For one kind of result.
pub fn constants(out: Out) -> [Constant; 3] {
    [
        Constant::Number("THREADS", THREADS),
        Constant::Flag("JOIN", matches!(out, Out::Joined { .. })),
        Constant::Type("Out", if out == Out::Floats { "f32" } else { "Input" }),
    ]
}

/// x: f32 `[.., width]`, of which `rows` are normalised; they end in the same rows of `out`.
pub fn record(
    recording: &mut Recording<'_>,
    x: &Region,
    rows: std::ops::Range<usize>,
    norm: &Norm,
    kind: Out,
    out: &Region,
) {
    let has_subgroups = recording.gpu().device.features().contains(wgpu::Features::SUBGROUP);
    let kernel = if has_subgroups { &SUBGROUP } else { &PLAIN };
    record_with(recording, kernel, x, rows, norm, kind, out);
}

/// As [`record`], with one of the two kernels.
pub fn record_with(
    recording: &mut Recording<'_>,
    kernel: &Kernel,
    x: &Region,
    rows: std::ops::Range<usize>,
    norm: &Norm,
    kind: Out,
    out: &Region,
) {
    let grid_cols = if let Out::Joined { grid_cols } = kind { grid_cols } else { 0 };
    let uniforms = NormUniforms {
        first_row: rows.start as u32,
        rows: rows.len() as u32,
        width: (norm.width / 4) as u32,
        grid_cols: grid_cols as u32,
        epsilon: norm.epsilon,
        padding: [0; 3],
    };
    let regions = [x, &norm.weight, &norm.bias, out];
    recording.dispatch(
        kernel,
        &constants(kind),
        &uniforms,
        &regions,
        spread(rows.len()),
        moved(2 * rows.len() * norm.width),
    );
}
