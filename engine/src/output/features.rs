//! Features as files: the names and shapes of their tensors.

use std::path::Path;

use super::{Metadata, NamedTensor, Numbers, write_safetensors};
use crate::Result;
use crate::features::Features;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTensor {
    /// `cls`, `registers` or `patch`, of an intermediate layer `layer_8.patch`.
    pub name: String,
    /// `[dim]`, `[registers, dim]` or `[rows, cols, dim]`
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// All tokens of a picture: those of the output, then those of the intermediate `layers` with their index.
pub fn feature_tensors(output: &Features, layers: &[(usize, Features)]) -> Vec<FeatureTensor> {
    let mut all = tensors_of_layer("", output);
    for (layer, features) in layers {
        all.extend(tensors_of_layer(&format!("layer_{layer}."), features));
    }
    all
}

/// Writes [`feature_tensors`] into one safetensors file.
///
/// # Errors
/// As [`super::write_atomically`].
pub fn write_features(
    path: &Path,
    output: &Features,
    layers: &[(usize, Features)],
    metadata: &Metadata<'_>,
) -> Result<()> {
    let tensors = feature_tensors(output, layers);
    let borrowed: Vec<NamedTensor<'_>> =
        tensors.iter().map(|t| (t.name.as_str(), t.shape.as_slice(), Numbers::F32(&t.values))).collect();
    write_safetensors(path, &borrowed, metadata)
}

fn tensors_of_layer(prefix: &str, features: &Features) -> Vec<FeatureTensor> {
    let (registers, dim) = features.registers.dim();
    let grid = &features.patch;
    let mut tensors = vec![
        FeatureTensor { name: format!("{prefix}cls"), shape: vec![features.cls.len()], values: features.cls.clone() },
        FeatureTensor {
            name: format!("{prefix}patch"),
            shape: vec![grid.rows, grid.cols, grid.dim()],
            values: grid.data.iter().copied().collect(),
        },
    ];
    if registers > 0 {
        tensors.insert(
            1,
            FeatureTensor {
                name: format!("{prefix}registers"),
                shape: vec![registers, dim],
                values: features.registers.iter().copied().collect(),
            },
        );
    }
    tensors
}
