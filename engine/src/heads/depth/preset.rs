//! What the tensors of a depth head do not tell (reference: `dinov3/hub/depthers.py`).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::dpt::STAGES;
use crate::heads::{HeadError, Task};
use crate::image::{Normalisation, SizeRule};
use crate::model::ModelConfig;

/// A published depth head, and all that are trained as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum DepthPreset {
    /// Distance from the camera (`dinov3_vit7b16_dd`, trained on SYNTHMIX).
    Synthmix,
    /// Height of trees in pictures from above (`dinov3_vitl16_chmv2`).
    Chmv2,
}

impl DepthPreset {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 2] = [("synthmix", Self::Synthmix), ("chmv2", Self::Chmv2)];

    /// As `--preset` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synthmix => "synthmix",
            Self::Chmv2 => "chmv2",
        }
    }

    /// What it is for.
    pub fn task(self) -> Task {
        match self {
            Self::Synthmix => Task::Depth,
            Self::Chmv2 => Task::CanopyHeight,
        }
    }

    /// The size that pictures are evaluated at: short side 768 (`config-nyu-synthmix-dpt-inference.yaml`), or as they
    /// are (`notebooks/chmv2_inference.ipynb`).
    pub fn size(self) -> SizeRule {
        match self {
            Self::Synthmix => SizeRule::ShortSide(768),
            Self::Chmv2 => SizeRule::Native,
        }
    }

    /// Mean and deviation of its input, for a backbone that expects `trained_with`.
    pub fn normalisation(self, trained_with: Normalisation) -> Normalisation {
        match self {
            Self::Synthmix => trained_with,
            // Not quite those of the satellite backbone: the notebook has 0.420 for red.
            Self::Chmv2 => Normalisation { mean: [0.420, 0.411, 0.296], std: [0.213, 0.156, 0.143] },
        }
    }

    /// Least and greatest value, in metres.
    fn range(self) -> (f32, f32) {
        match self {
            Self::Synthmix => (0.001, 100.0),
            Self::Chmv2 => (0.001, 96.0),
        }
    }

    /// The layers that a backbone of `depth` blocks is read at: the ends of its quarters. The reference's depth
    /// heads on ViT-L read block 4 in the place of 5.
    fn layers(self, depth: usize) -> Option<Vec<usize>> {
        match (self, depth) {
            (Self::Synthmix, 24) => Some(vec![4, 11, 17, 23]),
            (_, 0..STAGES) => None,
            _ => Some((1..=STAGES).map(|quarter| quarter * (depth / STAGES) - 1).collect()),
        }
    }
}

impl fmt::Display for DepthPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DepthPreset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, preset)| preset);
        found.ok_or_else(|| format!("there is no depth head {name}: choose synthmix or chmv2"))
    }
}

/// What a person says about a head; the rest is read from its tensors, or as published.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DepthChoice {
    /// Which of the published heads it was trained as.
    pub preset: Option<DepthPreset>,
    /// Four blocks of the backbone, from 0.
    pub layers: Option<Vec<usize>>,
    /// In metres.
    pub least: Option<f32>,
    /// In metres.
    pub greatest: Option<f32>,
}

/// What a head needs beside its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthSettings {
    /// Which of the published heads it was trained as.
    pub preset: DepthPreset,
    /// Blocks of the backbone that it reads, from 0.
    pub layers: Vec<usize>,
    /// Value of its first bin, in metres.
    pub least: f32,
    /// Value of its last bin, in metres.
    pub greatest: f32,
}

impl DepthSettings {
    /// For the head in `path` on this backbone.
    ///
    /// # Errors
    /// [`HeadError::NoTransformer`], [`HeadError::LayerCount`], [`HeadError::Layer`], [`HeadError::FewBlocks`],
    /// [`HeadError::Range`].
    pub(super) fn new(
        path: &Path,
        preset: DepthPreset,
        choice: &DepthChoice,
        backbone: &ModelConfig,
    ) -> Result<Self, HeadError> {
        let path = || path.to_path_buf();
        let ModelConfig::Vit(vit) = backbone else { return Err(HeadError::NoTransformer { path: path() }) };
        let few_blocks = || HeadError::FewBlocks { path: path(), reads: STAGES, blocks: vit.depth };
        let layers = choice.layers.clone().map_or_else(|| preset.layers(vit.depth).ok_or_else(few_blocks), Ok)?;
        if layers.len() != STAGES {
            return Err(HeadError::LayerCount { path: path(), expected: STAGES, got: layers.len() });
        }
        if let Some(&layer) = layers.iter().find(|layer| **layer >= vit.depth) {
            return Err(HeadError::Layer { path: path(), layer, last: vit.depth - 1 });
        }
        let (least, greatest) = preset.range();
        let (least, greatest) = (choice.least.unwrap_or(least), choice.greatest.unwrap_or(greatest));
        // Bins of canopy heights reach an eighth of the range, and are spaced by logarithms.
        let last = if preset == DepthPreset::Chmv2 { greatest / 8.0 } else { greatest };
        if !(least > 0.0 && last > least && greatest.is_finite()) {
            return Err(HeadError::Range { least, greatest });
        }
        Ok(Self { preset, layers, least, greatest })
    }
}
