//! The command line, run as a user runs it.

mod analyses;
mod arguments;
mod bench;
mod broken_inputs;
mod dataset;
mod detect;
mod devices;
mod features;
mod heads_depth;
mod probe;
mod quantize;
mod retrieve;
mod robustness;
mod segmentor;
mod support;
mod text;
mod video;
