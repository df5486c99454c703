//! Work on its way to the device, in small pieces.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use super::buffers::Region;
use super::pipelines::{Constant, Input, Kernel, Pipelines};
use crate::backend::Run;
use crate::gpu::{Gpu, Pace};
use crate::{Error, Result};

/// Submissions that may be queued: one runs, the next one waits.
const QUEUED: usize = 2;
/// Dispatches whose uniforms fit the buffer.
const SLOTS: usize = 256;

/// A buffer for the uniforms of the dispatches of one submission. It is written once per submission, before it: the
/// queue keeps that order.
#[derive(Debug)]
pub struct UniformSlots {
    buffer: wgpu::Buffer,
    stride: usize,
}

impl UniformSlots {
    /// Room for the uniforms of [`SLOTS`] dispatches.
    pub fn new(gpu: &Gpu) -> Self {
        let stride = (gpu.device.limits().min_uniform_buffer_offset_alignment as usize).max(64);
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("uniforms"),
            size: (SLOTS * stride) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { buffer, stride }
    }
}

enum Step {
    Dispatch { pipeline: wgpu::ComputePipeline, bind_group: wgpu::BindGroup, workgroups: [u32; 3] },
    Copy { from: Region, to: Region },
}

/// Collects dispatches and copies, and hands them to the device piece by piece, as [`Pace`] says; [`Self::submit`] does
/// so at once. Once something has failed, nothing more is done: [`Self::wait_for_room`] and [`Self::finish`] tell.
pub struct Recording<'a> {
    gpu: &'a Gpu,
    pipelines: &'a mut Pipelines,
    slots: &'a UniformSlots,
    pace: &'a mut Pace,
    run: &'a Run<'a>,
    /// Uniforms of the steps, `slots.stride` bytes each.
    uniforms: Vec<u8>,
    steps: Vec<Step>,
    /// Of the steps.
    work: u64,
    queued: VecDeque<Submission>,
    /// When a submission was last found done.
    last_done: Instant,
    failure: Option<Error>,
    submissions: usize,
}

struct Submission {
    index: wgpu::SubmissionIndex,
    work: u64,
    since: Instant,
}

/// What outlives a recording.
#[derive(Debug)]
pub struct Tools {
    /// Compiled kernels.
    pub pipelines: Pipelines,
    /// Memory for uniforms.
    pub slots: UniformSlots,
    /// How much the device takes at a time.
    pub pace: Pace,
}

impl Tools {
    /// Nothing is compiled yet.
    pub fn new(gpu: &Gpu, input: Input) -> Self {
        let (pipelines, slots) = (Pipelines::new(gpu.clone(), input), UniformSlots::new(gpu));
        Self { pipelines, slots, pace: Pace::default() }
    }
}

impl<'a> Recording<'a> {
    /// Nothing is recorded.
    pub fn new(gpu: &'a Gpu, tools: &'a mut Tools, run: &'a Run<'a>) -> Self {
        let Tools { pipelines, slots, pace } = tools;
        Self {
            gpu,
            pipelines,
            slots,
            pace,
            run,
            uniforms: Vec::new(),
            steps: Vec::new(),
            work: 0,
            queued: VecDeque::new(),
            last_done: Instant::now(),
            failure: None,
            submissions: 0,
        }
    }

    /// What it is for.
    pub fn gpu(&self) -> &Gpu {
        self.gpu
    }

    /// See [`Pace::bands`].
    pub fn bands(&self, rows: usize, step: usize, work_per_row: u64) -> impl Iterator<Item = Range<usize>> + use<> {
        self.pace.bands(rows, step, work_per_row)
    }

