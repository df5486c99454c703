//! dino.txt's vision head and text tower on wgpu; the twin of `backend/candle/dinotxt.rs`.

use std::sync::Arc;

use ndarray::Array2;

use super::blocks::{Activations, Blocks};
use super::buffers::{Limits, Region, allocate};
use super::kernels::attention::Sequences;
use super::kernels::gemm::{self, Epilogue, Rope};
use super::kernels::norm::{self, Out};
use super::place::Place;
use super::readback::{Staged, StagedFeatures};
use super::recording::{Recording, Tools};
use super::weights::{HostLinear, HostNorm, Linear, Norm};
use super::{check_blocks, check_device, check_widths, input};
use crate::backend::{Placement, Run, TextTower, VisionHead, embed};
use crate::checkpoint::TensorSource;
use crate::features::Features;
use crate::gpu::Gpu;
use crate::model::{BlocksConfig, HeadConfig, TowerConfig};
use crate::{Cancel, Result};

/// Blocks, a norm, and a projection where there is one.
struct Stack {
    config: BlocksConfig,
    place: Place,
    tools: Tools,
    blocks: Blocks,
    norm: Norm,
    projection: Option<Linear>,
    /// Read by no token: none has a position.
    no_rope: Region,
}

impl Stack {
    fn load(
        gpu: &Gpu,
        config: &BlocksConfig,
        projection: Option<usize>,
        weights: Arc<dyn TensorSource>,
        placement: Placement,
    ) -> Result<Self> {
        let input = input(gpu, placement.dtype)?;
        check_device(gpu)?;
        check_blocks(gpu, config)?;
        check_widths(gpu, &[projection.unwrap_or(4)])?;
        let mut tools = Tools::new(gpu, input);
        let place = Place::new(gpu, &mut tools, placement.budget, Limits::of(gpu));
        let projection = projection.map(|outputs| -> Result<Linear> {
            let weight = weights.load("projection.weight", &[outputs, config.dim])?;
            Ok(place.linear(&HostLinear::new(input, &weight, vec![0.0; outputs], None))?)
        });
        let norm = HostNorm::load(weights.as_ref(), "norm", config.dim, config.norm_eps)?;
        let stack = Self {
            norm: Norm::upload(gpu, &norm)?,
            projection: projection.transpose()?,
            blocks: Blocks::load(config, weights, &place, &Run::from(&Cancel::default()))?,
            no_rope: allocate(gpu, "no rotations", 16)?,
            config: config.clone(),
            place,
            tools,
        };
        gpu.queue.submit([]);
        Ok(stack)
    }

    /// All blocks on `x`, `[count * tokens, dim]`, then the norm and the projection of every row, or of the last one of
    /// each sequence where they are `is_causal`.
    fn run(&mut self, x: &[f32], sequences: Sequences, run: &Run<'_>) -> Result<(Gpu, Staged)> {
        let Self { config, place, tools, blocks, norm, projection, no_rope } = self;
        let gpu = place.gpu.clone();
        let Sequences { count, tokens, is_causal } = sequences;
        let rows = count * tokens;
        let activations = Activations::new(config, rows, place)?;
        gpu.queue.write_buffer(&activations.x.buffer, 0, bytemuck::cast_slice(x));
        let rope = Rope { table: no_rope.clone(), prefix: rows, grid: (1, 1), head: config.head_dim() };
        let mut recording = Recording::new(&gpu, tools, run);
        for i in 0..config.depth {
            recording.wait_for_room()?;
            run.check()?;
            let block = blocks.get(i, config, place)?;
            block.record(&mut recording, place, config, sequences, &rope, &activations);
            recording.submit();
        }

        let (x, rows) = if is_causal {
            let ends = place.arena.floats("the ends of texts", count, config.dim)?;
            let row = 4 * config.dim as u64;
            for text in 0..count as u64 {
                let last = activations.x.part(((text + 1) * tokens as u64 - 1) * row, row);
                recording.copy(&last, &ends.part(text * row, row));
            }
            (ends, count)
        } else {
            (activations.x, rows)
        };
        let outputs = projection.as_ref().map_or(config.dim, |projection| projection.outputs);
        let output = place.arena.floats("the output", rows, outputs)?;
        match projection {
            None => norm::record(&mut recording, &x, 0..rows, norm, Out::Floats, &output),
            Some(projection) => {
                let normalised = place.arena.inputs("the normalised output", rows, config.dim)?;
                norm::record(&mut recording, &x, 0..rows, norm, Out::Inputs, &normalised);
                let epilogue = Epilogue::Bias { first_row: 0 };
                gemm::record(&mut recording, place.method, (&normalised, rows), projection, epilogue, &output);
            }
        }
        let staged = Staged::record(&mut recording, &gpu, &output)?;
        recording.submit();
        recording.finish()?;
        Ok((gpu, staged))
    }
}

