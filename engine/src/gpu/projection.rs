//! PCA scores of resident grids: the host twin is [`Basis::project`].

use bytemuck::{Pod, Zeroable};
use ndarray::Array3;

use super::compute::{bind, pipeline, read, storage, uniform, upload};
use super::grid::{self, ResidentGrid};
use super::{Gpu, GpuError};
use crate::Result;
use crate::analysis::pca::{Basis, Scores};

/// `[dim]`, and what is subtracted from the product with it.
type Axis = (Vec<f64>, f64);

/// Axes that a thread takes at a time.
const GROUP: usize = 4;

/// Computes scores; one for all grids.
#[derive(Debug)]
pub struct ProjectionPipeline(wgpu::ComputePipeline);

/// Keep in sync with `Uniforms` in `shaders/analysis/project.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct ProjectionUniforms {
    first: u32,
    patches: u32,
    words: u32,
    all_patches: u32,
}

impl ProjectionPipeline {
    /// Compiles the kernel.
    pub fn new(gpu: &Gpu) -> Self {
        Self(pipeline(gpu, "projection", include_str!("../../../shaders/analysis/project.wgsl")))
    }

    /// Whitened scores of every patch on the chosen components, `[rows, cols, chosen.len()]`, as [`Basis::project`] gives
    /// them for features of length 1, which is how a resident grid holds them: the basis must be one of such features.
    /// Waits for the device.
    ///
    /// # Errors
    /// [`GpuError::Dimension`] where the basis comes from another model,
    /// [`crate::analysis::AnalysisError::NotEnough`] for a component that was not fitted, [`GpuError`] where the device
    /// fails.
    pub fn run(&self, gpu: &Gpu, grid: &ResidentGrid, basis: &Basis, chosen: &[usize]) -> Result<Scores> {
        if basis.mean.len() != grid.dim {
            return Err(GpuError::Dimension { expected: basis.mean.len(), got: grid.dim }.into());
        }
        let axes = chosen.iter().map(|&index| basis.whitening_axis(index)).collect::<Result<Vec<_>, _>>()?;
        let patches = grid.rows * grid.cols;
        let groups = axes.len().div_ceil(GROUP);
        if groups == 0 || patches == 0 {
            return Ok(Array3::zeros((grid.rows, grid.cols, axes.len())));
        }
        let size = (16 * groups * patches) as u64;
        let scores = gpu.guarded("the scores", size, || {
            let scores = storage(gpu, "scores", size);
            self.submit(gpu, grid, &axes, groups, &scores);
            scores
        })?;
        let numbers: Vec<[f32; GROUP]> = read(gpu, &scores)?;
        let score =
            |(row, col, i): (usize, usize, usize)| numbers[i / GROUP * patches + row * grid.cols + col][i % GROUP];
        Ok(Array3::from_shape_fn((grid.rows, grid.cols, axes.len()), score))
    }

    fn submit(&self, gpu: &Gpu, grid: &ResidentGrid, axes: &[Axis], groups: usize, scores: &wgpu::Buffer) {
        let numbers = 2 * grid::words(grid.dim);
        let of_group = |group: usize, value: &dyn Fn(&Axis) -> f64| -> [f32; GROUP] {
            std::array::from_fn(|i| axes.get(GROUP * group + i).map_or(0.0, |axis| value(axis) as f32))
        };
        let scaled_back = |value: Option<&f64>| value.map_or(0.0, |value| value / f64::from(grid::SCALE));
        let by_number = (0..groups * numbers)
            .map(|i| of_group(i / numbers, &|(axis, _)| scaled_back(axis.get(i % numbers))))
            .collect::<Vec<_>>();
        let by_group: Vec<_> = (0..groups).map(|group| of_group(group, &|(_, offset)| *offset)).collect();
        let (axes, offsets) = (upload(gpu, "axes", &by_number), upload(gpu, "offsets", &by_group));

        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.0);
        for part in grid.parts() {
            let uniforms = ProjectionUniforms {
                first: part.first as u32,
                patches: part.patches as u32,
                words: part.words as u32,
                all_patches: (grid.rows * grid.cols) as u32,
            };
            let uniforms = uniform(gpu, "projection", &uniforms);
            let buffers = [&uniforms, part.features, &axes, &offsets, scores];
            pass.set_bind_group(0, &bind(gpu, &self.0, buffers.map(wgpu::Buffer::as_entire_binding)), &[]);
            pass.dispatch_workgroups(part.workgroups, groups as u32, 1);
        }
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
    }
}
