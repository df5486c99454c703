//! What a network is, independent of where it runs.

pub mod config;
pub mod dinotxt;
pub mod flops;
pub mod zoo;

pub use config::{BlocksConfig, ConvNextConfig, Ffn, ModelConfig, VitConfig};
pub use dinotxt::{HeadConfig, TowerConfig};
