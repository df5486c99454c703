//! dino.txt's vision head and text tower, in one file without the backbone (reference: `dinov3/hub/dinotxt.py`).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::infer::{self, Shapes};
use super::open::unreadable;
use super::{Checkpoint, CheckpointError, TensorSource};
use crate::model::{BlocksConfig, Ffn, HeadConfig, ModelConfig, TowerConfig};
use crate::text::TextError;
use crate::{Cancel, Error, Result};

/// Width of the text tower's attention heads, which the tensors do not tell.
const HEAD_DIM: usize = 64;
/// Of `torch.nn.LayerNorm`, in both networks.
const NORM_EPS: f64 = 1e-5;
/// Every file of this kind has it, whatever it is nested in.
const MARKER: &str = "text_model.backbone.token_embedding.weight";
/// As [`MARKER`], of a file with the head alone.
const HEAD_MARKER: &str = "visual_model.head.ln_final.weight";

/// What stands before every name of a file of this kind.
fn prefix<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    [MARKER, HEAD_MARKER].iter().find_map(|marker| names.clone().find_map(|name| name.strip_suffix(marker)))
}

/// Whether a file with tensors of these names is of this kind.
pub(super) fn is_dinotxt<'a>(names: impl Iterator<Item = &'a str> + Clone) -> bool {
    prefix(names).is_some()
}

/// An open file. Nothing is held but names.
pub struct DinotxtWeights {
    checkpoint: Checkpoint,
    /// Indices of tensors, by the names that [`DinotxtPart`] has for them behind `head.` or `tower.`.
    tensors: HashMap<String, usize>,
    sha256: OnceLock<String>,
}

impl DinotxtWeights {
    /// Whether a path is a readable file, or folder, of this kind.
    pub fn is_at(path: &Path) -> bool {
        let names = |checkpoint: Checkpoint| is_dinotxt(checkpoint.tensors().iter().map(|tensor| tensor.name.as_str()));
        Checkpoint::open(path).is_ok_and(names)
    }

    /// Opens a checkpoint file or a folder as on the Hugging Face hub.
    ///
    /// # Errors
    /// [`TextError::NotDinotxt`]; [`CheckpointError`] where it is broken.
    pub fn open(path: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let reason = format!("it has neither `{MARKER}` nor `{HEAD_MARKER}`");
        let wrong = || TextError::NotDinotxt { path: path.to_path_buf(), reason };
        let names = || checkpoint.tensors().iter().map(|tensor| tensor.name.as_str());
        let prefix = prefix(names()).ok_or_else(wrong)?.to_owned();
        let tensors: HashMap<String, usize> = (0..)
            .zip(names())
            .filter_map(|(index, name)| Some((canonical(name.strip_prefix(&prefix)?)?, index)))
            .collect();
        // Tensors of torch.save may share their elements, so that a small file could ask for any amount of memory.
        let stored = tensors.values().map(|&index| checkpoint.tensors()[index].bytes.len() as u64);
        if stored.fold(0, u64::saturating_add) > checkpoint.bytes() {
            return Err(unreadable(path, "its weights share their elements").into());
        }
        Ok(Self { checkpoint, tensors, sha256: OnceLock::new() })
    }

