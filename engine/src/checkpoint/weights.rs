//! A backbone's tensors under Meta's names, whatever they are called and however they are cut in the file.

use std::collections::{HashMap, HashSet};
use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::dinotxt;
use super::infer::{self, Shapes};
use super::layout::{Layout, Names, Part};
use super::open::{Checkpoint, Tensor, unreadable};
use super::{CheckpointError, Inspection, Quantisation, QuantisedMatrix, TensorInfo, TensorSource, random};
use crate::heads::recognise;
use crate::image::Normalisation;
use crate::model::ModelConfig;
use crate::{Cancel, Result};

static DEMO: &[u8] = include_bytes!("../../../assets/dinoscope-demo-vitt16.safetensors");

/// Base of the RoPE periods in every published model.
const ROPE_BASE: f64 = 100.0;

/// Where a backbone's tensors come from, under Meta's names (`blocks.0.attn.qkv.weight`), whatever the file's layout:
/// q, k and v are joined, the bias of k is zero, RoPE periods are computed where the file has none.
///
/// Nothing is held but names: every call of [`Weights::load`] reads its tensor from the file.
pub struct Weights {
    path: PathBuf,
    source: Source,
    layout: Layout,
    config: ModelConfig,
    rope_base: f64,
    sha256: OnceLock<String>,
}

enum Source {
    File(Box<FileSource>),
    Random { seed: u64, shapes: Shapes },
}

struct FileSource {
    checkpoint: Checkpoint,
    origins: HashMap<String, Origin>,
    /// Biases that no block of this model has, though the network adds one: `mlp.fc1.bias`.
    zero_biases: HashSet<&'static str>,
}

/// Where one of Meta's tensors lies: indices of the checkpoint's tensors.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    whole: Option<usize>,
    /// The thirds of `attn.qkv`.
    qkv: [Option<usize>; 3],
}

/// Biases that a fine-tuned model may lack as a whole.
const OPTIONAL_BIASES: [&str; 6] =
    ["attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias", "mlp.w1.bias", "mlp.w2.bias", "mlp.w3.bias"];

