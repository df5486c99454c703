//! What this project writes into the metadata of a quantised backbone, and reads from it.

use std::collections::HashMap;

use serde::Serialize;

use super::Value;
use crate::checkpoint::sidecar::Sidecar;
use crate::features::Features;
use crate::image::Normalisation;

/// What a quantised file says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantisation {
    /// Bits of most weights: 8 or 4.
    pub bits: u32,
    /// Name of the model that was quantised.
    pub source: String,
    /// SHA-256 of its file, or `random:SEED`.
    pub source_sha256: String,
    /// Against the same model in f32; `None` where it was not measured.
    pub accuracy: Option<Accuracy>,
}

/// How features of a quantised model differ from those of the original on one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Norm of the difference of all patch features over that of the original's.
    pub relative_error: f32,
    /// Cosine of a patch's two features, mean over all patches.
    pub patch_cosine: f32,
    /// The least of them.
    pub least_patch_cosine: f32,
}

impl Accuracy {
    /// Of the same picture through both models.
    ///
    /// # Panics
    /// Where the grids differ.
    pub fn between(original: &Features, quantised: &Features) -> Self {
        assert_eq!(original.patch.data.dim(), quantised.patch.data.dim(), "the same picture and architecture");
        let square =
            |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|number| f64::from(number).powi(2)).sum::<f64>();
        let (a, b) = (&original.patch.data, &quantised.patch.data);
        let difference = square(&mut a.iter().zip(b).map(|(a, b)| a - b));
        let cosines: Vec<f64> = a
            .rows()
            .into_iter()
            .zip(b.rows())
            .map(|(a, b)| {
                let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                dot / (square(&mut a.iter().copied()) * square(&mut b.iter().copied())).sqrt().max(f64::MIN_POSITIVE)
            })
            .collect();
        Self {
            relative_error: (difference / square(&mut a.iter().copied()).max(f64::MIN_POSITIVE)).sqrt() as f32,
            patch_cosine: (cosines.iter().sum::<f64>() / cosines.len() as f64) as f32,
            least_patch_cosine: cosines.iter().copied().fold(f64::INFINITY, f64::min) as f32,
        }
    }

    const UNKNOWN: Self = Self { relative_error: f32::NAN, patch_cosine: f32::NAN, least_patch_cosine: f32::NAN };
}

/// What a network cannot read from the tensors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) quantisation: Quantisation,
    pub(crate) norm_eps: f64,
    pub(crate) key_bias: bool,
    pub(crate) normalisation: Normalisation,
}

impl Facts {
    /// As they are written; of the same length whether or not the accuracy is known.
    pub(crate) fn metadata(&self) -> Vec<(&'static str, Value)> {
        let Quantisation { bits, source, source_sha256, accuracy } = &self.quantisation;
        let accuracy = accuracy.unwrap_or(Accuracy::UNKNOWN);
        vec![
            ("general.architecture", Value::Text("dinov3".to_owned())),
            (NAME, Value::Text(source.clone())),
            ("general.quantization_version", Value::U32(2)),
            (NORM_EPS, Value::F64(self.norm_eps)),
            (KEY_BIAS, Value::Bool(self.key_bias)),
            (MEAN, Value::F32s(self.normalisation.mean.to_vec())),
            (STD, Value::F32s(self.normalisation.std.to_vec())),
            (BITS, Value::U32(*bits)),
            (SHA256, Value::Text(source_sha256.clone())),
            (ERROR, Value::F32(accuracy.relative_error)),
            (COSINE, Value::F32(accuracy.patch_cosine)),
            (LEAST_COSINE, Value::F32(accuracy.least_patch_cosine)),
        ]
    }
}

const NAME: &str = "general.name";
const NORM_EPS: &str = "dinov3.attention.layer_norm_epsilon";
const KEY_BIAS: &str = "dinov3.attention.key_bias";
const MEAN: &str = "dinov3.image_mean";
const STD: &str = "dinov3.image_std";
const BITS: &str = "dinoscope.bits";
const SHA256: &str = "dinoscope.source_sha256";
const ERROR: &str = "dinoscope.relative_error";
const COSINE: &str = "dinoscope.patch_cosine";
const LEAST_COSINE: &str = "dinoscope.least_patch_cosine";

/// What stands in the files beside other checkpoints.
pub(in crate::checkpoint) fn sidecar(metadata: &HashMap<String, Value>) -> Sidecar {
    let three = |key: &str| match metadata.get(key)? {
        Value::F32s(numbers) => <[f32; 3]>::try_from(numbers.as_slice()).ok(),
        _ => None,
    };
    let is_mean = |mean: &[f32; 3]| mean.iter().all(|number| number.is_finite());
    let is_std = |std: &[f32; 3]| std.iter().all(|number| number.is_finite() && *number > 0.0);
    let normalisation = three(MEAN).filter(is_mean).zip(three(STD).filter(is_std));
    Sidecar {
        norm_eps: match metadata.get(NORM_EPS) {
            Some(Value::F64(eps)) => Some(*eps).filter(|eps| eps.is_finite() && *eps > 0.0),
            _ => None,
        },
        key_bias: metadata.get(KEY_BIAS) == Some(&Value::Bool(true)),
        normalisation: normalisation.map(|(mean, std)| Normalisation { mean, std }),
        ..Sidecar::default()
    }
}

/// `None` where another program wrote the file.
pub(in crate::checkpoint) fn quantisation(metadata: &HashMap<String, Value>) -> Option<Quantisation> {
    let text = |key: &str| match metadata.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let number = |key: &str| match metadata.get(key) {
        Some(Value::F32(number)) => Some(*number).filter(|number| number.is_finite()),
        _ => None,
    };
    let &Value::U32(bits) = metadata.get(BITS)? else { return None };
    let accuracy = match (number(ERROR), number(COSINE), number(LEAST_COSINE)) {
        (Some(relative_error), Some(patch_cosine), Some(least_patch_cosine)) => {
            Some(Accuracy { relative_error, patch_cosine, least_patch_cosine })
        }
        _ => None,
    };
    Some(Quantisation { bits, source: text(NAME), source_sha256: text(SHA256), accuracy })
}
