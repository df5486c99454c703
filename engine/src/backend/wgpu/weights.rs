//! Weights on their way to the device, and on it.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::buffers::{Limits, Region, allocate};
use super::pipelines::Input;
use crate::checkpoint::{CheckpointError, TensorSource};
use crate::gpu::{Gpu, GpuError};

/// A linear layer on the host, in the form that the device wants.
pub struct HostLinear {
    /// `[outputs, inputs]` row-major, Input.
    weight: Vec<u8>,
    /// `[outputs]`
    bias: Vec<f32>,
    /// LayerScale, `[outputs]`.
    scale: Option<Vec<f32>>,
    inputs: usize,
}

impl HostLinear {
    /// `weight` is `[outputs, inputs]` row-major, `bias` and `scale` are `[outputs]`.
    pub fn new(input: Input, weight: &[f32], bias: Vec<f32>, scale: Option<Vec<f32>>) -> Self {
        let inputs = weight.len() / bias.len();
        Self { weight: input_bytes(input, weight), bias, scale, inputs }
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        let scale = self.scale.as_ref().map_or(0, Vec::len);
        (self.weight.len() + 4 * (self.bias.len() + scale)) as u64
    }
}

/// Numbers as Input. What half precision cannot hold becomes its greatest number, as activations do.
fn input_bytes(input: Input, numbers: &[f32]) -> Vec<u8> {
    match input {
        Input::F32 => bytemuck::cast_slice(numbers).to_vec(),
        Input::F16 => {
            let mut halves = vec![f16::ZERO; numbers.len()];
            halves.convert_from_f32_slice(numbers);
            for half in &mut halves {
                *half = half.clamp(f16::MIN, f16::MAX);
            }
            bytemuck::cast_slice(&halves).to_vec()
        }
    }
}

/// Some rows of a weight, small enough for one binding.
#[derive(Debug)]
pub struct Slice {
    /// `[rows, inputs]` Input.
    pub weight: Region,
    /// Row of the whole weight.
    pub first_row: usize,
    /// A multiple of 4.
    pub rows: usize,
}

/// A linear layer on the device.
#[derive(Debug)]
pub struct Linear {
    /// Together `[outputs, inputs]`.
    pub slices: Vec<Slice>,
    /// `[outputs]` f32.
    pub bias: Region,
    /// LayerScale, `[outputs]` f32.
    pub scale: Option<Region>,
    /// Numbers per row of the layer's input, a multiple of 4.
    pub inputs: usize,
    /// Numbers per row of the layer's output, a multiple of 4.
    pub outputs: usize,
}

impl Linear {
    /// Makes room for a layer and fills it.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(gpu: &Gpu, limits: Limits, host: &HostLinear) -> Result<Self, GpuError> {
        let outputs = host.bias.len();
        let row_bytes = (host.weight.len() / outputs) as u64;
        let rows_at_once = (limits.binding / row_bytes) as usize / 4 * 4;
        if rows_at_once == 0 {
            let reason = format!("it binds at most {} bytes", limits.binding);
            return Err(GpuError::DoesNotFit { what: "four rows of a weight", bytes: 4 * row_bytes, reason });
        }
        let mut slices = Vec::new();
        for first_row in (0..outputs).step_by(rows_at_once) {
            let rows = rows_at_once.min(outputs - first_row);
            let weight = allocate(gpu, "a weight", rows as u64 * row_bytes)?;
            slices.push(Slice { weight, first_row, rows });
        }
        let vector = |len: usize| allocate(gpu, "a bias", 4 * len as u64);
        let linear = Self {
            slices,
            bias: vector(outputs)?,
            scale: host.scale.as_ref().map(|scale| vector(scale.len())).transpose()?,
            inputs: host.inputs,
            outputs,
        };
        linear.write(gpu, host);
        Ok(linear)
    }

    /// Replaces the numbers by those of a layer of the same shape, after everything that was submitted before.
    pub fn write(&self, gpu: &Gpu, host: &HostLinear) {
        let row_bytes = host.weight.len() / self.outputs;
        for slice in &self.slices {
            let bytes = &host.weight[slice.first_row * row_bytes..][..slice.rows * row_bytes];
            gpu.queue.write_buffer(&slice.weight.buffer, 0, bytes);
        }
        gpu.queue.write_buffer(&self.bias.buffer, 0, bytemuck::cast_slice(&host.bias));
        if let (Some(region), Some(scale)) = (&self.scale, &host.scale) {
            gpu.queue.write_buffer(&region.buffer, 0, bytemuck::cast_slice(scale));
        }
    }
}

/// A layer norm on the host.
pub struct HostNorm {
    /// `[width]`
    weight: Vec<f32>,
    /// `[width]`
    bias: Vec<f32>,
    epsilon: f32,
}

impl HostNorm {
    /// Reads a layer norm over `width` numbers.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is missing or has another width.
    pub fn load(weights: &dyn TensorSource, name: &str, width: usize, epsilon: f64) -> Result<Self, CheckpointError> {
        Ok(Self {
            weight: weights.load(&format!("{name}.weight"), &[width])?,
            bias: weights.load(&format!("{name}.bias"), &[width])?,
            epsilon: epsilon as f32,
        })
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        4 * (self.weight.len() + self.bias.len()) as u64
    }
}

/// A layer norm on the device.
#[derive(Debug)]
pub struct Norm {
    /// `[width]` f32.
    pub weight: Region,
    /// `[width]` f32.
    pub bias: Region,
    /// Added to the variance.
    pub epsilon: f32,
    /// A multiple of 4.
    pub width: usize,
}

impl Norm {
    /// Makes room for a norm and fills it.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(gpu: &Gpu, host: &HostNorm) -> Result<Self, GpuError> {
        let width = host.weight.len();
        let region = || allocate(gpu, "a norm", 4 * width as u64);
        let norm = Self { weight: region()?, bias: region()?, epsilon: host.epsilon, width };
        norm.write(gpu, host);
        Ok(norm)
    }

    /// Replaces the numbers by those of a norm of the same width, after everything that was submitted before.
    pub fn write(&self, gpu: &Gpu, host: &HostNorm) {
        gpu.queue.write_buffer(&self.weight.buffer, 0, bytemuck::cast_slice(&host.weight));
        gpu.queue.write_buffer(&self.bias.buffer, 0, bytemuck::cast_slice(&host.bias));
    }
}