impl Weights {
    /// Opens a checkpoint file or a hub-style folder and makes sure that it holds a whole DINOv3 backbone.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is broken, holds something else, or lacks a tensor.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        Self::from_checkpoint(Checkpoint::open(path)?)
    }

    /// The bundled demo model.
    ///
    /// # Errors
    /// None, as a test of this project shows; the type is that of [`Weights::open`].
    pub fn demo() -> Result<Self, CheckpointError> {
        Self::from_checkpoint(Checkpoint::from_bytes("dinoscope-demo-vitt16.safetensors", DEMO)?)
    }

    /// Random weights of the scale of trained ones; the same seed gives the same numbers.
    pub fn random(config: &ModelConfig, seed: u64) -> Self {
        Self {
            path: PathBuf::from(format!("random:{seed}")),
            source: Source::Random { seed, shapes: config.tensors().into_iter().collect() },
            layout: Layout::Meta,
            config: config.clone(),
            rope_base: ROPE_BASE,
            sha256: OnceLock::from(format!("random:{seed}")),
        }
    }

    fn from_checkpoint(checkpoint: Checkpoint) -> Result<Self, CheckpointError> {
        let path = checkpoint.path().to_path_buf();
        let not_dinov3 = |reason: String| CheckpointError::NotDinov3 { path: path.clone(), reason };
        let stored_names = checkpoint.tensors().iter().map(|tensor| tensor.name.as_str());
        let names = Names::detect(stored_names.clone()).ok_or_else(|| {
            if dinotxt::is_dinotxt(stored_names.clone()) {
                CheckpointError::Dinotxt { path: path.clone() }
            } else if let Some(task) = recognise(stored_names) {
                CheckpointError::Head { path: path.clone(), task: task.name() }
            } else {
                not_dinov3("it has neither a patch embedding (`patch_embed.proj.weight`) nor a ConvNeXt stem".into())
            }
        })?;
        let origins = origins(&checkpoint, &names);
        let shapes = shapes(&checkpoint, &origins);
        let config = infer::infer(names.family, &shapes, checkpoint.sidecar()).map_err(not_dinov3)?;
        let in_any_block =
            |bias: &str| shapes.keys().any(|name| name.starts_with("blocks.") && name.ends_with(&format!(".{bias}")));
        let zero_biases = OPTIONAL_BIASES.into_iter().filter(|bias| !in_any_block(bias)).collect();
        let weights = Self {
            path,
            layout: names.layout,
            config,
            rope_base: checkpoint.sidecar().rope_base.unwrap_or(ROPE_BASE),
            source: Source::File(Box::new(FileSource { checkpoint, origins, zero_biases })),
            sha256: OnceLock::new(),
        };
        weights.check_complete()?;
        Ok(weights)
    }

    fn check_complete(&self) -> Result<(), CheckpointError> {
        let Source::File(file) = &self.source else { return Ok(()) };
        let tensors = self.config.tensors();
        let missing: Vec<&String> = tensors
            .iter()
            .map(|(name, _)| name)
            .filter(|name| file.origin(name).is_none() && !file.is_zero(name))
            .collect();
        if let [first, others @ ..] = missing.as_slice() {
            let others = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            let reason = format!("it has no tensor `{first}`{others}");
            return Err(CheckpointError::NotDinov3 { path: self.path.clone(), reason });
        }
        let mut stored_bytes = 0u64;
        for (name, shape) in &tensors {
            for piece in file.pieces(name, shape)? {
                if let Piece::Stored(tensor) = piece {
                    stored_bytes = stored_bytes.saturating_add(tensor.bytes.len() as u64);
                }
            }
        }
        // Tensors of torch.save may share their elements, so that a small file could ask for any amount of memory.
        if stored_bytes > file.checkpoint.bytes() {
            return Err(unreadable(&self.path, "its weights share their elements, which those of a backbone never do"));
        }
        if let (ModelConfig::Vit(vit), Some(_)) = (&self.config, file.origin("rope_embed.periods")) {
            file.pieces("rope_embed.periods", &[vit.head_dim() / 4])?;
        }
        Ok(())
    }

    /// The file or folder as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Architecture, read from the tensors and from config.json.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Whose names the file has.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// SHA-256 of the file in hex (several shards: of their digests, one after the other); `random:SEED` for random
    /// weights. Computed once, in seconds for large files.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`] where the file went away; [`crate::Error::Cancelled`].
    pub fn sha256(&self, cancel: &Cancel) -> Result<String> {
        if let (None, Source::File(file)) = (self.sha256.get(), &self.source) {
            let digest = file.checkpoint.sha256(cancel)?;
            return Ok(self.sha256.get_or_init(|| digest).clone());
        }
        Ok(self.sha256.get().cloned().unwrap_or_default())
    }

    /// Mean and deviation of the training pictures: from `preprocessor_config.json` (transformers) or `pretrained_cfg`
    /// (timm), else satellite where the file or its folder is named `sat493m`, else web.
    pub fn normalisation(&self) -> Normalisation {
        let stated = match &self.source {
            Source::File(file) => file.checkpoint.sidecar().normalisation,
            Source::Random { .. } => None,
        };
        let is_satellite = || {
            let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
            // A file in the Hugging Face cache lies at models--OWNER--NAME/snapshots/REVISION/FILE.
            let mut names = absolute.ancestors().filter_map(Path::file_name).map(|name| name.to_string_lossy());
            let near = names.by_ref().take(2).any(|name| is_satellite_name(&name));
            near || names.take(2).any(|name| name.starts_with("models--") && is_satellite_name(&name))
        };
        stated.unwrap_or_else(|| if is_satellite() { Normalisation::SATELLITE } else { Normalisation::WEB })
    }

    /// Whether the bias of k counts, which no published model has.
    pub(crate) fn key_bias(&self) -> bool {
        match &self.source {
            Source::File(file) => file.checkpoint.sidecar().key_bias,
            Source::Random { .. } => false,
        }
    }

    /// Of a file that this project has quantised.
    pub fn quantisation(&self) -> Option<&Quantisation> {
        match &self.source {
            Source::File(file) => file.checkpoint.quantisation(),
            Source::Random { .. } => None,
        }
    }

    /// Whether [`Weights::load`] can give a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            _ if name == ROPE_PERIODS => matches!(self.config, ModelConfig::Vit(_)),
            Source::File(file) => file.origin(name).is_some() || file.is_zero(name),
            Source::Random { shapes, .. } => shapes.contains_key(name),
        }
    }

    /// One tensor as f32, row-major. `rope_embed.periods`, `[head_dim / 4]`, are computed where the file has none.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is missing, has another shape (expected and got are named) or holds NaN or infinity.
    pub fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let shape_error = |got: &[usize]| CheckpointError::Shape {
            path: self.path.clone(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
            got: got.to_vec(),
        };
        match &self.source {
            Source::File(file) if file.origin(name).is_some() || file.is_zero(name) => {
                let numbers = file.load(name, shape)?;
                if name == ROPE_PERIODS { self.checked_periods(numbers) } else { Ok(numbers) }
            }
            Source::Random { seed, shapes } if shapes.contains_key(name) => match shapes[name].as_slice() {
                known if known == shape => Ok(random::tensor(*seed, name, shape)),
                known => Err(shape_error(known)),
            },
            _ => match &self.config {
                ModelConfig::Vit(vit) if name == ROPE_PERIODS => {
                    let periods = rope_periods(self.rope_base, vit.head_dim());
                    if shape == [periods.len()] {
                        self.checked_periods(periods)
                    } else {
                        Err(shape_error(&[periods.len()]))
                    }
                }
                _ => Err(CheckpointError::Missing { path: self.path.clone(), tensor: name.to_owned() }),
            },
        }
    }

    /// Angles are coordinates of at most 2π over these.
    fn checked_periods(&self, periods: Vec<f32>) -> Result<Vec<f32>, CheckpointError> {
        if periods.iter().all(|period| (TAU / period).is_finite()) {
            return Ok(periods);
        }
        Err(unreadable(&self.path, "one of its RoPE periods is zero or close to it"))
    }

    /// What `models inspect` shows.
    pub fn inspect(&self) -> Inspection {
        let tensors = match &self.source {
            Source::File(file) => file.checkpoint.tensors().iter().map(TensorInfo::from).collect(),
            Source::Random { .. } => Vec::new(),
        };
        Inspection::new(&self.path, self.layout, &self.config, self.quantisation().cloned(), tensors)
    }
}

