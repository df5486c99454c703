//! Sizes of a segmentor: from its tensors, the rest from presets.

use super::deformable::DeformableConfig;
use crate::heads::masks::check_classes;
use crate::heads::{HeadError, HeadWeights, Task, recognise};
use crate::model::ModelConfig;

/// What tensors do not tell (reference: `dinov3/eval/segmentation/models`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Places of a map that a head of the deformable attentions reads.
    pub points: usize,
    /// Attention heads of the transformer decoder.
    pub heads: usize,
}

impl Default for Preset {
    /// Meta's.
    fn default() -> Self {
        Self { points: 4, heads: 16 }
    }
}

/// All sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentorConfig {
    /// The adapter's.
    pub adapter: AdapterConfig,
    /// The pixel decoder's.
    pub pixel_decoder: PixelDecoderConfig,
    /// The transformer decoder's.
    pub decoder: DecoderConfig,
}

/// Sizes of the adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterConfig {
    /// Width of the backbone.
    pub dim: usize,
    /// Channels of the convolutional network's first map.
    pub prior_channels: usize,
    /// How many extractors follow the first one, for each layer of the backbone.
    pub extra_extractors: Vec<usize>,
    /// Width within the feed-forward networks.
    pub ffn: usize,
    /// Of the extractors.
    pub deformable: DeformableConfig,
}

/// Sizes of the pixel decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelDecoderConfig {
    /// Width of its maps.
    pub hidden: usize,
    /// Width of what masks are made of.
    pub mask_dim: usize,
    /// How many encoder layers.
    pub layers: usize,
    /// Width within their feed-forward networks.
    pub ffn: usize,
    /// Of the encoder layers.
    pub deformable: DeformableConfig,
}

/// Sizes of the transformer decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// Width of the queries.
    pub hidden: usize,
    /// How many there are.
    pub queries: usize,
    /// Without "no object".
    pub classes: usize,
    /// How many layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width within the feed-forward networks.
    pub ffn: usize,
}

impl SegmentorConfig {
    /// Reads sizes off the shapes.
    ///
    /// # Errors
    /// [`HeadError::NotThisHead`] where the tensors are not those of a segmentor, or of half a one.
    pub fn infer(weights: &HeadWeights, preset: Preset) -> Result<Self, HeadError> {
        Self::of_shapes(weights, preset).map_err(|reason| {
            let reason = other_kind(weights).unwrap_or(reason);
            HeadError::NotThisHead { path: weights.path().to_path_buf(), task: Task::Segmentation, reason }
        })
    }

    fn of_shapes(weights: &HeadWeights, preset: Preset) -> Result<Self, String> {
        const ADAPTER: &str = "segmentation_model.0";
        const PIXELS: &str = "segmentation_model.1.pixel_decoder";
        const DECODER: &str = "segmentation_model.1.predictor";
        let axis = |part: &str, name: &str, axis: usize| -> Result<usize, String> {
            let name = format!("{part}.{name}");
            let shape = weights.shape(&name).ok_or_else(|| format!("it has no tensor `{name}`"))?;
            let len = shape.get(axis).copied().filter(|&len| (1..=MAX_SIZE).contains(&len));
            len.ok_or_else(|| format!("its tensor `{name}` has shape {shape:?}"))
        };
        let rows = |part: &str, name: &str| axis(part, name, 0);
        let deformable = |part: &str, attention: &str, dim: usize, levels: usize| -> Result<DeformableConfig, String> {
            let places = rows(part, &format!("{attention}.attention_weights.weight"))?;
            let inner = rows(part, &format!("{attention}.value_proj.weight"))?;
            let per_head = levels * preset.points;
            let heads = places.checked_div(per_head).filter(|heads| heads * per_head == places && *heads > 0);
            match heads.filter(|&heads| inner.is_multiple_of(heads)) {
                Some(heads) => Ok(DeformableConfig { dim, inner, heads, levels, points: preset.points }),
                None => {
                    Err(format!("its {places} weights of deformable attention do not divide into heads of {per_head}"))
                }
            }
        };

        let dim = axis(ADAPTER, "level_embed", 1)?;
        let first = "interactions.0.extractor";
        let list = format!("{ADAPTER}.interactions");
        let interactions = weights.count(&list, "extractor.query_norm.weight");
        if interactions != 4 {
            return Err(format!("its adapter reads {interactions} layers of a backbone, expected 4"));
        }
        let extra = |index| weights.count(&format!("{list}.{index}.extra_extractors"), "query_norm.weight");
        let adapter = AdapterConfig {
            dim,
            prior_channels: rows(ADAPTER, "spm.stem.0.weight")?,
            extra_extractors: (0..interactions).map(extra).collect(),
            ffn: rows(ADAPTER, &format!("{first}.ffn.fc1.weight"))?,
            deformable: deformable(ADAPTER, &format!("{first}.attn"), dim, 1)?,
        };
        let hidden = axis(DECODER, "query_feat.weight", 1)?;
        if !hidden.is_multiple_of(32) || !hidden.is_multiple_of(preset.heads) {
            return Err(format!("its width {hidden} does not divide into 32 groups and {} heads", preset.heads));
        }
        let encoder_layer = "encoder.encoder.layers.0";
        let pixel_decoder = PixelDecoderConfig {
            hidden,
            mask_dim: rows(PIXELS, "mask_feature.weight")?,
            layers: weights.count(&format!("{PIXELS}.encoder.encoder.layers"), "linear1.weight"),
            ffn: rows(PIXELS, &format!("{encoder_layer}.linear1.weight"))?,
            deformable: deformable(PIXELS, &format!("{encoder_layer}.self_attn"), hidden, 3)?,
        };
        let cross_attention = format!("{DECODER}.transformer_cross_attention_layers");
        let decoder = DecoderConfig {
            hidden,
            queries: rows(DECODER, "query_feat.weight")?,
            classes: rows(DECODER, "class_embed.weight")? - 1,
            layers: weights.count(&cross_attention, "multihead_attn.in_proj_weight"),
            heads: preset.heads,
            ffn: rows(DECODER, "transformer_ffn_layers.0.linear1.weight")?,
        };
        check_classes(decoder.classes)?;
        Ok(Self { adapter, pixel_decoder, decoder })
    }
}

/// What a file holds in a segmentor's place, and where it belongs.
fn other_kind(weights: &HeadWeights) -> Option<String> {
    let names: Vec<&str> = weights.names().collect();
    if names.iter().any(|name| name.starts_with("network.encoder.backbone.")) {
        let what = "it is EoMT's own file, which holds differences from DINOv3's weights: convert it by transformers' \
                    convert_eomt_dinov3_to_hf, and give the folder";
        return Some(what.to_owned());
    }
    let is_segmentor = names.iter().any(|name| name.starts_with("segmentation_model."));
    if !is_segmentor && names.iter().any(|name| name.ends_with("patch_embed.proj.weight")) {
        return Some("it is a backbone, give it by --weights".to_owned());
    }
    let task = recognise(names.into_iter()).filter(|task| *task != Task::Segmentation)?;
    Some(format!("it is one for {}", task.name()))
}

/// No layer is as wide; products of sizes below it do not overflow.
const MAX_SIZE: usize = 1 << 20;

/// The layers that the reference reads: those of the paper for 24 blocks, else at every quarter of the depth.
pub fn published_layers(config: &ModelConfig) -> Vec<usize> {
    match config.depth() {
        24 => vec![4, 11, 17, 23],
        depth => (1..=4).map(|quarter| quarter * (depth / 4).max(1) - 1).collect(),
    }
}
