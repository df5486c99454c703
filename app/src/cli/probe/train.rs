//! `dinoscope probe train`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Error, Result, ensure};
use clap::{Args, ValueEnum};
use dinoscope_engine::Watch;
use dinoscope_engine::draw::plot::{Diagram, precision_recall};
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::image::{Mask, Preprocessing, read_mask};
use dinoscope_engine::probe::Probe;
use dinoscope_engine::probe::cross_validation::{Fold, LabelledPatches, leave_one_out, mean_average_precision};
use dinoscope_engine::probe::labels::{Touched, label, shares};
use dinoscope_engine::probe::logistic::{LogisticOptions, fit};
use dinoscope_engine::probe::metrics::PrecisionRecall;
use ndarray::{Array2, Axis, concatenate};
use serde_json::json;

use crate::cli::context::{Context, show_progress};
use crate::cli::exit;
use crate::cli::output::{Origin, check_file};
use crate::cli::pictures::{self, Input, Prepare, Prepared};
use crate::cli::probe::Cs;

/// Train a probe from pictures and masks of the same names
///
/// A patch is labelled where the mask covers less than 1 % or more than 99 % of it. With `--cv leave-one-out` a probe is
/// trained without each picture for each C and tried on it; the C of the highest mean average precision is taken, of equals
/// the largest.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// Folder of pictures
    #[arg(long, value_name = "DIR")]
    images: PathBuf,

    /// Folder of masks, PNG: a.png belongs to a.jpg
    #[arg(long, value_name = "DIR")]
    masks: PathBuf,

    /// The probe
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: PathBuf,

    /// What the masks show
    #[arg(long, value_name = "NAME", default_value = "foreground")]
    name: String,

    /// Inverse of the strength of regularisation: one number, or with --cv several, FIRST:LAST:COUNT by equal factors
    #[arg(long, value_name = "C", default_value = "0.1", value_parser = Cs::parse)]
    c: Cs,

    /// How the best C is found
    #[arg(long, value_enum)]
    cv: Option<CrossValidation>,

    /// Count patches that a mask covers by less than 1 % as foreground, as the reference's notebook does
    #[arg(long)]
    notebook_labels: bool,

    /// Precision over recall of each picture that was left out, PNG
    #[arg(long, value_name = "OUT.png", requires = "cv")]
    plot: Option<PathBuf>,
}

/// `--cv`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CrossValidation {
    /// Each picture in turn
    LeaveOneOut,
}

/// Runs the subcommand.
pub fn run(args: &TrainArgs, context: &Context) -> Result<()> {
    check_file(&args.output, &[&args.images, &args.masks])?;
    if let Some(plot) = &args.plot {
        check_file(plot, &[&args.images, &args.masks])?;
    }
    if args.cv.is_none() && args.c.0.len() > 1 {
        return Err(exit::usage("several --c need --cv leave-one-out, which finds the best of them"));
    }
    let Pairs { inputs, masks, lonely } = pairs(args)?;
    for problem in &lonely {
        eprintln!("dinoscope: {problem}");
        if context.options.strict {
            return Err(exit::already_reported());
        }
    }
    let touched = if args.notebook_labels { Touched::Foreground } else { Touched::Background };
    let (patches, names, origin, failed) = labelled(&inputs, &masks, touched, context)?;
    ensure!(!names.is_empty(), "no picture of {} could be used", args.images.display());
    let options = LogisticOptions::default();
    let start = Instant::now();
    let found = match args.cv {
        Some(CrossValidation::LeaveOneOut) => Some(validated(args, &patches, &names, &options, context)?),
        None => None,
    };
    let c = found.as_ref().map_or(args.c.0[0], |(_, best)| *best);
    let options = LogisticOptions { c, ..options };
    let classifier = fit(patches.features.view(), &patches.labels, 2, &options, None, &context.cancel)?;
    let seconds = start.elapsed().as_secs_f64();
    let provenance = origin.provenance();
    let probe = Probe {
        classifier,
        classes: vec!["background".to_owned(), args.name.clone()],
        model: provenance.model.clone(),
        weights: provenance.weights.clone(),
        size: context.options.size_rule(),
        layer: None,
    };
    probe.save(&args.output)?;

    let foreground = patches.labels.iter().sum::<usize>();
    context.say(format!(
        "{} pictures, {} patches, {foreground} of them {}; C {c:.1e} → {}",
        names.len(),
        patches.labels.len(),
        args.name,
        args.output.display()
    ));
    let folds = found.as_ref().map(|(folds, _)| folds.as_slice()).unwrap_or_default();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "pictures": names,
        "patches": patches.labels.len(),
        "foreground": foreground,
        "cs": args.c.0,
        "folds": folds.iter().map(|fold| json!({
            "picture": names[fold.picture],
            "average_precision": fold.curves.iter().map(|curve| curve.average()).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "mean_average_precision": mean_average_precision(folds),
        "c": c,
        "training_s": seconds,
        "output": args.output,
        "plot": args.plot,
    }))?;
    if failed || !lonely.is_empty() { Err(exit::already_reported()) } else { Ok(()) }
}

