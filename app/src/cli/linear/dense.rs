//! Linear layers on patches: segmentation and depth.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::features::{FeatureGrid, Geometry};
use dinoscope_engine::output::records::Access;
use dinoscope_engine::probe::dense::{
    Bins, DepthError, judge_classes, patch_classes, patch_depths, read_depths, read_labels,
};
use dinoscope_engine::probe::grids::GridStore;
use dinoscope_engine::probe::linear::{LinearOptions, RATES, split, train};
use dinoscope_engine::probe::logistic::Classifier;
use dinoscope_engine::probe::metrics::Confusion;
use dinoscope_engine::probe::vectors::PictureKey;
use dinoscope_engine::text::Labels;
use ndarray::{Array2, Axis, concatenate};
use serde_json::json;

use super::LinearArgs;
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::output::Origin;
use crate::cli::pictures::{self, Input, Prepare, Prepared};

/// Patches of a picture that are learned from.
const PATCHES: usize = 256;

/// Classes at most: more are labels that mean something else.
const MOST_CLASSES: usize = 1000;

/// What pixels have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A class.
    Classes,
    /// A depth, in this many bins; 16-bit PNGs are multiplied by `unit`.
    Depths { bins: usize, unit: f32 },
}

/// What the pixels of one picture have.
enum Pixels {
    Classes(Labels),
    Depths(Array2<f32>),
}

impl Pixels {
    fn read(path: &Path, target: Target) -> Result<Self> {
        Ok(match target {
            Target::Classes => Self::Classes(read_labels(path)?),
            Target::Depths { unit, .. } => Self::Depths(read_depths(path, unit)?),
        })
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Classes(labels) => (labels.width, labels.height),
            Self::Depths(depths) => (depths.ncols(), depths.nrows()),
        }
    }
}

/// Pictures of a part of the dataset with their labels' files.
struct Part {
    inputs: Vec<Input>,
    labels: BTreeMap<PathBuf, PathBuf>,
}

/// Features of some patches, and what they have: a class, or a depth.
struct Samples {
    features: Array2<f32>,
    values: Vec<f32>,
}

/// Runs the subcommand on `train/images`, `train/labels`, `val/images` and `val/labels`.
pub fn run(args: &LinearArgs, target: Target, context: &Context) -> Result<()> {
    let parts = ["train", "val"].map(|part| Part::find(&args.dataset.folder.join(part)));
    let [learn, judge] = parts;
    let (learn, judge) = (learn?, judge?);
    let encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let mut extraction = Extraction::new(args, encoder, target, context)?;
    let outcome =
        extraction.for_each(&learn, "encoding", |grid, geometry, pixels| Ok(sampled(grid, geometry, pixels)))?;
    let mut has_failures = failed(&outcome, context)?;
    let parts: Vec<Samples> = outcome.0.into_iter().flatten().collect();
    let views: Vec<_> = parts.iter().map(|part| part.features.view()).collect();
    ensure!(!views.is_empty(), "no picture of {} could be used", args.dataset.folder.join("train").display());
    let features = concatenate(Axis(0), &views)?;
    let values: Vec<f32> = parts.iter().flat_map(|part| part.values.iter().copied()).collect();
    ensure!(!values.is_empty(), "no patch of the pictures to learn from has a label of its own");
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    let bins = match target {
        Target::Depths { bins, .. } => Some(Bins { low, high, count: bins }),
        Target::Classes => None,
    };
    let classes = bins.map_or(high as usize + 1, |bins| bins.count);
    let labels: Vec<usize> = values.iter().map(|&value| bins.map_or(value as usize, |bins| bins.of(value))).collect();

    let options = LinearOptions { batch: args.batch as usize, steps: args.steps(), seed: args.seed };
    let bar = context.progress_bar("training", Some(options.steps as u64));
    let progress = |step: usize| bar.set_position(step as u64);
    let layers = train(features.view(), &labels, classes, &RATES, &options, &progress, &context.cancel)?;
    bar.finish_and_clear();

    let mut scores = Scores::new(layers, bins, classes);
    let outcome =
        extraction.for_each(&judge, "judging", |grid, geometry, pixels| scores.add(grid, geometry, pixels))?;
    has_failures |= failed(&outcome, context)?;
    ensure!(outcome.0.iter().any(Option::is_some), "no picture to try could be used");
    let results = scores.told(context);
    let provenance = origin.provenance();
    context.say_json(&json!({
        "what": if bins.is_some() { "linear depth" } else { "linear segmentation" },
        "model": provenance.model,
        "weights": provenance.weights,
        "patches": labels.len(),
        "classes": classes,
        "range": bins.map(|bins| [bins.low, bins.high]),
        "steps": options.steps,
        "results": results,
    }))?;
    if has_failures { Err(exit::already_reported()) } else { Ok(()) }
}

