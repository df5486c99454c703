//! Transformer blocks: on the device, or in the file where it has no room for them.

use std::sync::Arc;

use super::buffers::Region;
use super::kernels::attention::{self, Sequences};
use super::kernels::gemm::{self, Epilogue, Rope};
use super::kernels::norm::{self, Out};
use super::place::Place;
use super::recording::Recording;
use super::weights::{HostLinear, HostNorm, Linear, Norm};
use crate::Result;
use crate::backend::{Residency, Run};
use crate::checkpoint::TensorSource;
use crate::gpu::GpuError;
use crate::model::{BlocksConfig, Ffn};

/// All blocks, in order.
pub enum Blocks {
    /// On the device.
    Resident(Vec<Block>),
    /// In the file.
    Streaming(Box<Stream>),
}

/// Two blocks' memory in turn: while the device computes one, the next is read from the file.
pub struct Stream {
    weights: Arc<dyn TensorSource>,
    slots: [Block; 2],
}

/// Weights of a block on the device.
pub struct Block {
    /// Before attention.
    pub norm1: Norm,
    /// Rows sorted, see [`partners_together`].
    pub qkv: Linear,
    /// Scaled and added.
    pub proj: Linear,
    /// Before the feed-forward network.
    pub norm2: Norm,
    /// `fc1`, or `w1` and `w2`.
    pub expand: Linear,
    /// `fc2`, or `w3`.
    pub reduce: Linear,
}

/// [`Block`] before it is on the device.
struct HostBlock {
    norm1: HostNorm,
    qkv: HostLinear,
    proj: HostLinear,
    norm2: HostNorm,
    expand: HostLinear,
    reduce: HostLinear,
}

impl Blocks {
    /// Reads all blocks; they stay in the file where they are more than [`Place::budget`] or the device has no room.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says, [`crate::Error::Gpu`]
    /// where not even two blocks fit, [`crate::Error::Cancelled`].
    pub fn load(config: &BlocksConfig, weights: Arc<dyn TensorSource>, place: &Place, run: &Run<'_>) -> Result<Self> {
        run.enter_block(0)?;
        let first = HostBlock::load(config, weights.as_ref(), place, 0)?;
        let mut bytes = first.bytes();
        let mut resident = vec![first.upload(place)?];
        while resident.len() < config.depth {
            run.enter_block(resident.len())?;
            let host = HostBlock::load(config, weights.as_ref(), place, resident.len())?;
            bytes += host.bytes();
            let is_allowed = resident.len() < 2 || bytes <= place.budget;
            let block = if is_allowed { host.upload(place) } else { Err(beyond(place.budget, bytes)) };
            match block {
                Ok(block) => resident.push(block),
                Err(error) => {
                    log::info!("weights stay in their file: {error}");
                    resident.truncate(2);
                    let slots: Result<[Block; 2], _> = resident.try_into();
                    // The first block alone fitted: there is nothing to take turns with.
                    let slots = slots.map_err(|_| error)?;
                    return Ok(Self::Streaming(Box::new(Stream { weights, slots })));
                }
            }
            // Copies now: else all weights would wait in the host's memory.
            place.gpu.queue.submit([]);
        }
        Ok(Self::Resident(resident))
    }

    /// Where they are.
    pub fn residency(&self) -> Residency {
        match self {
            Self::Resident(_) => Residency::Resident,
            Self::Streaming(_) => Residency::Streaming,
        }
    }

    /// Block `index` with its weights on the device or on their way there.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where the file went away.
    pub fn get(&self, index: usize, config: &BlocksConfig, place: &Place) -> Result<&Block> {
        match self {
            Self::Resident(blocks) => Ok(&blocks[index]),
            Self::Streaming(stream) => {
                let slot = &stream.slots[index % 2];
                slot.write(place, &HostBlock::load(config, stream.weights.as_ref(), place, index)?);
                Ok(slot)
            }
        }
    }
}

fn beyond(budget: u64, bytes: u64) -> GpuError {
    GpuError::DoesNotFit { what: "the model", bytes, reason: format!("{budget} bytes are allowed") }
}

