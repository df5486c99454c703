//! Mask2Former's transformer decoder: queries look where their masks are, and become a class and a mask each (paper:
//! arXiv 2112.01527; reference: `dinov3/eval/segmentation/models/heads/mask2former_transformer_decoder.py`).

use candle_core::{D, Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::config::DecoderConfig;
use super::pixel_decoder::PixelFeatures;
use super::positions::sines;
use crate::Result;
use crate::backend::Run;
use crate::heads::layers::{interpolate, tokens_from_map};

const NORM_EPS: f64 = 1e-5;

/// What the queries say.
pub struct Prediction {
    /// Logits `[queries, classes + 1]`, the last that there is no object.
    pub classes: Tensor,
    /// Logits at 1/4 of the picture, `[queries, rows, cols]`.
    pub masks: Tensor,
}

/// The decoder's layers.
pub struct TransformerDecoder {
    hidden: usize,
    layers: Vec<DecoderLayer>,
    post_norm: LayerNorm,
    /// `[queries, hidden]`
    query_feat: Tensor,
    /// `[queries, hidden]`
    query_embed: Tensor,
    /// `[3, hidden]`
    level_embed: Tensor,
    class_embed: Linear,
    mask_embed: [Linear; 3],
}

struct DecoderLayer {
    cross_attention: Attention,
    self_attention: Attention,
    linear1: Linear,
    linear2: Linear,
    norm: LayerNorm,
}

/// torch's `MultiheadAttention`, the residual and the norm behind.
struct Attention {
    heads: usize,
    /// Of queries, keys and values.
    projections: [Linear; 3],
    out_proj: Linear,
    norm: LayerNorm,
}

impl Attention {
    fn load(config: &DecoderConfig, attention: &str, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &DecoderConfig { hidden, heads, .. } = config;
        let (inner, norm) = (vb.pp(attention), layer_norm(hidden, NORM_EPS, vb.pp("norm"))?);
        let weight = inner.get((3 * hidden, hidden), "in_proj_weight")?;
        let bias = inner.get(3 * hidden, "in_proj_bias")?;
        let third = |index: usize| {
            let part = |tensor: &Tensor| tensor.narrow(0, index * hidden, hidden)?.contiguous();
            TensorResult::Ok(Linear::new(part(&weight)?, Some(part(&bias)?)))
        };
        let projections = [third(0)?, third(1)?, third(2)?];
        Ok(Self { heads, projections, out_proj: linear(hidden, hidden, inner.pp("out_proj"))?, norm })
    }

    /// `x` `[queries, hidden]` reads `values` `[keys, hidden]`; `mask` `[queries, keys]` is added to the scores.
    fn forward(
        &self,
        x: &Tensor,
        query: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        mask: Option<&Tensor>,
    ) -> TensorResult<Tensor> {
        let split = |projection: &Linear, x: &Tensor| {
            let (tokens, hidden) = x.dims2()?;
            let by_head = projection.forward(x)?.reshape((tokens, self.heads, hidden / self.heads))?;
            by_head.transpose(0, 1)?.contiguous()
        };
        let [query_proj, key_proj, value_proj] = &self.projections;
        let (query, keys, values) = (split(query_proj, query)?, split(key_proj, keys)?, split(value_proj, values)?);
        let scale = (query.dim(D::Minus1)? as f64).sqrt();
        let mut scores = ((query / scale)?).matmul(&keys.t()?)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&values)?;
        let mixed = self.out_proj.forward(&mixed.transpose(0, 1)?.contiguous()?.flatten_from(1)?)?;
        self.norm.forward(&(x + mixed)?)
    }
}

impl DecoderLayer {
    fn load(config: &DecoderConfig, vb: &VarBuilder<'_>, index: usize) -> TensorResult<Self> {
        let &DecoderConfig { hidden, ffn, .. } = config;
        let of = |list: &str| vb.pp(format!("transformer_{list}_layers")).pp(index);
        let feed_forward = of("ffn");
        Ok(Self {
            cross_attention: Attention::load(config, "multihead_attn", &of("cross_attention"))?,
            self_attention: Attention::load(config, "self_attn", &of("self_attention"))?,
            linear1: linear(hidden, ffn, feed_forward.pp("linear1"))?,
            linear2: linear(ffn, hidden, feed_forward.pp("linear2"))?,
            norm: layer_norm(hidden, NORM_EPS, feed_forward.pp("norm"))?,
        })
    }
}

