//! Labels that move between resident grids: the host twin is [`crate::analysis::propagation::propagate`].

use std::sync::mpsc;

use bytemuck::{NoUninit, Pod, Zeroable};
use ndarray::Array2;
use wgpu::util::DeviceExt;

use super::grid::{self, Chunk, ResidentGrid};
use super::{Gpu, GpuError};
use crate::analysis::AnalysisError;
use crate::analysis::propagation::PropagationOptions;
use crate::backend::cpu::neighbours::Disc;
use crate::{Cancel, Result};

/// Patches along a side of what a workgroup has of the target. Keep in sync with `SIDE` in
/// `shaders/analysis/propagate.wgsl`.
const SIDE: usize = 8;
/// Patches of a workgroup of `mixture`.
const MIXED_AT_ONCE: usize = 64;
/// Neighbours that may be asked for: each is put in its place in a list, one after the other.
const MOST_NEIGHBOURS: usize = 64;
/// Turns of all loops of a thread in one dispatch of a software device: Mesa's llvmpipe stops at 65,535 without a word.
const SOFTWARE_TURNS: usize = 40_000;
/// Multiplications with addition in one submission: a slow GPU lets frames of the window in between.
const WORK_AT_ONCE: usize = 20_000_000_000;

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
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("propagation"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../../shaders/analysis/propagate.wgsl").into()),
        });
        let pipeline = |entry| {
            gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Every thread writes its part before any is read.
                    zero_initialize_workgroup_memory: false,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: None,
            })
        };
        Self { neighbours: pipeline("neighbours"), mixture: pipeline("mixture") }
    }

    /// The class probabilities of every patch of `target`, `[patches, classes]`, as the host twin gives them for features in half
    /// precision. Waits for the device.
    ///
    /// # Errors
    /// As the host twin; [`AnalysisError::Option`] for a `topk` above 64 too, which only the host takes; [`GpuError`] where
    /// the device has no room or fails.
    pub fn run(
        &self,
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
        let work = disc.patches() * patches * target.dim * context.len();
        let bytes = (context.len() * Found::bytes(&search)) as u64;
        gpu.guarded("the neighbours", bytes, || {
            let half_widths = filled(gpu, &half_widths, wgpu::BufferUsages::STORAGE);
            let probabilities = filled(gpu, &probabilities, wgpu::BufferUsages::STORAGE);
            let found: Vec<Found> = context.iter().map(|_| Found::new(gpu, &search)).collect();
            let frames_at_once = (WORK_AT_ONCE * context.len() / work.max(1)).clamp(1, context.len());
            for (batch, frames) in context.chunks(frames_at_once).enumerate() {
                if cancel.is_cancelled() {
                    break;
                }
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&self.neighbours);
                for (i, frame) in frames.iter().enumerate() {
                    let index = batch * frames_at_once + i;
                    let search = SearchUniforms { frame: index as u32, ..search };
                    let shared = [&half_widths, &probabilities];
                    self.search(gpu, &mut pass, search, (target, frame.features), shared, &found[index]);
                }
                drop(pass);
                gpu.queue.submit([encoder.finish()]);
            }
            self.mix(gpu, &search, &found, &probabilities, options)
        })
        .map(|result| {
            cancel.check()?;
            let mixed = result.read(gpu)?;
            Ok(Array2::from_shape_vec((patches, classes), mixed).expect("one row per patch"))
        })?
    }

    /// Records the search through one context frame.
    fn search(
        &self,
        gpu: &Gpu,
        pass: &mut wgpu::ComputePass<'_>,
        search: SearchUniforms,
        (target, context): (&ResidentGrid, &ResidentGrid),
        [half_widths, probabilities]: [&wgpu::Buffer; 2],
        found: &Found,
    ) {
        let workgroups = [search.cols, search.rows].map(|n| n.div_ceil(SIDE as u32));
        for (target_first, target) in chunks(target) {
            for (context_first, context) in chunks(context) {
                for from_row in (0..search.rows).step_by(rows_at_once(gpu, &search)) {
                    let uniforms = SearchUniforms {
                        target_first,
                        target_patches: target.patches as u32,
                        context_first,
                        context_patches: context.patches as u32,
                        from_row,
                        end_row: search.rows.min(from_row + rows_at_once(gpu, &search) as u32),
                        ..search
                    };
                    let uniforms = filled(gpu, &[uniforms], wgpu::BufferUsages::UNIFORM);
                    let Found { list, states, tie_sums } = found;
                    let (target, context) = (&target.features, &context.features);
                    let buffers = [&uniforms, target, context, half_widths, probabilities, list, states, tie_sums];
                    pass.set_bind_group(0, &bind(gpu, &self.neighbours, buffers), &[]);
                    pass.dispatch_workgroups(workgroups[0], workgroups[1], 1);
                }
            }
        }
    }

    /// Submits the mean over all frames, and its way back.
    fn mix(
        &self,
        gpu: &Gpu,
        search: &SearchUniforms,
        found: &[Found],
        probabilities: &wgpu::Buffer,
        options: &PropagationOptions,
    ) -> Staged {
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
        let uniforms = filled(gpu, &[uniforms], wgpu::BufferUsages::UNIFORM);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut joined = |of: fn(&Found) -> &wgpu::Buffer| {
            let size = of(&found[0]).size();
            let all = storage(gpu, size * found.len() as u64);
            for (i, found) in found.iter().enumerate() {
                encoder.copy_buffer_to_buffer(of(found), 0, &all, i as u64 * size, size);
            }
            all
        };
        let lists = joined(|found| &found.list);
        let states = joined(|found| &found.states);
        let tie_sums = joined(|found| &found.tie_sums);
        let mixed = storage(gpu, 4 * u64::from(patches * search.classes));
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.mixture);
        let buffers = [&uniforms, &lists, &states, &tie_sums, probabilities, &mixed];
        pass.set_bind_group(0, &bind(gpu, &self.mixture, buffers), &[]);
        pass.dispatch_workgroups(patches.div_ceil(MIXED_AT_ONCE as u32), 1, 1);
        drop(pass);
        Staged::submit(gpu, encoder, &mixed)
    }
}

