//! `dinoscope classify`: which class or phrase describes a picture?

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use dinoscope_engine::heads::Task;
use dinoscope_engine::heads::classifier::{self, ClassifierHead, ClassifyOptions};
use dinoscope_engine::image::Picture;
use dinoscope_engine::probe::knn::nearest;
use dinoscope_engine::text::segment;
use serde_json::{Value, json};

use super::context::Context;
use super::exit;
use super::heads::HeadOptions;
use super::output::Origin;
use super::pictures::{self, Input};
use super::text::{ClassOptions, DinotxtOptions, segment_options};

/// Say which classes or phrases describe whole pictures
///
/// With --text or --classes: needs dino.txt's weights beside the backbone they were trained on (vitl16). Scores are
/// cosines between picture and phrase; only their order means something. Without, or with --head-weights: needs a
/// linear head, the published one being for ImageNet's 1,000 classes and vit7b16. Scores are probabilities.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope classify *.jpg --model vit7b16
  dinoscope classify *.jpg --model vitb16 --head-weights flowers.pth --classes flowers.txt
  dinoscope classify *.jpg --model vitl16 --dinotxt-weights dinotxt.pth --text 'a cat' --text 'a dog'
  dinoscope classify cat.jpg --model vitl16 --classes imagenet --top 3 --json")]
pub struct ClassifyArgs {
    /// Pictures
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    #[command(flatten)]
    head: HeadOptions,

    #[command(flatten)]
    classes: ClassOptions,

    #[command(flatten)]
    dinotxt: DinotxtOptions,

    /// How many classes or phrases are listed
    #[arg(long, value_name = "K", default_value = "5")]
    top: usize,
}

/// Runs the subcommand.
pub fn run(args: &ClassifyArgs, context: &Context) -> Result<()> {
    match (args.head.is_given(), args.classes.is_any()) {
        (false, false) if args.dinotxt.is_given() => {
            Err(exit::usage("name what to look for, by --text or --classes".to_owned()))
        }
        (false, true) => by_words(args, context),
        _ => by_head(args, context),
    }
}

/// By a linear head.
fn by_head(args: &ClassifyArgs, context: &Context) -> Result<()> {
    if args.classes.is_text() {
        return Err(exit::usage(
            "--text is compared by dino.txt: leave --head-weights out, or name its classes by --classes",
        ));
    }
    let weights = args.head.open(Task::Classification).map_err(|error| match args.head.is_given() {
        true => error,
        false => anyhow!("{error}; or name what to look for by --text, for dino.txt"),
    })?;
    let names = args.classes.is_any().then(|| args.classes.phrases()).transpose()?;
    let mut encoder = context.load_encoder()?;
    let head = ClassifierHead::load(weights, encoder.config(), names, &context.cancel)?;
    let common = &context.options;
    let published = ClassifyOptions::new(common.normalisation(encoder.normalisation()));
    let options = ClassifyOptions {
        size: common.size.unwrap_or(published.size),
        filter: common.filter().unwrap_or(published.filter),
        ..published
    };
    let listing =
        Listing { origin: Origin::of(&encoder), by: ("head", head.sha256().to_owned()), names: head.classes() };
    listing.run(args, context, |picture| {
        Ok(classifier::classify(&mut encoder, &head, picture, &options, &context.cancel)?)
    })
}

/// By dino.txt.
fn by_words(args: &ClassifyArgs, context: &Context) -> Result<()> {
    let phrases = args.classes.phrases()?;
    let mut dinotxt = args.dinotxt.open(context)?;
    let mut encoder = context.load_encoder()?;
    let mut head = dinotxt.head(encoder.config())?;
    let vectors = args.classes.vectors(&phrases, &mut dinotxt, context)?;
    let options = segment_options(&encoder, context);
    let by = ("dinotxt", dinotxt.weights_sha256()?);
    let listing = Listing { origin: Origin::of(&encoder), by, names: &phrases };
    listing.run(args, context, |picture| {
        Ok(segment::classify(&mut encoder, head.as_mut(), picture, &vectors, &options, &context.cancel)?)
    })
}

/// What is said of pictures.
struct Listing<'a> {
    origin: Origin,
    /// What scores come from beside the model, and its SHA-256.
    by: (&'static str, String),
    /// Of the classes.
    names: &'a [String],
}

impl Listing<'_> {
    /// Lists the classes of greatest `score` for each picture.
    fn run(
        &self,
        args: &ClassifyArgs,
        context: &Context,
        mut score: impl FnMut(&Picture) -> Result<Vec<f32>>,
    ) -> Result<()> {
        let inputs = pictures::inputs(&args.images);
        let outcome = pictures::for_each_read(
            &inputs,
            context,
            "classify",
            Input::read,
            |_, picture| score(&picture),
            |input, scores| {
                let best = nearest(&scores, args.top);
                context.say(format!("{}:", input.path.display()));
                for &(score, class) in &best {
                    context.say(format!("  {score:.3}  {}", self.names[class]));
                }
                let entry =
                    |&(score, class): &(f32, usize)| json!({"index": class, "name": self.names[class], "score": score});
                let top: Vec<Value> = best.iter().map(entry).collect();
                Ok(json!({"image": input.path.to_string_lossy(), "top": top}))
            },
        )?;
        let (by, sha256) = &self.by;
        context.say_json(&json!({
            "model": self.origin.provenance().model,
            "weights": self.origin.provenance().weights,
            *by: sha256,
            "images": outcome.0.iter().flatten().collect::<Vec<_>>(),
        }))?;
        outcome.check()
    }
}
