//! Attention with online softmax.

use bytemuck::{Pod, Zeroable};

use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Constant, Kernel};
use crate::backend::wgpu::recording::Recording;

/// Keep in sync with `Uniforms` in `shaders/backbone/attention.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct AttentionUniforms {
    tokens: u32,
    width: u32,
    first_query: u32,
    padding: u32,
}

const ATTENTION: &str = include_str!("../../../../../shaders/backbone/attention.wgsl");
const BINDINGS: &[Binding] = &[Binding::Uniform, Binding::Read, Binding::Write];

/// For every device.
pub const PLAIN: Kernel = Kernel {
    name: "attention_plain",
    extensions: &[],
    sources: &[ATTENTION, include_str!("../../../../../shaders/backbone/attention_plain.wgsl")],
    bindings: BINDINGS,
};

/// For devices with [`wgpu::Features::SUBGROUP`].
pub const SUBGROUP: Kernel = Kernel {
    name: "attention_subgroup",
    extensions: &[],
    sources: &[ATTENTION, include_str!("../../../../../shaders/backbone/attention_subgroup.wgsl")],
    bindings: BINDINGS,
};

/// Queries of a workgroup.
const QUERIES: usize = 64;

/// The widest head that a workgroup's registers hold.
pub const WIDEST_HEAD: usize = 128;

/// Memory of a workgroup: `tiles` and `reduced` of the shader. No kernel needs more.
pub const WORKGROUP_BYTES: u32 = 16 * (64 * 17 + 16 * 17);

/// For a head of that width.
pub fn constants(head: usize) -> [Constant; 2] {
    let quads = head as u32 / 4;
    let depth = (1..=8).rev().find(|depth| quads.is_multiple_of(*depth)).unwrap_or(1);
    [Constant::Number("HEAD", quads), Constant::Number("TILE_DEPTH", depth)]
}

/// qkv: `[tokens, 3 * heads * head]` Input, rotated and scaled; out: `[tokens, heads * head]` Input.
pub fn record(recording: &mut Recording<'_>, qkv: &Region, shape: (usize, usize, usize), out: &Region) {
    let kernel = if recording.has_subgroups() { &SUBGROUP } else { &PLAIN };
    record_with(recording, kernel, qkv, shape, out);
}

/// As [`record`], with one of the two kernels.
pub fn record_with(
    recording: &mut Recording<'_>,
    kernel: &Kernel,
    qkv: &Region,
    (tokens, heads, head): (usize, usize, usize),
    out: &Region,
) {
    let work_per_query = (2 * tokens * heads * head) as u64;
    for band in recording.bands(tokens, QUERIES, work_per_query) {
        let uniforms = AttentionUniforms {
            tokens: tokens as u32,
            width: (heads * head / 4) as u32,
            first_query: band.start as u32,
            padding: 0,
        };
        let workgroups = [band.len().div_ceil(QUERIES) as u32, heads as u32, 1];
        let work = band.len() as u64 * work_per_query;
        recording.dispatch(kernel, &constants(head), &uniforms, &[qkv, out], workgroups, work);
    }
}
