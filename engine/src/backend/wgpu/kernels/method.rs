//! How the linear layers are multiplied: sizes of tiles, and the units that do it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::backend::wgpu::pipelines::Constant;
use crate::gpu::Gpu;

/// Threads of a subgroup that has matrix units.
const SUBGROUP: u32 = 32;
/// Threads of a workgroup in the kernels that broadcast.
pub const BROADCAST_THREADS: u32 = 64;

/// How products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// By every device: `gemm.wgsl`.
    Plain(Tile),
    /// By devices whose subgroups have so many threads: `gemm_broadcast.wgsl`.
    Broadcast(u32),
    /// By devices with [cooperative matrices](crate::gpu::Gpu::has_cooperative_matrices), in f16:
    /// `gemm_cooperative.wgsl`.
    Cooperative(Subgroups),
}

/// Sizes of a tile that threads share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Subgroups of a workgroup, each with 32 × 32 numbers of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subgroups {
    /// Along the rows of the result.
    pub rows: u32,
    /// Along its columns.
    pub cols: u32,
}

impl Method {
    /// What GPUs run fast that have no matrix units.
    pub const PLAIN: Self = Self::Plain(Tile::new(4, (16, 16), (2, 1)));

    /// What devices with matrix units run fast: nobody has measured it.
    pub const COOPERATIVE: Self = Self::Cooperative(Subgroups { rows: 2, cols: 2 });

    /// What tuning tries of these.
    pub const COOPERATIVES: [Self; 4] = [
        Self::COOPERATIVE,
        Self::Cooperative(Subgroups { rows: 4, cols: 2 }),
        Self::Cooperative(Subgroups { rows: 2, cols: 4 }),
        Self::Cooperative(Subgroups { rows: 4, cols: 4 }),
    ];

    /// And of those.
    pub const PLAINS: [Self; 9] = [
        Self::Plain(Tile::new(2, (8, 8), (2, 2))),
        Self::Plain(Tile::new(4, (8, 8), (1, 1))),
        Self::Plain(Tile::new(2, (8, 8), (2, 1))),
        Self::Plain(Tile::new(2, (16, 8), (2, 2))),
        Self::Plain(Tile::new(2, (8, 16), (2, 2))),
        Self::Plain(Tile::new(4, (16, 16), (1, 1))),
        Self::PLAIN,
        Self::Plain(Tile::new(4, (16, 16), (1, 2))),
        Self::Plain(Tile::new(4, (16, 16), (2, 2))),
    ];

    /// What software runs fast.
    pub fn for_software(gpu: &Gpu) -> Self {
        gpu.lanes().map_or(Self::Plain(Tile::new(2, (8, 8), (2, 2))), Self::Broadcast)
    }

    /// What tuning tries on a device, those with matrix units last.
    pub fn candidates(gpu: &Gpu) -> impl Iterator<Item = Self> {
        let all = Self::PLAINS.into_iter().chain(gpu.lanes().map(Self::Broadcast)).chain(Self::COOPERATIVES);
        let gpu = gpu.clone();
        all.filter(move |method| method.fits(&gpu))
    }

    /// Whether a device has the room for it and the shader was written for it.
    pub fn fits(self, gpu: &Gpu) -> bool {
        let limits = gpu.device.limits();
        let (threads, bytes) = match self {
            Self::Plain(tile) if !tile.is_possible() => return false,
            Self::Broadcast(lanes) => return gpu.lanes() == Some(lanes),
            Self::Plain(tile) => (u64::from(tile.row_threads) * u64::from(tile.col_threads), tile.workgroup_bytes()),
            Self::Cooperative(Subgroups { rows, cols }) => {
                let (rows, cols) = (u64::from(rows), u64::from(cols));
                // `tiles` and `results` of the shader.
                (u64::from(SUBGROUP) * rows * cols, 2 * 32 * (rows + cols) * 40 + 4 * 256 * rows * cols)
            }
        };
        let at_once = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let is_room = bytes <= u64::from(limits.max_compute_workgroup_storage_size);
        threads > 0 && threads <= u64::from(at_once) && is_room
    }

    /// Rows of the result that a workgroup computes.
    pub fn rows(self) -> usize {
        match self {
            Self::Plain(tile) => (4 * tile.row_threads * tile.row_quads) as usize,
            Self::Broadcast(lanes) => (16 * BROADCAST_THREADS / lanes) as usize,
            Self::Cooperative(subgroups) => (32 * subgroups.rows) as usize,
        }
    }

    /// Columns of the result that a workgroup computes.
    pub fn cols(self) -> usize {
        match self {
            Self::Plain(tile) => (4 * tile.col_threads * tile.col_quads) as usize,
            Self::Broadcast(lanes) => (4 * lanes) as usize,
            Self::Cooperative(subgroups) => (32 * subgroups.cols) as usize,
        }
    }

    /// As kernels take them.
    pub fn constants(self) -> Vec<Constant> {
        match self {
            Self::Plain(tile) => vec![
                Constant::Number("TILE_DEPTH", tile.depth),
                Constant::Number("ROW_THREADS", tile.row_threads),
                Constant::Number("COL_THREADS", tile.col_threads),
                Constant::Number("ROW_QUADS", tile.row_quads),
                Constant::Number("COL_QUADS", tile.col_quads),
            ],
            Self::Broadcast(lanes) => vec![Constant::Number("LANES", lanes)],
            Self::Cooperative(subgroups) => vec![
                Constant::Number("ROW_SUBGROUPS", subgroups.rows),
                Constant::Number("COL_SUBGROUPS", subgroups.cols),
            ],
        }
    }
}

impl Tile {
    const fn new(depth: u32, (row_threads, col_threads): (u32, u32), (row_quads, col_quads): (u32, u32)) -> Self {
        Self { depth, row_threads, col_threads, row_quads, col_quads }
    }

    /// Squares of A and of W that lie in workgroup memory side by side.
    fn squares(self) -> (u64, u64) {
        let along = |threads, quads| u64::from(threads) * u64::from(quads);
        (along(self.row_threads, self.row_quads), along(self.col_threads, self.col_quads))
    }

    /// What the shader asks of its constants.
    fn is_possible(self) -> bool {
        let quads = 1..=2;
        let (rows, cols) = self.squares();
        let threads = u64::from(self.row_threads) * u64::from(self.col_threads);
        let loads_at_once = u64::from(self.depth).saturating_mul(rows + cols) <= threads;
        self.depth > 0 && quads.contains(&self.row_quads) && quads.contains(&self.col_quads) && loads_at_once
    }

    /// `a_tile` and `w_tile` of the shader.
    fn workgroup_bytes(self) -> u64 {
        let (rows, cols) = self.squares();
        4 * 16 * u64::from(self.depth) * (rows + 1 + cols + 1)
    }
}

impl fmt::Display for Method {
    /// "128×64×16, 8×4 a thread"; "128×32, 16×4 a thread, by broadcast"; "64×64×32, matrix units".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, cols) = (self.rows(), self.cols());
        match self {
            Self::Plain(tile) => {
                let (depth, high, wide) = (4 * tile.depth, 4 * tile.row_quads, 4 * tile.col_quads);
                write!(f, "{rows}×{cols}×{depth}, {high}×{wide} a thread")
            }
            Self::Broadcast(_) => write!(f, "{rows}×{cols}, 16×4 a thread, by broadcast"),
            Self::Cooperative(_) => write!(f, "{rows}×{cols}×32, matrix units"),
        }
    }
}
