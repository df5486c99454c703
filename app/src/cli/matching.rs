//! `dinoscope match`: which patch of one picture is which of another?

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::matching::{MatchOptions, Pair, Side, colours, matches, thin};
use dinoscope_engine::draw::lines::{Line, common_height, side_by_side, stacked};
use dinoscope_engine::draw::overlay::{Interpolation, colours_over_picture};
use dinoscope_engine::features::FeatureGrid;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::image::{Mask, Picture, read_mask};
use dinoscope_engine::output::write_atomically;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{Origin, check_files};
use super::pictures::{Prepare, Prepared, mask_on_grid};

/// Least distance between the left ends of lines in pixels, as in the reference's notebook, but of the picture as it is
/// drawn: large pictures do not drown in lines, and small ones get some.
const LINE_DISTANCE: f64 = 100.0;

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
    let dense = matches(&left_side, &right_side, &MatchOptions { mutual: args.mutual, min_score: None })?;
    let (left_picture, right_picture) = (&left.prepared.picture, &right.prepared.picture);
    let drawn_height = common_height(left_picture, right_picture);
    let line_distance = LINE_DISTANCE * left_picture.height as f64 / drawn_height as f64;
    let sparse = thin(&dense, args.stratify.unwrap_or(line_distance));

    let drawn = draw((left_picture, &left_side), (right_picture, &right_side), &dense, &sparse)?;
    write_picture(&args.output, &drawn, &origin.metadata(&left.prepared.geometry))?;
    let listed = if args.stratify.is_some() { &sparse } else { &dense };
    let result = to_json(&args.left, &args.right, listed);
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

/// Colours above, lines below.
pub fn draw(left: (&Picture, &Side), right: (&Picture, &Side), dense: &[Pair], sparse: &[Pair]) -> Result<Picture> {
    let (left_colours, right_colours) = colours(left.1, right.1, dense)?;
    let lines: Vec<Line> = sparse
        .iter()
        .map(|pair| Line {
            left: pair.left_pixel,
            right: pair.right_pixel,
            colour: [0, 1, 2].map(|channel| left_colours[[pair.left.row, pair.left.col, channel]]),
        })
        .collect();
    let patches = Interpolation::Patches;
    let above = side_by_side(
        &colours_over_picture(left.0, left.1.geometry, &left_colours, patches, 1.0),
        &colours_over_picture(right.0, right.1.geometry, &right_colours, patches, 1.0),
        &[],
    );
    Ok(stacked(&above, &side_by_side(left.0, right.0, &lines)))
}

fn to_json(left: &Path, right: &Path, pairs: &[Pair]) -> Value {
    let pair = |pair: &Pair| {
        json!({
            "left": [pair.left_pixel.0, pair.left_pixel.1],
            "right": [pair.right_pixel.0, pair.right_pixel.1],
            "score": pair.score,
        })
    };
    json!({
        "left": left.to_string_lossy(),
        "right": right.to_string_lossy(),
        "pairs": pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}
