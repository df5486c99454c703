//! `dinoscope linear`: how good features are, by a linear layer.

mod dense;

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::probe::linear::{LinearOptions, RATES, train};
use serde_json::json;

use super::context::Context;
use super::dataset::{DatasetArgs, Scored};

/// What the short side is resized to: the reference's, for a square of 224.
const SHORT: usize = 256;

/// Steps of the reference's epoch.
const EPOCH: usize = 1250;

/// Train a linear layer on frozen features: classes of pictures, classes of pixels, or depths
///
/// Trained by stochastic gradient descent at the reference's 13 rates, each told. Pictures are classified by the CLS token
/// and the mean of the patches, in folders train/CLASS and val/CLASS; pixels by their patch, in train/images,
/// train/labels, val/images and val/labels. The reference draws new random crops at every step; --crops draws so many of
/// each picture once, so that the model runs once for each.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope linear flowers
  dinoscope linear flowers --model vitb16 --epochs 2 --confusion matrix.png
  dinoscope linear flowers --crops 8                          eight random parts of each picture, as in training
  dinoscope linear streets --task segmentation --size 512     labels: grey or indexed PNGs, 255 does not count
  dinoscope linear rooms --task depth --depth-unit 0.001      labels: 16-bit PNGs in millimetres, or .npy in metres")]
pub struct LinearArgs {
    #[command(flatten)]
    dataset: DatasetArgs,

    /// Random crops of each picture to learn from, turned over in half of all cases; 0: its middle (--task classification)
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=1000))]
    crops: u32,

    /// What is learned
    #[arg(long, value_enum, default_value_t = Task::Classification)]
    task: Task,

    /// Depths are told apart in so many steps (--task depth)
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(2..=4096))]
    bins: u32,

    /// What one step of a 16-bit PNG means (--task depth)
    #[arg(long, value_name = "UNIT", default_value = "0.001")]
    depth_unit: f32,

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

/// `--task`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Task {
    /// A class for each picture
    Classification,
    /// A class for each pixel
    Segmentation,
    /// A depth for each pixel
    Depth,
}

impl LinearArgs {
    fn steps(&self) -> usize {
        EPOCH * self.epochs as usize
    }
}

/// Runs the subcommand.
pub fn run(args: &LinearArgs, context: &Context) -> Result<()> {
    match args.task {
        Task::Classification => classify(args, context),
        Task::Segmentation => dense::run(args, dense::Target::Classes, context),
        Task::Depth => {
            let target = dense::Target::Depths { bins: args.bins as usize, unit: args.depth_unit };
            dense::run(args, target, context)
        }
    }
}

fn classify(args: &LinearArgs, context: &Context) -> Result<()> {
    let dataset = args.dataset.load(SHORT, args.crops as usize, context)?;
    let steps = args.steps();
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
    args.dataset.report(&dataset, &results, json!({"what": "linear", "steps": steps, "crops": args.crops}), context)
}
