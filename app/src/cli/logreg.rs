//! `dinoscope logreg`: how good features are, by a logistic regression.

use anyhow::Result;
use clap::Args;
use dinoscope_engine::probe::linear::split;
use dinoscope_engine::probe::logistic::{Classifier, LogisticOptions, fit};
use dinoscope_engine::probe::metrics::best;
use ndarray::Axis;
use serde_json::json;

use super::context::Context;
use super::dataset::{DatasetArgs, Scored};
use super::probe::Cs;

/// What the short side is resized to: the reference's, for a square of 224.
const SHORT: usize = 224;

/// Share of the pictures to learn from that C is chosen by.
const HELD_OUT: f64 = 0.1;

/// Classify pictures by a logistic regression of their CLS tokens
///
/// C is the one that does best on a tenth of the pictures to learn from; the classifier is then trained on all of them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope logreg flowers
  dinoscope logreg flowers --model vitb16 --c 1e-3:10:9 --confusion matrix.png")]
pub struct LogregArgs {
    #[command(flatten)]
    dataset: DatasetArgs,

    /// Inverses of the strength of regularisation that are tried: FIRST:LAST:COUNT by equal factors, or one
    #[arg(long, value_name = "C", default_value = "1e-6:1e5:45", value_parser = Cs::parse)]
    c: Cs,
}

/// Runs the subcommand.
pub fn run(args: &LogregArgs, context: &Context) -> Result<()> {
    let dataset = args.dataset.load(SHORT, 0, context)?;
    let (features, labels, classes) = (dataset.train.cls(), &dataset.train.labels, dataset.classes.len());
    let train = |rows: &[usize], c: f64, start: Option<&Classifier>| {
        let own: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        let options = LogisticOptions { c, ..LogisticOptions::default() };
        fit(features.select(Axis(0), rows).view(), &own, classes, &options, start, &context.cancel)
    };
    let all: Vec<usize> = (0..labels.len()).collect();
    let (rows, held_out) = split(labels.len(), HELD_OUT, 0);
    let bar = context.progress_bar("training", Some(args.c.0.len() as u64));
    let (mut last, mut chosen, mut tried) = (None, (args.c.0[0], -1.0), Vec::new());
    for &c in args.c.0.iter().filter(|_| args.c.0.len() > 1) {
        let classifier = train(&rows, c, last.as_ref())?;
        let scores = classifier.probabilities(features.select(Axis(0), &held_out).view())?;
        let right = scores.rows().into_iter().zip(&held_out).filter(|(row, at)| best(&row.to_vec()) == labels[**at]);
        let share = right.count() as f64 / held_out.len().max(1) as f64;
        tried.push(json!({"c": c, "top1": share}));
        if share > chosen.1 {
            chosen = (c, share);
        }
        last = Some(classifier);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let classifier = train(&all, chosen.0, None)?;
    let scores = classifier.probabilities(dataset.val.cls())?;
    let results = [Scored { name: format!("C {:.3e}", chosen.0), scores }];
    args.dataset.report(&dataset, &results, json!({"what": "logreg", "c": chosen.0, "tried": tried}), context)
}
