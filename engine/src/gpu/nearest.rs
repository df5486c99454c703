//! Most similar patches of two resident grids: the host twin is [`crate::analysis::matching::nearest`].

use std::time::Instant;

use bytemuck::{Pod, Zeroable};

use super::compute::{bind, pipeline, read, storage, uniform};
use super::grid::{self, BLOCK, Chunk, ResidentGrid};
use super::{Gpu, GpuError, Pace};
use crate::analysis::matching::Nearest;
use crate::{Cancel, Result};

/// Finds most similar patches; one for all grids.
#[derive(Debug)]
pub struct NearestPipeline(wgpu::ComputePipeline);

/// Keep in sync with `Uniforms` in `shaders/analysis/nearest.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct NearestUniforms {
    patches: u32,
    words: u32,
    blocks_start: u32,
    blocks_end: u32,
    other_patches: u32,
    other_first: u32,
    scale: f32,
    is_first: u32,
}

impl NearestPipeline {
    /// Compiles the kernel.
    pub fn new(gpu: &Gpu) -> Self {
        Self(pipeline(gpu, "nearest patches", include_str!("../../../shaders/analysis/nearest.wgsl")))
    }

    /// The most similar patches in both directions, the first of equals. Features are read in half precision: cosines
    /// are off by at most 2^-11, and of patches that are closer than that either is found. Waits for the device; work is
    /// cut so that frames of the window come between.
    ///
    /// # Errors
    /// [`GpuError::Dimension`] for features of two models, [`GpuError`] where the device fails,
    /// [`crate::Error::Cancelled`].
    pub fn run(&self, gpu: &Gpu, left: &ResidentGrid, right: &ResidentGrid, cancel: &Cancel) -> Result<Nearest> {
        if left.dim != right.dim {
            return Err(GpuError::Dimension { expected: left.dim, got: right.dim }.into());
        }
        let mut pace = Pace::default();
        Ok(Nearest {
            right_of_left: self.one_way(gpu, left, right, &mut pace, cancel)?,
            left_of_right: self.one_way(gpu, right, left, &mut pace, cancel)?,
        })
    }

    fn one_way(
        &self,
        gpu: &Gpu,
        from: &ResidentGrid,
        to: &ResidentGrid,
        pace: &mut Pace,
        cancel: &Cancel,
    ) -> Result<Vec<(usize, f32)>> {
        let mut all = Vec::with_capacity(from.rows * from.cols);
        for chunk in &from.chunks {
            let size = (8 * chunk.patches) as u64;
            let found = gpu.guarded("the nearest patches", size, || storage(gpu, "nearest patches", size))?;
            let mut first = 0;
            for other in &to.chunks {
                self.compare(gpu, (chunk, from.dim), (other, first), &found, pace, cancel)?;
                first += other.patches;
            }
            let numbers: Vec<[u32; 2]> = read(gpu, &found)?;
            all.extend(
                numbers.iter().map(|[cosine, index]| (*index as usize, f32::from_bits(*cosine).clamp(-1.0, 1.0))),
            );
        }
        Ok(all)
    }

    /// Looks for better ones in `other`, whose first patch is `first` of its grid.
    fn compare(
        &self,
        gpu: &Gpu,
        (chunk, dim): (&Chunk, usize),
        (other, first): (&Chunk, usize),
        found: &wgpu::Buffer,
        pace: &mut Pace,
        cancel: &Cancel,
    ) -> Result<()> {
        let blocks = other.patches.div_ceil(BLOCK);
        let work_per_block = (chunk.workgroups as usize * BLOCK * BLOCK * dim) as u64;
        let mut next = 0;
        while next < blocks {
            cancel.check()?;
            let Some(band) = pace.bands(blocks - next, 1, work_per_block).next() else { break };
            let uniforms = NearestUniforms {
                patches: chunk.patches as u32,
                words: grid::words(dim) as u32,
                blocks_start: next as u32,
                blocks_end: (next + band.len()) as u32,
                other_patches: other.patches as u32,
                other_first: first as u32,
                scale: grid::SCALE.powi(-2),
                is_first: u32::from(first == 0 && next == 0),
            };
            let start = Instant::now();
            gpu.guarded("the nearest patches", found.size(), || {
                let uniforms = uniform(gpu, "nearest patches", &uniforms);
                let buffers = [&uniforms, &chunk.features, &other.features, found];
                let bind_group = bind(gpu, &self.0, buffers.map(wgpu::Buffer::as_entire_binding));
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&self.0);
                pass.set_bind_group(0, &bind_group, &[]);
                pass.dispatch_workgroups(chunk.workgroups, 1, 1);
                drop(pass);
                gpu.queue.submit([encoder.finish()])
            })
            .map(|submission| gpu.wait(&submission))??;
            pace.learn(band.len() as u64 * work_per_block, start.elapsed());
            next += band.len();
        }
        Ok(())
    }
}
