//! Where models run. The seam is the whole model, not the tensor operation.

pub mod candle;
pub mod cpu;
mod run;

pub use run::Run;

use crate::Result;
use crate::features::Encoded;
use crate::image::Pixels;
use crate::model::ModelConfig;

/// A backbone with its weights on a device.
pub trait Backbone: Send {
    /// Its architecture.
    fn config(&self) -> &ModelConfig;

    /// Runs one picture.
    ///
    /// `layers` are blocks (ViT) or stages (ConvNeXt), 0-based; they come back in that order. [`Run::enter_block`] is
    /// called before each of the [`ModelConfig::depth`] blocks.
    ///
    /// # Errors
    /// [`crate::Error::Picture`] where a side is no multiple of the stride, [`crate::Error::Layer`], [`crate::Error::Tensor`],
    /// and [`crate::Error::Cancelled`] within one block of the request.
    fn forward(&mut self, pixels: &Pixels, layers: &[usize], run: &Run<'_>) -> Result<Encoded>;
}

/// Type of weights and of matrix inputs; accumulation and the residual stream are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl Dtype {
    /// As `--dtype` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// `--device`
#[derive(Clone, Debug, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize)]
pub enum DeviceChoice {
    /// CUDA, then Metal, then CPU: the first that is built in and works.
    #[default]
    Auto,
    /// This machine's processor.
    Cpu,
    /// NVIDIA GPU of that index.
    Cuda(usize),
    /// Apple GPU.
    Metal,
    /// Any GPU through wgpu, optionally by part of the adapter's name.
    Wgpu(Option<String>),
}