/// Rows of the context in one dispatch.
fn rows_at_once(gpu: &Gpu, search: &SearchUniforms) -> usize {
    if gpu.is_hardware() {
        return search.rows as usize;
    }
    // Of a rectangle of 4 × 8 patches: a step of eight words loads six times and multiplies four times.
    let turns = search.words as usize / 8 * 12 + 50;
    let across = search.cols as usize / 8 + 1;
    4 * (SOFTWARE_TURNS / (turns * across)).max(1)
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
        let [list, states, tie_sums] = Self::sizes(search).map(|size| storage(gpu, size as u64));
        Self { list, states, tie_sums }
    }
}

/// A result on its way to the host.
struct Staged(wgpu::Buffer);

impl Staged {
    fn submit(gpu: &Gpu, mut encoder: wgpu::CommandEncoder, result: &wgpu::Buffer) -> Self {
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("probabilities"),
            size: result.size(),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(result, 0, &staging, 0, result.size());
        gpu.queue.submit([encoder.finish()]);
        Self(staging)
    }

    fn read(self, gpu: &Gpu) -> Result<Vec<f32>, GpuError> {
        let (sender, receiver) = mpsc::channel();
        self.0.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // Nobody waits where the device was lost meanwhile.
            let _ = sender.send(mapped.is_ok());
        });
        gpu.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|_| GpuError::Lost)?;
        match receiver.try_recv() {
            Ok(true) => {}
            _ => return Err(GpuError::Lost),
        }
        let bytes = self.0.get_mapped_range(..).map_err(|_| GpuError::Lost)?;
        Ok(bytemuck::cast_slice(&bytes).to_vec())
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

fn bind<const N: usize>(gpu: &Gpu, pipeline: &wgpu::ComputePipeline, buffers: [&wgpu::Buffer; N]) -> wgpu::BindGroup {
    let mut binding = 0..;
    let entries = buffers.map(|buffer| wgpu::BindGroupEntry {
        binding: binding.next().unwrap_or(0),
        resource: buffer.as_entire_binding(),
    });
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    })
}

fn filled<T: NoUninit>(gpu: &Gpu, content: &[T], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let contents = bytemuck::cast_slice(content);
    gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("propagation"), contents, usage })
}

/// Zeros.
fn storage(gpu: &Gpu, size: u64) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("propagation"),
        size,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}
