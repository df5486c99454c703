//! Linear layers with their epilogues.

use bytemuck::{Pod, Zeroable};

use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Constant, Kernel};
use crate::backend::wgpu::recording::Recording;
use crate::backend::wgpu::weights::Linear;

/// Keep in sync with `Uniforms` in `shaders/backbone/gemm.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct GemmUniforms {
    rows: u32,
    depth: u32,
    slice: u32,
    slice_start: u32,
    width: u32,
    first_row: u32,
    prefix: u32,
    grid_rows: u32,
    grid_cols: u32,
    head: u32,
    query_scale: f32,
    padding: u32,
}

const GEMM: &str = include_str!("../../../../../shaders/backbone/gemm.wgsl");
const PLAIN: &[Binding] = &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write];
const WITH_VECTOR: &[Binding] =
    &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write, Binding::Read];

/// Storage buffers of the kernel that has the most of them.
pub const BUFFERS: u32 = 5;

/// See the shader.
pub const BIAS: Kernel = Kernel {
    name: "gemm_bias",
    sources: &[GEMM, include_str!("../../../../../shaders/backbone/gemm_bias.wgsl")],
    bindings: PLAIN,
};

/// See the shader.
pub const GELU: Kernel = Kernel {
    name: "gemm_gelu",
    sources: &[GEMM, include_str!("../../../../../shaders/backbone/gemm_gelu.wgsl")],
    bindings: PLAIN,
};

/// See the shader.
pub const SWIGLU: Kernel = Kernel {
    name: "gemm_swiglu",
    sources: &[GEMM, include_str!("../../../../../shaders/backbone/gemm_swiglu.wgsl")],
    bindings: PLAIN,
};

/// See the shader.
pub const ADD_SCALED: Kernel = Kernel {
    name: "gemm_add_scaled",
    sources: &[GEMM, include_str!("../../../../../shaders/backbone/gemm_add_scaled.wgsl")],
    bindings: WITH_VECTOR,
};

/// See the shader.
pub const QKV: Kernel = Kernel {
    name: "gemm_qkv",
    sources: &[GEMM, include_str!("../../../../../shaders/backbone/gemm_qkv.wgsl")],
    bindings: WITH_VECTOR,
};

/// Sizes of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tile {
    /// Numbers of the inner dimension that lie in workgroup memory at once, by four. Both matrices' squares of 4 × 4 are
    /// no more than the threads.
    pub depth: u32,
    /// Threads along the rows of the result.
    pub row_threads: u32,
    /// Threads along its columns.
    pub col_threads: u32,
    /// Squares of 4 × 4 per thread along the rows, 1 or 2.
    pub row_quads: u32,
    /// And along the columns.
    pub col_quads: u32,
}

impl Tile {
    /// What a device of that kind runs fast.
    pub fn for_device(device_type: wgpu::DeviceType) -> Self {
        match device_type {
            wgpu::DeviceType::Cpu => Self { depth: 2, row_threads: 8, col_threads: 8, row_quads: 2, col_quads: 2 },
            _ => Self { depth: 4, row_threads: 16, col_threads: 16, row_quads: 2, col_quads: 1 },
        }
    }

    /// What tuning tries.
    pub const CANDIDATES: [Self; 9] = [
        Self::new(2, (8, 8), (2, 2)),
        Self::new(4, (8, 8), (1, 1)),
        Self::new(2, (8, 8), (2, 1)),
        Self::new(2, (16, 8), (2, 2)),
        Self::new(2, (8, 16), (2, 2)),
        Self::new(4, (16, 16), (1, 1)),
        Self::new(4, (16, 16), (2, 1)),
        Self::new(4, (16, 16), (1, 2)),
        Self::new(4, (16, 16), (2, 2)),
    ];

    const fn new(depth: u32, (row_threads, col_threads): (u32, u32), (row_quads, col_quads): (u32, u32)) -> Self {
        Self { depth, row_threads, col_threads, row_quads, col_quads }
    }

