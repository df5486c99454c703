//! A head's checkpoint.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{DType, Device, Result as TensorResult, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::{Cancel, Result};

/// An open file. Nothing is held but names.
pub struct HeadWeights {
    checkpoint: Checkpoint,
    /// Indices of tensors by the names that layers ask for.
    tensors: HashMap<String, usize>,
    sha256: OnceLock<String>,
}

impl HeadWeights {
    /// Opens a checkpoint file, or a folder as on the Hugging Face hub.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        // Tensors of torch.save may share their elements, so that a small file could ask for any amount of memory. Some
        // of a detector's have two names.
        let stored = checkpoint.tensors().iter().map(|tensor| tensor.bytes.len() as u64);
        if stored.fold(0, u64::saturating_add) > checkpoint.bytes().saturating_mul(2) {
            let reason = "too many of its weights share their elements, which those of a head do not".to_owned();
            return Err(CheckpointError::Unreadable { path: path.to_path_buf(), reason }.into());
        }
        let names = checkpoint.tensors().iter().map(|tensor| tensor.name.clone());
        let tensors = names.zip(0..).collect();
        Ok(Self { checkpoint, tensors, sha256: OnceLock::new() })
    }

    /// The same with the names below `root` alone, `root` being whatever stands before a tensor that every head of its
    /// kind has: heads are found in training checkpoints too. Without such a tensor nothing changes.
    #[must_use]
    pub fn below(mut self, marker: &str) -> Self {
        let root = self.tensors.keys().filter_map(|name| name.strip_suffix(marker)).min_by_key(|root| root.len());
        if let Some(root) = root.map(str::to_owned) {
            let tensors = std::mem::take(&mut self.tensors).into_iter();
            self.tensors =
                tensors.filter_map(|(name, index)| Some((name.strip_prefix(&root)?.to_owned(), index))).collect();
        }
        self
    }

    /// The file as it was given.
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }

    /// Every tensor's name, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's shape, where there is such a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.checkpoint.tensors()[*self.tensors.get(name)?].shape)
    }

    /// How many layers there are: those of `{list}.0.{tensor}`, `{list}.1.{tensor}` … without a gap.
    pub fn count(&self, list: &str, tensor: &str) -> usize {
        (0..).take_while(|index| self.tensors.contains_key(&format!("{list}.{index}.{tensor}"))).count()
    }

    /// SHA-256 of the file in hex. Computed once, in seconds for large files.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`] where the file went away; [`crate::Error::Cancelled`].
    pub fn sha256(&self, cancel: &Cancel) -> Result<String> {
        if let Some(known) = self.sha256.get() {
            return Ok(known.clone());
        }
        let digest = self.checkpoint.sha256(cancel)?;
        Ok(self.sha256.get_or_init(|| digest).clone())
    }

    /// Makes layers of f32 tensors on `device`, under the names of the file.
    ///
    /// # Errors
    /// [`CheckpointError`] where a tensor is missing, has another shape than the layer needs or is damaged;
    /// [`crate::Error::Tensor`] where the device has no room.
    pub fn build<T>(&self, device: &Device, make: impl FnOnce(VarBuilder<'_>) -> TensorResult<T>) -> Result<T> {
        let failure = Mutex::new(None);
        let reader = Reader { weights: self, failure: &failure };
        let made = make(VarBuilder::from_backend(Box::new(reader), DType::F32, device.clone()));
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(CheckpointError::into(error)),
            None => Ok(made?),
        }
    }

    fn load(&self, name: &str, shape: Option<&[usize]>) -> Result<(Vec<f32>, Vec<usize>), CheckpointError> {
        let path = || self.path().to_path_buf();
        let Some(&index) = self.tensors.get(name) else {
            return Err(CheckpointError::Missing { path: path(), tensor: name.to_owned() });
        };
        let tensor = &self.checkpoint.tensors()[index];
        if let Some(expected) = shape.filter(|&expected| tensor.shape != expected) {
            let (expected, got) = (expected.to_vec(), tensor.shape.clone());
            return Err(CheckpointError::Shape { path: path(), tensor: tensor.name.clone(), expected, got });
        }
        let mut numbers = Vec::new();
        self.checkpoint.append_f32(tensor, &mut numbers)?;
        Ok((numbers, tensor.shape.clone()))
    }
}

/// Hands tensors to candle's layers, whose errors carry text alone: what failed is kept beside.
struct Reader<'a> {
    weights: &'a HeadWeights,
    failure: &'a Mutex<Option<CheckpointError>>,
}

impl Reader<'_> {
    fn tensor(&self, name: &str, shape: Option<&[usize]>, dtype: DType, device: &Device) -> TensorResult<Tensor> {
        match self.weights.load(name, shape) {
            Ok((numbers, shape)) => Tensor::from_vec(numbers, shape, device)?.to_dtype(dtype),
            Err(error) => {
                let message = error.to_string();
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(candle_core::Error::Msg(message))
            }
        }
    }
}

impl SimpleBackend for Reader<'_> {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> TensorResult<Tensor> {
        self.tensor(name, Some(shape.dims()), dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> TensorResult<Tensor> {
        self.tensor(name, None, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.tensors.contains_key(name)
    }
}
