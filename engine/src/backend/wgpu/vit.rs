//! DINOv3 vision transformer on wgpu; the twin of `backend/candle/vit.rs`.

use std::f32::consts::TAU;
use std::sync::Arc;

use super::buffers::{Region, upload};
use super::kernels::gemm::{Epilogue, Rope};
use super::kernels::norm::Out;
use super::kernels::{attention, gemm, norm, unfold};
use super::place::{Output, Place, Residency};
use super::readback::{Staged, StagedFeatures};
use super::recording::Recording;
use super::weights::{HostLinear, HostNorm, Linear, Norm};
use crate::Result;
use crate::backend::Run;
use crate::checkpoint::Weights;
use crate::gpu::GpuError;
use crate::image::Pixels;
use crate::model::{Ffn, VitConfig};

/// A vision transformer on the device.
pub struct Vit {
    config: VitConfig,
    patch_embed: Linear,
    /// CLS and registers, `[1 + registers, dim]` f32.
    prefix_tokens: Region,
    /// `[head_dim / 4]`
    rope_periods: Vec<f32>,
    blocks: Blocks,
    norm: Norm,
    /// Of CLS and registers, where they have one of their own.
    cls_norm: Option<Norm>,
}

enum Blocks {
    Resident(Vec<Block>),
    Streaming(Box<Stream>),
}

/// Two blocks' memory in turn: while the device computes one, the next is read from the file.
struct Stream {
    weights: Arc<Weights>,
    slots: [Block; 2],
}

struct Block {
    norm1: Norm,
    qkv: Linear,
    proj: Linear,
    norm2: Norm,
    /// `fc1`, or `w1` and `w2`.
    expand: Linear,
    /// `fc2`, or `w3`.
    reduce: Linear,
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

impl Vit {
    /// Reads all weights; the blocks stay in the file where the device has no room for them.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says, [`crate::Error::Gpu`].
    pub fn load(config: &VitConfig, weights: &Arc<Weights>, place: &Place) -> Result<Self> {
        let dim = config.dim;
        let embed = weights.load("patch_embed.proj.weight", &[dim, 3, config.patch, config.patch])?;
        let embed_bias = weights.load("patch_embed.proj.bias", &[dim])?;
        let mut prefix = weights.load("cls_token", &[1, 1, dim])?;
        if config.registers > 0 {
            prefix.extend(weights.load("storage_tokens", &[1, config.registers, dim])?);
        }
        let norm = |name| -> Result<Norm> {
            Ok(Norm::upload(&place.gpu, &HostNorm::load(weights, name, dim, config.norm_eps)?)?)
        };
        Ok(Self {
            patch_embed: place.linear(&HostLinear::new(place.input, &embed, embed_bias, None))?,
            prefix_tokens: upload(&place.gpu, "the tokens before the patches", &prefix)?,
            rope_periods: weights.load("rope_embed.periods", &[config.head_dim() / 4])?,
            norm: norm("norm")?,
            cls_norm: config.untied_cls_norm.then(|| norm("cls_norm")).transpose()?,
            blocks: Blocks::load(config, weights, place)?,
            config: config.clone(),
        })
    }

    /// Whether the blocks are on the device or in the file.
    pub fn residency(&self) -> Residency {
        match self.blocks {
            Blocks::Resident(_) => Residency::Resident,
            Blocks::Streaming(_) => Residency::Streaming,
        }
    }

    /// Records and submits all blocks: normalised tokens after each of `layers`, then after the last block.
    pub fn forward(
        &self,
        pixels: &Pixels,
        layers: &[usize],
        place: &mut Place,
        recording: &mut Recording<'_>,
        run: &Run<'_>,
    ) -> Result<Output> {
        let VitConfig { dim, patch, heads, .. } = self.config;
        let prefix = self.config.prefix();
        let grid @ (rows, cols) = (pixels.height / patch, pixels.width / patch);
        let tokens = prefix + rows * cols;
        let head = self.config.head_dim();
        let hidden = match self.config.ffn {
            Ffn::Mlp { hidden } | Ffn::SwiGlu { hidden } => hidden,
        };
        let x = place.arena.floats("the residual stream", tokens, dim)?;
        let normalised = place.arena.inputs("the normalised tokens", tokens, dim)?;
        let qkv = place.arena.inputs("queries, keys and values", tokens, 3 * dim)?;
        let mixed = place.arena.inputs("the mixed values", tokens, dim)?;
        let hidden = place.arena.inputs("the hidden numbers", tokens, hidden)?;
        let output = place.arena.floats("the output", tokens, dim)?;
        let rope = Rope { table: self.rope_table(grid, place)?, prefix, grid, head };

        let patches = place.patches(pixels, patch)?;
        unfold::record(recording, &patches.pixels, (pixels.width, pixels.height), patch, &patches.unfolded);
        recording.copy(&self.prefix_tokens, &x);
        let embed = Epilogue::Bias { first_row: prefix };
        gemm::record(recording, place.tile, (&patches.unfolded, rows * cols), &self.patch_embed, embed, &x);

        let mut taken = vec![];
        for i in 0..self.config.depth {
            recording.wait_for_room(run)?;
            run.enter_block(i)?;
            let block = self.blocks.get(i, &self.config, place)?;
            norm::record(recording, &x, 0..tokens, &block.norm1, Out::Inputs, &normalised);
            gemm::record(recording, place.tile, (&normalised, tokens), &block.qkv, Epilogue::Qkv(&rope), &qkv);
            attention::record(recording, &qkv, (tokens, heads, head), &mixed);
            gemm::record(recording, place.tile, (&mixed, tokens), &block.proj, Epilogue::AddScaled, &x);
            norm::record(recording, &x, 0..tokens, &block.norm2, Out::Inputs, &normalised);
            let activation = match self.config.ffn {
                Ffn::Mlp { .. } => Epilogue::Gelu,
                Ffn::SwiGlu { .. } => Epilogue::SwiGlu,
            };
            gemm::record(recording, place.tile, (&normalised, tokens), &block.expand, activation, &hidden);
            gemm::record(recording, place.tile, (&hidden, tokens), &block.reduce, Epilogue::AddScaled, &x);
            if layers.contains(&i) {
                self.normalise(recording, &x, tokens, &output);
                let tokens = Staged::record(recording, &place.gpu, &output)?;
                taken.push((i, StagedFeatures { tokens, prefix, pooled: None, grid }));
            }
            recording.submit();
        }
        self.normalise(recording, &x, tokens, &output);
        let staged = Staged::record(recording, &place.gpu, &output)?;
        recording.submit();
        let last = StagedFeatures { tokens: staged, prefix, pooled: None, grid };
        Ok(Output { layers: taken, last, features: output })
    }

