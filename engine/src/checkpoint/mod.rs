//! Checkpoint files: what is in them, and whose layout they follow.

use std::path::PathBuf;

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
}

/// Where a backbone's tensors come from, under Meta's names (`blocks.0.attn.qkv.weight`), whatever the file's layout:
/// q, k and v are joined, the bias of k is zero, RoPE periods are computed where the file has none.
pub struct Weights;

impl Weights {
    /// Whether there is a tensor of that name.
    pub fn has(&self, _name: &str) -> bool {
        todo!()
    }

    /// One tensor as f32, row-major.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is missing, has another shape (expected and got are named) or holds NaN or infinity.
    pub fn load(&self, _name: &str, _shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        todo!()
    }
}
