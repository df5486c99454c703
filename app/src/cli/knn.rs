//! `dinoscope knn`: how good features are, by their nearest neighbours.

use anyhow::Result;
use clap::Args;
use dinoscope_engine::probe::knn::vote;
use serde_json::json;

use super::context::Context;
use super::dataset::{DatasetArgs, Scored};

/// What the short side is resized to: the reference's, for a square of 224.
const SHORT: usize = 256;

/// Classify pictures by their nearest neighbours among others
///
/// CLS tokens are compared by their cosine; the nearest k vote with the softmax of cosine / 0.07, as in the reference.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope knn flowers                                  flowers/train/rose/1.jpg, flowers/val/rose/2.jpg, ...
  dinoscope knn flowers --model vits16 --k 5,10 --confusion matrix.png")]
pub struct KnnArgs {
    #[command(flatten)]
    dataset: DatasetArgs,

    /// Neighbours that vote
    #[arg(long, value_name = "K,K", value_delimiter = ',', default_value = "10,20,100,200", value_parser = clap::value_parser!(u32).range(1..))]
    k: Vec<u32>,
}

/// Runs the subcommand.
pub fn run(args: &KnnArgs, context: &Context) -> Result<()> {
    let dataset = args.dataset.load(SHORT, 0, context)?;
    let ks: Vec<usize> = args.k.iter().map(|&k| k as usize).collect();
    let (train, val) = (&dataset.train, &dataset.val);
    let votes = vote(train.cls(), &train.labels, dataset.classes.len(), val.cls(), &ks, &context.cancel)?;
    let results: Vec<Scored> =
        votes.into_iter().map(|votes| Scored { name: format!("k {}", votes.k), scores: votes.votes }).collect();
    args.dataset.report(&dataset, &results, json!({"what": "knn"}), context)
}
