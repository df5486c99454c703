//! Features that stay on the graphics device.

use bytemuck::{Pod, Zeroable};
use half::f16;
use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::{Gpu, GpuError};
use crate::features::FeatureGrid;

/// Words that the kernel reads in one step; a patch has a multiple of them.
const WORDS_AT_ONCE: usize = 4;
/// Patches that lie together, one per thread of a workgroup. Keep in sync with `BLOCK` in
/// `shaders/analysis/similarity.wgsl`.
pub(super) const BLOCK: usize = 64;

/// Features are stored times this: half precision keeps its 11 bits down to 2^-14, so those of unit vectors keep them
/// down to 2^-28, and none becomes a subnormal number, which some devices take for zero.
pub(crate) const SCALE: f32 = 16_384.0;

/// A [`FeatureGrid`] on the graphics device, every feature of length 1, in half precision, split into as many buffers
/// as the device's binding limit asks for.
#[derive(Debug)]
pub struct ResidentGrid {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
    /// Numbers per patch.
    pub dim: usize,
    pub(super) chunks: Vec<Chunk>,
}

/// Some patches of a grid, in order.
#[derive(Debug)]
pub(super) struct Chunk {
    /// `[blocks, words, BLOCK]` u32: numbers 2k and 2k + 1 of a feature in word k, zeros behind the last number and
    /// the last patch.
    pub features: wgpu::Buffer,
    /// [`ChunkUniforms`]
    pub uniforms: wgpu::Buffer,
    pub patches: usize,
    pub workgroups: u32,
}

/// A chunk that a kernel fills.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// See [`Chunk::features`].
    pub features: &'a wgpu::Buffer,
    /// The first patch.
    pub first: usize,
    /// How many.
    pub patches: usize,
    /// Per patch.
    pub words: usize,
    /// One per [`BLOCK`] patches.
    pub workgroups: u32,
}

/// Keep in sync with `Chunk` in `shaders/analysis/similarity.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct ChunkUniforms {
    first: u32,
    patches: u32,
    cols: u32,
    words: u32,
}

/// Words per patch, two numbers each.
pub(super) fn words(dim: usize) -> usize {
    dim.div_ceil(2).max(1).next_multiple_of(WORDS_AT_ONCE)
}

impl ResidentGrid {
    /// Normalises and uploads; numbers that are not finite count as 0. Meant for a worker thread: it takes as long as
    /// reading the features.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(gpu: &Gpu, grid: &FeatureGrid) -> Result<Self, GpuError> {
        let limits = gpu.device.limits();
        Self::upload_within(gpu, grid, limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
    }

    /// As [`Self::upload`], with at most `limit` bytes in a buffer.
    pub(super) fn upload_within(gpu: &Gpu, grid: &FeatureGrid, limit: u64) -> Result<Self, GpuError> {
        let resident = Self::empty_within(gpu, (grid.rows, grid.cols, grid.dim()), limit)?;
        let features = grid.data.as_standard_layout();
        for part in resident.parts() {
            let packed = pack(features.slice(s![part.first..part.first + part.patches, ..]));
            gpu.queue.write_buffer(part.features, 0, bytemuck::cast_slice(&packed));
            // Copies now, not with the next frame.
            gpu.queue.submit([]);
        }
        Ok(resident)
    }

    /// Room for the features of `rows` × `cols` patches of `dim` numbers, which a kernel fills.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub(crate) fn empty(gpu: &Gpu, shape: (usize, usize, usize)) -> Result<Self, GpuError> {
        let limits = gpu.device.limits();
        Self::empty_within(gpu, shape, limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
    }

    fn empty_within(gpu: &Gpu, (rows, cols, dim): (usize, usize, usize), limit: u64) -> Result<Self, GpuError> {
        let (patches, words) = (rows * cols, words(dim));
        let block_bytes = (4 * words * BLOCK) as u64;
        let bytes = block_bytes * patches.div_ceil(BLOCK) as u64;
        // Kernels count words in 32 bits.
        let by_size = limit.min(u64::from(u32::MAX)) / block_bytes;
        let by_dispatch = u64::from(gpu.device.limits().max_compute_workgroups_per_dimension);
        let blocks = by_size.min(by_dispatch) as usize;
        if blocks == 0 {
            let reason = format!("{BLOCK} patches have {block_bytes} bytes, and its buffers hold {limit}");
            return Err(GpuError::DoesNotFit { what: "the features", bytes, reason });
        }
        let mut chunks = Vec::new();
        for first in (0..patches).step_by(blocks * BLOCK) {
            let uniforms = ChunkUniforms {
                first: first as u32,
                patches: (patches - first).min(blocks * BLOCK) as u32,
                cols: cols as u32,
                words: words as u32,
            };
            chunks.push(gpu.guarded("the features", bytes, || Chunk::new(gpu, uniforms))?);
        }
        Ok(Self { rows, cols, dim, chunks })
    }

    /// For the kernel that fills it.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let words = words(self.dim);
        let mut first = 0;
        self.chunks.iter().map(move |chunk| {
            let part =
                Part { features: &chunk.features, first, patches: chunk.patches, words, workgroups: chunk.workgroups };
            first += chunk.patches;
            part
        })
    }

    /// Memory taken on the device.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| (chunk.features.size() + chunk.uniforms.size()) as usize).sum()
    }
}

impl Chunk {
    /// Without features.
    fn new(gpu: &Gpu, uniforms: ChunkUniforms) -> Self {
        let patches = uniforms.patches as usize;
        let buffer = |label, usage, size| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: usage | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        let features = 4 * uniforms.words as usize * patches.next_multiple_of(BLOCK);
        let bytes = bytemuck::bytes_of(&uniforms);
        let chunk = Self {
            features: buffer("features", wgpu::BufferUsages::STORAGE, features as u64),
            uniforms: buffer("chunk of features", wgpu::BufferUsages::UNIFORM, bytes.len() as u64),
            patches,
            workgroups: patches.div_ceil(BLOCK) as u32,
        };
        gpu.queue.write_buffer(&chunk.uniforms, 0, bytes);
        chunk
    }
}

fn finite(value: f32) -> f64 {
    if value.is_finite() { f64::from(value) } else { 0.0 }
}

/// What a feature `[dim]` is multiplied with to have the length [`SCALE`]; 0 for a zero vector.
fn scale(feature: ArrayView1<f32>) -> f64 {
    let length = feature.iter().map(|&v| finite(v) * finite(v)).sum::<f64>().sqrt();
    if length > 0.0 { f64::from(SCALE) / length } else { 0.0 }
}

/// Features `[patches, dim]` as [`Chunk::features`].
fn pack(features: ArrayView2<f32>) -> Vec<u32> {
    let (patches, dim) = features.dim();
    let mut packed = vec![0; words(dim) * patches.next_multiple_of(BLOCK)];
    let blocks: Vec<ArrayView2<f32>> = features.axis_chunks_iter(Axis(0), BLOCK).collect();
    packed.par_chunks_mut(words(dim) * BLOCK).zip(blocks).for_each(|(block, features)| {
        for (i, feature) in features.rows().into_iter().enumerate() {
            let scale = scale(feature);
            for (k, &value) in feature.iter().enumerate() {
                let bits = f16::from_f32((finite(value) * scale) as f32).to_bits();
                block[k / 2 * BLOCK + i] |= u32::from(bits) << (16 * (k % 2));
            }
        }
    });
    packed
}
