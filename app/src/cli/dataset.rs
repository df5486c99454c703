//! Folders of classes as datasets: `train/CLASS/picture` and `val/CLASS/picture`, a vector for each picture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::confusion::confusion_matrix;
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::image::crops::random_square;
use dinoscope_engine::image::square::centre_square;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::image::{Filter, Normalisation, Picture, Pixels, SizeRule};
use dinoscope_engine::probe::metrics::{Confusion, best, is_in_top};
use dinoscope_engine::probe::vectors::{PictureKey, VectorStore, folder_for};
use ndarray::{Array2, ArrayView2, s};
use serde_json::{Value, json};

use super::context::Context;
use super::exit;
use super::pictures::{self, Input};

/// Side of the square that a model sees where `--size` is not given.
const DEFAULT_SIDE: usize = 224;

/// Options of all commands that take a dataset.
#[derive(Args, Debug)]
pub struct DatasetArgs {
    /// A folder with train/CLASS/... and val/CLASS/...
    #[arg(value_name = "DATASET")]
    pub folder: PathBuf,

    /// Where vectors of pictures are kept, so that each is made once; without it the system's cache
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// The confusion matrix of the best result, PNG
    #[arg(long, value_name = "OUT.png")]
    confusion: Option<PathBuf>,
}

/// Pictures of a part of a dataset.
pub struct Split {
    /// CLS and the mean of the patches side by side, `[n, 2 * dim]`.
    vectors: Array2<f32>,
    /// `[n]`
    pub labels: Vec<usize>,
}

impl Split {
    /// CLS tokens, `[n, dim]`.
    pub fn cls(&self) -> ArrayView2<'_, f32> {
        self.vectors.slice(s![.., ..self.vectors.ncols() / 2])
    }

    /// CLS and the mean of the patches, `[n, 2 * dim]`.
    pub fn cls_and_mean(&self) -> ArrayView2<'_, f32> {
        self.vectors.view()
    }
}

/// A dataset with the vectors of its pictures.
pub struct Dataset {
    /// Names, sorted.
    pub classes: Vec<String>,
    /// To learn from.
    pub train: Split,
    /// To be tried on.
    pub val: Split,
    /// Random parts of each picture to learn from; 0: its middle.
    crops: usize,
    /// "demo", and the weights' hash.
    pub model: [String; 2],
    /// Whether pictures were left out, which has been said.
    pub has_failures: bool,
}

/// What of a picture the model sees: a square of `side` pixels.
#[derive(Clone, Copy, Debug)]
struct Seen {
    side: usize,
    filter: Filter,
    normalisation: Normalisation,
    part: Part,
}

/// Which part of the picture.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The middle, after the short side was resized to this.
    Middle { short: usize },
    /// A random one, which its number decides.
    Random(usize),
}

impl Seen {
    /// What the model reads.
    fn pixels(&self, picture: &Picture) -> Result<Pixels> {
        let Self { side, filter, normalisation, part } = *self;
        let mut pixels = match part {
            Part::Middle { short } => centre_square(picture, short, side, filter)?,
            Part::Random(number) => random_square(picture, number, side, filter),
        };
        normalisation.apply(&mut pixels);
        Ok(pixels)
    }

    /// What decides the vectors beside the weights, for the cache.
    fn describe(&self) -> String {
        let Self { side, filter, normalisation, part } = self;
        match part {
            Part::Middle { short } => format!("{short} {side} {filter:?} {normalisation:?}"),
            Part::Random(number) => format!("random {number} {side} {filter:?} {normalisation:?}"),
        }
    }
}

/// One result on the pictures of `val`.
pub struct Scored {
    /// "k 20", "C 0.1".
    pub name: String,
    /// `[n, classes]`
    pub scores: Array2<f32>,
}

impl Scored {
    fn share(&self, labels: &[usize], k: usize) -> f64 {
        let rows = self.scores.rows().into_iter().zip(labels);
        let hits = rows.filter(|(row, label)| is_in_top(&row.to_vec(), **label, k)).count();
        hits as f64 / labels.len().max(1) as f64
    }
}