/// Pictures and masks of the same names.
struct Pairs {
    /// Pictures that have a mask.
    inputs: Vec<Input>,
    /// Their masks, by picture.
    masks: BTreeMap<PathBuf, PathBuf>,
    /// A sentence for each file that stands alone.
    lonely: Vec<String>,
}

fn pairs(args: &TrainArgs) -> Result<Pairs> {
    let by_stem = |folder: &Path| -> Result<BTreeMap<String, PathBuf>> {
        let stem = |path: PathBuf| Some((path.file_stem()?.to_string_lossy().into_owned(), path));
        Ok(pictures::in_folder(folder)?.into_iter().filter_map(stem).collect())
    };
    let (pictures, mut masks) = (by_stem(&args.images)?, by_stem(&args.masks)?);
    let mut lonely = Vec::new();
    let mut paired = BTreeMap::new();
    for (stem, picture) in pictures {
        match masks.remove(&stem) {
            Some(mask) => drop(paired.insert(picture, mask)),
            None => lonely.push(format!("{} has no mask {stem}.png in {}", picture.display(), args.masks.display())),
        }
    }
    lonely.extend(masks.into_values().map(|mask| {
        let folder = args.images.display();
        format!("{} has no picture of its name in {folder}", mask.display())
    }));
    ensure!(!paired.is_empty(), "no picture of {} has a mask in {}", args.images.display(), args.masks.display());
    let inputs = pictures::inputs(&paired.keys().cloned().collect::<Vec<_>>());
    Ok(Pairs { inputs, masks: paired, lonely })
}

/// Features of all labelled patches, names of the pictures that have some, and whether a picture failed.
fn labelled(
    inputs: &[Input],
    masks: &BTreeMap<PathBuf, PathBuf>,
    touched: Touched,
    context: &Context,
) -> Result<(LabelledPatches, Vec<String>, Origin, bool)> {
    let mut encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let prepare = Prepare::new(&encoder, context);
    let (preprocessing, stride) = (context.options.preprocessing(encoder.normalisation()), encoder.config().stride());
    let outcome = pictures::for_each_read(
        inputs,
        context,
        "encoding",
        |input| {
            let path = masks.get(&input.path).context("it has no mask")?;
            let prepared = prepare.file(&input.path)?;
            let shares = shares_of(path, &prepared, &preprocessing, stride)?;
            Ok((prepared, shares))
        },
        |_, (prepared, shares)| {
            let grid = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch;
            Ok((grid, shares))
        },
        |_, (grid, shares)| {
            let labels = shares.iter().enumerate().filter_map(|(patch, share)| Some((patch, label(*share, touched)?)));
            let (chosen, labels): (Vec<usize>, Vec<usize>) = labels.unzip();
            Ok((grid.data.select(Axis(0), &chosen), labels))
        },
    )?;
    let failed = outcome.check();
    if context.options.strict {
        failed?;
        return gathered(inputs, outcome.0).map(|(patches, names)| (patches, names, origin, false));
    }
    let failed = failed.is_err();
    let (patches, names) = gathered(inputs, outcome.0)?;
    Ok((patches, names, origin, failed))
}

