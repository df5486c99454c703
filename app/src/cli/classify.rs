//! `dinoscope classify`: which phrase describes a picture?

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dinoscope_engine::text::segment::classify;
use serde_json::{Value, json};

use super::context::Context;
use super::exit;
use super::output::Origin;
use super::pictures::{self, Input};
use super::text::{ClassOptions, DinotxtOptions, segment_options};

/// Say which phrases describe whole pictures
///
/// Needs dino.txt's weights beside the backbone they were trained on (vitl16). Scores are cosines between picture and
/// phrase; only their order means something.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope classify *.jpg --model vitl16 --dinotxt-weights dinotxt.pth --text 'a cat' --text 'a dog'
  dinoscope classify cat.jpg --model vitl16 --classes imagenet --top 3 --json")]
pub struct ClassifyArgs {
    /// Pictures
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    #[command(flatten)]
    classes: ClassOptions,

    #[command(flatten)]
    dinotxt: DinotxtOptions,

    /// How many phrases are listed
    #[arg(long, value_name = "K", default_value = "5")]
    top: usize,
}

/// Runs the subcommand.
pub fn run(args: &ClassifyArgs, context: &Context) -> Result<()> {
    if !args.classes.is_any() {
        return Err(exit::usage("name what to look for, by --text or --classes".to_owned()));
    }
    let phrases = args.classes.phrases()?;
    let mut dinotxt = args.dinotxt.open(context)?;
    let mut encoder = context.load_encoder()?;
    let mut head = dinotxt.head(encoder.config())?;
    let vectors = args.classes.vectors(&phrases, &mut dinotxt, context)?;
    let options = segment_options(&encoder, context);
    let origin = Origin::of(&encoder);
    let inputs = pictures::inputs(&args.images);
    let outcome = pictures::for_each_read(
        &inputs,
        context,
        "classify",
        Input::read,
        |_, picture| Ok(classify(&mut encoder, head.as_mut(), &picture, &vectors, &options, &context.cancel)?),
        |input, scores| {
            let best = best(&scores, args.top);
            context.say(format!("{}:", input.path.display()));
            for &class in &best {
                context.say(format!("  {:.3}  {}", scores[class], phrases[class]));
            }
            let entry = |&class: &usize| json!({"index": class, "name": phrases[class], "score": scores[class]});
            let top: Vec<Value> = best.iter().map(entry).collect();
            Ok(json!({"image": input.path.to_string_lossy(), "top": top}))
        },
    )?;
    context.say_json(&json!({
        "model": origin.provenance().model,
        "weights": origin.provenance().weights,
        "dinotxt": dinotxt.weights_sha256()?,
        "images": outcome.0.iter().flatten().collect::<Vec<_>>(),
    }))?;
    outcome.check()
}

/// The classes of the greatest scores, the greatest first.
fn best(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.truncate(count);
    order
}
