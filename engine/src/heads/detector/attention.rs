//! Attention, in bands of queries so that scores of all of them are never held at once.

use std::ops::Range;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear, ops};

use crate::{Cancel, Result};

/// Scores that are held at once.
const SCORES: usize = 16 << 20;

/// `softmax(q kᵀ / √width + bias) v`, `[queries, heads * width]`, of queries, keys and values that are `[heads, …, width]`.
///
/// `bias` is asked for what is added to the scores of some queries, `[heads, queries, keys]`.
///
/// # Errors
/// [`crate::Error::Tensor`]; [`crate::Error::Cancelled`] within one band.
pub fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cancel: &Cancel,
    bias: impl Fn(Range<usize>) -> Result<Option<Tensor>>,
) -> Result<Tensor> {
    let (heads, queries, width) = q.dims3()?;
    let keys = k.dim(1)?;
    let k = k.t()?;
    let band = (SCORES / (heads * keys)).max(1);
    let mut bands = Vec::new();
    for start in (0..queries).step_by(band) {
        cancel.check()?;
        let range = start..(start + band).min(queries);
        let q = (q.narrow(1, start, range.len())?.contiguous()? * (width as f64).powf(-0.5))?;
        let mut scores = q.matmul(&k)?;
        if let Some(bias) = bias(range.clone())? {
            scores = (scores + bias)?;
        }
        let mixed = ops::softmax_last_dim(&scores)?.matmul(v)?;
        bands.push(mixed.transpose(0, 1)?.reshape((range.len(), heads * width))?);
    }
    Ok(Tensor::cat(&bands, 0)?)
}

/// `[tokens, heads * width]` as `[heads, tokens, width]`.
pub fn split_heads(tokens: &Tensor, heads: usize) -> TensorResult<Tensor> {
    let (len, width) = tokens.dims2()?;
    tokens.reshape((len, heads, width / heads))?.transpose(0, 1)?.contiguous()
}

/// torch's `MultiheadAttention` of tokens among themselves.
pub struct SelfAttention {
    qk: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

impl SelfAttention {
    /// Reads it.
    pub fn load(width: usize, heads: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let weight = vb.get((3 * width, width), "in_proj_weight")?;
        let bias = vb.get(3 * width, "in_proj_bias")?;
        let part = |start: usize, len: usize| -> TensorResult<Linear> {
            Ok(Linear::new(weight.narrow(0, start, len)?, Some(bias.narrow(0, start, len)?)))
        };
        let out = linear(width, width, vb.pp("out_proj"))?;
        Ok(Self { qk: part(0, 2 * width)?, v: part(2 * width, width)?, out, heads })
    }

    /// `placed` are the tokens with their positions, which queries and keys are made of; both `[tokens, width]`.
    ///
    /// # Errors
    /// As [`attend`].
    pub fn forward(&self, placed: &Tensor, tokens: &Tensor, cancel: &Cancel) -> Result<Tensor> {
        let qk = self.qk.forward(placed)?;
        let width = tokens.dim(1)?;
        let part = |start: usize| split_heads(&qk.narrow(1, start, width)?, self.heads);
        let v = split_heads(&self.v.forward(tokens)?, self.heads)?;
        let mixed = attend(&part(0)?, &part(width)?, &v, cancel, |_| Ok(None))?;
        Ok(self.out.forward(&mixed)?)
    }
}