impl DatasetArgs {
    /// Extracts what is not in the cache. `short`: what the short side is resized to for a square of 224. With `crops`,
    /// so many random parts of each picture are learned from instead of its middle.
    pub fn load(&self, short: usize, crops: usize, context: &Context) -> Result<Dataset> {
        let side = match context.options.size {
            None => DEFAULT_SIDE,
            Some(SizeRule::ShortSide(side)) => side,
            Some(_) => return Err(exit::usage("datasets are seen as squares: give --size one number")),
        };
        let (classes, train) = listed(&self.folder.join("train"))?;
        let (val_classes, val) = listed(&self.folder.join("val"))?;
        let unknown: Vec<&String> = val_classes.iter().filter(|name| !classes.contains(name)).collect();
        ensure!(
            unknown.is_empty(),
            "{} has classes that {} lacks: {}",
            self.folder.join("val").display(),
            self.folder.join("train").display(),
            unknown.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        );
        let mut encoder = context.load_encoder()?;
        let side = side.next_multiple_of(encoder.config().stride());
        let short = short * side / DEFAULT_SIDE;
        let provenance = encoder.provenance();
        let model = [provenance.model.clone(), provenance.weights.clone()];
        let made_by = format!("{} {}", provenance.weights, provenance.dtype);
        let filter = context.options.filter().unwrap_or(Filter::Bicubic);
        let normalisation = context.options.normalisation(encoder.normalisation());
        let middle = Seen { side, filter, normalisation, part: Part::Middle { short } };
        let of_train = match crops {
            0 => vec![middle],
            crops => (0..crops).map(|number| Seen { part: Part::Random(number), ..middle }).collect(),
        };
        let mut has_failures = false;
        let mut split = |files: &[Example], seen: &[Seen]| -> Result<Split> {
            let (mut rows, mut labels) = (Vec::new(), Vec::new());
            let mut files = files.to_vec();
            for seen in seen {
                let folder = self.cache_folder(&format!("{made_by} {}", seen.describe()))?;
                let mut store = VectorStore::open(&folder, 2 * encoder.config().dim())?;
                has_failures |= extract(&files, &mut encoder, &mut store, *seen, context)?;
                // What cannot be read is told once.
                files.retain(|(path, _)| PictureKey::of(path).is_ok_and(|key| store.has(&key)));
                for (path, class) in &files {
                    if let Some(vector) = store.get(&PictureKey::of(path)?)? {
                        rows.extend(vector);
                        labels.push(classes.binary_search(class).unwrap_or_default());
                    }
                }
            }
            let width = rows.len() / labels.len().max(1);
            Ok(Split { vectors: Array2::from_shape_vec((labels.len(), width), rows)?, labels })
        };
        let (train, val) = (split(&train, &of_train)?, split(&val, &[middle])?);
        ensure!(
            !train.labels.is_empty() && !val.labels.is_empty(),
            "no picture of {} could be read",
            self.folder.display()
        );
        Ok(Dataset { classes, train, val, crops, model, has_failures })
    }

    /// Where features made in one way are kept: `how` names the weights, the size and whatever else decides them.
    pub fn cache_folder(&self, how: &str) -> Result<PathBuf> {
        let root = match &self.cache {
            Some(folder) => folder.clone(),
            None => {
                dirs::cache_dir().context("this system has no cache folder: give --cache")?.join("dinoscope/vectors")
            }
        };
        let dataset = std::path::absolute(&self.folder)?;
        Ok(folder_for(&root, &format!("{how} {}", dataset.display())))
    }

