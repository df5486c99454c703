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
    padding: [u32; 2],
}

/// See the shader.
pub const ATTENTION: Kernel = Kernel {
    name: "attention",
    sources: &[include_str!("../../../../../shaders/backbone/attention.wgsl")],
    bindings: &[Binding::Uniform, Binding::Read, Binding::Write],
};

/// Queries of a workgroup.
const QUERIES: usize = 64;

/// The widest head that a workgroup's registers hold.
pub const WIDEST_HEAD: usize = 128;

/// Memory of a workgroup: `tiles` and `reduced` of the shader. No kernel needs more.
pub const WORKGROUP_BYTES: u32 = 16 * (64 * 17 + 16 * 17);

/// Tokens that see each other: those of a picture, or of several texts of one length.
#[derive(Clone, Copy, Debug)]
pub struct Sequences {
    /// How many, one behind the other.
    pub count: usize,
    /// Of each.
    pub tokens: usize,
    /// Whether a token sees itself and those before it alone.
    pub is_causal: bool,
}

/// For a head of that width.
pub fn constants(head: usize, is_causal: bool) -> [Constant; 3] {
    let quads = head as u32 / 4;
    let depth = (1..=8).rev().find(|depth| quads.is_multiple_of(*depth)).unwrap_or(1);
    [Constant::Number("HEAD", quads), Constant::Number("TILE_DEPTH", depth), Constant::Flag("CAUSAL", is_causal)]
}

/// qkv: `[count * tokens, 3 * heads * head]` Input, rotated and scaled; out: `[count * tokens, heads * head]` Input.
pub fn record(
    recording: &mut Recording<'_>,
    qkv: &Region,
    sequences: Sequences,
    (heads, head): (usize, usize),
    out: &Region,
) {
    let Sequences { count, tokens, is_causal } = sequences;
    let uniforms = AttentionUniforms { tokens: tokens as u32, width: (heads * head / 4) as u32, padding: [0; 2] };
    let workgroups = [tokens.div_ceil(QUERIES) as u32, heads as u32, count as u32];
    recording.dispatch(&ATTENTION, &constants(head, is_causal), &uniforms, &[qkv, out], workgroups);
}
