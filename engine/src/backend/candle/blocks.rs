//! Transformer blocks: of backbones, of dino.txt's vision head and of its text tower.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use candle_core::Tensor;

use super::layers::{Attention, Buffer, Linear, Matrix, Place, load_norm};
use crate::Result;
use crate::backend::cpu::linear::Epilogue;
use crate::backend::{Residency, Run};
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

/// How weights that are quantised in their file are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As numbers of the kernels' type.
    Unpacked,
    /// As they are, unpacked in every use. For the processor's kernels alone.
    Quantised,
}

/// All blocks of a backbone.
pub enum Blocks {
    /// On the device, in order.
    Resident(Vec<Block>, Form),
    /// In the file.
    Streaming(Arc<dyn TensorSource>, Form),
}

impl Blocks {
    /// Reads all blocks. Where they are more than `budget` bytes they stay quantised, if they are, and where that is
    /// too much as well they stay in the file.
    ///
    /// # Errors
    /// As [`Block::load`], and [`crate::Error::Cancelled`].
    pub fn load(
        config: &BlocksConfig,
        weights: Arc<dyn TensorSource>,
        place: &Place,
        budget: u64,
        run: &Run<'_>,
    ) -> Result<Self> {
        run.enter_block(0)?;
        let load = |index, form| Block::load(config, weights.as_ref(), place, index, form);
        let mut form = Form::Unpacked;
        let first = loop {
            let first = load(0, form)?;
            let bytes = first.bytes() * config.depth as u64;
            if bytes <= budget {
                break first;
            }
            if form == Form::Unpacked && place.has_kernels() && is_quantised(config, weights.as_ref())? {
                log::info!("weights stay quantised in memory: they would take {bytes} bytes, {budget} are allowed");
                form = Form::Quantised;
            } else {
                log::info!("weights stay in their file: they would take {bytes} bytes, {budget} are allowed");
                return Ok(Self::Streaming(weights, form));
            }
        };
        let others = (1..config.depth).map(|index| {
            run.enter_block(index)?;
            load(index, form)
        });
        Ok(Self::Resident(iter::once(Ok(first)).chain(others).collect::<Result<_>>()?, form))
    }

    /// Where they are.
    pub fn residency(&self) -> Residency {
        match self {
            Self::Resident(_, Form::Unpacked) => Residency::Resident,
            Self::Resident(_, Form::Quantised) => Residency::Quantised,
            Self::Streaming(..) => Residency::Streaming,
        }
    }

    /// Hands every block to `visit` in order. Of those in the file one is read while the one before is visited. Not for
    /// rayon's threads: who waits there for a block may be the one that is to pack it.
    ///
    /// # Errors
    /// Those of `visit`, after which no block is read, and [`crate::Error::Checkpoint`] where the file went away.
    pub fn visit(
        &self,
        config: &BlocksConfig,
        place: &Place,
        mut visit: impl FnMut(usize, &Block) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Resident(blocks, _) => blocks.iter().enumerate().try_for_each(|(index, block)| visit(index, block)),
            Self::Streaming(weights, form) => thread::scope(|scope| {
                // Without room in the channel a block is handed over before the next is read: there are never three.
                let (sender, blocks) = sync_channel(0);
                scope.spawn(move || {
                    let load = |index| Block::load(config, weights.as_ref(), place, index, *form);
                    // It hangs up when it wants no more.
                    let _ = (0..config.depth).try_for_each(|index| sender.send(load(index)).map_err(drop));
                });
                blocks.into_iter().enumerate().try_for_each(|(index, block)| visit(index, &block?))
            }),
        }
    }
}

fn is_quantised(config: &BlocksConfig, weights: &dyn TensorSource) -> Result<bool> {
    Ok(weights.load_quantised("blocks.0.attn.proj.weight", &[config.dim, config.dim])?.is_some())
}

impl Block {
    /// Reads block `index`.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says.
    pub fn load(
        config: &BlocksConfig,
        weights: &dyn TensorSource,
        place: &Place,
        index: usize,
        form: Form,
    ) -> Result<Self> {
        let dim = config.dim;
        let load = |name: &str, shape: &[usize]| weights.load(&format!("blocks.{index}.{name}"), shape);
        let norm = |name: &str| load_norm(weights, &format!("blocks.{index}.{name}"), dim, config.norm_eps);
        let scale = |name: &str| -> Result<Epilogue> {
            let gamma = if config.layer_scale { load(&format!("{name}.gamma"), &[dim])? } else { vec![1.0; dim] };
            Ok(Epilogue::AddScaled(gamma))
        };
        let matrix = |name: &str, shape: &[usize]| -> Result<Matrix> {
            let quantised = match form {
                Form::Unpacked => None,
                Form::Quantised => weights.load_quantised(&format!("blocks.{index}.{name}"), shape)?,
            };
            quantised.map_or_else(|| Ok(load(name, shape)?.into()), |matrix| Ok(Matrix::Quantised(matrix)))
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<(Matrix, Vec<f32>)> {
            Ok((matrix(&format!("{name}.weight"), &[outputs, inputs])?, load(&format!("{name}.bias"), &[outputs])?))
        };
        let qkv_bias = if config.qkv_bias { load("attn.qkv.bias", &[3 * dim])? } else { vec![0.0; 3 * dim] };
        let qkv = Linear::new(
            place,
            matrix("attn.qkv.weight", &[3 * dim, dim])?,
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
                let (gates, mut bias) = linear("mlp.w1", dim, hidden)?;
                let (values, value_bias) = linear("mlp.w2", dim, hidden)?;
                bias.extend(value_bias);
                let expand = Linear::new(place, gates.join(values), bias, Some(norm("norm2")?), Epilogue::SwiGlu)?;
                (expand, linear("mlp.w3", hidden, dim)?)
            }
        };
        let reduce = Linear::new(place, weight, bias, None, scale("ls2")?)?;
        Ok(Self { qkv, proj, expand, reduce })
    }

    /// Bytes of its weights on the device.
    pub fn bytes(&self) -> u64 {
        [&self.qkv, &self.proj, &self.expand, &self.reduce].into_iter().map(Linear::bytes).sum()
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
