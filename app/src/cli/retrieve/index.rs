//! `dinoscope retrieve index`: features of all pictures below a folder.

use std::path::{PathBuf, absolute};

use anyhow::{Result, ensure};
use clap::Args;
use dinoscope_engine::analysis::AnalysisError;
use dinoscope_engine::image::pictures_below;
use dinoscope_engine::probe::vectors::PictureKey;
use dinoscope_engine::retrieval::{APPROXIMATE_FROM, Index, Recipe, USUAL_SIZE};
use serde_json::json;

use super::super::context::Context;
use super::super::exit;
use super::super::pictures::{self, Input, Prepare};

/// Index the pictures of a folder and of its subfolders
///
/// The CLS token and all patches of each picture are kept, so that whole pictures and regions of them can be searched. Pictures that
/// are indexed already are left out, changed ones are indexed again, and an interrupted run goes on where it stopped.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope retrieve index holiday -o holiday.index
  dinoscope retrieve index holiday -o holiday.index --model vits16 --size 512   smaller things are found")]
pub struct IndexArgs {
    /// A folder of pictures
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Folder of the index, created where it is missing; pictures of other folders that are in it stay
    #[arg(short, long, value_name = "INDEX")]
    output: PathBuf,

    /// Pictures from which on a graph is made, for the window, which searches again and again
    #[arg(long, value_name = "N", default_value_t = APPROXIMATE_FROM, hide = true)]
    approximate_from: usize,
}

/// Runs the subcommand.
pub fn run(args: &IndexArgs, context: &Context) -> Result<()> {
    let present = Index::recipe_in(&args.output)?;
    let files = pictures_below(&absolute(&args.folder)?)?;
    ensure!(!files.is_empty(), "{} holds no pictures", args.folder.display());
    let mut encoder = context.load_encoder()?;
    let size = context.options.size.unwrap_or(present.map_or(USUAL_SIZE, |recipe| recipe.size));
    let mut index = Index::create(&args.output, &Recipe::of(&encoder, size))?;
    let mut preprocessing = context.options.preprocessing(encoder.normalisation());
    preprocessing.size = size;
    let prepare = Prepare::with(preprocessing, &encoder);

    let is_missing = |path: &PathBuf| PictureKey::of(path).map_or(true, |key| !index.has(&key));
    let inputs: Vec<Input> = files.iter().filter(|path| is_missing(path)).cloned().map(Input::of_file).collect();
    let outcome = pictures::for_each_read(
        &inputs,
        context,
        "indexing",
        |input| Ok((PictureKey::of(&input.path)?, prepare.picture(input.read()?)?)),
        |_, (key, prepared)| {
            let features = encoder.forward(&prepared.pixels, &[], &context.cancel)?.output;
            ensure!(features.is_finite(), AnalysisError::NotFinite);
            Ok((key, features, prepared.geometry))
        },
        |_, (key, features, geometry)| Ok(index.push(key, &features, &geometry)?),
    )?;
    let added = outcome.0.iter().flatten().count();
    let failed = inputs.len() - added;
    if failed > 0 && context.options.strict {
        return Err(exit::already_reported());
    }
    index.prepare(args.approximate_from, &context.cancel)?;
    context.say(format!("{} pictures, {added} of them new → {}", files.len() - failed, args.output.display()));
    let recipe = index.recipe();
    context.say_json(&json!({
        "folder": args.folder.to_string_lossy(),
        "index": args.output.to_string_lossy(),
        "model": recipe.model,
        "weights": recipe.weights,
        "size": recipe.size.to_string(),
        "pictures": files.len() - failed,
        "added": added,
        "failed": failed,
    }))?;
    outcome.check()
}
