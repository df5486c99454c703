//! `dinoscope match`: which patch of one picture is which of another?

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::matching::{MatchOptions, Side, colours, matches, thin};
use dinoscope_engine::analysis::pairs;
use dinoscope_engine::draw::matching::{self as drawing, figure, line_distance};
use dinoscope_engine::features::FeatureGrid;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::image::{Mask, read_mask};
use dinoscope_engine::output::write_atomically;

use super::context::Context;
use super::output::{Origin, check_files};
use super::pictures::{Prepare, Prepared, mask_on_grid};

/// Match the patches of two pictures
///
/// Every left patch goes to the right patch of greatest cosine. The picture shows both sides in the colours of the
/// left one's PCA, and below them some of the pairs as lines.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope match left.jpg right.jpg -o matches.png
  dinoscope match left.jpg right.jpg -o matches.png --mask-left left.png --mask-right right.png
  dinoscope match left.jpg right.jpg -o matches.png --mutual --json-out pairs.json
  dinoscope match left.jpg right.jpg -o matches.png --stratify 40     pairs 40 pixels apart")]
pub struct MatchArgs {
    /// The picture whose patches look for partners
    #[arg(value_name = "LEFT")]
    left: PathBuf,

    /// The picture they look in
    #[arg(value_name = "RIGHT")]
    right: PathBuf,

    /// Both pictures with their correspondences, PNG
    #[arg(short, long, value_name = "OUT.png")]
    output: PathBuf,

    /// PNG of the left picture's size: only what it marks is matched
    #[arg(long, value_name = "MASK.png")]
    mask_left: Option<PathBuf>,

    /// PNG of the right picture's size: only matches on what it marks are kept
    #[arg(long, value_name = "MASK.png")]
    mask_right: Option<PathBuf>,

    /// Keep only pairs that are each other's best
    #[arg(long)]
    mutual: bool,

    /// Thin the pairs until left points are this far apart, in pixels of LEFT; without it only the lines
    /// are, to 100 pixels as drawn
    #[arg(long, value_name = "PX", value_parser = parse_distance)]
    stratify: Option<f64>,

    /// The pairs as JSON: {"left", "right", "pairs": [{"left": [x, y], "right": [x, y], "score"}]}
    #[arg(long, value_name = "OUT.json")]
    json_out: Option<PathBuf>,
}

fn parse_distance(text: &str) -> Result<f64, String> {
    let distance = text.parse().ok().filter(|d: &f64| d.is_finite() && *d >= 0.0);
    distance.ok_or_else(|| "expected a number of pixels, 0 or more".to_owned())
}

/// A picture with its features and what of it may match.
struct Encoded {
    prepared: Prepared,
    grid: FeatureGrid,
}

/// Runs the subcommand.
pub fn run(args: &MatchArgs, context: &Context) -> Result<()> {
    let masks = [&args.mask_left, &args.mask_right].into_iter().flatten();
    let inputs: Vec<&Path> = [&args.left, &args.right].into_iter().chain(masks).map(PathBuf::as_path).collect();
    check_files(Some(&args.output), args.json_out.as_deref(), &inputs)?;
    let read = |mask: &Option<PathBuf>| mask.as_ref().map(|path| read_mask(path)).transpose();
    let (mask_left, mask_right) = (read(&args.mask_left)?, read(&args.mask_right)?);
    let mut encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let prepare = Prepare::new(&encoder, context);
    let (left, right) = (prepare.file(&args.left)?, prepare.file(&args.right)?);

    let on_grid = |mask: &Option<Mask>, path: &Option<PathBuf>, side: &Prepared| -> Result<Option<PatchMask>> {
        let (Some(mask), Some(path)) = (mask, path) else { return Ok(None) };
        mask_on_grid(mask, path, &side.geometry).map(Some)
    };
    let left_foreground = on_grid(&mask_left, &args.mask_left, &left)?;
    let right_foreground = on_grid(&mask_right, &args.mask_right, &right)?;

    let mut encode = |prepared: Prepared| -> Result<Encoded> {
        let grid = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch;
        Ok(Encoded { prepared, grid })
    };
    let (left, right) = (encode(left)?, encode(right)?);
    let left_side = Side { grid: &left.grid, geometry: &left.prepared.geometry, foreground: left_foreground.as_ref() };
    let right_side =
        Side { grid: &right.grid, geometry: &right.prepared.geometry, foreground: right_foreground.as_ref() };
    let options = MatchOptions { mutual: args.mutual, min_score: None };
    let dense = matches(&left_side, &right_side, &options, &context.cancel)?;
    let (left_picture, right_picture) = (&left.prepared.picture, &right.prepared.picture);
    let distance = args.stratify.unwrap_or_else(|| line_distance(left_picture, right_picture));
    let sparse = thin(&dense, distance, &context.cancel)?;

    let (left_colours, right_colours) = colours(&left_side, &right_side, &dense)?;
    let drawn = figure(
        &drawing::Side { picture: left_picture, geometry: &left.prepared.geometry, colours: &left_colours },
        &drawing::Side { picture: right_picture, geometry: &right.prepared.geometry, colours: &right_colours },
        &sparse,
    );
    write_picture(&args.output, &drawn, &origin.metadata(&left.prepared.geometry))?;
    let listed = if args.stratify.is_some() { &sparse } else { &dense };
    let result = pairs::to_json(&args.left.to_string_lossy(), &args.right.to_string_lossy(), listed);
    if let Some(path) = &args.json_out {
        write_atomically(path, |writer| {
            serde_json::to_writer(&mut *writer, &result)?;
            writeln!(writer)
        })?;
    }
    context.say(format!("{} pairs, {} of them as lines → {}", dense.len(), sparse.len(), args.output.display()));
    if let Some(path) = &args.json_out {
        context.say(format!("{} pairs → {}", listed.len(), path.display()));
    }
    context.say_json(&result)
}