    /// One run of a kernel. `uniforms` is binding 0, `regions` are those behind it; `work` counts multiplications with
    /// addition, or what takes as long.
    pub fn dispatch(
        &mut self,
        kernel: &Kernel,
        constants: &[Constant],
        uniforms: &impl bytemuck::NoUninit,
        regions: &[&Region],
        workgroups: [u32; 3],
        work: u64,
    ) {
        let is_full = self.uniforms.len() == SLOTS * self.slots.stride;
        if is_full || (self.work > 0 && self.work + work > self.pace.work()) {
            self.submit();
        }
        if self.failure.is_some() {
            return;
        }
        self.work += work;
        let bytes = bytemuck::bytes_of(uniforms);
        let start = self.uniforms.len();
        self.uniforms.extend_from_slice(bytes);
        self.uniforms.resize(start + self.slots.stride, 0);
        let slot = Region { buffer: self.slots.buffer.clone(), start: start as u64, size: bytes.len() as u64 };
        let pipeline = self.pipelines.get(kernel, constants);
        let entries: Vec<wgpu::BindGroupEntry> = (0..)
            .zip(std::iter::once(&slot).chain(regions.iter().copied()))
            .map(|(binding, region)| wgpu::BindGroupEntry { binding, resource: region.binding() })
            .collect();
        let bind_group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.steps.push(Step::Dispatch { pipeline, bind_group, workgroups });
    }

    /// Copies all of `from` to the beginning of `to`.
    pub fn copy(&mut self, from: &Region, to: &Region) {
        self.steps.push(Step::Copy { from: from.clone(), to: to.clone() });
    }

    /// Hands everything recorded so far to the device, once it has room.
    pub fn submit(&mut self) {
        self.wait_until(QUEUED - 1);
        if self.failure.is_some() {
            return;
        }
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut steps = self.steps.drain(..).peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Copy { from, to } => {
                    encoder.copy_buffer_to_buffer(&from.buffer, from.start, &to.buffer, to.start, from.size);
                }
                Step::Dispatch { .. } => {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    let mut next = Some(step);
                    while let Some(Step::Dispatch { pipeline, bind_group, workgroups: [x, y, z] }) = next {
                        pass.set_pipeline(&pipeline);
                        pass.set_bind_group(0, &bind_group, &[]);
                        pass.dispatch_workgroups(x, y, z);
                        next = steps.next_if(|step| matches!(step, Step::Dispatch { .. }));
                    }
                }
            }
        }
        if !self.uniforms.is_empty() {
            self.gpu.queue.write_buffer(&self.slots.buffer, 0, &self.uniforms);
            self.uniforms.clear();
        }
        let index = self.gpu.queue.submit([encoder.finish()]);
        self.submissions += 1;
        self.queued.push_back(Submission { index, work: std::mem::take(&mut self.work), since: Instant::now() });
    }

    /// Waits until the device has room for another submission.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Device`] where the device is lost.
    pub fn wait_for_room(&mut self) -> Result<()> {
        self.wait_until(QUEUED - 1);
        self.take_failure()
    }

    /// Waits until everything that was submitted is done: how many pieces that were.
    ///
    /// # Errors
    /// As [`Self::wait_for_room`].
    pub fn finish(mut self) -> Result<usize> {
        self.wait_until(0);
        self.take_failure()?;
        Ok(self.submissions)
    }

    fn take_failure(&mut self) -> Result<()> {
        // What follows a failure has no meaning: whoever hears of it stops.
        self.failure.take().map_or(Ok(()), Err)
    }

    fn wait_until(&mut self, queued: usize) {
        while self.failure.is_none()
            && self.queued.len() > queued
            && let Some(oldest) = self.queued.pop_front()
        {
            if let Err(error) = self.wait_for(&oldest.index) {
                self.failure = Some(error);
                return;
            }
            let now = Instant::now();
            if oldest.work > 0 {
                self.pace.learn(oldest.work, now - oldest.since.max(self.last_done));
            }
            self.last_done = now;
        }
    }

    fn wait_for(&self, submission: &wgpu::SubmissionIndex) -> Result<()> {
        loop {
            self.run.check()?;
            if self.gpu.is_done(submission).map_err(|_| lost(self.gpu))? {
                return Ok(());
            }
        }
    }
}

/// For the user.
pub fn lost(gpu: &Gpu) -> Error {
    let reason = "it stopped working; load the model again, or use `--device cpu`".to_owned();
    Error::Device { device: super::device_name(gpu), reason }
}
