//! `dinoscope segment`: a picture divided among phrases, or among the classes of a head.

mod head;
mod words;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::classes::Scores;
use dinoscope_engine::draw::classes::{ClassStyle, class_colour, classes_with_legend};
use dinoscope_engine::encoder::Provenance;
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::output::write_npy;
use serde_json::json;

use self::head::SegmentHeadOptions;
use self::words::PatchChoice;
use super::context::Context;
use super::drawing::parse_share;
use super::exit;
use super::output::{check_file, check_files};
use super::text::{ClassOptions, DinotxtOptions};
use crate::metadata;

/// Divide a picture among phrases, or among the classes of a head
///
/// Phrases need dino.txt's weights beside the backbone they were trained on (vitl16): each pixel belongs to the phrase it
/// is most alike to. --head ade20k is Meta's segmentor for vit7b16, with 150 classes; --head takes checkpoints that were
/// fine-tuned likewise, too, and folders of transformers' EoMT on DINOv3, which hold their backbone. The picture has the
/// size of the original, with a legend of what was found, the largest first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope segment goose.jpg --model vitl16 --dinotxt-weights dinotxt.pth --text goose --text water -o out.png
  dinoscope segment street.jpg --model vitl16 --classes cityscapes -o out.png --index labels.png
  dinoscope segment room.jpg --model vitl16 --classes ade20k --mode whole --npy cosines.npy -o out.png
  dinoscope segment cat.jpg --model vitl16 --text 'a cat' --mode whole --background 0.1 -o out.png
  dinoscope segment room.jpg --model vit7b16 --head ade20k --head-weights head.pth -o out.png
  dinoscope segment room.jpg --head eomt-folder -o out.png --json")]
pub struct SegmentArgs {
    /// The picture
    #[arg(value_name = "IMAGE")]
    image: PathBuf,

    #[command(flatten)]
    classes: ClassOptions,

    #[command(flatten)]
    head: SegmentHeadOptions,

    #[command(flatten)]
    dinotxt: DinotxtOptions,

    /// The classes over the picture, PNG
    #[arg(short, long, value_name = "OUT.png", required_unless_present_any = ["index", "npy", "json"])]
    output: Option<PathBuf>,

    /// The class of each pixel as a grey PNG: class k, from 0 in the order given, is value k (16 bits past 255)
    #[arg(long, value_name = "OUT.png")]
    index: Option<PathBuf>,

    /// The scores, [classes, rows, cols] f32. Phrases: cosines on the patch grid (whole), or the averaged softmax at the
    /// resized picture's resolution (slide). Heads: sums over the queries of class times mask, at the picture's (whole) or
    /// the resized picture's (slide, EoMT) resolution
    #[arg(long, value_name = "OUT.npy")]
    npy: Option<PathBuf>,

    /// Windows that overlap, or the whole picture at once [default: slide]
    #[arg(long, value_enum)]
    mode: Option<ModeChoice>,

    /// Side of a window, in pixels of the resized picture; with --head and --mode whole, of the square that the picture
    /// becomes [default: 384; with --head 896, and 512 for the whole]
    #[arg(long, value_name = "PIXELS")]
    window: Option<usize>,

    /// From one window to the next [default: 192; with --head 596]
    #[arg(long, value_name = "PIXELS")]
    stride: Option<usize>,

    /// Which features of patches are compared with the phrases
    #[arg(long, value_enum, default_value_t = PatchChoice::Head)]
    patches: PatchChoice,

    /// One more class, the last, where no score passes this: a cosine (phrases, whole), or a share of 1
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

/// A picture's scores, and where they come from.
struct Division {
    picture: Picture,
    scores: Scores,
    /// In the order of the scores.
    names: Vec<String>,
    /// Of the model.
    provenance: Provenance,
    /// What divided the picture, "dinotxt" or "head", and the SHA-256 of its weights.
    by: (&'static str, String),
    mode: ModeChoice,
}

/// Runs the subcommand.
pub fn run(args: &SegmentArgs, context: &Context) -> Result<()> {
    if args.head.is_any() && (args.classes.is_text() || args.dinotxt.is_given()) {
        return Err(exit::usage(
            "a head has its own classes: leave out --text and --dinotxt-weights, or the head".to_owned(),
        ));
    }
    check_outputs(args)?;
    let division = if args.head.is_any() { head::divide(args, context)? } else { words::divide(args, context)? };
    context.cancel.check()?;
    write(args, &division, context)
}

fn write(args: &SegmentArgs, division: &Division, context: &Context) -> Result<()> {
    let Division { picture, scores, names: classes, provenance, by, mode } = division;
    let labels = scores.labels(args.background);
    let names: Vec<&str> = classes.iter().map(String::as_str).chain(args.background.map(|_| "background")).collect();
    let areas = labels.areas(names.len());
    let mut found: Vec<usize> = (0..names.len()).filter(|&class| areas[class] > 0).collect();
    found.sort_by_key(|&class| std::cmp::Reverse(areas[class]));
    let share = |class: usize| areas[class] as f64 / labels.data.len() as f64;
    if let Some(output) = &args.output {
        let style = |(class, name): (usize, &String)| {
            let colour = class_colour(class, classes.len());
            ClassStyle { name: name.clone(), colour, opacity: args.opacity }
        };
        let styles: Vec<ClassStyle> = classes.iter().enumerate().map(style).collect();
        let drawn = classes_with_legend(picture, &labels, &styles);
        let mut metadata = metadata::of_model(provenance);
        metadata.push(by.clone());
        metadata.push(("classes", classes.join("\n")));
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
        "model": provenance.model,
        "weights": provenance.weights,
        (by.0): by.1,
        "mode": if *mode == ModeChoice::Whole { "whole" } else { "slide" },
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
    match args.background {
        Some(background) if !background.is_finite() => {
            Err(exit::usage("--background takes a score, such as 0.1".to_owned()))
        }
        _ => Ok(()),
    }
}
