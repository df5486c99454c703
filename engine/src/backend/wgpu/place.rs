//! What both architectures need of the device.

use super::buffers::{Arena, Limits, Region};
use super::kernels::method::Method;
use super::pipelines::Input;
use super::readback::StagedFeatures;
use super::recording::Tools;
use super::weights::{HostLinear, Linear};
use super::{check, tune};
use crate::Result;
use crate::gpu::{Gpu, GpuError};
use crate::image::Pixels;

/// The device, and how it is used.
pub struct Place {
    /// Device and queue.
    pub gpu: Gpu,
    /// Type of weights and matrix inputs.
    pub input: Input,
    /// Of a binding.
    pub limits: Limits,
    /// Of linear layers.
    pub method: Method,
    /// Bytes that the weights of the blocks may take.
    pub budget: u64,
    /// Activations.
    pub arena: Arena,
}

/// A picture on the device.
pub struct Patches {
    /// `[3, height, width]` f32.
    pub pixels: Region,
    /// Room for the patches, `[patches, 3 * side * side]` Input.
    pub unfolded: Region,
}

/// What a forward pass gives, not read yet.
pub struct Output {
    /// The layers asked for, each once, in the order of the network.
    pub layers: Vec<(usize, StagedFeatures)>,
    /// After the last block and the final norm.
    pub last: StagedFeatures,
    /// The tokens of `last` on the device, `[prefix + patches, dim]` f32, until the next forward pass.
    pub features: Region,
}

impl Place {
    /// An empty device, with the method that is fastest there.
    pub fn new(gpu: &Gpu, tools: &mut Tools, budget: u64, limits: Limits) -> Self {
        let input = tools.pipelines.input();
        let method = check::method(gpu, tools, tune::file().as_deref());
        Self { gpu: gpu.clone(), input, limits, method, budget, arena: Arena::new(gpu.clone(), limits, input) }
    }

    /// Puts a linear layer on the device.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn linear(&self, host: &HostLinear) -> Result<Linear, GpuError> {
        Linear::upload(&self.gpu, self.limits, host)
    }

    /// Uploads a picture and makes room for its patches.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn patches(&mut self, pixels: &Pixels, side: usize) -> Result<Patches, GpuError> {
        let count = (pixels.width / side) * (pixels.height / side);
        let region = self.arena.floats("the pixels", pixels.height, 3 * pixels.width)?;
        self.gpu.queue.write_buffer(&region.buffer, 0, bytemuck::cast_slice(&pixels.data));
        Ok(Patches { pixels: region, unfolded: self.arena.inputs("the patches", count, 3 * side * side)? })
    }
}
