//! Labels that move between resident grids: the host twin is [`crate::analysis::propagation::propagate`].

use std::time::Instant;

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;

use super::compute::{bind, pipelines, read, storage, uniform, upload};
use super::grid::{self, Chunk, ResidentGrid};
use super::{Gpu, GpuError, Pace};
use crate::analysis::AnalysisError;
use crate::analysis::propagation::PropagationOptions;
use crate::backend::cpu::neighbours::Disc;
use crate::{Cancel, Result};

/// Patches along a side of what a workgroup has of the target. Keep in sync with `SIDE` in
/// `shaders/analysis/propagate.wgsl`.
const SIDE: usize = 8;
/// Rows of the context that are looked at in one step. Keep in sync with `CONTEXT_ROWS` there.
const ROWS: usize = 4;
/// Patches of a workgroup of `mixture`.
const MIXED_AT_ONCE: usize = 64;
/// Neighbours that may be asked for: each is put in its place in a list, one after the other.
const MOST_NEIGHBOURS: usize = 64;
/// Turns of all loops of a thread in one dispatch of a software device: Mesa's llvmpipe stops at 65,535 without a word.
const SOFTWARE_TURNS: usize = 40_000;

/// A frame on the device whose labels are known.
#[derive(Clone, Copy, Debug)]
pub struct ResidentContext<'a> {
    /// Its features.
    pub features: &'a ResidentGrid,
    /// `[patches, classes]`, rows of which sum to 1.
    pub probabilities: &'a Array2<f32>,
}

/// Moves labels; one for all clips.
#[derive(Debug)]
pub struct PropagationPipeline {
    neighbours: wgpu::ComputePipeline,
    mixture: wgpu::ComputePipeline,
    /// Learnt from one frame to the next.
    pace: Pace,
}

/// Keep in sync with `Search` in `shaders/analysis/propagate.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct SearchUniforms {
    rows: u32,
    cols: u32,
    words: u32,
    reach: u32,
    room: u32,
    classes: u32,
    target_first: u32,
    target_patches: u32,
    context_first: u32,
    context_patches: u32,
    frame: u32,
    from_row: u32,
    end_row: u32,
    padding: [u32; 2],
    scale: f32,
}

/// Keep in sync with `Mixing` in `shaders/analysis/propagate.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MixingUniforms {
    patches: u32,
    frames: u32,
    room: u32,
    count: u32,
    classes: u32,
    temperature: f32,
    padding: [u32; 2],
}

/// What is found in one context frame. Every frame has buffers of its own, so that the device may work on several.
struct Found {
    /// `[room, patches]` of a similarity and a patch.
    list: wgpu::Buffer,
    /// `[patches]` of `State` in the shader.
    states: wgpu::Buffer,
    /// `[classes, patches]`
    tie_sums: wgpu::Buffer,
}

impl PropagationPipeline {
    /// Compiles the kernels.
    pub fn new(gpu: &Gpu) -> Self {
        let source = include_str!("../../../shaders/analysis/propagate.wgsl");
        let [neighbours, mixture] = pipelines(gpu, "propagation", source, ["neighbours", "mixture"]);
        Self { neighbours, mixture, pace: Pace::default() }
    }