/// Whether a picture failed, each of which was reported; with `--strict` that is an error.
fn failed<T>(outcome: &pictures::Outcome<T>, context: &Context) -> Result<bool> {
    let failed = outcome.check();
    if context.options.strict {
        failed?;
        return Ok(false);
    }
    Ok(failed.is_err())
}

impl Part {
    fn find(folder: &Path) -> Result<Self> {
        let files = |name: &str| -> Result<BTreeMap<String, PathBuf>> {
            let folder = folder.join(name);
            let entries = std::fs::read_dir(&folder)
                .with_context(|| format!("cannot read {}: it should hold {name} of pictures", folder.display()))?;
            let stem = |path: PathBuf| Some((path.file_stem()?.to_string_lossy().into_owned(), path));
            Ok(entries.filter_map(|entry| stem(entry.ok()?.path())).collect())
        };
        let (pictures, mut known) = (pictures::in_folder(&folder.join("images"))?, files("labels")?);
        let mut labels = BTreeMap::new();
        for picture in &pictures {
            let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
            if let Some(label) = known.remove(stem.as_ref()) {
                labels.insert(picture.clone(), label);
            }
        }
        let stray = known.values().next();
        ensure!(
            stray.is_none(),
            "{} has no picture of its name",
            stray.map_or(String::new(), |it| it.display().to_string())
        );
        Ok(Self { inputs: pictures::inputs(&pictures), labels })
    }
}

/// Features of pictures, each made once: they are kept for the next time.
struct Extraction<'a> {
    encoder: Encoder,
    prepare: Prepare,
    store: GridStore,
    target: Target,
    context: &'a Context,
}

/// A picture that is not encoded yet; `None` where its features are kept.
type Unread = Option<Prepared>;

impl<'a> Extraction<'a> {
    fn new(args: &LinearArgs, encoder: Encoder, target: Target, context: &'a Context) -> Result<Self> {
        let provenance = encoder.provenance();
        let preprocessing = context.options.preprocessing(encoder.normalisation());
        let how = format!("patches {} {} {preprocessing:?}", provenance.weights, provenance.dtype);
        let store = GridStore::open(&args.dataset.cache_folder(&how)?, encoder.config().dim(), Access::Append)?;
        let prepare = Prepare::with(preprocessing, &encoder);
        Ok(Self { encoder, prepare, store, target, context })
    }

    /// Hands the features and labels of every picture to `take`.
    fn for_each<T: Send>(
        &mut self,
        part: &Part,
        stage: &str,
        mut take: impl FnMut(&FeatureGrid, &Geometry, &Pixels) -> Result<T> + Send,
    ) -> Result<pictures::Outcome<T>> {
        let Self { encoder, prepare, store, target, context } = self;
        let kept: HashSet<PictureKey> = store.grids().iter().map(|grid| grid.picture.clone()).collect();
        pictures::for_each_read(
            &part.inputs,
            context,
            stage,
            |input| {
                let labels = part.labels.get(&input.path).context("it has no labels")?;
                let key = PictureKey::of(&input.path)?;
                let unread: Unread = if kept.contains(&key) { None } else { Some(prepare.file(&input.path)?) };
                Ok((key, unread, Pixels::read(labels, *target)?))
            },
            |input, (key, unread, pixels)| {
                if let Some(prepared) = unread {
                    let grid = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch;
                    store.push(key.clone(), &grid, &prepared.geometry)?;
                }
                // Those that were just made are rounded as those of the next time will be.
                let (grid, geometry) = store.get(&key)?.context("its features were kept")?;
                let (expected, got) = (geometry.picture, pixels.size());
                ensure!(
                    got == expected,
                    "{} is {}x{} where its picture is {}x{}: labels have their picture's size",
                    part.labels[&input.path].display(),
                    got.0,
                    got.1,
                    expected.0,
                    expected.1
                );
                Ok((grid, geometry, pixels))
            },
            |_, (grid, geometry, pixels)| take(&grid, &geometry, &pixels),
        )
    }
}