fn gathered(inputs: &[Input], parts: Vec<Option<(Array2<f32>, Vec<usize>)>>) -> Result<(LabelledPatches, Vec<String>)> {
    let (mut names, mut pieces, mut labels, mut of) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (input, part) in inputs.iter().zip(parts) {
        let Some((features, own)) = part else { continue };
        of.extend(std::iter::repeat_n(names.len(), own.len()));
        names.push(input.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        pieces.push(features);
        labels.extend(own);
    }
    let views: Vec<_> = pieces.iter().map(Array2::view).collect();
    let features = if views.is_empty() { Array2::zeros((0, 0)) } else { concatenate(Axis(0), &views)? };
    Ok((LabelledPatches { features, labels, pictures: of }, names))
}

/// Share of each patch of a picture that its mask covers.
fn shares_of(path: &Path, prepared: &Prepared, preprocessing: &Preprocessing, stride: usize) -> Result<Array2<f32>> {
    let mask: Mask = read_mask(path)?;
    let (picture, size) = (&prepared.picture, (mask.width, mask.height));
    ensure!(
        size == (picture.width, picture.height),
        "{} is {}x{} pixels where its picture is {}x{}: a mask has its picture's size",
        path.display(),
        mask.width,
        mask.height,
        picture.width,
        picture.height
    );
    Ok(shares(&mask, preprocessing, stride)?)
}

/// What came of leaving out each picture, told as a table and a plot, and the best C.
fn validated(
    args: &TrainArgs,
    patches: &LabelledPatches,
    names: &[String],
    options: &LogisticOptions,
    context: &Context,
) -> Result<(Vec<Fold>, f64)> {
    let cs = &args.c.0;
    let bar = context.progress_bar("training", None);
    let watch = Watch { progress: &|progress| show_progress(&bar, &progress), cancel: &context.cancel };
    let folds = leave_one_out(patches, names.len(), cs, options, watch);
    bar.finish_and_clear();
    let folds = folds?;
    let means = mean_average_precision(&folds);
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(8);
    let row = |name: &str, values: &[f64]| {
        let cells: String = values.iter().map(|value| format!("  {value:8.4}")).collect();
        context.say(format!("{name:widest$}{cells}"));
    };
    let heads: String = cs.iter().map(|c| format!("  {:>8}", format!("C={c:.0e}"))).collect();
    context.say(format!("{:widest$}{heads}", "left out"));
    for fold in &folds {
        row(&names[fold.picture], &fold.curves.iter().map(|curve| curve.average()).collect::<Vec<_>>());
    }
    row("mean", &means);
    if let Some(plot) = &args.plot {
        let diagrams: Vec<Diagram<'_>> = folds
            .iter()
            .map(|fold| {
                let name = |c: f64, curve: &PrecisionRecall| format!("C={c:.0e} AP={:.1}", 100.0 * curve.average());
                let named = cs.iter().zip(&fold.curves).map(|(&c, curve)| (name(c, curve), curve));
                (names[fold.picture].clone(), named.collect())
            })
            .collect();
        let picture = precision_recall(&diagrams).map_err(Error::msg)?;
        write_picture(plot, &picture, &[])?;
        context.say(format!("→ {}", plot.display()));
    }
    // Of equals the largest C: its probabilities are the surest.
    let best = (0..means.len()).fold(0, |best, at| if means[at] >= means[best] { at } else { best });
    Ok((folds, cs[best]))
}
