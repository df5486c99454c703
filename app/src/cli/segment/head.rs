//! A picture divided among the classes of a head.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use dinoscope_engine::heads::eomt::Eomt;
use dinoscope_engine::heads::segmentor::{
    Mode, Preset, Segmentor, SegmentorOptions, WHOLE_SIDE, WINDOW, WINDOW_STRIDE, predict,
};
use dinoscope_engine::heads::{HeadError, HeadWeights, Task, head_device};
use dinoscope_engine::text::phrases;

use super::{Division, ModeChoice, SegmentArgs};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::heads::HeadOptions;
use crate::cli::pictures;
use crate::cli::text::watched;

/// Name of Meta's head, and of the list of its classes.
const ADE20K: &str = "ade20k";

/// Which head divides the picture.
#[derive(Args, Debug)]
pub struct SegmentHeadOptions {
    /// ade20k (Meta's segmentor), a segmentor's checkpoint, or a folder of EoMT on DINOv3. --classes names the classes of a
    /// checkpoint
    #[arg(long, value_name = "HEAD", conflicts_with_all = ["text", "dinotxt_weights", "patches"])]
    head: Option<String>,

    /// The four layers of the backbone that the head reads, from 0 [default: as the reference takes them]
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    layers: Option<Vec<usize>>,

    #[command(flatten)]
    weights: HeadOptions,
}

impl SegmentHeadOptions {
    /// Whether one was asked for.
    pub fn is_any(&self) -> bool {
        self.head.is_some() || self.weights.is_given()
    }
}

/// Runs the head on the picture.
pub fn divide(args: &SegmentArgs, context: &Context) -> Result<Division> {
    let weights = match args.head.head.as_deref() {
        Some(path) if path != ADE20K && args.head.weights.is_given() => {
            let reason =
                format!("--head {path} and --head-weights name two heads: leave one out, or write --head {ADE20K}");
            return Err(exit::usage(reason));
        }
        Some(path) if path != ADE20K => HeadWeights::open(Path::new(path))?,
        _ => args.head.weights.open(Task::Segmentation)?,
    };
    if Eomt::is_in(&weights) { by_eomt(args, weights.path(), context) } else { by_segmentor(args, weights, context) }
}

fn by_segmentor(args: &SegmentArgs, weights: HeadWeights, context: &Context) -> Result<Division> {
    let (mode, options) = (mode(args)?, &context.options);
    let picture = pictures::read(&args.image)?;
    let device = context.open_device(None)?;
    let sha256 = weights.sha256(&context.cancel)?;
    let segmentor = Segmentor::load(weights, Preset::default(), &head_device(&device))?;
    let names = names(args, &segmentor)?;
    let mut encoder = context.load_encoder()?;
    let defaults = SegmentorOptions::new(options.normalisation(encoder.normalisation()));
    let options = SegmentorOptions {
        size: options.size.unwrap_or(defaults.size),
        filter: options.filter().unwrap_or(defaults.filter),
        mode,
        layers: args.head.layers.clone(),
        ..defaults
    };
    let scores = watched(context, |progress| {
        Ok(predict(&mut encoder, &segmentor, &picture, &options, &context.cancel, progress)?)
    })?;
    let mode = if matches!(mode, Mode::Whole { .. }) { ModeChoice::Whole } else { ModeChoice::Slide };
    Ok(Division { picture, scores, names, provenance: encoder.provenance().clone(), by: ("head", sha256), mode })
}

fn by_eomt(args: &SegmentArgs, path: &Path, context: &Context) -> Result<Division> {
    let common = &context.options;
    let is_cut = [args.window, args.stride].iter().any(Option::is_some) || args.mode.is_some();
    if is_cut || args.head.layers.is_some() || common.size.is_some() || common.filter().is_some() {
        let reason = "this head says itself how it reads a picture: leave out --size, --resample, --mode, --window, --stride \
                      and --layers";
        return Err(exit::usage(reason.to_owned()));
    }
    let picture = pictures::read(&args.image)?;
    let device = context.open_device(None)?;
    let eomt = Eomt::load(path, &device, common.dtype, &context.cancel)?;
    let names = match &args.classes.list()? {
        Some(names) => checked(names, eomt.path(), eomt.config().names.len())?,
        None => eomt.config().names.clone(),
    };
    let scores = watched(context, |progress| Ok(eomt.predict(&picture, &context.cancel, progress)?))?;
    let provenance = eomt.provenance().clone();
    let by = ("head", provenance.weights.clone());
    Ok(Division { picture, scores, names, provenance, by, mode: ModeChoice::Slide })
}

/// Names of the segmentor's classes: of `--classes`, of ADE20K where it was asked for, else numbers.
fn names(args: &SegmentArgs, segmentor: &Segmentor) -> Result<Vec<String>> {
    let ade20k = || args.head.head.as_deref().filter(|head| *head == ADE20K).and_then(phrases::preset);
    match args.classes.list()?.or_else(ade20k) {
        Some(names) => checked(&names, segmentor.path(), segmentor.classes()),
        None => Ok((0..segmentor.classes()).map(|class| format!("class {class}")).collect()),
    }
}

fn checked(names: &[String], path: &Path, classes: usize) -> Result<Vec<String>> {
    if names.len() == classes {
        return Ok(names.to_vec());
    }
    Err(HeadError::ClassNames { path: path.to_path_buf(), classes, names: names.len() }.into())
}

fn mode(args: &SegmentArgs) -> Result<Mode> {
    let mode = match args.mode {
        Some(ModeChoice::Whole) => Mode::Whole { side: args.window.unwrap_or(WHOLE_SIDE) },
        _ => Mode::Slide { side: args.window.unwrap_or(WINDOW), stride: args.stride.unwrap_or(WINDOW_STRIDE) },
    };
    mode.check().map_err(|error| exit::usage(error.to_string()))?;
    Ok(mode)
}
