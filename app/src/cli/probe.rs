//! `dinoscope probe`: a classifier of patches, trained from masks.

mod apply;
mod cs;
mod train;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::context::Context;

pub use cs::Cs;

/// Train a classifier of patches from a few masks, and apply it to pictures
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope probe train --images pictures --masks masks -o dogs.safetensors
  dinoscope probe train --images pictures --masks masks --cv leave-one-out --c 1e-7:1:8 -o dogs.safetensors
  dinoscope probe apply dogs.safetensors *.jpg -o found
  dinoscope probe apply dogs.safetensors clip.mp4 -o found.mp4")]
pub struct ProbeArgs {
    #[command(subcommand)]
    command: ProbeCommand,
}

#[derive(Subcommand, Debug)]
enum ProbeCommand {
    Train(train::TrainArgs),
    Apply(apply::ApplyArgs),
}

/// Runs the subcommand.
pub fn run(args: &ProbeArgs, context: &Context) -> Result<()> {
    match &args.command {
        ProbeCommand::Train(args) => train::run(args, context),
        ProbeCommand::Apply(args) => apply::run(args, context),
    }
}
