//! Layers that let the patches of all windows see each other (reference:
//! `dinov3/eval/detection/models/transformer_encoder.py`).

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::NORM_EPS;
use super::attention::SelfAttention;
use super::sizes::Sizes;
use crate::{Cancel, Result};

/// Two linear layers with ReLU between them.
pub struct FeedForward(Linear, Linear);

impl FeedForward {
    /// Reads it; `hidden` numbers are between the layers.
    pub fn load(width: usize, hidden: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        Ok(Self(linear(width, hidden, vb.pp("linear1"))?, linear(hidden, width, vb.pp("linear2"))?))
    }
}

impl Module for FeedForward {
    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        self.1.forward(&self.0.forward(tokens)?.relu()?)
    }
}

/// A layer that normalises behind each branch.
pub struct EncoderLayer {
    self_attn: SelfAttention,
    norm1: LayerNorm,
    ffn: FeedForward,
    norm2: LayerNorm,
}

impl EncoderLayer {
    /// Reads it.
    pub fn load(sizes: &Sizes, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let width = sizes.width;
        Ok(Self {
            self_attn: SelfAttention::load(width, sizes.heads, &vb.pp("self_attn"))?,
            norm1: layer_norm(width, NORM_EPS, vb.pp("norm1"))?,
            ffn: FeedForward::load(width, sizes.encoder_hidden, vb)?,
            norm2: layer_norm(width, NORM_EPS, vb.pp("norm2"))?,
        })
    }

    /// Tokens and their positions are `[tokens, width]`.
    ///
    /// # Errors
    /// As [`SelfAttention::forward`].
    pub fn forward(&self, tokens: &Tensor, positions: &Tensor, cancel: &Cancel) -> Result<Tensor> {
        let mixed = self.self_attn.forward(&(tokens + positions)?, tokens, cancel)?;
        let tokens = self.norm1.forward(&(tokens + mixed)?)?;
        Ok(self.norm2.forward(&(&tokens + self.ffn.forward(&tokens)?)?)?)
    }
}
