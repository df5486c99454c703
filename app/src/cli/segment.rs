//! `dinoscope segment`: a picture divided among phrases.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::draw::classes::{ClassStyle, class_colour, classes_with_legend};
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::output::write_npy;
use dinoscope_engine::text::segment::{Mode, PatchSource, segment};
use dinoscope_engine::text::{TextError, phrases};
use serde_json::json;

use super::context::Context;
use super::drawing::parse_share;
use super::exit;
use super::output::{Origin, check_file, check_files};
use super::pictures;
use super::text::{ClassOptions, DinotxtOptions, segment_options, watched};

/// Divide a picture among phrases
///
/// Needs dino.txt's weights beside the backbone they were trained on (vitl16). Each pixel belongs to the phrase it is
/// most alike to. The picture has the size of the original, with a legend of what was found, the largest first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope segment goose.jpg --model vitl16 --dinotxt-weights dinotxt.pth --text goose --text water -o out.png
  dinoscope segment street.jpg --model vitl16 --classes cityscapes -o out.png --index labels.png
  dinoscope segment room.jpg --model vitl16 --classes ade20k --mode whole --npy cosines.npy -o out.png
  dinoscope segment cat.jpg --model vitl16 --text 'a cat' --mode whole --background 0.1 -o out.png")]
pub struct SegmentArgs {
    /// The picture
    #[arg(value_name = "IMAGE")]
    image: PathBuf,

    #[command(flatten)]
    classes: ClassOptions,

    #[command(flatten)]
    dinotxt: DinotxtOptions,

    /// The classes over the picture, PNG
    #[arg(short, long, value_name = "OUT.png", required_unless_present_any = ["index", "npy", "json"])]
    output: Option<PathBuf>,

    /// The class of each pixel as a grey PNG: class k, from 0 in the order given, is value k (16 bits past 255)
    #[arg(long, value_name = "OUT.png")]
    index: Option<PathBuf>,

    /// The scores, [classes, rows, cols] f32: cosines on the patch grid (whole), or the averaged softmax at the resized
    /// picture's resolution (slide)
    #[arg(long, value_name = "OUT.npy")]
    npy: Option<PathBuf>,

    /// Windows that overlap, or the whole picture at once
    #[arg(long, value_enum, default_value_t = ModeChoice::Slide)]
    mode: ModeChoice,

    /// Side of a window, in pixels of the resized picture
    #[arg(long, value_name = "PIXELS", default_value = "384")]
    window: usize,

    /// From one window to the next
    #[arg(long, value_name = "PIXELS", default_value = "192")]
    stride: usize,

    /// Which features of patches are compared with the phrases
    #[arg(long, value_enum, default_value_t = PatchChoice::Head)]
    patches: PatchChoice,

    /// One more class, the last, where no score passes this: a cosine (whole), or a share of 1 (slide)
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    background: Option<f32>,

    /// How much the classes cover the picture, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.6", value_parser = parse_share)]
    opacity: f32,
}

/// `--mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeChoice {
    /// Windows that overlap; scores are averaged
    Slide,
    /// One pass; faster, coarser
    Whole,
}

/// `--patches`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PatchChoice {
    /// Those behind dino.txt's vision head, as it was trained
    Head,
    /// The backbone's own, as the reference's segmentation notebook takes them
    Backbone,
}

