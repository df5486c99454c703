//! `dinoscope pca`: features as colours.

mod video;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Args;
use dinoscope_engine::analysis::foreground::{self, PatchMask};
use dinoscope_engine::analysis::pca::{Basis, Sample, colours};
use dinoscope_engine::draw::overlay::colours_over_picture;
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::features::{FeatureGrid, Geometry};
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::image::{Mask, Picture, read_mask};
use dinoscope_engine::output::write_npy;
use serde_json::{Value, json};

use super::context::Context;
use super::drawing::Draw;
use super::exit;
use super::output::{Origin, create_folder, refuse_input};
use super::pictures::{self, Input, Outcome, Prepare};

/// Colour patches by the principal components of their features
///
/// Three components, whitened, become red, green and blue: patches of like colour have like features.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope pca cat.jpg -o colours                              colours/cat.pca.png
  dinoscope pca *.jpg -o colours --joint                        one basis for all of them
  dinoscope pca cat.jpg -o colours --foreground auto            the object alone, background black
  dinoscope pca cat.jpg -o colours --foreground mask.png --npy  and the components as numbers
  dinoscope pca cat.jpg -o colours --components 3,4,5           the next three
  dinoscope pca dog.mp4 -o dog.pca.mp4                          a clip, one basis for all its frames")]
pub struct PcaArgs {
    /// Pictures, or one video
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// Folder for the pictures, created where it is missing; of a video, the file to write
    #[arg(short, long, value_name = "DIR|OUT.mp4")]
    output: PathBuf,

    /// Fit one basis over all pictures instead of one for each
    #[arg(long)]
    joint: bool,

    /// Patches that count, the others are black: a mask (PNG of the picture's size), auto, or none
    #[arg(long, value_name = "MASK.png|auto|none", default_value = "none")]
    foreground: Foreground,

    /// Three components for red, green and blue, counted from 0
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', default_value = "0,1,2")]
    components: Vec<usize>,

    /// Also STEM.pca.npy: the whitened components, [rows, cols, 3]
    #[arg(long)]
    npy: bool,

    /// How colours go from patch to patch
    #[arg(long, value_enum, default_value_t = Draw::Patch)]
    draw: Draw,
}

/// `--foreground`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreground {
    /// Every patch.
    All,
    /// By the first component.
    Auto,
    /// By a picture.
    Mask(PathBuf),
}

impl FromStr for Foreground {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "none" => Self::All,
            "auto" => Self::Auto,
            path => Self::Mask(path.into()),
        })
    }
}

/// Runs the subcommand.
pub fn run(args: &PcaArgs, context: &Context) -> Result<()> {
    if args.components.len() != 3 {
        return Err(exit::usage("--components takes three numbers, as in 0,1,2"));
    }
    if video::is_asked(args) {
        return video::run(args, context);
    }
    create_folder(&args.output)?;
    let mask = match &args.foreground {
        Foreground::Mask(path) => Some(read_mask(path)?),
        _ => None,
    };
    let mut encoder = context.load_encoder()?;
    let painter =
        Painter { args, context, mask, origin: Origin::of(&encoder), prepare: Prepare::new(&encoder, context) };
    let inputs = pictures::inputs(&args.images);
    let images =
        if args.joint { joint(&mut encoder, &inputs, &painter) } else { each(&mut encoder, &inputs, &painter) }?;

    let provenance = painter.origin.provenance();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "joint": args.joint,
        "components": args.components,
        "images": images.0.iter().flatten().collect::<Vec<_>>(),
    }))?;
    images.check()
}

/// One basis for each picture.
fn each(encoder: &mut Encoder, inputs: &[Input], painter: &Painter) -> Result<Outcome<Value>> {
    let context = painter.context;
    pictures::for_each(
        inputs,
        context,
        &painter.prepare,
        "pca",
        |_, prepared| Ok((encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch, prepared)),
        |input, (grid, prepared)| {
            let encoded = painter.encoded(grid, prepared.geometry)?;
            let basis = painter.fit(&[&encoded])?;
            context.say(explained(&basis, &input.path.display().to_string()));
            painter.write(input, &prepared.picture, &encoded, &basis)
        },
    )
}

