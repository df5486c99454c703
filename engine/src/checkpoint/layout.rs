//! Whose tensor names a checkpoint has, and what each is called in Meta's.
//!
//! Sources: Meta `dinov3/models/{vision_transformer,convnext}.py`; transformers `models/dinov3_vit` and
//! `models/dinov3_convnext` (4.56 to 5); timm `models/{eva,convnext}.py`.

use serde::Serialize;

/// Whose names a checkpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// facebookresearch/dinov3.
    Meta,
    /// Hugging Face transformers.
    Transformers,
    /// timm.
    Timm,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Meta => "meta",
            Self::Transformers => "transformers",
            Self::Timm => "timm",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Vit,
    ConvNext,
}

/// Which part of Meta's tensor a file's tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Q,
    K,
    V,
}

/// How a checkpoint's names are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) layout: Layout,
    pub(super) family: Family,
    /// Before every name: `teacher.backbone.`
    prefix: String,
    /// Whether the feed-forward network is a SwiGLU, whose `up_proj` and `fc2` mean something else than the MLP's.
    gated: bool,
}

/// The first layer's name, which every backbone of its kind has once.
const MARKERS: [(&str, Layout, Family); 5] = [
    ("patch_embed.proj.weight", Layout::Meta, Family::Vit),
    ("embeddings.patch_embeddings.weight", Layout::Transformers, Family::Vit),
    ("downsample_layers.0.0.weight", Layout::Meta, Family::ConvNext),
    ("stages.0.downsample_layers.0.weight", Layout::Transformers, Family::ConvNext),
    ("stem.0.weight", Layout::Timm, Family::ConvNext),
];

/// Found in timm's vision transformers alone.
const TIMM_MARKERS: [&str; 4] = ["reg_token", "blocks.0.gamma_1", "blocks.0.attn.q_bias", "blocks.0.mlp.fc1_g.weight"];

impl Names {
    /// `None` where there is no backbone in the file. Of several, as in a training checkpoint, the teacher or the
    /// running average is taken, then the one least deeply nested.
    pub(super) fn detect<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let found = names.clone().flat_map(|name| {
            MARKERS.iter().filter_map(move |&(marker, layout, family)| {
                let prefix = name.strip_suffix(marker)?;
                (prefix.is_empty() || prefix.ends_with('.')).then_some((prefix, layout, family))
            })
        });
        let (prefix, layout, family) = found.min_by_key(|(prefix, ..)| (preference(prefix), prefix.len()))?;
        let has = |what: &str| names.clone().any(|name| name.strip_prefix(prefix) == Some(what));
        let is_timm = layout == Layout::Meta && family == Family::Vit && TIMM_MARKERS.into_iter().any(has);
        let gated = names
            .clone()
            .filter_map(|name| name.strip_prefix(prefix))
            .any(|name| name.ends_with("mlp.fc1_g.weight") || name.ends_with("mlp.gate_proj.weight"));
        let layout = if is_timm { Layout::Timm } else { layout };
        Some(Self { layout, family, prefix: prefix.to_owned(), gated })
    }

    /// Meta's name of a tensor and which part of it this is; `None` for tensors that are no part of the backbone.
    pub(super) fn canonical(&self, name: &str) -> Option<(String, Part)> {
        let whole = |name: String| Some((name, Part::Whole));
        let rest = self.strip(name)?;
        let parts: Vec<&str> = rest.split('.').collect();
        match (self.layout, self.family) {
            (Layout::Meta, _) => whole(rest.to_owned()),
            (Layout::Transformers, Family::Vit) => self.transformers_vit(&parts),
            (Layout::Timm, Family::Vit) => self.timm_vit(&parts),
            (Layout::Transformers, Family::ConvNext) => transformers_convnext(&parts).and_then(whole),
            (Layout::Timm, Family::ConvNext) => timm_convnext(&parts).and_then(whole),
        }
    }

    fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.prefix).or_else(|| {
            // The final norm of transformers' ConvNeXt stands beside `model`, not in it.
            let outer = self.prefix.strip_suffix("model.")?;
            name.strip_prefix(outer).filter(|rest| rest.starts_with("layer_norm."))
        })
    }

    fn transformers_vit(&self, parts: &[&str]) -> Option<(String, Part)> {
        let whole = |name: &str| Some((name.to_owned(), Part::Whole));
        match parts {
            ["embeddings", "cls_token"] => whole("cls_token"),
            ["embeddings", "register_tokens"] => whole("storage_tokens"),
            ["embeddings", "patch_embeddings", last] => whole(&format!("patch_embed.proj.{last}")),
            // EoMT's names differ in these two.
            ["norm" | "layernorm", last] => whole(&format!("norm.{last}")),
            ["layer" | "layers", block, rest @ ..] | ["model" | "encoder", "layer", block, rest @ ..] => {
                let (name, part) = self.transformers_block(rest)?;
                Some((format!("blocks.{block}.{name}"), part))
            }
            _ => None,
        }
    }

    fn transformers_block(&self, rest: &[&str]) -> Option<(String, Part)> {
        let (name, last) = match rest {
            ["layer_scale1", "lambda1"] => return Some(("ls1.gamma".to_owned(), Part::Whole)),
            ["layer_scale2", "lambda1"] => return Some(("ls2.gamma".to_owned(), Part::Whole)),
            ["norm1", last] => ("norm1", last),
            ["norm2", last] => ("norm2", last),
            ["attention", projection, last] => match projection_part(projection) {
                Some(part) => return Some((format!("attn.qkv.{last}"), part)),
                None if *projection == "o_proj" => ("attn.proj", last),
                None => return None,
            },
            // `w3(silu(w1(x)) * w2(x))` there is `down(silu(gate(x)) * up(x))`.
            ["mlp", "gate_proj", last] => ("mlp.w1", last),
            ["mlp", "up_proj", last] => (if self.gated { "mlp.w2" } else { "mlp.fc1" }, last),
            ["mlp", "down_proj", last] => (if self.gated { "mlp.w3" } else { "mlp.fc2" }, last),
            _ => return None,
        };
        Some((format!("{name}.{last}"), Part::Whole))
    }

    fn timm_vit(&self, parts: &[&str]) -> Option<(String, Part)> {
        let whole = |name: String| Some((name, Part::Whole));
        match parts {
            ["reg_token"] => whole("storage_tokens".to_owned()),
            ["blocks", block, "gamma_1"] => whole(format!("blocks.{block}.ls1.gamma")),
            ["blocks", block, "gamma_2"] => whole(format!("blocks.{block}.ls2.gamma")),
            ["blocks", block, "attn", bias @ ("q_bias" | "k_bias" | "v_bias")] => {
                let part = projection_part(&bias.replace("bias", "proj"))?;
                Some((format!("blocks.{block}.attn.qkv.bias"), part))
            }
            ["blocks", block, "attn", projection @ ("q_proj" | "k_proj" | "v_proj"), last] => {
                Some((format!("blocks.{block}.attn.qkv.{last}"), projection_part(projection)?))
            }
            ["blocks", block, "mlp", "fc1_g", last] => whole(format!("blocks.{block}.mlp.w1.{last}")),
            ["blocks", block, "mlp", "fc1_x", last] => whole(format!("blocks.{block}.mlp.w2.{last}")),
            ["blocks", block, "mlp", "fc2", last] if self.gated => whole(format!("blocks.{block}.mlp.w3.{last}")),
            _ => whole(parts.join(".")),
        }
    }
}

