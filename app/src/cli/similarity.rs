//! `dinoscope similarity`: what looks like these patches?

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::analysis::similarity::{Query, similarity};
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::overlay::{Marker, OverlayStyle, Scale, map_over_picture};
use dinoscope_engine::features::{Features, Patch};
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::output::write_npy;
use serde_json::{Value, json};

use super::context::Context;
use super::drawing::{Draw, parse_share};
use super::output::{Origin, check_files};
use super::pictures::{Prepare, Prepared};
use super::point::Point;

/// How many of the most similar patches are listed.
const BEST: usize = 5;

/// Map how similar every patch is to the patch under a point
///
/// Several points ask for what is like all of them: the query is the normalised mean of their normalised features.
/// The picture has the size of the original, with the queries marked and a bar of the colours.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope similarity cat.jpg --point 320,200 -o cat.png
  dinoscope similarity cat.jpg --point 320,200 --point 350,210 --negative 20,20 -o cat.png
  dinoscope similarity cat.jpg --point 320,200 --to dog.jpg -o dog.png     mapped on the dog
  dinoscope similarity cat.jpg --point 320,200 -o cat.png --npy cat.npy    the raw cosines too
  dinoscope similarity cat.jpg --point 320,200 --scale fit --colors viridis -o cat.png")]
pub struct SimilarityArgs {
    /// The picture that the points lie in
    #[arg(value_name = "IMAGE")]
    image: PathBuf,

    /// A point to compare with, in pixels of the original picture; may be repeated
    #[arg(long = "point", value_name = "X,Y", required = true, allow_hyphen_values = true)]
    points: Vec<Point>,

    /// A point to be unlike: the mean cosine to these is subtracted; may be repeated
    #[arg(long = "negative", value_name = "X,Y", allow_hyphen_values = true)]
    negatives: Vec<Point>,

    /// Map another picture instead of IMAGE
    #[arg(long, value_name = "OTHER")]
    to: Option<PathBuf>,

    /// The map over the picture, PNG
    #[arg(short, long, value_name = "OUT.png", required_unless_present_any = ["npy", "json"])]
    output: Option<PathBuf>,

    /// The raw cosines, [rows, cols] f32
    #[arg(long, value_name = "OUT.npy")]
    npy: Option<PathBuf>,

    /// magma, inferno, viridis, cividis or turbo
    #[arg(long, value_name = "MAP", default_value = "magma")]
    colors: Colormap,

    /// Colours from cosine 0 to 1, or from the map's least to its greatest
    #[arg(long, value_enum, default_value_t = ScaleChoice::Raw)]
    scale: ScaleChoice,

    /// How colours go from patch to patch
    #[arg(long, value_enum, default_value_t = Draw::Smooth)]
    draw: Draw,

    /// How much the map covers the picture, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.75", value_parser = parse_share)]
    opacity: f32,
}

/// `--scale`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScaleChoice {
    /// 0 to 1
    Raw,
    /// The map's own range
    Fit,
}