    /// The file as it was given.
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }

    /// SHA-256 of the file in hex. Computed once, in seconds for large files.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`] where the file went away.
    pub fn sha256(&self) -> Result<String> {
        if let Some(known) = self.sha256.get() {
            return Ok(known.clone());
        }
        let digest = self.checkpoint.sha256(&Cancel::default())?;
        Ok(self.sha256.get_or_init(|| digest).clone())
    }

    /// The vision head's sizes. The number of attention heads is the backbone's.
    ///
    /// # Errors
    /// [`TextError::Head`] where it does not fit the backbone, [`TextError::NoTransformer`] for a ConvNeXt,
    /// [`TextError::NotDinotxt`] where there is no head.
    pub fn head(&self, backbone: &ModelConfig) -> Result<HeadConfig> {
        let ModelConfig::Vit(vit) = backbone else { return Err(TextError::NoTransformer.into()) };
        let shapes = self.shapes("head.");
        let blocks = self.blocks(&shapes, "its vision head", |_| Ok(vit.heads))?;
        if blocks.dim != vit.dim {
            let path = self.path().to_path_buf();
            return Err(TextError::Head { path, expected: blocks.dim, got: vit.dim }.into());
        }
        Ok(HeadConfig { blocks, projection: self.projection(&shapes)? })
    }

    /// The text tower's sizes. The number of attention heads is that of `text_config` in the config.json of its folder,
    /// else one for every 64 channels.
    ///
    /// # Errors
    /// [`TextError::NotDinotxt`] where there is no tower, or not what this program runs.
    pub fn tower(&self) -> Result<TowerConfig> {
        let shapes = self.shapes("tower.");
        let stated = self.checkpoint.sidecar().text_heads;
        let blocks = self.blocks(&shapes, "its text tower", |dim| {
            let heads = stated.unwrap_or(dim.div_ceil(HEAD_DIM));
            if heads > 0 && dim.is_multiple_of(heads) {
                return Ok(heads);
            }
            Err(format!(
                "its {dim} channels do not divide into {heads} heads; give a folder that holds it and a config.json with \
                 text_config.num_attention_heads"
            ))
        })?;
        if shapes.keys().any(|name| name.starts_with("head_blocks.")) {
            return Err(self.wrong("its text tower has blocks of a head, which Meta's has not".to_owned()));
        }
        let table = |name: &str| infer::sizes::<2>(&shapes, name).copied().map_err(|reason| self.wrong(reason));
        let ([vocabulary, width], [context, _]) = (table("embedding")?, table("positions")?);
        if vocabulary == 0 || width != blocks.dim {
            return Err(self.wrong(format!("its tokens have {width} numbers, its blocks {}", blocks.dim)));
        }
        if context < crate::text::tokenizer::CONTEXT {
            return Err(self.wrong(format!("its text tower reads {context} tokens, texts have 77")));
        }
        Ok(TowerConfig { blocks, vocabulary, context, projection: self.projection(&shapes)? })
    }

    /// The vision head's tensors under the names of a backbone's: `blocks.0.attn.qkv.weight`, `norm.weight`; the
    /// projection is `projection.weight`.
    pub fn head_part(self: &Arc<Self>) -> DinotxtPart {
        DinotxtPart { weights: Arc::clone(self), prefix: "head." }
    }

    /// The text tower's tensors, as [`DinotxtWeights::head_part`]; `embedding` is `[vocabulary, dim]`, `positions` is
    /// `[context, dim]`.
    pub fn tower_part(self: &Arc<Self>) -> DinotxtPart {
        DinotxtPart { weights: Arc::clone(self), prefix: "tower." }
    }

    fn wrong(&self, reason: String) -> Error {
        TextError::NotDinotxt { path: self.path().to_path_buf(), reason }.into()
    }

    fn shapes(&self, prefix: &str) -> Shapes {
        let part = self.tensors.iter().filter_map(|(name, &index)| {
            let shape = self.checkpoint.tensors()[index].shape.clone();
            Some((name.strip_prefix(prefix)?.to_owned(), shape))
        });
        part.collect()
    }

    fn projection(&self, shapes: &Shapes) -> Result<Option<usize>> {
        if !shapes.contains_key("projection.weight") {
            return Ok(None);
        }
        let [outputs, _] = infer::sizes::<2>(shapes, "projection.weight").map_err(|reason| self.wrong(reason))?;
        if *outputs == 0 { Err(self.wrong("its projection is empty".to_owned())) } else { Ok(Some(*outputs)) }
    }

    fn blocks(
        &self,
        shapes: &Shapes,
        what: &str,
        heads: impl FnOnce(usize) -> Result<usize, String>,
    ) -> Result<BlocksConfig> {
        let infer = || -> Result<BlocksConfig, String> {
            let &[_, dim] = infer::sizes::<2>(shapes, "blocks.0.attn.qkv.weight")?;
            let depth = infer::count(shapes, "blocks.", "norm1.weight")?;
            let ffn = if shapes.contains_key("blocks.0.mlp.w1.weight") {
                Ffn::SwiGlu { hidden: infer::sizes::<2>(shapes, "blocks.0.mlp.w1.weight")?[0] }
            } else {
                Ffn::Mlp { hidden: infer::sizes::<2>(shapes, "blocks.0.mlp.fc1.weight")?[0] }
            };
            if [dim, ffn.hidden()].contains(&0) {
                return Err("one of its layers is empty".to_owned());
            }
            Ok(BlocksConfig {
                dim,
                depth,
                heads: heads(dim)?,
                ffn,
                qkv_bias: shapes.contains_key("blocks.0.attn.qkv.bias"),
                layer_scale: shapes.contains_key("blocks.0.ls1.gamma"),
                norm_eps: NORM_EPS,
            })
        };
        infer().map_err(|reason| self.wrong(format!("{what} is not complete ({reason})")))
    }
}

/// One of the two networks of a [`DinotxtWeights`].
pub struct DinotxtPart {
    weights: Arc<DinotxtWeights>,
    prefix: &'static str,
}

impl TensorSource for DinotxtPart {
    fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let DinotxtWeights { checkpoint, tensors, .. } = self.weights.as_ref();
        let path = || checkpoint.path().to_path_buf();
        let Some(&index) = tensors.get(&format!("{}{name}", self.prefix)) else {
            return Err(CheckpointError::Missing { path: path(), tensor: format!("{}{name}", self.prefix) });
        };
        let tensor = &checkpoint.tensors()[index];
        if tensor.shape != shape {
            let (expected, got) = (shape.to_vec(), tensor.shape.clone());
            return Err(CheckpointError::Shape { path: path(), tensor: tensor.name.clone(), expected, got });
        }
        let mut numbers = Vec::with_capacity(shape.iter().product());
        checkpoint.append_f32(tensor, &mut numbers)?;
        Ok(numbers)
    }
}

/// This program's name of a tensor; `None` for what it does not need (`logit_scale`).
fn canonical(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["visual_model", "head", "ln_final", last] => Some(format!("head.norm.{last}")),
        ["visual_model", "head", "linear_projection", last] => Some(format!("head.projection.{last}")),
        ["visual_model", "head", "blocks", rest @ ..] => Some(format!("head.blocks.{}", rest.join("."))),
        ["text_model", "head", "linear_projection", last] => Some(format!("tower.projection.{last}")),
        ["text_model", "head", "blocks", rest @ ..] => Some(format!("tower.head_blocks.{}", rest.join("."))),
        ["text_model", "backbone", "token_embedding", "weight"] => Some("tower.embedding".to_owned()),
        ["text_model", "backbone", "positional_embedding"] => Some("tower.positions".to_owned()),
        ["text_model", "backbone", "ln_final", last] => Some(format!("tower.norm.{last}")),
        ["text_model", "backbone", "blocks", index, module, rest @ ..] => {
            let module = match *module {
                "attention" => "attn",
                "attention_norm" => "norm1",
                "feed_forward" => "mlp",
                "ffn_norm" => "norm2",
                other => other,
            };
            Some(format!("tower.blocks.{index}.{module}.{}", rest.join(".")))
        }
        _ => None,
    }
}
