//! What a head's tensors tell.

use super::super::{HeadError, HeadWeights, Task};
use super::GROUPS;

/// Sizes of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers per patch that are read, those of all layers and of both views together.
    pub channels: usize,
    /// Of a token.
    pub width: usize,
    /// Of every attention.
    pub heads: usize,
    /// Between the layers of the bias of distances.
    pub bias_hidden: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Between the linear layers of one of them.
    pub encoder_hidden: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Between the linear layers of one of them.
    pub decoder_hidden: usize,
    /// What is told apart.
    pub classes: usize,
    /// Rows of queries, half of which are for training alone.
    pub queries: usize,
}

impl Sizes {
    /// Of a head.
    ///
    /// # Errors
    /// [`HeadError::NotThisHead`] where a tensor is missing that every detector has, or sizes do not fit each other.
    pub fn read(weights: &HeadWeights) -> Result<Self, HeadError> {
        let wrong = |reason: String| HeadError::NotThisHead {
            path: weights.path().to_path_buf(),
            task: Task::Detection,
            reason,
        };
        let side = |name: &str, axis: usize| {
            let size = weights.shape(name).and_then(|shape| shape.get(axis)).copied().filter(|&size| size > 0);
            size.ok_or_else(|| wrong(format!("it has no `{name}` of the published detector's kind")))
        };
        let bias = "transformer.decoder.layers.0.cross_attn.cpb_mlp1.2.weight";
        let sizes = Self {
            channels: side("input_proj.0.0.weight", 1)?,
            width: side("transformer.level_embed", 1)?,
            heads: side(bias, 0)?,
            bias_hidden: side(bias, 1)?,
            encoder_layers: weights.count("transformer.encoder.layers", "linear1.weight"),
            encoder_hidden: side("transformer.encoder.layers.0.linear1.weight", 0)?,
            decoder_layers: weights.count("transformer.decoder.layers", "linear1.weight"),
            decoder_hidden: side("transformer.decoder.layers.0.linear1.weight", 0)?,
            classes: side("class_embed.0.weight", 0)?,
            queries: side("query_embed.weight", 0)?,
        };
        let Self { width, heads, .. } = sizes;
        if !width.is_multiple_of(GROUPS) || !width.is_multiple_of(heads) {
            return Err(wrong(format!(
                "its tokens of {width} numbers can be divided neither into {GROUPS} groups nor among {heads} heads alike"
            )));
        }
        Ok(sizes)
    }
}
