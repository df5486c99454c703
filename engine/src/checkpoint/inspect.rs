//! What a checkpoint holds, for people and for `--json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ElementType, Layout, Quantisation, Tensor};
use crate::model::ModelConfig;

/// What `models inspect` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The file or folder.
    pub path: PathBuf,
    /// Whose names the file has.
    pub layout: Layout,
    /// Architecture.
    pub config: ModelConfig,
    /// Learned numbers that the backbone reads.
    pub parameters: usize,
    /// Of a file that this project has quantised.
    pub quantisation: Option<Quantisation>,
    /// Tensors of each type.
    pub dtypes: BTreeMap<String, usize>,
    /// Every tensor of the file.
    pub tensors: Vec<TensorInfo>,
}

/// One tensor as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// As in the file.
    pub name: String,
    /// Type of its elements.
    pub dtype: ElementType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
}

impl From<&Tensor> for TensorInfo {
    fn from(tensor: &Tensor) -> Self {
        Self { name: tensor.name.clone(), dtype: tensor.element, shape: tensor.shape.clone() }
    }
}

impl Inspection {
    pub(super) fn new(
        path: &Path,
        layout: Layout,
        config: &ModelConfig,
        quantisation: Option<Quantisation>,
        tensors: Vec<TensorInfo>,
    ) -> Self {
        let mut dtypes = BTreeMap::new();
        for tensor in &tensors {
            *dtypes.entry(tensor.dtype.to_string()).or_default() += 1;
        }
        let (path, config, parameters) = (path.to_path_buf(), config.clone(), config.parameters());
        Self { path, layout, config, parameters, quantisation, dtypes, tensors }
    }
}