    /// The class probabilities of every patch of `target`, `[patches, classes]`, as the host twin gives them for features in half
    /// precision. Waits for the device; work is cut so that frames of the window come between.
    ///
    /// # Errors
    /// As the host twin; [`AnalysisError::Option`] for a `topk` above 64 too, which only the host takes; [`GpuError`] where
    /// the device has no room or fails.
    pub fn run(
        &mut self,
        gpu: &Gpu,
        target: &ResidentGrid,
        context: &[ResidentContext<'_>],
        options: &PropagationOptions,
        cancel: &Cancel,
    ) -> Result<Array2<f32>> {
        options.check()?;
        let classes = check(target, context)?;
        let (rows, cols) = (target.rows, target.cols);
        let patches = rows * cols;
        if classes == 0 {
            return Ok(Array2::zeros((patches, 0)));
        }
        let disc = Disc::new(options.radius, rows, cols);
        let room = options.topk.min(disc.patches()).min(patches);
        if room > MOST_NEIGHBOURS {
            let range = "at most 64 on the graphics device; use the processor";
            return Err(AnalysisError::Option { name: "topk", value: options.topk as f64, range }.into());
        }
        let half_widths: Vec<u32> = disc.half_widths().iter().map(|half| *half as u32).collect();
        let search = SearchUniforms {
            rows: rows as u32,
            cols: cols as u32,
            words: grid::words(target.dim) as u32,
            reach: half_widths.len() as u32 - 1,
            room: room as u32,
            classes: classes as u32,
            target_first: 0,
            target_patches: 0,
            context_first: 0,
            context_patches: 0,
            frame: 0,
            from_row: 0,
            end_row: 0,
            padding: [0; 2],
            scale: grid::SCALE.powi(-2),
        };
        let probabilities: Vec<f32> = context.iter().flat_map(|frame| frame.probabilities).copied().collect();
        let bytes = (context.len() * Found::bytes(&search)) as u64;
        let (half_widths, probabilities, found) = gpu.guarded("the neighbours", bytes, || {
            let found: Vec<Found> = context.iter().map(|_| Found::new(gpu, &search)).collect();
            (upload(gpu, "rows of the disc", &half_widths), upload(gpu, "probabilities", &probabilities), found)
        })?;
        let work_per_row = (disc.patches() * patches * target.dim / rows) as u64;
        let mut batch = Batch { pipeline: &self.neighbours, search, work_per_row, rows: 0, bind_groups: Vec::new() };
        for (index, (frame, found)) in context.iter().zip(&found).enumerate() {
            for (target_first, target) in chunks(target) {
                for (context_first, context) in chunks(frame.features) {
                    let search = SearchUniforms {
                        target_first,
                        target_patches: target.patches as u32,
                        context_first,
                        context_patches: context.patches as u32,
                        frame: index as u32,
                        ..search
                    };
                    let Found { list, states, tie_sums } = found;
                    let shared = [&half_widths, &probabilities, list, states, tie_sums];
                    batch.search(gpu, search, [&target.features, &context.features], shared, &mut self.pace, cancel)?;
                }
            }
        }
        batch.submit(gpu, &mut self.pace)?;
        let mixed = gpu.guarded("the labels", 4 * (patches * classes) as u64, || {
            self.mix(gpu, &search, &found, &probabilities, options)
        })?;
        Ok(Array2::from_shape_vec((patches, classes), read(gpu, &mixed)?).expect("one row per patch"))
    }

    /// Submits the mean over all frames.
    fn mix(
        &self,
        gpu: &Gpu,
        search: &SearchUniforms,
        found: &[Found],
        probabilities: &wgpu::Buffer,
        options: &PropagationOptions,
    ) -> wgpu::Buffer {
        let patches = search.rows * search.cols;
        let uniforms = MixingUniforms {
            patches,
            frames: found.len() as u32,
            room: search.room,
            count: options.topk.min(search.room as usize * found.len()) as u32,
            classes: search.classes,
            temperature: options.temperature,
            padding: [0; 2],
        };
        let uniforms = uniform(gpu, "mixing", &uniforms);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut joined = |of: fn(&Found) -> &wgpu::Buffer| {
            let size = of(&found[0]).size();
            let all = storage(gpu, "neighbours of all frames", size * found.len() as u64);
            for (i, found) in found.iter().enumerate() {
                encoder.copy_buffer_to_buffer(of(found), 0, &all, i as u64 * size, size);
            }
            all
        };
        let lists = joined(|found| &found.list);
        let states = joined(|found| &found.states);
        let tie_sums = joined(|found| &found.tie_sums);
        let mixed = storage(gpu, "labels", 4 * u64::from(patches * search.classes));
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.mixture);
        let buffers = [&uniforms, &lists, &states, &tie_sums, probabilities, &mixed];
        let bind_group = bind(gpu, &self.mixture, buffers.map(wgpu::Buffer::as_entire_binding));
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(patches.div_ceil(MIXED_AT_ONCE as u32), 1, 1);
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
        mixed
    }
}

/// Searches that are submitted together.
struct Batch<'a> {
    pipeline: &'a wgpu::ComputePipeline,
    search: SearchUniforms,
    /// Of one context frame, in multiplications with addition.
    work_per_row: u64,
    /// Rows of context frames in it.
    rows: usize,
    /// One a dispatch.
    bind_groups: Vec<wgpu::BindGroup>,
}

