//! The architecture of a checkpoint, read from its tensors' shapes.

use std::collections::HashMap;

use super::layout::Family;
use super::sidecar::Sidecar;
use crate::model::{ConvNextConfig, Ffn, ModelConfig, VitConfig};

/// Shapes under Meta's names, where q, k and v that lie apart count as joined.
pub(super) type Shapes = HashMap<String, Vec<usize>>;

/// The architecture, or what speaks against a DINOv3 backbone.
pub(super) fn infer(family: Family, shapes: &Shapes, sidecar: &Sidecar) -> Result<ModelConfig, String> {
    check_activation(shapes, sidecar)?;
    match family {
        Family::Vit => vit(shapes, sidecar).map(ModelConfig::Vit),
        Family::ConvNext => convnext(shapes, sidecar).map(ModelConfig::ConvNext),
    }
}

fn vit(shapes: &Shapes, sidecar: &Sidecar) -> Result<VitConfig, String> {
    if shapes.contains_key("pos_embed") {
        return Err("it has learned positions (`pos_embed`), which DINOv3 does not have".into());
    }
    let &[dim, _, patch, _] = sizes(shapes, "patch_embed.proj.weight")?;
    let depth = count(shapes, "blocks.", "norm1.weight")?;
    let ffn = match shapes.get("blocks.0.mlp.w1.weight") {
        Some(_) => Ffn::SwiGlu { hidden: sizes::<2>(shapes, "blocks.0.mlp.w1.weight")?[0] },
        None => Ffn::Mlp { hidden: sizes::<2>(shapes, "blocks.0.mlp.fc1.weight")?[0] },
    };
    let registers = match shapes.get("storage_tokens") {
        Some(_) => sizes::<3>(shapes, "storage_tokens")?[1],
        None => 0,
    };
    let (Ffn::Mlp { hidden } | Ffn::SwiGlu { hidden }) = ffn;
    if [dim, patch, hidden].contains(&0) {
        return Err("one of its layers is empty".into());
    }
    Ok(VitConfig {
        dim,
        depth,
        heads: heads(dim, shapes, sidecar)?,
        ffn,
        registers,
        patch,
        qkv_bias: shapes.contains_key("blocks.0.attn.qkv.bias"),
        untied_cls_norm: shapes.contains_key("cls_norm.weight"),
        layer_scale: shapes.contains_key("blocks.0.ls1.gamma"),
        norm_eps: sidecar.norm_eps.unwrap_or(1e-5),
    })
}

/// A network with another activation has the same tensors and other features.
fn check_activation(shapes: &Shapes, sidecar: &Sidecar) -> Result<(), String> {
    let known: &[&str] = if shapes.contains_key("blocks.0.mlp.w1.weight") { &["silu", "swish"] } else { &["gelu"] };
    match &sidecar.activation {
        Some(activation) if !known.contains(&activation.as_str()) => Err(format!(
            "its config.json asks for the activation \"{}\", DINOv3 has {}",
            activation.escape_debug(),
            known[0]
        )),
        _ => Ok(()),
    }
}

/// From config.json, else from the stored RoPE periods (one per four channels of a head), else by the published widths.
fn heads(dim: usize, shapes: &Shapes, sidecar: &Sidecar) -> Result<usize, String> {
    let (heads, source) = match (sidecar.heads, shapes.get("rope_embed.periods").map(Vec::as_slice)) {
        (Some(heads), _) => (Some(heads), "config.json"),
        (None, Some(&[periods])) => (dim.checked_div(periods.saturating_mul(4)), "its RoPE periods"),
        (None, _) => (Some(dim / if dim == 4096 { 128 } else { 64 }), "the usual width of a head"),
    };
    match heads {
        Some(heads) if heads > 0 && dim.is_multiple_of(heads) && (dim / heads).is_multiple_of(4) => Ok(heads),
        _ => Err(format!(
            "{dim} channels do not divide into heads by {source}; give num_attention_heads in a config.json beside it"
        )),
    }
}

fn convnext(shapes: &Shapes, sidecar: &Sidecar) -> Result<ConvNextConfig, String> {
    let (mut depths, mut dims) = ([0; 4], [0; 4]);
    for stage in 0..4 {
        let conv = if stage == 0 { 0 } else { 1 };
        dims[stage] = sizes::<4>(shapes, &format!("downsample_layers.{stage}.{conv}.weight"))?[0];
        depths[stage] = count(shapes, &format!("stages.{stage}."), "dwconv.weight")?;
    }
    if dims.contains(&0) {
        return Err("one of its stages is empty".into());
    }
    Ok(ConvNextConfig { depths, dims, norm_eps: sidecar.norm_eps.unwrap_or(1e-6) })
}

/// No layer is as wide; products of sizes below it do not overflow.
const MAX_SIZE: usize = 1 << 20;

/// The shape of a tensor that must be there with that many axes.
pub(super) fn sizes<'a, const RANK: usize>(shapes: &'a Shapes, name: &str) -> Result<&'a [usize; RANK], String> {
    let shape = shapes.get(name).ok_or_else(|| format!("it has no tensor `{name}`"))?;
    let shape: &[usize; RANK] = shape
        .as_slice()
        .try_into()
        .map_err(|_| format!("its tensor `{name}` has shape {shape:?}, expected {RANK} axes"))?;
    match shape.iter().find(|size| **size > MAX_SIZE) {
        Some(size) => Err(format!("its tensor `{name}` has an axis of {size}, more than any network")),
        None => Ok(shape),
    }
}

/// How many blocks there are: `{prefix}{i}.{name}` for every i from 0, without a gap.
pub(super) fn count(shapes: &Shapes, prefix: &str, name: &str) -> Result<usize, String> {
    let missing = |i: usize| format!("it has no tensor `{prefix}{i}.{name}`");
    let contiguous = (0..).take_while(|i| shapes.contains_key(&format!("{prefix}{i}.{name}"))).count();
    let index = |key: &String| key.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
    let last = shapes.keys().filter_map(index).max();
    match last {
        Some(last) if last < contiguous => Ok(contiguous),
        _ => Err(missing(contiguous)),
    }
}
