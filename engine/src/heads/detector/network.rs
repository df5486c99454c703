//! The networks behind the projection.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::boxes::{CentredBox, refine};
use super::decoder::{DecoderLayer, Memory};
use super::encoder::EncoderLayer;
use super::output::{BoxEmbed, to_host};
use super::proposals::FirstStage;
use super::sizes::Sizes;
use super::stages::{Stages, Steps};
use super::windows::Projection;
use super::{NORM_EPS, position};
use crate::Result;

/// All of a head's layers.
pub struct Network {
    input_proj: Projection,
    /// Added to every position.
    level_embed: Tensor,
    encoder: Vec<EncoderLayer>,
    first_stage: FirstStage,
    pos_trans: Linear,
    pos_trans_norm: LayerNorm,
    /// What each query begins as, `[queries, width]`.
    query_embed: Tensor,
    decoder: Vec<DecoderLayer>,
    final_layer_norm: LayerNorm,
    /// Of each layer of the decoder.
    class_embed: Vec<Linear>,
    bbox_embed: Vec<BoxEmbed>,
}

impl Network {
    /// Reads them, for features of `dim` numbers.
    pub fn load(sizes: &Sizes, dim: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let width = sizes.width;
        let transformer = vb.pp("transformer");
        let decoder = transformer.pp("decoder");
        let encoder_layer = |index| EncoderLayer::load(sizes, &transformer.pp("encoder.layers").pp(index));
        let class_embed = |index| linear(width, sizes.classes, vb.pp("class_embed").pp(index));
        let layers = 0..sizes.decoder_layers;
        Ok(Self {
            input_proj: Projection::load(sizes, dim, &vb.pp("input_proj.0"))?,
            level_embed: transformer.get((1, width), "level_embed")?,
            encoder: (0..sizes.encoder_layers).map(encoder_layer).collect::<TensorResult<_>>()?,
            first_stage: FirstStage::load(sizes, vb)?,
            pos_trans: linear(2 * width, 2 * width, transformer.pp("pos_trans"))?,
            pos_trans_norm: layer_norm(2 * width, NORM_EPS, transformer.pp("pos_trans_norm"))?,
            query_embed: vb.get((sizes.queries, width), "query_embed.weight")?,
            decoder: layers
                .clone()
                .map(|index| DecoderLayer::load(sizes, &decoder.pp("layers").pp(index)))
                .collect::<TensorResult<_>>()?,
            final_layer_norm: layer_norm(width, NORM_EPS, decoder.pp("final_layer_norm"))?,
            class_embed: layers.clone().map(class_embed).collect::<TensorResult<_>>()?,
            bbox_embed: layers
                .map(|index| BoxEmbed::load(width, &vb.pp("bbox_embed").pp(index)))
                .collect::<TensorResult<_>>()?,
        })
    }

    /// Reads features.
    pub fn projection(&self) -> &Projection {
        &self.input_proj
    }

    /// Logits `[queries, classes]` and boxes of the last layer, of a grid `[rows, cols, width]`.
    ///
    /// # Errors
    /// As [`FirstStage::forward`].
    pub fn forward(
        &self,
        grid: &Tensor,
        patch: usize,
        smallest: f32,
        queries: usize,
        steps: &mut Steps<'_>,
        stages: &mut Stages,
    ) -> Result<(Vec<f32>, Vec<CentredBox>)> {
        let (rows, cols, width) = grid.dims3()?;
        let (device, cancel) = (grid.device(), steps.cancel());
        let positions = Tensor::from_vec(position::of_grid(rows, cols, width), (rows * cols, width), device)?;
        let positions = positions.broadcast_add(&self.level_embed)?;
        let mut tokens = grid.reshape((rows * cols, width))?;
        for layer in &self.encoder {
            steps.enter_layer()?;
            tokens = layer.forward(&tokens, &positions, cancel)?;
        }
        stages.keep("memory", &tokens)?;

        let proposals = self.first_stage.forward(&tokens.reshape(grid.shape())?, patch, smallest, queries, cancel)?;
        let mut boxes = proposals.boxes;
        let places = proposals.objectness.len();
        stages.keep_numbers("objectness", proposals.objectness, &[places]);
        stages.keep_numbers("proposals", boxes.as_flattened().to_vec(), &[queries, 4]);

        let encoded = Tensor::from_vec(position::of_boxes(&boxes, width), (queries, 2 * width), device)?;
        let encoded = self.pos_trans_norm.forward(&self.pos_trans.forward(&encoded)?)?;
        // What the other half was trained for is learned in `query_embed` instead ("mixed selection").
        let query_positions = encoded.narrow(1, 0, width)?.contiguous()?;
        let memory = Memory { placed: (&tokens + &positions)?, tokens, grid: (rows, cols), patch };
        let input = ((cols * patch) as f32, (rows * patch) as f32);
        let mut content = self.query_embed.narrow(0, 0, queries)?;
        let mut logits = Vec::new();
        let layers = self.decoder.iter().zip(&self.class_embed).zip(&self.bbox_embed).enumerate();
        for (index, ((layer, class_embed), bbox_embed)) in layers {
            steps.enter_layer()?;
            content = layer.forward(&content, &query_positions, &boxes, &memory, cancel)?;
            let normed = self.final_layer_norm.forward(&content)?;
            let deltas = to_host(&bbox_embed.forward(&normed)?)?;
            boxes = boxes.into_iter().zip(deltas).map(|(from, delta)| refine(from, delta, input)).collect();
            let found = class_embed.forward(&normed)?;
            stages.keep(&format!("decoder_{index}.logits"), &found)?;
            stages.keep_numbers(&format!("decoder_{index}.boxes"), boxes.as_flattened().to_vec(), &[queries, 4]);
            logits = found.flatten_all()?.to_vec1()?;
        }
        Ok((logits, boxes))
    }
}