/// A map that queries look at.
struct Memory {
    size: (usize, usize),
    /// `[rows * cols, hidden]`
    values: Tensor,
    /// The same with their places.
    keys: Tensor,
}

impl TransformerDecoder {
    /// Reads all layers.
    pub fn load(config: &DecoderConfig, mask_dim: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &DecoderConfig { hidden, queries, classes, layers, .. } = config;
        let mask_layer = |index, outputs| linear(hidden, outputs, vb.pp("mask_embed.layers").pp(index));
        Ok(Self {
            hidden,
            layers: (0..layers).map(|index| DecoderLayer::load(config, vb, index)).collect::<TensorResult<_>>()?,
            post_norm: layer_norm(hidden, NORM_EPS, vb.pp("post_norm"))?,
            query_feat: vb.get((queries, hidden), "query_feat.weight")?,
            query_embed: vb.get((queries, hidden), "query_embed.weight")?,
            level_embed: vb.get((3, hidden), "level_embed.weight")?,
            class_embed: linear(hidden, classes + 1, vb.pp("class_embed"))?,
            mask_embed: [mask_layer(0, hidden)?, mask_layer(1, hidden)?, mask_layer(2, mask_dim)?],
        })
    }

    /// The last layer's prediction; `each` is shown those before and this one.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] where the device has no room, [`crate::Error::Cancelled`].
    pub fn forward(
        &self,
        features: &PixelFeatures,
        run: &Run<'_>,
        each: &mut dyn FnMut(&Prediction),
    ) -> Result<Prediction> {
        let memory =
            (0..3).map(|level| self.memory(&features.levels[level], level)).collect::<TensorResult<Vec<_>>>()?;
        let mut x = self.query_feat.clone();
        let mut prediction = self.predict(&x, &features.masks)?;
        for (layer, memory) in self.layers.iter().zip(memory.iter().cycle()) {
            run.check()?;
            each(&prediction);
            let mask = where_to_look(&prediction.masks, memory.size)?;
            let query = (&x + &self.query_embed)?;
            x = layer.cross_attention.forward(&x, &query, &memory.keys, &memory.values, Some(&mask))?;
            let query = (&x + &self.query_embed)?;
            x = layer.self_attention.forward(&x, &query, &query, &x, None)?;
            let hidden = layer.linear1.forward(&x)?.relu()?;
            x = layer.norm.forward(&(&x + layer.linear2.forward(&hidden)?)?)?;
            prediction = self.predict(&x, &features.masks)?;
        }
        each(&prediction);
        Ok(prediction)
    }

    fn memory(&self, map: &Tensor, level: usize) -> TensorResult<Memory> {
        let (_, _, rows, cols) = map.dims4()?;
        let values = tokens_from_map(map)?.broadcast_add(&self.level_embed.get(level)?)?;
        let keys = (&values + sines((rows, cols), self.hidden, map.device())?)?;
        Ok(Memory { size: (rows, cols), values, keys })
    }

    fn predict(&self, x: &Tensor, mask_features: &Tensor) -> TensorResult<Prediction> {
        let x = self.post_norm.forward(x)?;
        let [first, second, last] = &self.mask_embed;
        let embedded = last.forward(&second.forward(&first.forward(&x)?.relu()?)?.relu()?)?;
        let (_, channels, rows, cols) = mask_features.dims4()?;
        let masks = embedded.matmul(&mask_features.reshape((channels, rows * cols))?)?;
        Ok(Prediction { classes: self.class_embed.forward(&x)?, masks: masks.reshape(((), rows, cols))? })
    }
}

/// What is added to the scores of a map's positions, `[queries, rows * cols]`: -∞ outside of a query's mask. A query whose
/// mask is empty looks everywhere.
fn where_to_look(masks: &Tensor, size: (usize, usize)) -> TensorResult<Tensor> {
    let logits = interpolate(&masks.unsqueeze(0)?, size)?.squeeze(0)?.flatten_from(1)?;
    let mut looks = logits.to_vec2::<f32>()?;
    for positions in &mut looks {
        // As the reference compares it, so that numbers just below zero are not outside.
        let is_outside = |logit: f32| 1.0 / (1.0 + (-logit).exp()) < 0.5;
        let is_empty = positions.iter().all(|&logit| is_outside(logit));
        for value in positions.iter_mut() {
            *value = if !is_empty && is_outside(*value) { f32::NEG_INFINITY } else { 0.0 };
        }
    }
    Tensor::from_vec(looks.concat(), logits.dims(), masks.device())
}
