//! What the subcommands with a published head share.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dinoscope_engine::heads::{HeadWeights, Task};

/// Where a head comes from.
#[derive(Args, Debug)]
pub struct HeadOptions {
    /// The head's checkpoint, Meta's .pth or a fine-tuned one [default: where torch.hub stores Meta's]
    #[arg(long, value_name = "PATH")]
    head_weights: Option<PathBuf>,
}

impl HeadOptions {
    /// Whether a file was named.
    pub fn is_given(&self) -> bool {
        self.head_weights.is_some()
    }

    /// Opens the head for `task`.
    pub fn open(&self, task: Task) -> Result<HeadWeights> {
        let path = self.head_weights.clone().map_or_else(|| task.published().locate(), Ok)?;
        Ok(HeadWeights::open(&path)?)
    }
}
