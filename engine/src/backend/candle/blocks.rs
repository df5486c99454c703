//! Transformer blocks: of backbones, of dino.txt's vision head and of its text tower.

use candle_core::Tensor;

use super::layers::{Attention, Buffer, Linear, Place, load_norm};
use crate::Result;
use crate::backend::cpu::linear::Epilogue;
use crate::checkpoint::TensorSource;
use crate::model::{BlocksConfig, Ffn};

/// Both branches of a block. The layer norms belong to `qkv` and `expand`, LayerScale to `proj` and `reduce`.
pub struct Block {
    qkv: Linear,
    proj: Linear,
    /// `fc1`, or `w1` and `w2`.
    expand: Linear,
    /// `fc2`, or `w3`.
    reduce: Linear,
}

/// Memory that blocks use one after the other.
#[derive(Default)]
pub struct Buffers {
    qkv: Buffer,
    hidden: Buffer,
}

impl Block {
    /// Reads block `index`.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says.
    pub fn load(config: &BlocksConfig, weights: &dyn TensorSource, place: &Place, index: usize) -> Result<Self> {
        let dim = config.dim;
        let load = |name: &str, shape: &[usize]| weights.load(&format!("blocks.{index}.{name}"), shape);
        let norm = |name: &str| load_norm(weights, &format!("blocks.{index}.{name}"), dim, config.norm_eps);
        let scale = |name: &str| -> Result<Epilogue> {
            let gamma = if config.layer_scale { load(&format!("{name}.gamma"), &[dim])? } else { vec![1.0; dim] };
            Ok(Epilogue::AddScaled(gamma))
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<(Vec<f32>, Vec<f32>)> {
            Ok((load(&format!("{name}.weight"), &[outputs, inputs])?, load(&format!("{name}.bias"), &[outputs])?))
        };
        let qkv_bias = if config.qkv_bias { load("attn.qkv.bias", &[3 * dim])? } else { vec![0.0; 3 * dim] };
        let qkv = Linear::new(
            place,
            load("attn.qkv.weight", &[3 * dim, dim])?,
            qkv_bias,
            Some(norm("norm1")?),
            Epilogue::Bias,
        )?;
        let (weight, bias) = linear("attn.proj", dim, dim)?;
        let proj = Linear::new(place, weight, bias, None, scale("ls1")?)?;
        let (expand, (weight, bias)) = match config.ffn {
            Ffn::Mlp { hidden } => {
                let (weight, bias) = linear("mlp.fc1", dim, hidden)?;
                let expand = Linear::new(place, weight, bias, Some(norm("norm2")?), Epilogue::Gelu)?;
                (expand, linear("mlp.fc2", hidden, dim)?)
            }
            Ffn::SwiGlu { hidden } => {
                let (mut weight, mut bias) = linear("mlp.w1", dim, hidden)?;
                let (values, value_bias) = linear("mlp.w2", dim, hidden)?;
                weight.extend(values);
                bias.extend(value_bias);
                let expand = Linear::new(place, weight, bias, Some(norm("norm2")?), Epilogue::SwiGlu)?;
                (expand, linear("mlp.w3", hidden, dim)?)
            }
        };
        let reduce = Linear::new(place, weight, bias, None, scale("ls2")?)?;
        Ok(Self { qkv, proj, expand, reduce })
    }

    /// The tokens after this block, `[rows, dim]` f32.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room.
    pub fn forward(&self, x: Tensor, attention: &mut Attention<'_>, buffers: &mut Buffers) -> Result<Tensor> {
        let mixed = attention.forward(&self.qkv.forward(&x, &mut buffers.qkv)?)?;
        let x = self.proj.add_to(x, &mixed)?;
        let expanded = self.expand.forward(&x, &mut buffers.hidden)?;
        Ok(self.reduce.add_to(x, &expanded)?)
    }
}
