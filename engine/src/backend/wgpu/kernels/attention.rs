//! Attention with online softmax.

use bytemuck::{Pod, Zeroable};

use super::method::BROADCAST_THREADS;
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Constant, Kernel};
use crate::backend::wgpu::recording::Recording;
use crate::gpu::Gpu;

/// Keep in sync with `Uniforms` in `shaders/backbone/attention.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct AttentionUniforms {
    tokens: u32,
    width: u32,
    first_query: u32,
    padding: u32,
}

const OPERANDS: &str = include_str!("../../../../../shaders/backbone/attention_operands.wgsl");
const ATTENTION: &str = include_str!("../../../../../shaders/backbone/attention.wgsl");
const BINDINGS: &[Binding] = &[Binding::Uniform, Binding::Read, Binding::Write];

/// For every device.
pub const PLAIN: Kernel = Kernel {
    name: "attention_plain",
    extensions: &[],
    sources: &[OPERANDS, ATTENTION, include_str!("../../../../../shaders/backbone/attention_plain.wgsl")],
    bindings: BINDINGS,
};

/// For devices with [`wgpu::Features::SUBGROUP`].
pub const SUBGROUP: Kernel = Kernel {
    name: "attention_subgroup",
    extensions: &[],
    sources: &[OPERANDS, ATTENTION, include_str!("../../../../../shaders/backbone/attention_subgroup.wgsl")],
    bindings: BINDINGS,
};

/// For software whose subgroups have a size that is known.
pub const BROADCAST: Kernel = Kernel {
    name: "attention_broadcast",
    extensions: &[],
    sources: &[
        OPERANDS,
        include_str!("../../../../../shaders/backbone/broadcast.wgsl"),
        include_str!("../../../../../shaders/backbone/attention_broadcast.wgsl"),
    ],
    bindings: BINDINGS,
};

/// Which kernel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// [`PLAIN`]
    Plain,
    /// [`SUBGROUP`]
    Subgroup,
    /// [`BROADCAST`], with so many threads in a subgroup.
    Broadcast(u32),
}

impl Way {
    /// What a device runs fast.
    pub fn for_device(gpu: &Gpu, head: usize) -> Self {
        match gpu.lanes() {
            Some(lanes) if !gpu.is_hardware() && head <= widest_broadcast(lanes) => Self::Broadcast(lanes),
            _ if gpu.device.features().contains(wgpu::Features::SUBGROUP) => Self::Subgroup,
            _ => Self::Plain,
        }
    }

    /// Queries of a workgroup.
    fn queries(self) -> usize {
        match self {
            Self::Plain | Self::Subgroup => 64,
            Self::Broadcast(lanes) => (16 * BROADCAST_THREADS / lanes) as usize,
        }
    }

    /// The kernel and its constants, for a head of that width.
    pub fn kernel(self, head: usize, is_causal: bool) -> (&'static Kernel, [Constant; 3]) {
        let quads = head as u32 / 4;
        let depth = (1..=8).rev().find(|depth| quads.is_multiple_of(*depth)).unwrap_or(1);
        let second = match self {
            Self::Plain | Self::Subgroup => Constant::Number("TILE_DEPTH", depth),
            Self::Broadcast(lanes) => Constant::Number("LANES", lanes),
        };
        let kernel = match self {
            Self::Plain => &PLAIN,
            Self::Subgroup => &SUBGROUP,
            Self::Broadcast(_) => &BROADCAST,
        };
        (kernel, [Constant::Number("HEAD", quads), second, Constant::Flag("CAUSAL", is_causal)])
    }
}

/// The widest head that [`BROADCAST`] takes: its threads have up to eight numbers of the result for each query.
pub fn widest_broadcast(lanes: u32) -> usize {
    8 * lanes as usize
}

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

/// qkv: `[count * tokens, 3 * heads * head]` Input, rotated and scaled; out: `[count * tokens, heads * head]` Input.
pub fn record(
    recording: &mut Recording<'_>,
    qkv: &Region,
    sequences: Sequences,
    heads @ (_, head): (usize, usize),
    out: &Region,
) {
    let way = Way::for_device(recording.gpu(), head);
    record_with(recording, way, qkv, sequences, heads, out);
}

/// As [`record`], in one of the ways.
pub fn record_with(
    recording: &mut Recording<'_>,
    way: Way,
    qkv: &Region,
    sequences: Sequences,
    (heads, head): (usize, usize),
    out: &Region,
) {
    let Sequences { count, tokens, is_causal } = sequences;
    let (kernel, constants) = way.kernel(head, is_causal);
    // Of all sequences.
    let work_per_query = (2 * count * tokens * heads * head) as u64;
    for band in recording.bands(tokens, way.queries(), work_per_query) {
        let uniforms = AttentionUniforms {
            tokens: tokens as u32,
            width: (heads * head / 4) as u32,
            first_query: band.start as u32,
            padding: 0,
        };
        let workgroups = [band.len().div_ceil(way.queries()) as u32, heads as u32, count as u32];
        let work = band.len() as u64 * work_per_query;
        recording.dispatch(kernel, &constants, &uniforms, &[qkv, out], workgroups, work);
    }
}