    /// Whether a device runs it, and the shader was written for it.
    pub fn fits(self, limits: &wgpu::Limits) -> bool {
        let quads = 1..=2;
        if !quads.contains(&self.row_quads) || !quads.contains(&self.col_quads) {
            return false;
        }
        let threads = u64::from(self.row_threads) * u64::from(self.col_threads);
        let (rows, cols) = (u64::from(self.row_threads) * u64::from(self.row_quads), (self.cols() / 4) as u64);
        let squares = u64::from(self.depth) * (rows + cols);
        let bytes = 4 * 16 * u64::from(self.depth) * (rows + 1 + cols + 1);
        let at_once = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let is_any = threads > 0 && self.depth > 0;
        let is_room = bytes <= u64::from(limits.max_compute_workgroup_storage_size);
        is_any && squares <= threads && threads <= u64::from(at_once) && is_room
    }

    /// Rows of the result.
    fn rows(self) -> usize {
        (4 * self.row_threads * self.row_quads) as usize
    }

    /// Columns of the result.
    fn cols(self) -> usize {
        (4 * self.col_threads * self.col_quads) as usize
    }

    /// As kernels take them.
    pub fn constants(self) -> [Constant; 5] {
        [
            Constant::Number("TILE_DEPTH", self.depth),
            Constant::Number("ROW_THREADS", self.row_threads),
            Constant::Number("COL_THREADS", self.col_threads),
            Constant::Number("ROW_QUADS", self.row_quads),
            Constant::Number("COL_QUADS", self.col_quads),
        ]
    }
}

impl std::fmt::Display for Tile {
    /// "128×64×16, 8×4 a thread"
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rows, cols, depth) = (self.rows(), self.cols(), 4 * self.depth);
        write!(f, "{rows}×{cols}×{depth}, {}×{} a thread", 4 * self.row_quads, 4 * self.col_quads)
    }
}

/// What happens to a row of `A · Wᵀ + bias`.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// It is stored as f32, `first_row` rows further down.
    Bias {
        /// Of `out`.
        first_row: usize,
    },
    /// Its GELU is stored as Input.
    Gelu,
    /// Gate and value are neighbours; `silu(gate) · value` is stored as Input.
    SwiGlu,
    /// It is scaled and added to `out`, f32.
    AddScaled,
    /// It is rotated and stored as Input.
    Qkv(&'a Rope),
}

/// Where patches lie, and how heads are divided.
#[derive(Clone, Debug)]
pub struct Rope {
    /// `[grid rows + grid cols, head / 4]` cos and sin, f32.
    pub table: Region,
    /// Tokens before the patches.
    pub prefix: usize,
    /// Rows and columns of the patch grid.
    pub grid: (usize, usize),
    /// Numbers in a head.
    pub head: usize,
}

impl Rope {
    /// So that attention needs powers of two only: `log2(e) / √head`.
    fn query_scale(&self) -> f32 {
        std::f32::consts::LOG2_E / (self.head as f32).sqrt()
    }
}

/// `out = epilogue(a · Wᵀ + bias)`; a: `[rows, inputs]` Input.
pub fn record(
    recording: &mut Recording<'_>,
    tile: Tile,
    (a, rows): (&Region, usize),
    linear: &Linear,
    epilogue: Epilogue<'_>,
    out: &Region,
) {
    for slice in &linear.slices {
        let mut uniforms = GemmUniforms {
            rows: rows as u32,
            depth: (linear.inputs / 4) as u32,
            slice: (slice.rows / 4) as u32,
            slice_start: (slice.first_row / 4) as u32,
            width: (linear.outputs / 4) as u32,
            ..GemmUniforms::zeroed()
        };
        let mut regions = vec![a, &slice.weight, &linear.bias, out];
        let kernel = match epilogue {
            Epilogue::Bias { first_row } => {
                uniforms.first_row = first_row as u32;
                &BIAS
            }
            Epilogue::Gelu => &GELU,
            Epilogue::SwiGlu => &SWIGLU,
            Epilogue::AddScaled => {
                // Without LayerScale every branch is scaled by ones, which the layer holds.
                regions.extend(&linear.scale);
                &ADD_SCALED
            }
            Epilogue::Qkv(rope) => {
                uniforms.prefix = rope.prefix as u32;
                (uniforms.grid_rows, uniforms.grid_cols) = (rope.grid.0 as u32, rope.grid.1 as u32);
                uniforms.head = (rope.head / 4) as u32;
                uniforms.query_scale = rope.query_scale();
                regions.push(&rope.table);
                &QKV
            }
        };
        let workgroups = [slice.rows.div_ceil(tile.cols()) as u32, rows.div_ceil(tile.rows()) as u32, 1];
        recording.dispatch(kernel, &tile.constants(), &uniforms, &regions, workgroups);
    }
}
