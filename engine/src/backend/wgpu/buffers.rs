//! Memory on the device.

use std::collections::HashMap;

use bytemuck::NoUninit;

use super::pipelines::Input;
use crate::Result;
use crate::gpu::{Gpu, GpuError};

const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

/// A part of a buffer.
#[derive(Clone, Debug)]
pub struct Region {
    /// May be larger.
    pub buffer: wgpu::Buffer,
    /// In bytes.
    pub start: u64,
    /// In bytes.
    pub size: u64,
}

impl Region {
    /// For a bind group.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.start,
            size: wgpu::BufferSize::new(self.size),
        })
    }

    /// A part of this part.
    pub fn part(&self, start: u64, size: u64) -> Self {
        Self { buffer: self.buffer.clone(), start: self.start + start, size }
    }
}

/// How much a binding may hold: what the device says, or less in tests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In bytes.
    pub binding: u64,
}

impl Limits {
    /// Of a device.
    pub fn of(gpu: &Gpu) -> Self {
        let limits = gpu.device.limits();
        Self { binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) }
    }
}

/// A new buffer of `size` bytes, a multiple of 4.
///
/// # Errors
/// [`GpuError::DoesNotFit`].
pub fn allocate(gpu: &Gpu, what: &'static str, size: u64) -> Result<Region, GpuError> {
    let buffer = gpu.guarded(what, size, || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size: size.max(16),
            usage: STORAGE,
            mapped_at_creation: false,
        })
    })?;
    Ok(Region { buffer, start: 0, size })
}

/// A new buffer with these numbers.
///
/// # Errors
/// As [`allocate`].
pub fn upload<T: NoUninit>(gpu: &Gpu, what: &'static str, numbers: &[T]) -> Result<Region, GpuError> {
    let region = allocate(gpu, what, size_of_val(numbers) as u64)?;
    gpu.queue.write_buffer(&region.buffer, 0, bytemuck::cast_slice(numbers));
    Ok(region)
}

/// Activations: one buffer per name, kept from picture to picture and made anew where one is larger.
#[derive(Debug)]
pub struct Arena {
    gpu: Gpu,
    limits: Limits,
    input: Input,
    buffers: HashMap<&'static str, Region>,
}

impl Arena {
    /// Empty.
    pub fn new(gpu: Gpu, limits: Limits, input: Input) -> Self {
        Self { gpu, limits, input, buffers: HashMap::new() }
    }

    /// `[rows, width]` f32 with whatever it held before.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn floats(&mut self, name: &'static str, rows: usize, width: usize) -> Result<Region, GpuError> {
        self.bytes(name, 4 * (rows * width) as u64)
    }

    /// `[rows, width]` Input with whatever it held before.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn inputs(&mut self, name: &'static str, rows: usize, width: usize) -> Result<Region, GpuError> {
        self.bytes(name, self.input.bytes() * (rows * width) as u64)
    }

    fn bytes(&mut self, name: &'static str, size: u64) -> Result<Region, GpuError> {
        if size > self.limits.binding {
            let reason = format!("it binds at most {} bytes; a smaller picture takes less", self.limits.binding);
            return Err(GpuError::DoesNotFit { what: name, bytes: size, reason });
        }
        match self.buffers.get(name) {
            Some(region) if region.buffer.size() >= size => Ok(Region { size, ..region.clone() }),
            _ => {
                // The old one goes first: there may be no room for both.
                self.buffers.remove(name);
                let region = allocate(&self.gpu, name, size)?;
                self.buffers.insert(name, region.clone());
                Ok(Region { size, ..region })
            }
        }
    }
}