fn preference(prefix: &str) -> u8 {
    match prefix {
        _ if prefix.contains("teacher") || prefix.contains("ema.") => 0,
        _ if prefix.contains("student") => 2,
        _ => 1,
    }
}

fn projection_part(projection: &str) -> Option<Part> {
    match projection {
        "q_proj" => Some(Part::Q),
        "k_proj" => Some(Part::K),
        "v_proj" => Some(Part::V),
        _ => None,
    }
}

fn transformers_convnext(parts: &[&str]) -> Option<String> {
    Some(match parts {
        ["layer_norm", last] => format!("norm.{last}"),
        ["stages", stage, "downsample_layers", i, last] => format!("downsample_layers.{stage}.{i}.{last}"),
        ["stages", stage, "layers", block, "gamma"] => format!("stages.{stage}.{block}.gamma"),
        ["stages", stage, "layers", block, name, last] => {
            let name = match *name {
                "depthwise_conv" => "dwconv",
                "layer_norm" => "norm",
                "pointwise_conv1" => "pwconv1",
                "pointwise_conv2" => "pwconv2",
                _ => return None,
            };
            format!("stages.{stage}.{block}.{name}.{last}")
        }
        _ => return None,
    })
}

fn timm_convnext(parts: &[&str]) -> Option<String> {
    Some(match parts {
        ["stem", i, last] => format!("downsample_layers.0.{i}.{last}"),
        ["head", "norm", last] | ["norm_pre", last] => format!("norm.{last}"),
        ["stages", stage, "downsample", i, last] => format!("downsample_layers.{stage}.{i}.{last}"),
        ["stages", stage, "blocks", block, "gamma"] => format!("stages.{stage}.{block}.gamma"),
        ["stages", stage, "blocks", block, "conv_dw", last] => format!("stages.{stage}.{block}.dwconv.{last}"),
        ["stages", stage, "blocks", block, "norm", last] => format!("stages.{stage}.{block}.norm.{last}"),
        ["stages", stage, "blocks", block, "mlp", "fc1", last] => format!("stages.{stage}.{block}.pwconv1.{last}"),
        ["stages", stage, "blocks", block, "mlp", "fc2", last] => format!("stages.{stage}.{block}.pwconv2.{last}"),
        _ => return None,
    })
}
