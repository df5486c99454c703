//! `dinoscope linear`: how good features are, by a linear layer.

use anyhow::Result;
use clap::Args;
use dinoscope_engine::probe::linear::{LinearOptions, RATES, train};
use serde_json::json;

use super::context::Context;
use super::dataset::{DatasetArgs, Scored};

/// What the short side is resized to: the reference's, for a square of 224.
const SHORT: usize = 256;

/// Steps of the reference's epoch.
const EPOCH: usize = 1250;

/// Classify pictures by a linear layer on the CLS token and the mean of the patches
///
/// Trained by stochastic gradient descent at the reference's 13 rates, each told. Pictures are seen as they are: the
/// reference's random crops would need the model at every step.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope linear flowers
  dinoscope linear flowers --model vitb16 --epochs 2 --confusion matrix.png")]
pub struct LinearArgs {
    #[command(flatten)]
    dataset: DatasetArgs,

    /// Of 1,250 steps each
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    epochs: u32,

    /// Pictures of a step
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,

    /// The same seed gives the same layers
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
}

/// Runs the subcommand.
pub fn run(args: &LinearArgs, context: &Context) -> Result<()> {
    let dataset = args.dataset.load(SHORT, context)?;
    let steps = EPOCH * args.epochs as usize;
    let options = LinearOptions { batch: args.batch as usize, steps, seed: args.seed };
    let bar = context.progress_bar("training", Some(steps as u64));
    let progress = |step: usize| bar.set_position(step as u64);
    let (features, labels) = (dataset.train.cls_and_mean(), &dataset.train.labels);
    let layers = train(features, labels, dataset.classes.len(), &RATES, &options, &progress, &context.cancel);
    bar.finish_and_clear();
    let results = RATES.iter().zip(layers?).map(|(rate, layer)| {
        let scores = layer.probabilities(dataset.val.cls_and_mean())?;
        Ok(Scored { name: format!("rate {rate:.0e}"), scores })
    });
    let results = results.collect::<Result<Vec<_>>>()?;
    args.dataset.report(&dataset, &results, json!({"what": "linear", "steps": steps}), context)
}