impl Batch<'_> {
    /// Adds the search through some patches of a context frame for some of the target's; submits whenever that is
    /// enough work.
    fn search(
        &mut self,
        gpu: &Gpu,
        search: SearchUniforms,
        [target, context]: [&wgpu::Buffer; 2],
        [half_widths, probabilities, list, states, tie_sums]: [&wgpu::Buffer; 5],
        pace: &mut Pace,
        cancel: &Cancel,
    ) -> Result<()> {
        let (all, at_most) = (search.rows as usize, rows_at_once(gpu, &search));
        let mut next = 0;
        while next < all {
            cancel.check()?;
            let fitting = (pace.work() / self.work_per_row.max(1)) as usize;
            if self.rows > 0 && self.rows + ROWS > fitting {
                self.submit(gpu, pace)?;
                continue;
            }
            let band = (fitting.saturating_sub(self.rows) / ROWS * ROWS).clamp(ROWS, at_most).min(all - next);
            let search = SearchUniforms { from_row: next as u32, end_row: (next + band) as u32, ..search };
            let uniforms = uniform(gpu, "search", &search);
            let buffers = [&uniforms, target, context, half_widths, probabilities, list, states, tie_sums];
            self.bind_groups.push(bind(gpu, self.pipeline, buffers.map(wgpu::Buffer::as_entire_binding)));
            self.rows += band;
            next += band;
        }
        Ok(())
    }

    /// Does what is in it, and waits.
    fn submit(&mut self, gpu: &Gpu, pace: &mut Pace) -> Result<(), GpuError> {
        let start = Instant::now();
        let [columns, rows] = [self.search.cols, self.search.rows].map(|n| n.div_ceil(SIDE as u32));
        let submission = gpu.guarded("the neighbours", Found::bytes(&self.search) as u64, || {
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(self.pipeline);
            for bind_group in self.bind_groups.drain(..) {
                pass.set_bind_group(0, &bind_group, &[]);
                pass.dispatch_workgroups(columns, rows, 1);
            }
            drop(pass);
            gpu.queue.submit([encoder.finish()])
        })?;
        gpu.wait(&submission)?;
        pace.learn(self.rows as u64 * self.work_per_row, start.elapsed());
        self.rows = 0;
        Ok(())
    }
}

/// Rows of the context in one dispatch.
fn rows_at_once(gpu: &Gpu, search: &SearchUniforms) -> usize {
    if gpu.is_hardware() {
        return (search.rows as usize).next_multiple_of(ROWS);
    }
    // Of a rectangle of 4 × 8 patches: a step of eight words loads six times and multiplies four times.
    let turns = search.words as usize / 8 * 12 + 50;
    let across = search.cols as usize / 8 + 1;
    ROWS * (SOFTWARE_TURNS / (turns * across)).max(1)
}

impl Found {
    fn sizes(search: &SearchUniforms) -> [usize; 3] {
        let patches = (search.rows * search.cols) as usize;
        [8 * search.room as usize * patches, 16 * patches, 4 * search.classes as usize * patches]
    }

    fn bytes(search: &SearchUniforms) -> usize {
        Self::sizes(search).iter().sum()
    }

    fn new(gpu: &Gpu, search: &SearchUniforms) -> Self {
        let [list, states, tie_sums] = Self::sizes(search).map(|size| storage(gpu, "neighbours", size as u64));
        Self { list, states, tie_sums }
    }
}

/// That all grids and probabilities fit together; returns the number of classes.
fn check(target: &ResidentGrid, context: &[ResidentContext<'_>]) -> Result<usize, AnalysisError> {
    let size = (target.rows, target.cols);
    let Some(first) = context.first() else {
        return Err(AnalysisError::NotEnough("labels move from other frames: label one first".into()));
    };
    if target.rows * target.cols * target.dim == 0 {
        return Err(AnalysisError::NotEnough("a frame without patches has no labels".into()));
    }
    let classes = first.probabilities.ncols();
    for ResidentContext { features, probabilities } in context {
        if (features.rows, features.cols) != size {
            return Err(AnalysisError::GridSize { expected: size, got: (features.rows, features.cols) });
        }
        if features.dim != target.dim {
            return Err(AnalysisError::Dimension { expected: target.dim, got: features.dim });
        }
        let expected = (size.0 * size.1, classes);
        if probabilities.dim() != expected {
            return Err(AnalysisError::Probabilities { expected, got: probabilities.dim() });
        }
    }
    Ok(classes)
}

/// The buffers of a grid, each with the index of its first patch.
fn chunks(grid: &ResidentGrid) -> impl Iterator<Item = (u32, &Chunk)> {
    grid.chunks.iter().scan(0, |next, chunk| {
        let first = *next;
        *next += chunk.patches as u32;
        Some((first, chunk))
    })
}
