//! Checkpoint files: what is in them, whose layout they follow, and their tensors under one set of names.
//!
//! ```text
//! file or folder ─ open::Checkpoint ─ layout (names) ─ infer (shapes → ModelConfig) ─► Weights ─► a backend
//! ```
//! Nothing in a file is ever executed, and no size it states is believed before it was compared with the bytes that
//! are there.

mod dinotxt;
mod element;
pub(crate) mod gguf;
pub(crate) mod hash;
mod infer;
mod inspect;
mod layout;
mod open;
mod pickle;
mod quantised;
mod random;
mod safetensors;
mod sidecar;
#[cfg(test)]
mod tests;
mod torch;
mod weights;
mod zip;

use std::path::PathBuf;

pub use dinotxt::{DinotxtPart, DinotxtWeights};
pub use element::ElementType;
pub use gguf::{Accuracy, Quantisation};
pub use inspect::{Inspection, TensorInfo};
pub use layout::Layout;
pub use open::{Checkpoint, Tensor};
pub use quantised::QuantisedMatrix;
pub(crate) use quantised::{GROUP, Group, for_each_group};
pub use weights::Weights;

/// Where a network's tensors come from, under the names of Meta's backbones: `blocks.0.attn.qkv.weight`.
pub trait TensorSource: Send + Sync {
    /// One tensor as f32, row-major.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is missing, has another shape (expected and got are named) or holds NaN or infinity.
    fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError>;

    /// The same matrix as the file holds it; `None` where it is not quantised, or not in one piece.
    ///
    /// # Errors
    /// As [`TensorSource::load`].
    fn load_quantised(&self, _name: &str, _shape: &[usize]) -> Result<Option<QuantisedMatrix>, CheckpointError> {
        Ok(None)
    }
}

/// Why a checkpoint could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Broken, or no checkpoint at all.
    #[error("cannot read {} as a checkpoint: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// What compares texts with pictures, in the place of a backbone.
    #[error(
        "{} is not a complete DINOv3 backbone: it holds dino.txt's text tower and vision head; give it by \
         --dinotxt-weights", path.display()
    )]
    Dinotxt {
        /// The file.
        path: PathBuf,
    },
    /// A published head, in the place of the backbone that it belongs to.
    #[error(
        "{} is not a complete DINOv3 backbone: it holds a head for {task}; give it by --head-weights, beside the model it \
         was trained on", path.display()
    )]
    Head {
        /// The file.
        path: PathBuf,
        /// What it is for.
        task: &'static str,
    },
    /// A checkpoint of something else, or of half a model.
    #[error("{} is not a complete DINOv3 backbone: {reason}", path.display())]
    NotDinov3 {
        /// The file.
        path: PathBuf,
        /// What is missing or too much.
        reason: String,
    },
    /// A tensor was asked for that is not there.
    #[error("{} has no tensor `{tensor}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Meta's name of the tensor.
        tensor: String,
    },
    /// A tensor has another shape than its neighbours say.
    #[error("tensor `{tensor}` of {} has shape {got:?}, expected {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// What the architecture needs.
        expected: Vec<usize>,
        /// What the file has.
        got: Vec<usize>,
    },
    /// A tensor of integers, or of an unknown type.
    #[error("tensor `{tensor}` of {} is {got}: only f16, bf16, f32, f64, q8_0, q4_0 and q4_k weights are read", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// What the file has.
        got: ElementType,
    },
    /// A tensor holds numbers that no trained model has.
    #[error("tensor `{tensor}` of {} holds NaN or infinity: the weights are damaged, download or convert them again", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
    },
}
