//! `dinoscope retrieve search`: the pictures of an index that are most like others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::retrieval::query::{mean_direction, vector_of};
use dinoscope_engine::retrieval::report::{Searched, to_json};
use dinoscope_engine::retrieval::{Found, Index, Recipe, Region, Sheet};
use serde_json::json;

use super::super::context::Context;
use super::super::exit;
use super::super::output::check_files;
use super::super::pictures::Prepare;
use super::region::RegionArg;

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

    /// Pictures from which on the graph is asked instead of comparing with all; never, since reading it takes longer
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide = true)]
    approximate_from: usize,
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
    let present = Index::recipe_of(&args.index)?;
    let mut encoder = context.load_encoder()?;
    let mut preprocessing = context.options.preprocessing(encoder.normalisation());
    preprocessing.size = context.options.size.unwrap_or(present.size);
    let mut index = Index::open(&args.index, &Recipe::of(&encoder, preprocessing.size))?;
    let prepare = Prepare::with(preprocessing, &encoder);

    let (mut queries, mut vectors) = (Vec::new(), Vec::new());
    for (number, path) in inputs.iter().enumerate() {
        let prepared = prepare.file(path)?;
        let features = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output;
        let region = args.regions.get(number).map(|region| region.0);
        let vector = vector_of(&features, &prepared.geometry, region.as_ref());
        vectors.push(vector.with_context(|| path.display().to_string())?);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        queries.push((name, Arc::new(prepared.picture), region));
    }
    let direction = mean_direction(&vectors)?;
    let most = args.k as usize;
    let found = if args.regions.is_empty() {
        index.search(&direction, most, args.approximate_from, &context.cancel)?
    } else {
        index.search_regions(&direction, most, &context.cancel)?
    };
    ensure!(
        !found.hits.is_empty(),
        "no picture of {} is there as it was indexed: run 'dinoscope retrieve index' again",
        args.index.display()
    );
    report(args, queries, &found, &index, context)
}

type Query = (String, Arc<Picture>, Option<Region>);

fn report(args: &SearchArgs, queries: Vec<Query>, found: &Found, index: &Index, context: &Context) -> Result<()> {
    for hit in &found.hits {
        context.say(format!("{}  {}", hit.note(), shown(&hit.path).display()));
    }
    let changed = found.changed.len();
    if changed > 0 {
        context.say(format!("{changed} pictures have changed: run 'dinoscope retrieve index' again to find them"));
    }
    if let Some(output) = &args.output {
        let sheet = Sheet { queries, hits: found.hits.clone() };
        write_picture(output, &sheet.draw()?, &[])?;
        context.say(format!("→ {}", output.display()));
    }
    let regions: Vec<Region> = args.regions.iter().map(|region| region.0).collect();
    let searched = Searched { index: &args.index, recipe: index.recipe(), images: &args.images, regions: &regions };
    let mut report = to_json(&searched, found);
    report["output"] = json!(args.output.as_ref().map(|path| path.to_string_lossy()));
    context.say_json(&report)
}

/// Below the folder that the person is in, or the whole path.
fn shown(path: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path)
}
