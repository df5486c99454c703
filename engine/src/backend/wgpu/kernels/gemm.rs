//! Linear layers with their epilogues.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::method::Method;
use crate::backend::wgpu::buffers::Region;
use crate::backend::wgpu::pipelines::{Binding, Kernel};
use crate::backend::wgpu::recording::Recording;
use crate::backend::wgpu::weights::{Linear, Slice};

/// Keep in sync with `Uniforms` in `shaders/backbone/gemm_operands.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct GemmUniforms {
    rows_start: u32,
    rows_end: u32,
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
}

const OPERANDS: &str = include_str!("../../../../../shaders/backbone/gemm_operands.wgsl");
const BROADCAST: &str = include_str!("../../../../../shaders/backbone/broadcast.wgsl");
const BY_BROADCAST: &str = include_str!("../../../../../shaders/backbone/gemm_broadcast.wgsl");
const PLAIN: &str = include_str!("../../../../../shaders/backbone/gemm.wgsl");
/// The part of the cooperative kernels that uses the matrix units.
pub const MATRICES: &str = include_str!("../../../../../shaders/backbone/cooperative_matrices.wgsl");
const COOPERATIVE: &str = include_str!("../../../../../shaders/backbone/gemm_cooperative.wgsl");

const BINDINGS: &[Binding] = &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write];
const WITH_VECTOR: &[Binding] =
    &[Binding::Uniform, Binding::Read, Binding::Read, Binding::Read, Binding::Write, Binding::Read];

/// Storage buffers of the kernel that has the most of them.
pub const BUFFERS: u32 = 5;

/// A product with an epilogue, once for each kind of [`Method`].
#[derive(Debug)]
pub struct Product {
    /// For every device.
    pub plain: Kernel,
    /// For devices whose subgroups have a size that is known.
    pub broadcast: Kernel,
    /// For devices with [cooperative matrices](crate::gpu::Gpu::has_cooperative_matrices).
    pub cooperative: Kernel,
}

macro_rules! product {
    ($epilogue:literal, $bindings:expr) => {{
        const EPILOGUE: &str = include_str!(concat!("../../../../../shaders/backbone/gemm_", $epilogue, ".wgsl"));
        Product {
            plain: Kernel {
                name: concat!("gemm_", $epilogue),
                extensions: &[],
                sources: &[OPERANDS, PLAIN, EPILOGUE],
                bindings: $bindings,
            },
            broadcast: Kernel {
                name: concat!("gemm_broadcast_", $epilogue),
                extensions: &[],
                sources: &[OPERANDS, BROADCAST, BY_BROADCAST, EPILOGUE],
                bindings: $bindings,
            },
            cooperative: Kernel {
                name: concat!("gemm_cooperative_", $epilogue),
                extensions: &["wgpu_cooperative_matrix"],
                sources: &[OPERANDS, MATRICES, COOPERATIVE, EPILOGUE],
                bindings: $bindings,
            },
        }
    }};
}

/// See the shader.
pub const BIAS: Product = product!("bias", BINDINGS);
/// See the shader.
pub const GELU: Product = product!("gelu", BINDINGS);
/// See the shader.
pub const SWIGLU: Product = product!("swiglu", BINDINGS);
/// See the shader.
pub const ADD_SCALED: Product = product!("add_scaled", WITH_VECTOR);
/// See the shader.
pub const QKV: Product = product!("qkv", WITH_VECTOR);

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

impl<'a> Epilogue<'a> {
    fn product(self) -> &'static Product {
        match self {
            Self::Bias { .. } => &BIAS,
            Self::Gelu => &GELU,
            Self::SwiGlu => &SWIGLU,
            Self::AddScaled => &ADD_SCALED,
            Self::Qkv(_) => &QKV,
        }
    }

    /// What it reads beside the bias.
    fn vector(self, linear: &'a Linear) -> Option<&'a Region> {
        match self {
            Self::AddScaled => linear.scale.as_ref(),
            Self::Qkv(rope) => Some(&rope.table),
            Self::Bias { .. } | Self::Gelu | Self::SwiGlu => None,
        }
    }
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
    method: Method,
    (a, rows): (&Region, usize),
    linear: &Linear,
    epilogue: Epilogue<'_>,
    out: &Region,
) {
    let product = epilogue.product();
    let kernel = match method {
        Method::Plain(_) => &product.plain,
        Method::Broadcast(_) => &product.broadcast,
        Method::Cooperative(_) => &product.cooperative,
    };
    for slice in &linear.slices {
        let mut regions = vec![a, &slice.weight, &linear.bias, out];
        regions.extend(epilogue.vector(linear));
        let work_per_row = (linear.inputs * slice.rows) as u64;
        for band in recording.bands(rows, method.rows(), work_per_row) {
            let uniforms = uniforms(&band, linear, slice, epilogue);
            let tiles = [slice.rows.div_ceil(method.cols()), band.len().div_ceil(method.rows()), 1];
            let work = band.len() as u64 * work_per_row;
            recording.dispatch(kernel, &method.constants(), &uniforms, &regions, tiles.map(|n| n as u32), work);
        }
    }
}

fn uniforms(band: &Range<usize>, linear: &Linear, slice: &Slice, epilogue: Epilogue<'_>) -> GemmUniforms {
    let uniforms = GemmUniforms {
        rows_start: band.start as u32,
        rows_end: band.end as u32,
        depth: (linear.inputs / 4) as u32,
        slice: (slice.rows / 4) as u32,
        slice_start: (slice.first_row / 4) as u32,
        width: (linear.outputs / 4) as u32,
        ..GemmUniforms::zeroed()
    };
    match epilogue {
        Epilogue::Bias { first_row } => GemmUniforms { first_row: first_row as u32, ..uniforms },
        Epilogue::Qkv(rope) => GemmUniforms {
            prefix: rope.prefix as u32,
            grid_rows: rope.grid.0 as u32,
            grid_cols: rope.grid.1 as u32,
            head: (rope.head / 4) as u32,
            query_scale: rope.query_scale(),
            ..uniforms
        },
        Epilogue::Gelu | Epilogue::SwiGlu | Epilogue::AddScaled => uniforms,
    }
}