/// A vision head on a graphics device.
pub struct WgpuHead {
    config: HeadConfig,
    stack: Stack,
}

impl WgpuHead {
    /// Puts the weights on the device, or as many as it has room for.
    ///
    /// # Errors
    /// As [`super::WgpuBackbone::load`].
    pub fn load(gpu: &Gpu, config: HeadConfig, weights: Arc<dyn TensorSource>, placement: Placement) -> Result<Self> {
        let stack = Stack::load(gpu, &config.blocks, config.projection, weights, placement)?;
        Ok(Self { config, stack })
    }
}

impl VisionHead for WgpuHead {
    fn config(&self) -> &HeadConfig {
        &self.config
    }

    fn forward(&mut self, features: &Features, run: &Run<'_>) -> Result<Features> {
        let Features { cls, registers, patch } = features;
        let x: Vec<f32> = cls.iter().chain(registers).chain(&patch.data).copied().collect();
        let tokens = x.len() / self.config.blocks.dim;
        let sequences = Sequences { count: 1, tokens, is_causal: false };
        let (prefix, grid) = (1 + registers.nrows(), (patch.rows, patch.cols));
        let gpu = self.stack.place.gpu.clone();
        gpu.guarded("the picture's work", 4 * x.len() as u64, || {
            let (gpu, tokens) = self.stack.run(&x, sequences, run)?;
            StagedFeatures { tokens, prefix, pooled: None, grid }.read(&gpu)
        })?
    }
}

/// A text tower on a graphics device.
pub struct WgpuTower {
    config: TowerConfig,
    /// `[vocabulary, dim]`, on the host: a text needs a few rows of it.
    embedding: Vec<f32>,
    /// `[context, dim]`
    positions: Vec<f32>,
    stack: Stack,
}

impl WgpuTower {
    /// Puts the blocks' weights on the device, or as many as it has room for.
    ///
    /// # Errors
    /// As [`super::WgpuBackbone::load`].
    pub fn load(gpu: &Gpu, config: TowerConfig, weights: Arc<dyn TensorSource>, placement: Placement) -> Result<Self> {
        let dim = config.blocks.dim;
        Ok(Self {
            embedding: weights.load("embedding", &[config.vocabulary, dim])?,
            positions: weights.load("positions", &[config.context, dim])?,
            stack: Stack::load(gpu, &config.blocks, config.projection, weights, placement)?,
            config,
        })
    }
}

impl TextTower for WgpuTower {
    fn config(&self) -> &TowerConfig {
        &self.config
    }

    fn forward(&mut self, ids: &[u32], len: usize, run: &Run<'_>) -> Result<Array2<f32>> {
        let x = embed(ids, len, self.config.blocks.dim, &self.embedding, &self.positions);
        let shape = (ids.len() / len, self.config.outputs());
        let sequences = Sequences { count: shape.0, tokens: len, is_causal: true };
        let gpu = self.stack.place.gpu.clone();
        gpu.guarded("the texts' work", 4 * x.len() as u64, || {
            let (gpu, vectors) = self.stack.run(&x, sequences, run)?;
            let vectors = vectors.read(&gpu)?;
            Ok(Array2::from_shape_vec(shape, vectors).expect("a vector a text"))
        })?
    }
}
