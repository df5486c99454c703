//! `dinoscope retrieve`: pictures that are like others.

mod index;
mod region;
mod search;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::context::Context;

/// Find pictures that are like others, as a whole or in a region
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope retrieve index holiday -o holiday.index
  dinoscope retrieve search holiday.index --image cat.jpg -o like-cat.png
  dinoscope retrieve search holiday.index --image cat.jpg --image dog.jpg -k 20    like both
  dinoscope retrieve search holiday.index --image cat.jpg --region 320,200,90,60   like this part")]
pub struct RetrieveArgs {
    #[command(subcommand)]
    command: RetrieveCommand,
}

#[derive(Subcommand, Debug)]
enum RetrieveCommand {
    Index(index::IndexArgs),
    Search(search::SearchArgs),
}

/// Runs the subcommand.
pub fn run(args: &RetrieveArgs, context: &Context) -> Result<()> {
    match &args.command {
        RetrieveCommand::Index(args) => index::run(args, context),
        RetrieveCommand::Search(args) => search::run(args, context),
    }
}