impl TensorSource for Weights {
    fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        Weights::load(self, name, shape)
    }

    fn load_quantised(&self, name: &str, shape: &[usize]) -> Result<Option<QuantisedMatrix>, CheckpointError> {
        let Source::File(file) = &self.source else { return Ok(None) };
        match file.pieces(name, shape)?.as_slice() {
            [Piece::Stored(tensor)] => file.checkpoint.quantised(tensor),
            _ => Ok(None),
        }
    }
}

fn is_satellite_name(name: &str) -> bool {
    name.to_ascii_lowercase().contains("sat493m")
}

const ROPE_PERIODS: &str = "rope_embed.periods";

/// `base^(2i / (head_dim / 2))` for i < head_dim / 4 (reference: `dinov3/layers/rope_position_encoding.py`).
fn rope_periods(base: f64, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 4).map(|i| base.powf(2.0 * i as f64 / (head_dim / 2) as f64) as f32).collect()
}

fn origins(checkpoint: &Checkpoint, names: &Names) -> HashMap<String, Origin> {
    let mut origins: HashMap<String, Origin> = HashMap::new();
    for (index, tensor) in checkpoint.tensors().iter().enumerate() {
        let Some((name, part)) = names.canonical(&tensor.name) else { continue };
        let is_bias = name.ends_with(".bias");
        let third = match part {
            Part::Whole => None,
            Part::Q => Some(0),
            // transformers alone has a switch for it, and without the switch it ignores such a tensor.
            Part::K if is_bias && !(names.layout == Layout::Transformers && checkpoint.sidecar().key_bias) => continue,
            Part::K => Some(1),
            Part::V => Some(2),
        };
        let origin = origins.entry(name).or_default();
        *third.map_or(&mut origin.whole, |third| &mut origin.qkv[third]) = Some(index);
    }
    origins
}