/// Runs the subcommand.
pub fn run(args: &SegmentArgs, context: &Context) -> Result<()> {
    check_outputs(args)?;
    let phrases = args.classes.phrases()?;
    check_room(&phrases, args.background)?;
    let mut dinotxt = args.dinotxt.open(context)?;
    let mut encoder = context.load_encoder()?;
    let mut head = dinotxt.head(encoder.config())?;
    let picture = pictures::read(&args.image)?;
    let vectors = args.classes.vectors(&phrases, &mut dinotxt, context)?;
    let mut options = segment_options(&encoder, context);
    options.mode = match args.mode {
        ModeChoice::Slide => Mode::Slide { side: args.window, stride: args.stride },
        ModeChoice::Whole => Mode::Whole,
    };
    options.patches = match args.patches {
        PatchChoice::Head => PatchSource::Head,
        PatchChoice::Backbone => PatchSource::Backbone,
    };
    let scores = watched(context, |progress| {
        Ok(segment(&mut encoder, head.as_mut(), &picture, &vectors, &options, &context.cancel, progress)?)
    })?;
    context.cancel.check()?;

    let labels = scores.labels(args.background);
    let names: Vec<&str> = phrases.iter().map(String::as_str).chain(args.background.map(|_| "background")).collect();
    let areas = labels.areas(names.len());
    let mut found: Vec<usize> = (0..names.len()).filter(|&class| areas[class] > 0).collect();
    found.sort_by_key(|&class| std::cmp::Reverse(areas[class]));
    let share = |class: usize| areas[class] as f64 / labels.data.len() as f64;
    let origin = Origin::of(&encoder);
    if let Some(output) = &args.output {
        let style = |(class, name): (usize, &String)| {
            let colour = class_colour(class, phrases.len());
            ClassStyle { name: name.clone(), colour, opacity: args.opacity }
        };
        let classes: Vec<ClassStyle> = phrases.iter().enumerate().map(style).collect();
        let drawn = classes_with_legend(&picture, &labels, &classes);
        let mut metadata = origin.metadata_without_size();
        metadata.push(("dinotxt", dinotxt.weights_sha256()?));
        metadata.push(("classes", phrases.join("\n")));
        write_picture(output, &drawn, &metadata)?;
    }
    if let Some(index) = &args.index {
        labels.write_png(index, names.len())?;
    }
    if let Some(npy) = &args.npy {
        write_npy(npy, scores.to_array().view())?;
    }

    context.say(format!("{}:", args.image.display()));
    for &class in &found {
        context.say(format!("  {:5.1} %  {}", 100.0 * share(class), names[class]));
    }
    for output in [&args.output, &args.index, &args.npy].into_iter().flatten() {
        context.say(format!("→ {}", output.display()));
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let (rows, cols) = scores.grid();
    context.say_json(&json!({
        "image": args.image.to_string_lossy(),
        "model": origin.provenance().model,
        "weights": origin.provenance().weights,
        "dinotxt": dinotxt.weights_sha256()?,
        "mode": if options.mode == Mode::Whole { "whole" } else { "slide" },
        "grid": [rows, cols],
        "classes": names.iter().enumerate().map(|(class, name)| json!({
            "index": class, "name": name, "share": share(class),
        })).collect::<Vec<_>>(),
        "output": path(&args.output),
        "index": path(&args.index),
        "npy": path(&args.npy),
    }))
}

/// Refuses, before any work, outputs that cannot be written or are named twice.
fn check_outputs(args: &SegmentArgs) -> Result<()> {
    let inputs: [&Path; 1] = [&args.image];
    check_files(args.output.as_deref(), args.index.as_deref(), &inputs)?;
    check_files(args.index.as_deref(), args.npy.as_deref(), &inputs)?;
    if args.output.is_some() && args.output == args.npy {
        return Err(exit::usage("-o and --npy name the same file: choose another name".to_owned()));
    }
    args.npy.iter().try_for_each(|npy| check_file(npy, &inputs))?;
    if args.mode == ModeChoice::Slide && !(1..=args.window).contains(&args.stride) {
        let error = TextError::Windows { side: args.window, stride: args.stride };
        return Err(exit::usage(error.to_string()));
    }
    match args.background {
        Some(background) if !background.is_finite() => {
            Err(exit::usage("--background takes a score, such as 0.1".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The background takes a label, too.
fn check_room(phrases: &[String], background: Option<f32>) -> Result<()> {
    let got = phrases.len() + usize::from(background.is_some());
    if got <= phrases::MAX_PHRASES {
        return Ok(());
    }
    Err(exit::usage(TextError::TooManyPhrases { got, most: phrases::MAX_PHRASES }.to_string()))
}