/// Runs the subcommand.
pub fn run(args: &SimilarityArgs, context: &Context) -> Result<()> {
    let inputs: Vec<&Path> =
        [Some(&args.image), args.to.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
    check_files(args.output.as_deref(), args.npy.as_deref(), &inputs)?;
    let mut encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let prepare = Prepare::new(&encoder, context);
    let mut encode = |prepared: &Prepared| -> Result<Features> {
        Ok(encoder.forward(&prepared.pixels, &[], &context.cancel)?.output)
    };

    let asked = prepare.file(&args.image)?;
    let patches = |points: &[Point]| -> Result<Vec<Patch>> {
        points.iter().map(|point| point.patch(&asked.geometry, &args.image)).collect()
    };
    let (positive, negative) = (patches(&args.points)?, patches(&args.negatives)?);
    let other = args.to.as_ref().map(|path| prepare.file(path)).transpose()?;

    let features = encode(&asked)?;
    let query = Query::new(&features.patch, &positive, &negative)?;
    let shown = other.as_ref().unwrap_or(&asked);
    let features = if other.is_some() { encode(shown)? } else { features };
    let map = similarity(&features.patch, &query)?;

    if let Some(output) = &args.output {
        let style = OverlayStyle {
            colormap: args.colors,
            scale: match args.scale {
                ScaleChoice::Raw => Scale::Fixed { low: 0.0, high: 1.0 },
                ScaleChoice::Fit => Scale::Stretched,
            },
            interpolation: args.draw.into(),
            opacity: args.opacity,
            markers: if other.is_some() { Vec::new() } else { markers(&args.points, &args.negatives) },
            ..OverlayStyle::default()
        };
        let overlay = map_over_picture(&shown.picture, &shown.geometry, &map, &style);
        let mut metadata = origin.metadata(&shown.geometry);
        metadata.push(("points", list(&args.points)));
        metadata.push(("negatives", list(&args.negatives)));
        metadata.retain(|(_, value)| !value.is_empty());
        write_picture(output, &overlay, &metadata)?;
    }
    if let Some(npy) = &args.npy {
        write_npy(npy, map.view())?;
    }

    let best = best(&map.iter().copied().collect::<Vec<_>>(), shown);
    let (min, max) = map.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    let shown_path = args.to.as_ref().unwrap_or(&args.image);
    let what = if args.negatives.is_empty() { "cosine" } else { "cosine less that of the negatives" };
    context.say(format!("{}: {what} {min:.3} to {max:.3}; most similar:", shown_path.display()));
    for (patch, (x, y), score) in &best {
        context.say(format!("  {score:.3} at {x:.0},{y:.0} (row {}, col {})", patch.row, patch.col));
    }
    for output in [&args.output, &args.npy].into_iter().flatten() {
        context.say(format!("→ {}", output.display()));
    }
    let provenance = origin.provenance();
    context.say_json(&json!({
        "image": args.image.to_string_lossy(),
        "to": args.to.as_ref().map(|path| path.to_string_lossy()),
        "model": provenance.model,
        "weights": provenance.weights,
        "size": origin.size(&shown.geometry),
        "grid": [shown.geometry.grid.0, shown.geometry.grid.1],
        "points": queries(&args.points, &positive),
        "negatives": queries(&args.negatives, &negative),
        "min": min,
        "max": max,
        "best": best.iter().map(|(patch, (x, y), score)| json!({
            "patch": [patch.row, patch.col], "pixel": [x, y], "score": score,
        })).collect::<Vec<_>>(),
        "output": args.output.as_ref().map(|path| path.to_string_lossy()),
        "npy": args.npy.as_ref().map(|path| path.to_string_lossy()),
    }))
}

/// Plus for points, minus for negatives.
pub fn markers(points: &[Point], negatives: &[Point]) -> Vec<Marker> {
    let of = |points: &[Point], negative: bool| -> Vec<Marker> {
        points.iter().map(|point| Marker { x: point.x, y: point.y, negative }).collect()
    };
    [of(points, false), of(negatives, true)].concat()
}

/// The most similar patches, their centres in pixels and their cosines, best first; `map` is row by row.
fn best(map: &[f32], shown: &Prepared) -> Vec<(Patch, (f64, f64), f32)> {
    let cols = shown.geometry.grid.1;
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|&a, &b| map[b].total_cmp(&map[a]));
    let describe = |index: usize| {
        let patch = Patch { row: index / cols, col: index % cols };
        (patch, shown.geometry.pixel_from_patch(patch), map[index])
    };
    order.into_iter().take(BEST).map(describe).collect()
}

fn list(points: &[Point]) -> String {
    points.iter().map(|point| format!("{},{}", point.x, point.y)).collect::<Vec<_>>().join(" ")
}

fn queries(points: &[Point], patches: &[Patch]) -> Vec<Value> {
    let pairs = points.iter().zip(patches);
    pairs.map(|(point, patch)| json!({"pixel": [point.x, point.y], "patch": [patch.row, patch.col]})).collect()
}