    /// The final norm, `[tokens, dim]`.
    fn normalise(&self, recording: &mut Recording<'_>, x: &Region, tokens: usize, out: &Region) {
        let prefix = self.config.prefix();
        match &self.cls_norm {
            None => norm::record(recording, x, 0..tokens, &self.norm, Out::Floats, out),
            Some(cls_norm) => {
                norm::record(recording, x, 0..prefix, cls_norm, Out::Floats, out);
                norm::record(recording, x, prefix..tokens, &self.norm, Out::Floats, out);
            }
        }
    }

    /// Cosine and sine of `2π · coordinate / period`, first of all rows, then of all columns, `[head_dim / 4]` each;
    /// coordinates are patch centres in [-1, 1] (reference: `dinov3/layers/rope_position_encoding.py`).
    fn rope_table(&self, (rows, cols): (usize, usize), place: &mut Place) -> Result<Region> {
        let angles = |i: usize, n: usize| {
            let coordinate = 2.0 * ((i as f32 + 0.5) / n as f32) - 1.0;
            self.rope_periods.iter().map(move |period| TAU * coordinate / period)
        };
        let all = (0..rows).flat_map(|i| angles(i, rows)).chain((0..cols).flat_map(|i| angles(i, cols)));
        let table: Vec<[f32; 2]> = all.map(|angle| [angle.cos(), angle.sin()]).collect();
        let region = place.arena.floats("the rotations", 2 * (rows + cols), self.rope_periods.len())?;
        place.gpu.queue.write_buffer(&region.buffer, 0, bytemuck::cast_slice(&table));
        Ok(region)
    }
}

impl Blocks {
    fn load(config: &VitConfig, weights: &Arc<Weights>, place: &Place) -> Result<Self> {
        let first = HostBlock::load(config, weights, place, 0)?;
        let mut bytes = first.bytes();
        let mut resident = vec![first.upload(place)?];
        while resident.len() < config.depth {
            let host = HostBlock::load(config, weights, place, resident.len())?;
            bytes += host.bytes();
            let block = if bytes <= place.budget { host.upload(place) } else { Err(beyond(place.budget, bytes)) };
            match block {
                Ok(block) => resident.push(block),
                Err(error) => {
                    log::info!("weights stay in their file: {error}");
                    resident.truncate(2);
                    let slots: Result<[Block; 2], _> = resident.try_into();
                    // The first block alone fitted: there is nothing to take turns with.
                    let slots = slots.map_err(|_| error)?;
                    return Ok(Self::Streaming(Box::new(Stream { weights: Arc::clone(weights), slots })));
                }
            }
            // Copies now: else all weights would wait in the host's memory.
            place.gpu.queue.submit([]);
        }
        Ok(Self::Resident(resident))
    }

    /// Block `index` with its weights on the device or on their way there.
    fn get(&self, index: usize, config: &VitConfig, place: &Place) -> Result<&Block> {
        match self {
            Self::Resident(blocks) => Ok(&blocks[index]),
            Self::Streaming(stream) => {
                let slot = &stream.slots[index % 2];
                slot.write(place, &HostBlock::load(config, &stream.weights, place, index)?);
                Ok(slot)
            }
        }
    }
}

fn beyond(budget: u64, bytes: u64) -> GpuError {
    GpuError::DoesNotFit { what: "the model", bytes, reason: format!("{budget} bytes are allowed") }
}

impl HostBlock {
    fn load(config: &VitConfig, weights: &Weights, place: &Place, index: usize) -> Result<Self> {
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

impl Block {
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