impl HostBlock {
    fn load(config: &BlocksConfig, weights: &dyn TensorSource, place: &Place, index: usize) -> Result<Self> {
        let dim = config.dim;
        let load = |name: &str, shape: &[usize]| weights.load(&format!("blocks.{index}.{name}"), shape);
        let norm = |name: &str| HostNorm::load(weights, &format!("blocks.{index}.{name}"), dim, config.norm_eps);
        let scale = |name: &str| {
            if config.layer_scale { load(&format!("{name}.gamma"), &[dim]) } else { Ok(vec![1.0; dim]) }
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<(Vec<f32>, Vec<f32>)> {
            Ok((load(&format!("{name}.weight"), &[outputs, inputs])?, load(&format!("{name}.bias"), &[outputs])?))
        };
        let host = |(weight, bias): (Vec<f32>, Vec<f32>), scale| HostLinear::new(place.input, &weight, bias, scale);

        let qkv_bias = if config.qkv_bias { load("attn.qkv.bias", &[3 * dim])? } else { vec![0.0; 3 * dim] };
        let order = partners_together(dim, config.head_dim());
        let qkv =
            (sorted_rows(&load("attn.qkv.weight", &[3 * dim, dim])?, dim, &order), sorted_rows(&qkv_bias, 1, &order));
        let (expand, reduce) = match config.ffn {
            Ffn::Mlp { hidden } => (linear("mlp.fc1", dim, hidden)?, linear("mlp.fc2", hidden, dim)?),
            Ffn::SwiGlu { hidden } => {
                let (mut weight, mut bias) = linear("mlp.w1", dim, hidden)?;
                let (values, value_bias) = linear("mlp.w2", dim, hidden)?;
                weight.extend(values);
                bias.extend(value_bias);
                let order: Vec<usize> = (0..hidden).flat_map(|i| [i, hidden + i]).collect();
                let expand = (sorted_rows(&weight, dim, &order), sorted_rows(&bias, 1, &order));
                (expand, linear("mlp.w3", hidden, dim)?)
            }
        };
        Ok(Self {
            norm1: norm("norm1")?,
            qkv: host(qkv, None),
            proj: host(linear("attn.proj", dim, dim)?, Some(scale("ls1")?)),
            norm2: norm("norm2")?,
            expand: host(expand, None),
            reduce: host(reduce, Some(scale("ls2")?)),
        })
    }

    fn bytes(&self) -> u64 {
        let linears = [&self.qkv, &self.proj, &self.expand, &self.reduce].map(HostLinear::bytes);
        linears.iter().sum::<u64>() + self.norm1.bytes() + self.norm2.bytes()
    }

    fn upload(&self, place: &Place) -> Result<Block, GpuError> {
        Ok(Block {
            norm1: Norm::upload(&place.gpu, &self.norm1)?,
            qkv: place.linear(&self.qkv)?,
            proj: place.linear(&self.proj)?,
            norm2: Norm::upload(&place.gpu, &self.norm2)?,
            expand: place.linear(&self.expand)?,
            reduce: place.linear(&self.reduce)?,
        })
    }
}

/// Memory that blocks use one after the other.
pub struct Activations {
    /// The residual stream, `[rows, dim]` f32.
    pub x: Region,
    /// `[rows, dim]` Input.
    normalised: Region,
    /// `[rows, 3 * dim]` Input.
    qkv: Region,
    /// `[rows, dim]` Input.
    mixed: Region,
    /// `[rows, hidden]` Input.
    hidden: Region,
}

impl Activations {
    /// Room for that many rows.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`].
    pub fn new(config: &BlocksConfig, rows: usize, place: &mut Place) -> Result<Self> {
        let dim = config.dim;
        Ok(Self {
            x: place.arena.floats("the residual stream", rows, dim)?,
            normalised: place.arena.inputs("the normalised tokens", rows, dim)?,
            qkv: place.arena.inputs("queries, keys and values", rows, 3 * dim)?,
            mixed: place.arena.inputs("the mixed values", rows, dim)?,
            hidden: place.arena.inputs("the hidden numbers", rows, config.ffn.hidden())?,
        })
    }
}

impl Block {
    /// Records both branches on `activations.x`.
    pub fn record(
        &self,
        recording: &mut Recording<'_>,
        place: &Place,
        config: &BlocksConfig,
        sequences: Sequences,
        rope: &Rope,
        activations: &Activations,
    ) {
        let Activations { x, normalised, qkv, mixed, hidden } = activations;
        let rows = sequences.count * sequences.tokens;
        let activation = match config.ffn {
            Ffn::Mlp { .. } => Epilogue::Gelu,
            Ffn::SwiGlu { .. } => Epilogue::SwiGlu,
        };
        norm::record(recording, x, 0..rows, &self.norm1, Out::Inputs, normalised);
        gemm::record(recording, place.method, (normalised, rows), &self.qkv, Epilogue::Qkv(rope), qkv);
        attention::record(recording, qkv, sequences, (config.heads, config.head_dim()), mixed);
        gemm::record(recording, place.method, (mixed, rows), &self.proj, Epilogue::AddScaled, x);
        norm::record(recording, x, 0..rows, &self.norm2, Out::Inputs, normalised);
        gemm::record(recording, place.method, (normalised, rows), &self.expand, activation, hidden);
        gemm::record(recording, place.method, (hidden, rows), &self.reduce, Epilogue::AddScaled, x);
    }

    fn write(&self, place: &Place, host: &HostBlock) {
        self.norm1.write(&place.gpu, &host.norm1);
        self.qkv.write(&place.gpu, &host.qkv);
        self.proj.write(&place.gpu, &host.proj);
        self.norm2.write(&place.gpu, &host.norm2);
        self.expand.write(&place.gpu, &host.expand);
        self.reduce.write(&place.gpu, &host.reduce);
    }
}

/// Rows of `attn.qkv` such that the two numbers of a query or key that turn together, which lie half a head apart, are
/// neighbours. Products of queries and keys do not change; values stay as they are.
fn partners_together(dim: usize, head: usize) -> Vec<usize> {
    let turned = (0..2 * dim).map(|row| row / head * head + row % head / 2 + row % 2 * (head / 2));
    turned.chain(2 * dim..3 * dim).collect()
}

/// `matrix` is `[rows, width]`.
fn sorted_rows(matrix: &[f32], width: usize, order: &[usize]) -> Vec<f32> {
    order.iter().flat_map(|row| &matrix[row * width..(row + 1) * width]).copied().collect()
}
