//! dino.txt's vision head and text tower on candle (reference: `dinov3/eval/text/{vision_tower,text_transformer}.py`).

use candle_core::{DType, Device, Tensor};
use ndarray::Array2;

use super::blocks::{Block, Buffers, Form};
use super::layers::{Attention, Buffer, LayerNorm, Linear, Place, load_norm};
use super::{read_matrix, read_tokens};
use crate::Result;
use crate::backend::cpu::attention::AttentionShape;
use crate::backend::cpu::linear::Epilogue;
use crate::backend::{Dtype, Run, TextTower, VisionHead};
use crate::checkpoint::TensorSource;
use crate::features::Features;
use crate::model::{BlocksConfig, HeadConfig, TowerConfig};

/// Blocks, a norm, and a projection where there is one.
struct Stack {
    config: BlocksConfig,
    place: Place,
    blocks: Vec<Block>,
    norm: LayerNorm,
    projection: Option<Linear>,
}

impl Stack {
    fn load(
        config: &BlocksConfig,
        projection: Option<usize>,
        weights: &dyn TensorSource,
        place: Place,
    ) -> Result<Self> {
        let dim = config.dim;
        let projection = projection.map(|outputs| -> Result<Linear> {
            let weight = weights.load("projection.weight", &[outputs, dim])?;
            Ok(Linear::new(&place, weight, vec![0.0; outputs], None, Epilogue::Bias)?)
        });
        Ok(Self {
            blocks: (0..config.depth)
                .map(|i| Block::load(config, weights, &place, i, Form::Unpacked))
                .collect::<Result<_>>()?,
            norm: LayerNorm::new(load_norm(weights, "norm", dim, config.norm_eps)?, &place)?,
            projection: projection.transpose()?,
            config: config.clone(),
            place,
        })
    }

    /// All blocks on sequences of `tokens` rows each, `[sequences * tokens, dim]` f32.
    fn run(&self, mut x: Tensor, tokens: usize, is_causal: bool, run: &Run<'_>) -> Result<Tensor> {
        let BlocksConfig { heads, .. } = self.config;
        let shape = AttentionShape { tokens, heads, head_dim: self.config.head_dim(), is_causal };
        let mut attention = Attention::new(shape, None, &self.place)?;
        let mut buffers = Buffers::default();
        for block in &self.blocks {
            self.place.device.synchronize()?;
            run.check()?;
            x = block.forward(x, &mut attention, &mut buffers)?;
        }
        Ok(x)
    }

    /// The norm and the projection, `[rows, outputs]` f32.
    fn finish(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.norm.forward(x)?;
        match &self.projection {
            Some(projection) => Ok(projection.forward(&x, &mut Buffer::default())?.to_dtype(DType::F32)?),
            None => Ok(x),
        }
    }

    /// A matrix of f32, row-major.
    fn tensor(&self, numbers: Vec<f32>) -> Result<Tensor> {
        let rows = numbers.len() / self.config.dim;
        Ok(self.place.tensor(numbers, &[rows, self.config.dim])?)
    }
}

/// A vision head whose tensors are candle's.
pub struct CandleHead {
    config: HeadConfig,
    stack: Stack,
}

impl CandleHead {
    /// Puts all weights on the device.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or broken, [`crate::Error::Tensor`] where the device has
    /// no room.
    pub fn load(config: HeadConfig, weights: &dyn TensorSource, device: Device, dtype: Dtype) -> Result<Self> {
        let stack = Stack::load(&config.blocks, config.projection, weights, Place::new(device, dtype))?;
        Ok(Self { config, stack })
    }
}

impl VisionHead for CandleHead {
    fn config(&self) -> &HeadConfig {
        &self.config
    }

    fn forward(&mut self, features: &Features, run: &Run<'_>) -> Result<Features> {
        let Features { cls, registers, patch } = features;
        let numbers: Vec<f32> = cls.iter().chain(registers).chain(&patch.data).copied().collect();
        let x = self.stack.tensor(numbers)?;
        let tokens = x.dim(0)?;
        let x = self.stack.run(x, tokens, false, run)?;
        read_tokens(&self.stack.finish(&x)?, (patch.rows, patch.cols))
    }
}

/// A text tower whose tensors are candle's.
pub struct CandleTower {
    config: TowerConfig,
    /// `[vocabulary, dim]`, on the host: a text needs a few rows of it.
    embedding: Vec<f32>,
    /// `[context, dim]`
    positions: Vec<f32>,
    stack: Stack,
}

impl CandleTower {
    /// Puts the blocks' weights on the device.
    ///
    /// # Errors
    /// As [`CandleHead::load`].
    pub fn load(config: TowerConfig, weights: &dyn TensorSource, device: Device, dtype: Dtype) -> Result<Self> {
        let dim = config.blocks.dim;
        Ok(Self {
            embedding: weights.load("embedding", &[config.vocabulary, dim])?,
            positions: weights.load("positions", &[config.context, dim])?,
            stack: Stack::load(&config.blocks, config.projection, weights, Place::new(device, dtype))?,
            config,
        })
    }
}

impl TextTower for CandleTower {
    fn config(&self) -> &TowerConfig {
        &self.config
    }

    fn forward(&mut self, ids: &[u32], len: usize, run: &Run<'_>) -> Result<Array2<f32>> {
        let x = crate::backend::embed(ids, len, self.config.blocks.dim, &self.embedding, &self.positions);
        let x = self.stack.run(self.stack.tensor(x)?, len, true, run)?;
        let ends: Vec<u32> = (1..=ids.len() / len).map(|text| (text * len - 1) as u32).collect();
        let ends = Tensor::from_vec(ends, ids.len() / len, &self.stack.place.device)?;
        let vectors = self.stack.finish(&x.index_select(&ends, 0)?)?;
        read_matrix(&vectors.to_device(&Device::Cpu)?)
    }
}