/// Some labelled patches of a picture, the same ones each time.
fn sampled(grid: &FeatureGrid, geometry: &Geometry, pixels: &Pixels) -> Samples {
    let values: Vec<Option<f32>> = match pixels {
        Pixels::Classes(labels) => {
            let classes = patch_classes(labels, geometry, MOST_CLASSES);
            classes.into_iter().map(|class| class.map(|class| class as f32)).collect()
        }
        Pixels::Depths(depths) => patch_depths(depths.view(), geometry),
    };
    let known: Vec<(usize, f32)> =
        values.into_iter().enumerate().filter_map(|(patch, value)| Some((patch, value?))).collect();
    let (_, chosen) = split(known.len(), (PATCHES as f64 / known.len().max(1) as f64).min(1.0), 0);
    let patches: Vec<usize> = chosen.iter().map(|&place| known[place].0).collect();
    Samples {
        features: grid.data.select(Axis(0), &patches),
        values: chosen.iter().map(|&place| known[place].1).collect(),
    }
}

/// How each layer does.
struct Scores {
    layers: Vec<Classifier>,
    bins: Option<Bins>,
    confusions: Vec<Confusion>,
    errors: Vec<DepthError>,
}

impl Scores {
    fn new(layers: Vec<Classifier>, bins: Option<Bins>, classes: usize) -> Self {
        let confusions = layers.iter().map(|_| Confusion::new(classes)).collect();
        let errors = layers.iter().map(|_| DepthError::default()).collect();
        Self { layers, bins, confusions, errors }
    }

    fn add(&mut self, grid: &FeatureGrid, geometry: &Geometry, pixels: &Pixels) -> Result<()> {
        let features = grid.data.view();
        for (place, layer) in self.layers.iter().enumerate() {
            match (pixels, &self.bins) {
                (Pixels::Depths(depths), Some(bins)) => {
                    self.errors[place].judge(layer, bins, features, geometry, depths.view())?;
                }
                (Pixels::Classes(labels), _) => {
                    judge_classes(layer, features, geometry, labels, &mut self.confusions[place])?;
                }
                (Pixels::Depths(_), None) => {}
            }
        }
        Ok(())
    }

    /// A line for each rate.
    fn told(&self, context: &Context) -> Vec<serde_json::Value> {
        let each = RATES.iter().zip(self.confusions.iter().zip(&self.errors));
        each.map(|(rate, (confusion, error))| match self.bins {
            Some(_) => {
                let (rmse, relative) = (error.rmse(), error.relative());
                context.say(format!(
                    "rate {rate:.0e}   RMSE {rmse:.4}   mean error {:.2} % of the depth",
                    100.0 * relative
                ));
                json!({"rate": rate, "rmse": rmse, "relative": relative})
            }
            None => {
                let (iou, accuracy) = (confusion.mean_iou(), confusion.accuracy());
                context.say(format!(
                    "rate {rate:.0e}   mIoU {:6.2} %   pixels {:6.2} %",
                    100.0 * iou,
                    100.0 * accuracy
                ));
                let each: Vec<_> =
                    (0..confusion.counts.nrows()).map(|class| confusion.intersection_over_union(class)).collect();
                json!({"rate": rate, "miou": iou, "accuracy": accuracy, "iou": each})
            }
        })
        .collect()
    }
}
