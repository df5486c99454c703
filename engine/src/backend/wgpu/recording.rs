//! Work on its way to the device, in small pieces.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wgpu::{PollError, PollType};

use super::buffers::Region;
use super::pipelines::{Constant, Kernel, Pipelines};
use crate::backend::Run;
use crate::gpu::Gpu;
use crate::{Error, Result};

/// Submissions that may be queued: one runs, the next one waits.
const QUEUED: usize = 2;
/// How often a wait looks whether the work was cancelled.
const GLANCE: Duration = Duration::from_millis(20);
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

/// Collects dispatches and copies; [`Self::submit`] hands them to the device.
pub struct Recording<'a> {
    gpu: &'a Gpu,
    pipelines: &'a mut Pipelines,
    slots: &'a UniformSlots,
    /// Uniforms of the steps, `slots.stride` bytes each.
    uniforms: Vec<u8>,
    steps: Vec<Step>,
    queued: VecDeque<wgpu::SubmissionIndex>,
}

impl<'a> Recording<'a> {
    /// Nothing is recorded.
    pub fn new(gpu: &'a Gpu, pipelines: &'a mut Pipelines, slots: &'a UniformSlots) -> Self {
        Self { gpu, pipelines, slots, uniforms: Vec::new(), steps: Vec::new(), queued: VecDeque::new() }
    }

    /// Whether kernels may use subgroups.
    pub fn has_subgroups(&self) -> bool {
        self.gpu.device.features().contains(wgpu::Features::SUBGROUP)
    }

    /// One run of a kernel. `uniforms` is binding 0, `regions` are those behind it.
    pub fn dispatch(
        &mut self,
        kernel: &Kernel,
        constants: &[Constant],
        uniforms: &impl bytemuck::NoUninit,
        regions: &[&Region],
        workgroups: [u32; 3],
    ) {
        if self.uniforms.len() == SLOTS * self.slots.stride {
            self.submit();
        }
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

    /// Hands everything recorded so far to the device.
    pub fn submit(&mut self) {
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
        self.queued.push_back(self.gpu.queue.submit([encoder.finish()]));
    }

    /// Waits until the device has room for another submission.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Device`] where the device is lost.
    pub fn wait_for_room(&mut self, run: &Run<'_>) -> Result<()> {
        self.wait_until(QUEUED - 1, run)
    }

    /// Waits until everything that was submitted is done.
    ///
    /// # Errors
    /// As [`Self::wait_for_room`].
    pub fn finish(&mut self, run: &Run<'_>) -> Result<()> {
        self.wait_until(0, run)
    }

    fn wait_until(&mut self, queued: usize, run: &Run<'_>) -> Result<()> {
        while self.queued.len() > queued
            && let Some(oldest) = self.queued.pop_front()
        {
            while !is_done(self.gpu, &oldest)? {
                run.check()?;
            }
        }
        Ok(())
    }
}

/// Waits for a submission, but not long: other threads may want to change the device's resources meanwhile.
fn is_done(gpu: &Gpu, submission: &wgpu::SubmissionIndex) -> Result<bool> {
    let poll = PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(GLANCE) };
    // wgpu panics where the device is lost.
    match catch_unwind(AssertUnwindSafe(|| gpu.device.poll(poll))) {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(PollError::Timeout)) => Ok(false),
        Ok(Err(PollError::WrongSubmissionIndex(..))) | Err(_) => Err(lost(gpu)),
    }
}

/// Lets the device tell what is done.
///
/// # Errors
/// [`Error::Device`] where it is lost.
pub fn poll(gpu: &Gpu) -> Result<()> {
    match catch_unwind(AssertUnwindSafe(|| gpu.device.poll(PollType::Poll))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(lost(gpu)),
    }
}

/// For the user.
pub fn lost(gpu: &Gpu) -> Error {
    let reason = "it stopped working; load the model again, or use `--device cpu`".to_owned();
    Error::Device { device: super::device_name(gpu), reason }
}
