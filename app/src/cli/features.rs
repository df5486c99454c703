//! `dinoscope features`: the features of pictures as files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::analysis::AnalysisError;
use dinoscope_engine::features::{Encoded, Features, Geometry};
use dinoscope_engine::output::{feature_tensors, write_features, write_npy_values, write_npz, write_parquet};
use serde_json::{Value, json};

use super::context::Context;
use super::exit;
use super::output::{Origin, create_folder};
use super::pictures::{self, Input};

/// Write the features of pictures to files
///
/// Each file holds `cls` [D], `registers` [R, D] (ViT) and `patch` [rows, cols, D], f32, after the final norm, and
/// in its metadata the model, the weights' SHA-256, the input size, the device and the dtype. Parquet has a row for each
/// token instead, with the columns `token` ("cls", "register 0", "patch"), `layer` (null for the output), `row`, `col`,
/// `x`, `y` (of patches alone; the centre in pixels of the original picture) and `feature`, a list of f32.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope features cat.jpg -o features                          features/cat.safetensors
  dinoscope features *.jpg -o features --model vits16 --size 512
  dinoscope features cat.jpg -o features --layers 8,11            adds layer_8.patch, layer_8.cls
  dinoscope features cat.jpg -o features --format npy             features/cat.patch.npy, ...
  dinoscope features cat.jpg -o features --format parquet         features/cat.parquet, a row per token")]
pub struct FeaturesArgs {
    /// Pictures
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// Folder for the files, created where it is missing
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Also these layers: blocks of a ViT (the final norm applied) or stages 0-3 of a ConvNeXt, counted from 0
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    layers: Vec<usize>,

    /// Kind of the files
    #[arg(long, value_enum, default_value_t = Format::Safetensors)]
    format: Format,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// All tensors of a picture in one file
    Safetensors,
    /// A NumPy file for each tensor
    Npy,
    /// All tensors of a picture in one NumPy archive
    Npz,
    /// A table of all tokens of a picture
    Parquet,
}

/// Runs the subcommand.
pub fn run(args: &FeaturesArgs, context: &Context) -> Result<()> {
    create_folder(&args.output)?;
    let mut encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let prepare = pictures::Prepare::new(&encoder, context);
    let layers = distinct(&args.layers);
    let last = encoder.config().layers() - 1;
    if let Some(&layer) = layers.iter().find(|&&layer| layer > last) {
        return Err(exit::usage(dinoscope_engine::Error::Layer { layer, last }.to_string()));
    }
    let inputs = pictures::inputs(&args.images);
    let outcome = pictures::for_each(
        &inputs,
        context,
        &prepare,
        "features",
        |_, prepared| {
            let encoded = encoder.forward(&prepared.pixels, &layers, &context.cancel)?;
            check_finite(&encoded)?;
            Ok((encoded, prepared.geometry))
        },
        |input, (encoded, geometry)| {
            let files = write(&args.output, &input.stem, args.format, &encoded, &geometry, &origin)?;
            context.say(format!("{} → {}", input.path.display(), files.join(", ")));
            Ok(describe(input, &files, &encoded, &geometry, &origin))
        },
    )?;
    let provenance = origin.provenance();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "device": provenance.device,
        "dtype": provenance.dtype,
        "images": outcome.0.iter().flatten().collect::<Vec<_>>(),
    }))?;
    outcome.check()
}

/// A file of NaN would say so too late.
fn check_finite(encoded: &Encoded) -> Result<(), AnalysisError> {
    let layers = encoded.layers.iter().map(|(_, features)| features);
    if layers.chain([&encoded.output]).all(Features::is_finite) { Ok(()) } else { Err(AnalysisError::NotFinite) }
}

/// In the order given, each once.
fn distinct(layers: &[usize]) -> Vec<usize> {
    let mut seen = Vec::new();
    for &layer in layers {
        if !seen.contains(&layer) {
            seen.push(layer);
        }
    }
    seen
}

fn describe(input: &Input, files: &[String], encoded: &Encoded, geometry: &Geometry, origin: &Origin) -> Value {
    json!({
        "image": input.path.to_string_lossy(),
        "files": files,
        "size": origin.size(geometry),
        "grid": [geometry.grid.0, geometry.grid.1],
        "dim": encoded.output.patch.dim(),
    })
}

/// Writes the tokens of one picture and returns the names of the files.
pub fn write(
    folder: &Path,
    stem: &str,
    format: Format,
    encoded: &Encoded,
    geometry: &Geometry,
    origin: &Origin,
) -> Result<Vec<String>> {
    let file = |name: String| folder.join(name);
    match format {
        Format::Safetensors => {
            let path = file(format!("{stem}.safetensors"));
            write_features(&path, &encoded.output, &encoded.layers, &origin.metadata(geometry))?;
            Ok(vec![path.display().to_string()])
        }
        Format::Npy => feature_tensors(&encoded.output, &encoded.layers)
            .iter()
            .map(|tensor| {
                let path = file(format!("{stem}.{}.npy", tensor.name));
                write_npy_values(&path, &tensor.shape, &tensor.values)?;
                Ok(path.display().to_string())
            })
            .collect(),
        Format::Npz => {
            let path = file(format!("{stem}.npz"));
            write_npz(&path, &feature_tensors(&encoded.output, &encoded.layers), &origin.metadata(geometry))?;
            Ok(vec![path.display().to_string()])
        }
        Format::Parquet => {
            let path = file(format!("{stem}.parquet"));
            write_parquet(&path, encoded, geometry, &origin.metadata(geometry))?;
            Ok(vec![path.display().to_string()])
        }
    }
}
