//! Layers that move each query's box by what they see around it (reference:
//! `dinov3/eval/detection/models/global_rpe_decomp_decoder.py`).

use candle_core::{Device, Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear, linear_no_bias};

use super::NORM_EPS;
use super::attention::{SelfAttention, attend, split_heads};
use super::boxes::{CentredBox, corners};
use super::encoder::FeedForward;
use super::sizes::Sizes;
use crate::{Cancel, Result};

/// What the decoder looks at.
pub struct Memory {
    /// `[rows * cols, width]`
    pub tokens: Tensor,
    /// The same with their positions.
    pub placed: Tensor,
    /// Patch rows and columns.
    pub grid: (usize, usize),
    /// Side of a patch in pixels of the model's input.
    pub patch: usize,
}

/// A layer that normalises before each branch.
pub struct DecoderLayer {
    norm2: LayerNorm,
    self_attn: SelfAttention,
    norm1: LayerNorm,
    cross_attn: CrossAttention,
    norm3: LayerNorm,
    ffn: FeedForward,
}

impl DecoderLayer {
    /// Reads it.
    pub fn load(sizes: &Sizes, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let norm = |name: &str| layer_norm(sizes.width, NORM_EPS, vb.pp(name));
        Ok(Self {
            norm2: norm("norm2")?,
            self_attn: SelfAttention::load(sizes.width, sizes.heads, &vb.pp("self_attn"))?,
            norm1: norm("norm1")?,
            cross_attn: CrossAttention::load(sizes, &vb.pp("cross_attn"))?,
            norm3: norm("norm3")?,
            ffn: FeedForward::load(sizes.width, sizes.decoder_hidden, vb)?,
        })
    }

    /// Queries and their positions are `[queries, width]`; each has a box.
    ///
    /// # Errors
    /// As [`attend`].
    pub fn forward(
        &self,
        queries: &Tensor,
        positions: &Tensor,
        boxes: &[CentredBox],
        memory: &Memory,
        cancel: &Cancel,
    ) -> Result<Tensor> {
        let normed = self.norm2.forward(queries)?;
        let queries = (queries + self.self_attn.forward(&(&normed + positions)?, &normed, cancel)?)?;
        let placed = (self.norm1.forward(&queries)? + positions)?;
        let queries = (&queries + self.cross_attn.forward(&placed, boxes, memory, cancel)?)?;
        Ok((&queries + self.ffn.forward(&self.norm3.forward(&queries)?)?)?)
    }
}

/// Attention to all patches, with a bias that depends on how far a patch is from the edges of the query's box.
struct CrossAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    proj: Linear,
    across: EdgeBias,
    down: EdgeBias,
    heads: usize,
}

impl CrossAttention {
    fn load(sizes: &Sizes, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let layer = |name: &str| linear(sizes.width, sizes.width, vb.pp(name));
        Ok(Self {
            q: layer("q")?,
            k: layer("k")?,
            v: layer("v")?,
            proj: layer("proj")?,
            across: EdgeBias::load(sizes, &vb.pp("cpb_mlp1"))?,
            down: EdgeBias::load(sizes, &vb.pp("cpb_mlp2"))?,
            heads: sizes.heads,
        })
    }

    fn forward(&self, placed: &Tensor, boxes: &[CentredBox], memory: &Memory, cancel: &Cancel) -> Result<Tensor> {
        let heads = |layer: &Linear, tokens: &Tensor| split_heads(&layer.forward(tokens)?, self.heads);
        let (q, k, v) = (heads(&self.q, placed)?, heads(&self.k, &memory.placed)?, heads(&self.v, &memory.tokens)?);
        let (rows, cols) = memory.grid;
        let edges: Vec<_> = boxes.iter().copied().map(corners).collect();
        let mixed = attend(&q, &k, &v, cancel, |range| {
            let across: Vec<_> = edges[range.clone()].iter().map(|&[x0, _, x1, _]| [x0, x1]).collect();
            let down: Vec<_> = edges[range.clone()].iter().map(|&[_, y0, _, y1]| [y0, y1]).collect();
            let across = self.across.forward(&across, cols, memory.patch, placed.device())?.unsqueeze(2)?;
            let down = self.down.forward(&down, rows, memory.patch, placed.device())?.unsqueeze(3)?;
            let bias = down.broadcast_add(&across)?.reshape((self.heads, range.len(), rows * cols))?;
            Ok(Some(bias))
        })?;
        Ok(self.proj.forward(&mixed)?)
    }
}

/// What distances along one axis add to the scores.
struct EdgeBias {
    hidden: Linear,
    out: Linear,
}

impl EdgeBias {
    fn load(sizes: &Sizes, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let hidden = linear(2, sizes.bias_hidden, vb.pp(0))?;
        Ok(Self { hidden, out: linear_no_bias(sizes.bias_hidden, sizes.heads, vb.pp(2))? })
    }

    /// `[heads, boxes, len]` for patches along the axis and the two edges of each box, in pixels.
    fn forward(&self, edges: &[[f32; 2]], len: usize, patch: usize, device: &Device) -> TensorResult<Tensor> {
        let centre = |index: usize| (index as f32 + 0.5) * patch as f32;
        let distances = edges.iter().flat_map(|edges| (0..len).map(move |i| edges.map(|edge| edge - centre(i))));
        let distances: Vec<f32> = distances.flatten().collect();
        let distances = Tensor::from_vec(distances, (edges.len() * len, 2), device)?;
        let bias = self.out.forward(&self.hidden.forward(&distances)?.relu()?)?;
        bias.t()?.reshape(((), edges.len(), len))
    }
}
