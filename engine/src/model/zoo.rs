//! The published checkpoints, and the bundled demo model.

use super::ModelConfig;

/// One row of `dinoscope models`.
#[derive(Clone, Debug)]
pub struct ZooModel {
    /// As given to `--model`.
    pub name: &'static str,
}

/// Every model with a name, the demo first.
pub fn zoo() -> &'static [ZooModel] {
    todo!()
}

/// The model of that name.
pub fn find(_name: &str) -> Option<&'static ZooModel> {
    todo!()
}

impl ZooModel {
    /// Its architecture.
    pub fn config(&self) -> ModelConfig {
        todo!()
    }
}