    /// Tells the results, the best one's classes one by one, and draws its confusion matrix.
    pub fn report(&self, dataset: &Dataset, results: &[Scored], mut json: Value, context: &Context) -> Result<()> {
        let labels = &dataset.val.labels;
        let measured: Vec<(f64, f64)> = results.iter().map(|it| (it.share(labels, 1), it.share(labels, 5))).collect();
        let mut top = 0;
        for (place, (one, _)) in measured.iter().enumerate() {
            if *one > measured[top].0 {
                top = place;
            }
        }
        let pictures = |split: &Split| split.labels.len();
        context.say(format!(
            "{} classes, {} {} to learn from, {} to try",
            dataset.classes.len(),
            pictures(&dataset.train),
            if dataset.crops == 0 { "pictures" } else { "parts of pictures" },
            pictures(&dataset.val)
        ));
        for (result, (one, five)) in results.iter().zip(&measured) {
            context.say(format!("{:12} top-1 {:6.2} %   top-5 {:6.2} %", result.name, 100.0 * one, 100.0 * five));
        }
        let mut confusion = Confusion::new(dataset.classes.len());
        for (row, &label) in results[top].scores.rows().into_iter().zip(labels) {
            confusion.count(label, best(&row.to_vec()));
        }
        let widest = dataset.classes.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let percent =
            |share: Option<f64>| share.map_or("     –  ".to_owned(), |share| format!("{:6.2} %", 100.0 * share));
        context.say(format!("with {}:", results[top].name));
        for (class, name) in dataset.classes.iter().enumerate() {
            let (recall, precision) = (confusion.recall(class), confusion.precision(class));
            context.say(format!("  {name:widest$}  found {}  right {}", percent(recall), percent(precision)));
        }
        if let Some(path) = &self.confusion {
            write_picture(path, &confusion_matrix(&confusion, &dataset.classes, Colormap::Viridis), &[])?;
            context.say(format!("→ {}", path.display()));
        }
        json["model"] = json!(dataset.model[0]);
        json["weights"] = json!(dataset.model[1]);
        json["train"] = json!(pictures(&dataset.train));
        json["val"] = json!(pictures(&dataset.val));
        json["results"] = results
            .iter()
            .zip(&measured)
            .map(|(result, (one, five))| json!({"name": result.name, "top1": one, "top5": five}))
            .collect();
        json["best"] = json!(results[top].name);
        json["classes"] = dataset
            .classes
            .iter()
            .enumerate()
            .map(|(class, name)| {
                json!({"name": name, "recall": confusion.recall(class), "precision": confusion.precision(class)})
            })
            .collect();
        json["confusion"] = json!(self.confusion);
        context.say_json(&json)?;
        if dataset.has_failures { Err(exit::already_reported()) } else { Ok(()) }
    }
}

/// A picture and the name of its class.
type Example = (PathBuf, String);

/// Names of the classes of a folder, sorted, and its pictures with theirs.
fn listed(folder: &Path) -> Result<(Vec<String>, Vec<Example>)> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}: a dataset has train/CLASS and val/CLASS", folder.display()))?;
    let mut classes = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            classes.insert(name, pictures::in_folder(&path)?);
        }
    }
    ensure!(!classes.is_empty(), "{} has no folder for a class", folder.display());
    let files =
        classes.iter().flat_map(|(name, paths)| paths.iter().map(|path| (path.clone(), name.clone()))).collect();
    Ok((classes.into_keys().collect(), files))
}

/// Adds the vectors that the store lacks; whether a picture failed, each of which is reported.
fn extract(
    files: &[Example],
    encoder: &mut Encoder,
    store: &mut VectorStore,
    seen: Seen,
    context: &Context,
) -> Result<bool> {
    let is_missing = |path: &&PathBuf| PictureKey::of(path).map_or(true, |key| !store.has(&key));
    let missing: Vec<PathBuf> = files.iter().map(|(path, _)| path).filter(is_missing).cloned().collect();
    let inputs: Vec<Input> = missing.into_iter().map(Input::of_file).collect();
    let outcome = pictures::for_each_read(
        &inputs,
        context,
        "encoding",
        |input| {
            let key = PictureKey::of(&input.path)?;
            Ok((key, seen.pixels(&input.read()?)?))
        },
        |_, (key, pixels)| {
            let features = encoder.forward(&pixels, &[], &context.cancel)?.output;
            ensure!(features.is_finite(), "its features are not finite: use --dtype f32");
            Ok((key, features.cls_and_mean()))
        },
        |_, (key, vector)| Ok(store.push(key, &vector)?),
    )?;
    let failed = outcome.check();
    if context.options.strict {
        failed?;
        return Ok(false);
    }
    Ok(failed.is_err())
}
