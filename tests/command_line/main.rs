//! The command line, run as a user runs it.

mod analyses;
mod arguments;
mod bench;
mod broken_inputs;
mod devices;
mod features;
mod robustness;
mod support;
mod text;
mod video;
