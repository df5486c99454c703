//! What the files beside a checkpoint say: `config.json` of transformers or timm, `preprocessor_config.json`.

use std::path::Path;

use serde_json::Value;

use super::CheckpointError;
use super::open::{read_small, unreadable};
use crate::image::Normalisation;

/// Facts that tensors do not show.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sidecar {
    /// Attention heads.
    pub(super) heads: Option<usize>,
    /// Attention heads of dino.txt's text tower.
    pub(super) text_heads: Option<usize>,
    /// Epsilon of the layer norms.
    pub(super) norm_eps: Option<f64>,
    /// Base of the RoPE periods.
    pub(super) rope_base: Option<f64>,
    /// Whether transformers uses the bias of k, which no published model has.
    pub(super) key_bias: bool,
    /// Activation of the feed-forward network, as transformers names it.
    pub(super) activation: Option<String>,
    /// Mean and deviation of the training pictures.
    pub(super) normalisation: Option<Normalisation>,
}

impl Sidecar {
    /// Reads what there is in `folder`.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`] for a file that is there but no JSON.
    pub(super) fn read(folder: &Path) -> Result<Self, CheckpointError> {
        let config = json(&folder.join("config.json"))?;
        let preprocessor = json(&folder.join("preprocessor_config.json"))?;
        let processor = json(&folder.join("processor_config.json"))?;
        let (timm, pretrained) = (&config["model_args"], &config["pretrained_cfg"]);
        let positive = |value: &Value| value.as_f64().filter(|v| v.is_finite() && *v > 0.0);
        let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        Ok(Self {
            heads: count(&config["num_attention_heads"]).or_else(|| count(&timm["num_heads"])),
            text_heads: count(&config["text_config"]["num_attention_heads"]),
            norm_eps: positive(&config["layer_norm_eps"]),
            rope_base: positive(&config["rope_theta"])
                .or_else(|| positive(&config["rope_parameters"]["rope_theta"]))
                .or_else(|| positive(&timm["rope_temperature"])),
            key_bias: config["key_bias"].as_bool().unwrap_or(false),
            activation: config["hidden_act"].as_str().map(str::to_owned),
            normalisation: normalisation(&preprocessor["image_mean"], &preprocessor["image_std"])
                .or_else(|| {
                    let processor = &processor["image_processor"];
                    normalisation(&processor["image_mean"], &processor["image_std"])
                })
                .or_else(|| normalisation(&pretrained["mean"], &pretrained["std"]))
                .or_else(|| normalisation(&config["mean"], &config["std"])),
        })
    }
}

/// Null where there is no such file.
fn json(path: &Path) -> Result<Value, CheckpointError> {
    if !path.exists() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&read_small(path)?).map_err(|error| unreadable(path, error))
}

fn normalisation(mean: &Value, std: &Value) -> Option<Normalisation> {
    let three = |value: &Value| -> Option<[f32; 3]> {
        let numbers: Vec<f32> = value.as_array()?.iter().filter_map(Value::as_f64).map(|v| v as f32).collect();
        numbers.try_into().ok().filter(|numbers: &[f32; 3]| numbers.iter().all(|v| v.is_finite()))
    };
    Some(Normalisation { mean: three(mean)?, std: three(std).filter(|std| std.iter().all(|v| *v > 0.0))? })
}
