//! Similarity maps of resident grids: the host twin is [`crate::analysis::similarity::combined_map`].

use bytemuck::{Pod, Zeroable};

use super::compute::{bind, pipeline};
use super::grid::{self, ResidentGrid};
use super::{Gpu, GpuError, MapQuery, MapTexture};
use crate::analysis::similarity::Query;

/// Computes maps; one for all grids.
#[derive(Debug)]
pub struct SimilarityPipeline {
    similarity: wgpu::ComputePipeline,
    range: wgpu::ComputePipeline,
}

/// Keep in sync with `Query` in `shaders/analysis/similarity.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct QueryUniforms {
    positive: u32,
    negative: u32,
    bound: f32,
    padding: u32,
}

impl SimilarityPipeline {
    /// Compiles the kernels.
    pub fn new(gpu: &Gpu) -> Self {
        Self {
            similarity: pipeline(gpu, "similarity", include_str!("../../../shaders/analysis/similarity.wgsl")),
            range: pipeline(gpu, "range of a map", include_str!("../../../shaders/analysis/range.wgsl")),
        }
    }

    /// Submits one small piece of work that fills `map` (and its range, and its way back to the host). Returns at once.
    /// A map of another size than the grid is replaced by one that fits: take its views anew.
    ///
    /// # Errors
    /// [`GpuError::Dimension`] where a direction has another width than the grid.
    pub fn run(&self, gpu: &Gpu, grid: &ResidentGrid, query: &MapQuery, map: &mut MapTexture) -> Result<(), GpuError> {
        query.check(grid.dim).map_err(|got| GpuError::Dimension { expected: grid.dim, got })?;
        if (map.rows, map.cols) != (grid.rows, grid.cols) {
            *map = MapTexture::new(gpu, grid.rows, grid.cols);
        }
        write_inputs(gpu, grid, query, map);

        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.similarity);
            for chunk in &grid.chunks {
                let bindings = [
                    chunk.uniforms.as_entire_binding(),
                    chunk.features.as_entire_binding(),
                    map.inputs.query.as_entire_binding(),
                    map.inputs.directions.as_entire_binding(),
                    map.inputs.excluded.as_entire_binding(),
                    wgpu::BindingResource::TextureView(map.view()),
                ];
                pass.set_bind_group(0, &bind(gpu, &self.similarity, bindings), &[]);
                pass.dispatch_workgroups(chunk.workgroups, 1, 1);
            }
            let views = [map.view(), map.range_view()].map(wgpu::BindingResource::TextureView);
            pass.set_pipeline(&self.range);
            pass.set_bind_group(0, &bind(gpu, &self.range, views), &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        map.readback.changed(&mut encoder);
        gpu.queue.submit([encoder.finish()]);
        Ok(())
    }
}

fn write_inputs(gpu: &Gpu, grid: &ResidentGrid, query: &MapQuery, map: &mut MapTexture) {
    let folded = query.folded();
    let uniforms = QueryUniforms {
        positive: folded.positive.len() as u32,
        negative: folded.negative.len() as u32,
        bound: folded.positive.first().map_or(0.0, Query::bound),
        padding: 0,
    };
    gpu.queue.write_buffer(&map.inputs.query, 0, bytemuck::bytes_of(&uniforms));

    let vectors = grid::words(grid.dim) / 2;
    let directions: Vec<[f32; 4]> = folded
        .positive
        .iter()
        .chain(&folded.negative)
        .flat_map(|query| {
            let direction = query.direction();
            (0..vectors).map(move |i| std::array::from_fn(|j| direction.get(4 * i + j).map_or(0.0, |v| unscaled(*v))))
        })
        .collect();
    map.inputs.write_directions(gpu, &directions);

    let patches = grid.rows * grid.cols;
    let mut excluded = vec![0u32; patches.div_ceil(32)];
    for &patch in query.excluded.iter().filter(|&&patch| patch < patches) {
        excluded[patch / 32] |= 1 << (patch % 32);
    }
    gpu.queue.write_buffer(&map.inputs.excluded, 0, bytemuck::cast_slice(&excluded));
}

/// As features are stored: times [`grid::SCALE`], and 0 where a number is not finite.
fn unscaled(value: f32) -> f32 {
    if value.is_finite() { value / grid::SCALE } else { 0.0 }
}
