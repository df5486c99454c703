//! What a backbone is, independent of where it runs.

pub mod config;
pub mod flops;
pub mod zoo;

pub use config::{ConvNextConfig, Ffn, ModelConfig, VitConfig};
