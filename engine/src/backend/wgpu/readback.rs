//! Results on their way to the host.

use std::sync::mpsc;

use ndarray::Array2;

use super::buffers::Region;
use super::recording::{Recording, lost};
use crate::Result;
use crate::features::{FeatureGrid, Features};
use crate::gpu::{Gpu, GpuError};

/// A copy of f32 that the host can read once the device is done.
pub struct Staged(wgpu::Buffer);

impl Staged {
    /// Records a copy of `from`.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn record(recording: &mut Recording<'_>, gpu: &Gpu, from: &Region) -> Result<Self, GpuError> {
        let what = "the result";
        let buffer = gpu.guarded(what, from.size, || {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(what),
                size: from.size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        recording.copy(from, &Region { buffer: buffer.clone(), start: 0, size: from.size });
        Ok(Self(buffer))
    }

    /// The numbers; the recording is finished.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device is lost.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        let (sender, receiver) = mpsc::channel();
        self.0.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // Nobody waits where the device was lost meanwhile.
            let _ = sender.send(mapped.is_ok());
        });
        gpu.poll().map_err(|_| lost(gpu))?;
        match receiver.try_recv() {
            Ok(true) => {}
            _ => return Err(lost(gpu)),
        }
        let bytes = self.0.get_mapped_range(..).map_err(|_| lost(gpu))?;
        Ok(bytemuck::cast_slice(&bytes).to_vec())
    }
}

/// One layer's features before they are read.
pub struct StagedFeatures {
    /// `[prefix + rows * cols, dim]`
    pub tokens: Staged,
    /// CLS and registers; ConvNeXt has none.
    pub prefix: usize,
    /// `[dim]`, of ConvNeXt.
    pub pooled: Option<Staged>,
    /// Rows and columns.
    pub grid: (usize, usize),
}

impl StagedFeatures {
    /// The recording is finished.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device is lost.
    pub fn read(self, gpu: &Gpu) -> Result<Features> {
        let (rows, cols) = self.grid;
        let mut tokens = self.tokens.read(gpu)?;
        let dim = tokens.len() / (self.prefix + rows * cols);
        let matrix = |numbers: Vec<f32>| {
            Array2::from_shape_vec((numbers.len() / dim, dim), numbers).expect("tokens are `dim` wide")
        };
        let patches = tokens.split_off(self.prefix * dim);
        let (cls, registers) = match &self.pooled {
            Some(pooled) => (pooled.read(gpu)?, Vec::new()),
            None => {
                let registers = tokens.split_off(dim);
                (tokens, registers)
            }
        };
        Ok(Features { cls, registers: matrix(registers), patch: FeatureGrid { rows, cols, data: matrix(patches) } })
    }
}
