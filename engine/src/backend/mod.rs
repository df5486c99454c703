//! Where models run. The seam is the whole model, not the tensor operation.

pub mod candle;
pub mod cpu;
mod open;
mod run;
pub mod wgpu;

pub use open::{OpenDevice, device_choices};
pub use run::Run;

use ndarray::Array2;

use crate::features::{Encoded, Features};
use crate::gpu::{Gpu, ResidentGrid};
use crate::image::{PictureError, Pixels};
use crate::model::{HeadConfig, ModelConfig, TowerConfig};
use crate::{Error, Result};

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

    /// Tries its kernels on `pixels`, keeps the fastest ones and remembers them for this device: what was tried, the
    /// fastest first; nothing where there is nothing to choose from.
    ///
    /// # Errors
    /// As [`Backbone::forward`], and [`crate::Error::Io`] where they cannot be written down.
    fn tune(&mut self, _pixels: &Pixels, _run: &Run<'_>) -> Result<Vec<Trial>> {
        Ok(Vec::new())
    }

    /// Where the weights of its blocks are.
    fn residency(&self) -> Residency {
        Residency::Resident
    }

    /// The patch features of the last forward pass where they are on that very device, without the host in between.
    fn resident(&mut self, _gpu: &Gpu) -> Option<ResidentGrid> {
        None
    }
}

/// dino.txt's vision head with its weights on a device: brings a backbone's features into the space of texts.
pub trait VisionHead: Send {
    /// Its architecture.
    fn config(&self) -> &HeadConfig;

    /// Reads CLS, registers and patches of a backbone's last layer (after its final norm) together, and gives as many.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] and [`crate::Error::Gpu`] where the device has no room, [`crate::Error::Cancelled`].
    fn forward(&mut self, features: &Features, run: &Run<'_>) -> Result<Features>;
}

/// dino.txt's text tower with its weights on a device.
pub trait TextTower: Send {
    /// Its architecture.
    fn config(&self) -> &TowerConfig;

    /// Vectors of texts, `[texts, outputs]`, as the tower gives them.
    ///
    /// `ids` holds texts of `len` tokens each, one behind the other, cut off behind the token that features are taken
    /// at: none sees what comes later.
    ///
    /// # Errors
    /// As [`VisionHead::forward`].
    fn forward(&mut self, ids: &[u32], len: usize, run: &Run<'_>) -> Result<Array2<f32>>;
}

/// What [`Backbone::tune`] has tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// For people: "128×64×16, 8×4 a thread".
    pub name: String,
    /// Of a forward pass.
    pub time: std::time::Duration,
}

/// Refuses pixels and layers that the model does not take.
fn check_request(config: &ModelConfig, pixels: &Pixels, layers: &[usize]) -> Result<()> {
    let stride = config.stride();
    let fits = |side: usize| side > 0 && side.is_multiple_of(stride);
    if !fits(pixels.width) || !fits(pixels.height) || pixels.data.len() != 3 * pixels.width * pixels.height {
        return Err(PictureError::Size(format!(
            "the model needs multiples of {stride} pixels, got {}x{} ({} numbers)",
            pixels.width,
            pixels.height,
            pixels.data.len()
        ))
        .into());
    }
    match layers.iter().find(|layer| **layer >= config.layers()) {
        Some(&layer) => Err(Error::Layer { layer, last: config.layers() - 1 }),
        None => Ok(()),
    }
}

/// Tokens of texts of `len` each as the blocks read them: their embeddings and positions added, `[ids, dim]`.
fn embed(ids: &[u32], len: usize, dim: usize, embedding: &[f32], positions: &[f32]) -> Vec<f32> {
    let mut tokens = Vec::with_capacity(ids.len() * dim);
    for (at, &id) in ids.iter().enumerate() {
        let (token, position) = (&embedding[id as usize * dim..][..dim], &positions[at % len * dim..][..dim]);
        tokens.extend(token.iter().zip(position).map(|(token, position)| token + position));
    }
    tokens
}

/// A convolution's weight `[outputs, channels, taps]` as `[outputs, taps, channels]`.
fn channels_last(weight: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let swap = |output: &[f32]| -> Vec<f32> {
        (0..taps * channels).map(|i| output[i % channels * taps + i / channels]).collect()
    };
    weight.chunks_exact(channels * taps).flat_map(swap).collect()
}

/// How a model is put on a device.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Type of weights and matrix inputs.
    pub dtype: Dtype,
    /// Bytes that the weights of the blocks may take; above, they stay quantised, or are read from the file block by
    /// block.
    pub budget: u64,
}

/// What a person says about a [`Placement`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PlacementChoice {
    /// `None`: what suits the device.
    pub dtype: Option<Dtype>,
    /// Bytes that the weights of the blocks may take; `None`: as many as there is room for.
    pub budget: Option<u64>,
}

impl From<Option<Dtype>> for PlacementChoice {
    fn from(dtype: Option<Dtype>) -> Self {
        Self { dtype, budget: None }
    }
}

/// Where the weights of the blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Residency {
    /// All on the device.
    Resident,
    /// All on the device as their file holds them, unpacked in every use.
    Quantised,
    /// In the file; two blocks at a time are on the device.
    Streaming,
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
    /// CUDA, then Metal, then a GPU through wgpu, then CPU: the first that is built in and works.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_move_behind_the_taps() {
        assert_eq!(channels_last(&[1., 2., 3., 4., 5., 6.], 2, 3), [1., 4., 2., 5., 3., 6.]);
    }
}