/// Shapes under Meta's names; joined thirds as one tensor of three times as many rows.
fn shapes(checkpoint: &Checkpoint, origins: &HashMap<String, Origin>) -> Shapes {
    let shape = |origin: &Origin| {
        if let Some(whole) = origin.whole {
            return checkpoint.tensors()[whole].shape.clone();
        }
        let third = origin.qkv.iter().flatten().next().map(|&third| checkpoint.tensors()[third].shape.clone());
        let mut shape = third.unwrap_or_default();
        if let Some(rows) = shape.first_mut() {
            *rows = rows.saturating_mul(3);
        }
        shape
    };
    origins.iter().map(|(name, origin)| (name.clone(), shape(origin))).collect()
}

/// A run of a tensor's elements.
enum Piece<'a> {
    Stored(&'a Tensor),
    Zeros(usize),
}

impl FileSource {
    fn origin(&self, name: &str) -> Option<Origin> {
        self.origins.get(name).copied()
    }

    fn is_zero(&self, name: &str) -> bool {
        let mut parts = name.splitn(3, '.');
        parts.next() == Some("blocks")
            && parts.next().is_some()
            && parts.next().is_some_and(|bias| self.zero_biases.contains(bias))
    }

    fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let pieces = self.pieces(name, shape)?;
        let len = shape.iter().product();
        let mut numbers = Vec::with_capacity(len);
        for piece in pieces {
            match piece {
                Piece::Stored(tensor) => self.checkpoint.append_f32(tensor, &mut numbers)?,
                Piece::Zeros(len) => numbers.resize(numbers.len() + len, 0.0),
            }
        }
        let is_joined = self.origin(name).is_some_and(|origin| origin.whole.is_some());
        if is_joined && name.ends_with("attn.qkv.bias") && !self.checkpoint.sidecar().key_bias {
            // The reference multiplies with `bias_mask`, which is 1 for q and v and 0 for k.
            numbers[len / 3..2 * len / 3].fill(0.0);
        }
        Ok(numbers)
    }

    /// What the tensor is put together from, every shape checked, so that `shape` is no larger than the file.
    fn pieces(&self, name: &str, shape: &[usize]) -> Result<Vec<Piece<'_>>, CheckpointError> {
        let path = || self.checkpoint.path().to_path_buf();
        let missing = |tensor: String| CheckpointError::Missing { path: path(), tensor };
        let stored = |index: usize, expected: &[usize]| {
            let tensor = &self.checkpoint.tensors()[index];
            if tensor.shape == expected {
                return Ok(Piece::Stored(tensor));
            }
            let (expected, got) = (expected.to_vec(), tensor.shape.clone());
            Err(CheckpointError::Shape { path: path(), tensor: tensor.name.clone(), expected, got })
        };
        let Some(origin) = self.origin(name) else {
            if self.is_zero(name) {
                return Ok(vec![Piece::Zeros(shape.iter().product())]);
            }
            return Err(missing(name.to_owned()));
        };
        if let Some(whole) = origin.whole {
            return Ok(vec![stored(whole, shape)?]);
        }
        let mut third = shape.to_vec();
        if let Some(rows) = third.first_mut() {
            *rows /= 3;
        }
        let piece = |(index, letter): (Option<usize>, &str)| match index {
            Some(index) => stored(index, &third),
            None if name.ends_with(".bias") => Ok(Piece::Zeros(third.iter().product())),
            None => Err(missing(format!("{name} ({letter})"))),
        };
        origin.qkv.into_iter().zip(["q", "k", "v"]).map(piece).collect()
    }
}
