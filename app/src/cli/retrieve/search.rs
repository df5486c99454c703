//! `dinoscope retrieve search`: the pictures of an index that are most like others.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use dinoscope_engine::analysis::similarity::unit_direction;
use dinoscope_engine::draw::results::{Mark, Tile, sheet};
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::retrieval::query::mean_direction;
use dinoscope_engine::retrieval::{Found, Hit, Index, Region};
use serde_json::json;

use super::super::context::Context;
use super::super::exit;
use super::super::output::check_files;
use super::super::pictures::{self, Prepare};
use super::region::RegionArg;
use super::{Threshold, recipe};

/// Search the pictures of an index
///
/// Whole pictures are compared by the cosine of their CLS tokens. Several pictures ask for what is like all of them: the normalised mean
/// of their normalised tokens. A region is compared with every patch of every picture, and the best patch of a picture
/// counts; it is marked in the results.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope retrieve search holiday.index --image cat.jpg
  dinoscope retrieve search holiday.index --image cat.jpg --image dog.jpg -k 20 -o both.png
  dinoscope retrieve search holiday.index --image cat.jpg --region 320,200,90,60 -o eyes.png")]
pub struct SearchArgs {
    /// What 'dinoscope retrieve index' made
    #[arg(value_name = "INDEX")]
    index: PathBuf,

    /// A picture to be like; may be repeated
    #[arg(long = "image", value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// A part of the picture to be like, in pixels of the original; with several pictures, one for each in their order
    #[arg(long = "region", value_name = "X,Y,W,H", allow_hyphen_values = true)]
    regions: Vec<RegionArg>,

    /// Most results
    #[arg(short, value_name = "K", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    k: u32,

    /// The pictures that were given and found, PNG
    #[arg(short, long, value_name = "OUT.png")]
    output: Option<PathBuf>,

    #[command(flatten)]
    threshold: Threshold,
}

/// A picture that is searched for.
struct Query<'a> {
    path: &'a Path,
    picture: Picture,
    region: Option<Region>,
}

/// Runs the subcommand.
pub fn run(args: &SearchArgs, context: &Context) -> Result<()> {
    if !args.regions.is_empty() && args.regions.len() != args.images.len() {
        let (regions, images) = (args.regions.len(), args.images.len());
        return Err(exit::usage(format!(
            "{regions} regions for {images} pictures: give one --region for each --image"
        )));
    }
    let inputs: Vec<&Path> = args.images.iter().map(PathBuf::as_path).collect();
    check_files(args.output.as_deref(), None, &inputs)?;
    let present = Index::recipe_in(&args.index)?;
    let mut encoder = context.load_encoder()?;
    let mut preprocessing = context.options.preprocessing(encoder.normalisation());
    preprocessing.size = context.options.size.or(present.map(|recipe| recipe.size)).unwrap_or(preprocessing.size);
    let mut index = Index::open(&args.index, &recipe(&encoder, preprocessing.size))?;
    let prepare = Prepare::with(preprocessing, &encoder);

    let (mut queries, mut vectors) = (Vec::new(), Vec::new());
    for (number, path) in inputs.iter().enumerate() {
        let prepared = prepare.file(path)?;
        let features = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output;
        let region = args.regions.get(number).map(|region| region.0);
        vectors.push(match region {
            None => features.cls,
            Some(region) => {
                let patches = region.patches(&prepared.geometry);
                let (width, height) = prepared.geometry.picture;
                ensure!(
                    !patches.is_empty(),
                    "the region lies outside of {}, which has {width}x{height} pixels",
                    path.display()
                );
                unit_direction(&features.patch, &patches)?
            }
        });
        queries.push(Query { path, picture: prepared.picture, region });
    }
    let direction = mean_direction(&vectors)?;
    let most = args.k as usize;
    let found = if args.regions.is_empty() {
        index.search(&direction, most, args.threshold.approximate_from, &context.cancel)?
    } else {
        index.search_regions(&direction, most, &context.cancel)?
    };
    ensure!(
        !found.hits.is_empty(),
        "no picture of {} is there as it was indexed: run 'dinoscope retrieve index' again",
        args.index.display()
    );
    report(args, &queries, &found, &index, context)
}

fn report(args: &SearchArgs, queries: &[Query<'_>], found: &Found, index: &Index, context: &Context) -> Result<()> {
    for hit in &found.hits {
        context.say(format!("{}  {}", score(hit), shown(&hit.path).display()));
    }
    if found.changed > 0 {
        let changed = found.changed;
        context.say(format!("{changed} pictures have changed: run 'dinoscope retrieve index' again to find them"));
    }
    if let Some(output) = &args.output {
        write_picture(output, &drawn(queries, found)?, &[])?;
        context.say(format!("→ {}", output.display()));
    }
    let recipe = index.recipe();
    let regions: Vec<[f64; 4]> =
        args.regions.iter().map(|RegionArg(Region { x, y, width, height })| [*x, *y, *width, *height]).collect();
    context.say_json(&json!({
        "index": args.index.to_string_lossy(),
        "model": recipe.model,
        "weights": recipe.weights,
        "images": args.images.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "regions": regions,
        "approximate": found.is_approximate,
        "changed": found.changed,
        "results": found.hits.iter().map(|hit| json!({
            "image": hit.path.to_string_lossy(),
            "score": hit.score,
            "patch": hit.place.map(|(patch, _)| [patch.row, patch.col]),
            "pixel": hit.place.map(|(_, (x, y))| [x, y]),
        })).collect::<Vec<_>>(),
        "output": args.output.as_ref().map(|path| path.to_string_lossy()),
    }))
}

/// "0.873", and of a region "0.873 at 320,200".
fn score(hit: &Hit) -> String {
    match hit.place {
        None => format!("{:.3}", hit.score),
        Some((_, (x, y))) => format!("{:.3} at {x:.0},{y:.0}", hit.score),
    }
}

/// Below the folder that the person is in, or the whole path.
fn shown(path: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path)
}

fn drawn(queries: &[Query<'_>], found: &Found) -> Result<Picture> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of_query = |query: &Query<'_>| {
        let mark = query.region.map(|Region { x, y, width, height }| Mark::Region(x, y, width, height));
        Tile::new(&query.picture, mark, &name(query.path), "query")
    };
    let of_hit = |hit: &Hit| -> Result<Tile> {
        let mark = hit.place.map(|(_, (x, y))| Mark::Place(x, y));
        Ok(Tile::new(&pictures::read(&hit.path)?, mark, &name(&hit.path), &score(hit)))
    };
    let queries: Vec<Tile> = queries.iter().map(of_query).collect();
    let results = found.hits.iter().map(of_hit).collect::<Result<Vec<Tile>>>()?;
    Ok(sheet(&queries, &results))
}
