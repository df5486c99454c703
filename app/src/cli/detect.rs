//! `dinoscope detect`: boxes around objects.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use dinoscope_engine::draw::boxes::{LabelledBox, boxes_over_picture};
use dinoscope_engine::heads::detector::{
    CocoResults, DetectOptions, Detections, Detector, DetectorConfig, image_ids, predict,
};
use dinoscope_engine::heads::{Task, head_device};
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::model::ModelConfig;
use dinoscope_engine::text::phrases;
use dinoscope_engine::{Progress, Watch};
use serde_json::{Value, json};

use super::context::Context;
use super::drawing::parse_share;
use super::exit;
use super::heads::HeadOptions;
use super::output::{Origin, check_file, check_files, create_folder, refuse_input};
use super::pictures::{self, Input, Outcome};
use super::text::watched;

/// Draw boxes around objects
///
/// Needs a detector's weights beside the backbone they were trained on: Meta's, trained on COCO, goes with vit7b16. The
/// backbone sees windows of the picture one by one, and the whole.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope detect street.jpg --model vit7b16 -o street.boxes.png
  dinoscope detect *.jpg --model vit7b16 --size 1024 -o boxes --threshold 0.3
  dinoscope detect val2017/*.jpg --model vit7b16 --threshold 0 --coco results.json   for pycocotools
  dinoscope detect cat.jpg --weights vits16.pth --head-weights mine.pth --classes names.txt -o cat.boxes.png")]
pub struct DetectArgs {
    /// Pictures
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// The picture with boxes: a PNG, or a folder that gets STEM.boxes.png of each
    #[arg(short, long, value_name = "DIR|OUT.png", required_unless_present_any = ["coco", "json"])]
    output: Option<PathBuf>,

    #[command(flatten)]
    head: HeadOptions,

    /// A file with the name of each class, one a line [default: COCO's 91 categories]
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,

    /// Least score, 0 to 1
    #[arg(long, value_name = "SCORE", default_value = "0.5", value_parser = parse_share)]
    threshold: f32,

    /// Most boxes of a picture
    #[arg(long, value_name = "N", default_value = "1500")]
    max: usize,

    /// COCO's results: image_id, category_id, bbox, score, file_name. The id is the number that a file is called by, or
    /// its place from 1
    #[arg(long, value_name = "OUT.json")]
    coco: Option<PathBuf>,

    #[command(flatten)]
    config: ConfigOptions,
}

/// What a head's tensors do not tell.
#[derive(Args, Debug)]
#[command(next_help_heading = "For other heads than the published one")]
struct ConfigOptions {
    /// Windows along each side of the picture [default: 3 on 7B, 2 on smaller models]
    #[arg(long, value_name = "N")]
    windows: Option<usize>,

    /// Blocks whose features are read, from 0 [default: the last of each quarter]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    layers: Option<Vec<usize>>,

    /// Boxes that are followed through the layers [default: half of the head's queries]
    #[arg(long, value_name = "N")]
    queries: Option<usize>,

    /// Sides of the smallest boxes that it starts from, in pixels of the model's input [default: 50]
    #[arg(long, value_name = "PIXELS")]
    smallest: Option<f32>,
}

impl ConfigOptions {
    /// The published configuration for that backbone with what was given.
    fn resolve(&self, backbone: &ModelConfig) -> DetectorConfig {
        let published = DetectorConfig::published(backbone);
        DetectorConfig {
            windows: self.windows.unwrap_or(published.windows),
            layers: self.layers.clone().unwrap_or(published.layers),
            queries: self.queries.or(published.queries),
            smallest: self.smallest.unwrap_or(published.smallest),
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &DetectArgs, context: &Context) -> Result<()> {
    let target = Target::new(args)?;
    let names = args.classes.as_deref().map(phrases::open).transpose()?;
    let weights = args.head.open(Task::Detection)?;
    let mut encoder = context.load_encoder()?;
    let device = context.open_device(Some(&encoder))?;
    let config = args.config.resolve(encoder.config());
    let detector = Detector::open(weights, encoder.config(), config, names, &head_device(&device), &context.cancel)?;
    target.create()?;

    let preprocessing = context.options.preprocessing(encoder.normalisation());
    let options = DetectOptions { most: args.max, floor: args.threshold, ..DetectOptions::new(preprocessing) };
    let origin = Origin::of(&encoder);
    let painter = Painter { args, context, detector: &detector, target, origin };
    let inputs = pictures::inputs(&args.images);
    let mut find = |picture: &Picture, progress: &dyn Fn(Progress)| {
        let watch = Watch { progress, cancel: &context.cancel };
        Ok(predict(&mut encoder, &detector, picture, &options, watch)?)
    };
    let outcome = if let [input] = &inputs[..] {
        let picture = input.read()?;
        let detections = watched(context, |progress| find(&picture, progress))?;
        painter.write(input, &picture, &detections)?;
        Outcome(vec![Some(detections)])
    } else {
        let infer = |_: &Input, picture: Picture| Ok((find(&picture, &|_| ())?, picture));
        pictures::for_each_read(&inputs, context, "detect", Input::read, infer, |input, (detections, picture)| {
            painter.write(input, &picture, &detections)?;
            Ok(detections)
        })?
    };
    if let Some(coco) = &args.coco {
        write_coco(coco, &inputs, &outcome)?;
        context.say(format!("→ {}", coco.display()));
    }
    let provenance = painter.origin.provenance();
    let images = inputs.iter().zip(&outcome.0);
    let images = images.filter_map(|(input, found)| Some(painter.json(input, found.as_ref()?)));
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "head": detector.sha256(),
        "threshold": args.threshold,
        "images": images.collect::<Vec<_>>(),
    }))?;
    outcome.check()
}

fn write_coco(path: &Path, inputs: &[Input], outcome: &Outcome<Detections>) -> Result<()> {
    let mut results = CocoResults::default();
    let ids = image_ids(inputs.iter().map(|input| input.path.as_path()));
    for ((input, id), detections) in inputs.iter().zip(ids).zip(&outcome.0) {
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        results.add(id, &name, detections.as_ref().map_or(&[], |detections| &detections.found));
    }
    Ok(results.write(path)?)
}

/// Where pictures go.
enum Target {
    Nowhere,
    File(PathBuf),
    Folder(PathBuf),
}

impl Target {
    /// Refuses what could not be written, before any work.
    fn new(args: &DetectArgs) -> Result<Self> {
        let inputs: Vec<&Path> = args.images.iter().map(PathBuf::as_path).collect();
        if let Some(coco) = &args.coco {
            check_file(coco, &inputs)?;
        }
        let Some(output) = &args.output else { return Ok(Self::Nowhere) };
        // A folder where one is, or where the name has no ending.
        if output.is_dir() || output.extension().is_none() {
            return Ok(Self::Folder(output.clone()));
        }
        check_files(Some(output), args.coco.as_deref(), &inputs)?;
        if inputs.len() > 1 {
            return Err(exit::usage(format!(
                "{} is one file: of several pictures, -o takes a folder",
                output.display()
            )));
        }
        Ok(Self::File(output.clone()))
    }

    fn create(&self) -> Result<()> {
        if let Self::Folder(folder) = self { create_folder(folder) } else { Ok(()) }
    }

    fn path(&self, input: &Input) -> Option<PathBuf> {
        match self {
            Self::Nowhere => None,
            Self::File(file) => Some(file.clone()),
            Self::Folder(folder) => Some(folder.join(format!("{}.boxes.png", input.stem))),
        }
    }
}

/// Says and draws what was found.
struct Painter<'a> {
    args: &'a DetectArgs,
    context: &'a Context,
    detector: &'a Detector,
    target: Target,
    origin: Origin,
}

impl Painter<'_> {
    fn write(&self, input: &Input, picture: &Picture, detections: &Detections) -> Result<()> {
        let names = self.detector.class_names();
        let count = detections.found.len();
        self.context.say(format!("{}: {count} {}", input.path.display(), if count == 1 { "box" } else { "boxes" }));
        for found in &detections.found {
            let [x0, y0, x1, y1] = found.corners;
            let name = &names[found.class];
            self.context.say(format!("  {:.2}  {name}  ({x0:.0}, {y0:.0}) to ({x1:.0}, {y1:.0})", found.score));
        }
        let Some(path) = self.target.path(input) else { return Ok(()) };
        refuse_input(&path, &self.args.images.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        let boxes: Vec<LabelledBox> = detections.found.iter().map(|found| found.labelled(names)).collect();
        let mut metadata = self.origin.metadata(&detections.geometry);
        metadata.push(("head", self.detector.sha256().to_owned()));
        metadata.push(("threshold", self.args.threshold.to_string()));
        write_picture(&path, &boxes_over_picture(picture, &boxes), &metadata)
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.context.say(format!("→ {}", path.display()));
        Ok(())
    }

    fn json(&self, input: &Input, detections: &Detections) -> Value {
        let names = self.detector.class_names();
        let found = detections.found.iter().map(|found| {
            json!({"class": found.class, "name": names[found.class], "score": found.score, "box": found.corners})
        });
        json!({
            "image": input.path.to_string_lossy(),
            "size": self.origin.size(&detections.geometry),
            "found": found.collect::<Vec<_>>(),
        })
    }
}