/// One basis for all: they are read once for the basis and again for their pictures, so that only features are held.
fn joint(encoder: &mut Encoder, inputs: &[Input], painter: &Painter) -> Result<Outcome<Value>> {
    let context = painter.context;
    let encoded = pictures::for_each(
        inputs,
        context,
        &painter.prepare,
        "features",
        |_, prepared| Ok((encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch, prepared.geometry)),
        |_, (grid, geometry)| painter.encoded(grid, geometry),
    )?;
    let failed = encoded.check();
    let encoded: HashMap<&str, Encoded> =
        inputs.iter().zip(encoded.0).filter_map(|(input, encoded)| Some((input.stem.as_str(), encoded?))).collect();
    if encoded.is_empty() || context.options.strict {
        failed?;
    }
    let known: Vec<&Input> = inputs.iter().filter(|input| encoded.contains_key(input.stem.as_str())).collect();
    let basis = painter.fit(&known.iter().map(|input| &encoded[input.stem.as_str()]).collect::<Vec<_>>())?;
    context.say(explained(&basis, "all pictures together"));
    let mut results = Vec::new();
    for input in inputs {
        context.cancel.check()?;
        let Some(encoded) = encoded.get(input.stem.as_str()) else {
            results.push(None);
            continue;
        };
        let written = input.read().and_then(|picture| painter.write(input, &picture, encoded, &basis));
        if let Err(error) = &written {
            eprintln!("dinoscope: {}", pictures::failure(input, error));
            if context.options.strict {
                return Err(exit::already_reported());
            }
        }
        results.push(written.ok());
    }
    Ok(Outcome(results))
}

/// Features of one picture.
struct Encoded {
    grid: FeatureGrid,
    geometry: Geometry,
    /// `[rows, cols]`; all where there is none.
    foreground: Option<PatchMask>,
}

/// What is drawn, and where it goes.
struct Painter<'a> {
    args: &'a PcaArgs,
    context: &'a Context,
    mask: Option<Mask>,
    origin: Origin,
    prepare: Prepare,
}

impl Painter<'_> {
    fn encoded(&self, grid: FeatureGrid, geometry: Geometry) -> Result<Encoded> {
        let foreground = match (&self.args.foreground, &self.mask) {
            (Foreground::All, _) => None,
            (Foreground::Auto, _) => Some(foreground::automatic(&grid)?),
            (Foreground::Mask(path), mask) => {
                let mask = mask.as_ref().context("the mask was not read")?;
                Some(pictures::mask_on_grid(mask, path, &geometry)?)
            }
        };
        Ok(Encoded { grid, geometry, foreground })
    }

    fn fit(&self, pictures: &[&Encoded]) -> Result<Basis> {
        let needed = self.args.components.iter().max().map_or(0, |last| last + 1);
        let samples: Vec<_> =
            pictures.iter().map(|p| Sample { grid: &p.grid, foreground: p.foreground.as_ref() }).collect();
        Ok(Basis::fit(&samples, needed)?)
    }

    /// Writes the files of one picture and says so.
    fn write(&self, input: &Input, picture: &Picture, encoded: &Encoded, basis: &Basis) -> Result<Value> {
        let args = self.args;
        let projected = basis.project(&encoded.grid, &args.components)?;
        let painted = colours(&projected, encoded.foreground.as_ref());
        let drawn = colours_over_picture(picture, &encoded.geometry, &painted, args.draw.into(), 1.0);
        let inputs: Vec<&Path> = args.images.iter().map(PathBuf::as_path).collect();

        let png = args.output.join(format!("{}.pca.png", input.stem));
        refuse_input(&png, &inputs)?;
        let mut metadata = self.origin.metadata(&encoded.geometry);
        metadata.push(("components", list(&args.components)));
        metadata.push(("explained variance", list(&chosen_variance(basis, &args.components))));
        write_picture(&png, &drawn, &metadata)?;
        let mut files = vec![png.display().to_string()];
        if args.npy {
            let npy = args.output.join(format!("{}.pca.npy", input.stem));
            refuse_input(&npy, &inputs)?;
            write_npy(&npy, projected.view())?;
            files.push(npy.display().to_string());
        }
        self.context.say(format!("{} → {}", input.path.display(), files.join(", ")));
        Ok(json!({
            "image": input.path.to_string_lossy(),
            "files": files,
            "size": self.origin.size(&encoded.geometry),
            "grid": [encoded.geometry.grid.0, encoded.geometry.grid.1],
            "foreground_patches": encoded.foreground.as_ref()
                .map_or(encoded.grid.rows * encoded.grid.cols, |mask| mask.iter().filter(|&&inside| inside).count()),
            "explained_variance": chosen_variance(basis, &args.components),
        }))
    }
}

/// Share of the total variance along each of these components.
fn chosen_variance(basis: &Basis, components: &[usize]) -> Vec<f64> {
    let all = basis.explained_variance_ratio();
    components.iter().filter_map(|&component| all.get(component).copied()).collect()
}

/// The explained variance for people.
fn explained(basis: &Basis, of: &str) -> String {
    let shares: Vec<_> =
        basis.explained_variance_ratio().iter().map(|share| format!("{:.1} %", 100.0 * share)).collect();
    format!("{of}: explained variance by component {}", shares.join(", "))
}

fn list(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
