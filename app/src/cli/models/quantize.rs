//! `dinoscope models quantize`: a backbone in 8 or 4 bits a weight, measured against the original.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dinoscope_engine::backend::{Dtype, PlacementChoice};
use dinoscope_engine::checkpoint::Accuracy;
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::features::Features;
use dinoscope_engine::hub::{Hub, size_text};
use dinoscope_engine::image::{Preprocessing, SizeRule, decode};
use dinoscope_engine::model::zoo;
use dinoscope_engine::quantise::{Bits, Draft, Quantised};
use dinoscope_engine::{Progress, Watch};
use serde_json::json;

use super::super::context::{Context, show_progress};
use super::super::exit;
use super::super::output::check_file;

/// What both models are measured on.
const PICTURE: (&str, &[u8]) = ("chelsea.png", include_bytes!("../../../../assets/chelsea.png"));

/// Short side of it where `--size` is not given.
const SIZE: usize = 512;

/// Write a backbone in 8 or 4 bits a weight, as a GGUF file that --weights takes
///
/// Original and result are compared on a sample picture: the relative error of all patch features, and the cosine of a
/// patch's two features. Both are written into the file, and `models inspect` shows them.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  dinoscope models quantize vitl16 -o vitl16-8bit.gguf\n  \
                        dinoscope models quantize model.safetensors --bits 4 -o model-4bit.gguf\n  \
                        dinoscope features cat.jpg -o features --weights vitl16-8bit.gguf")]
pub struct QuantizeArgs {
    /// A name from `dinoscope models`, a checkpoint (.pth, .safetensors) or a hub-style folder
    #[arg(value_name = "MODEL")]
    source: String,

    /// The file to write
    #[arg(short, long, value_name = "OUT.gguf")]
    output: PathBuf,

    /// Bits of a weight
    #[arg(long, value_enum, default_value = "8")]
    bits: BitsArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BitsArg {
    /// A quarter of f32's size
    #[value(name = "8")]
    Eight,
    /// An eighth of f32's size
    #[value(name = "4")]
    Four,
}

impl QuantizeArgs {
    /// Refuses to write over the weights that are read.
    fn check_output(&self) -> Result<()> {
        let source = Path::new(&self.source);
        let entries = source.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let files: Vec<PathBuf> = entries.chain([source.to_path_buf()]).collect();
        check_file(&self.output, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>())
    }

    /// A file or folder of that name goes before a model of the zoo.
    fn model(&self, context: &Context) -> Result<ModelSource> {
        let (path, name) = (Path::new(&self.source), &self.source);
        match context.options.random_weights {
            Some(_) if zoo::find(name).is_none() => {
                Err(exit::usage(format!("--random-weights takes a name from `dinoscope models`, got {name}")))
            }
            Some(seed) => Ok(ModelSource::Random { name: name.clone(), seed }),
            None if zoo::find(name).is_some() && !path.exists() => Ok(ModelSource::Named(name.clone())),
            None => Ok(ModelSource::Path(path.to_path_buf())),
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &QuantizeArgs, hub: &Hub, context: &Context) -> Result<()> {
    args.check_output()?;
    let source = args.model(context)?;
    let bits = match args.bits {
        BitsArg::Eight => Bits::Eight,
        BitsArg::Four => Bits::Four,
    };
    let model = source.open(hub)?;
    if model.weights.quantisation().is_some() {
        return Err(exit::usage(format!("{} is quantised already: give the original", args.source)));
    }
    let bar = context.progress_bar("quantising", None);
    let report = |progress: Progress| show_progress(&bar, &progress);
    let watch = Watch { progress: &report, cancel: &context.cancel };
    let draft = Draft::write(&model.weights, (&model.name, model.normalisation), bits, &args.output, watch)?;
    drop(model);
    bar.finish_and_clear();

    log::info!("comparing both on {}", PICTURE.0);
    let original = features(&source, hub, context)?;
    let quantised = features(&ModelSource::Path(draft.path().to_path_buf()), hub, context)?;
    let written = draft.finish(Accuracy::between(&original, &quantised))?;
    lines(&written).into_iter().for_each(|line| context.say(line));
    let mut value = serde_json::to_value(&written)?;
    value["picture"] = json!(PICTURE.0);
    context.say_json(&value)
}

/// Of the sample picture, in f32 where the options do not say otherwise.
fn features(source: &ModelSource, hub: &Hub, context: &Context) -> Result<Features> {
    let options = &context.options;
    let placement = PlacementChoice { dtype: options.dtype.or(Some(Dtype::F32)), ..options.placement() };
    let watch = Watch { progress: &|_| (), cancel: &context.cancel };
    let mut encoder = Encoder::load_watched(source, &options.device, placement, None, hub, watch)?;
    let size = options.size.unwrap_or(SizeRule::ShortSide(SIZE));
    let preprocessing = Preprocessing { size, ..options.preprocessing(encoder.normalisation()) };
    let picture = decode::from_bytes(Path::new(PICTURE.0), PICTURE.1)?;
    Ok(encoder.encode(&picture, &preprocessing, &[], &context.cancel)?.0.output)
}

fn lines(written: &Quantised) -> Vec<String> {
    let Quantised { path, bytes, bytes_f32, quantisation } = written;
    let (size, size_f32) = (size_text(*bytes), size_text(*bytes_f32));
    let mut lines = vec![format!(
        "{}: {} in {} bits, {size} ({size_f32} in f32)",
        path.display(),
        quantisation.source,
        quantisation.bits
    )];
    lines.extend(quantisation.accuracy.map(accuracy_text));
    lines
}

/// For people.
pub fn accuracy_text(accuracy: Accuracy) -> String {
    let Accuracy { relative_error, patch_cosine, least_patch_cosine } = accuracy;
    format!("relative error {relative_error:.4}, patch cosine {patch_cosine:.5} (least {least_patch_cosine:.5})")
}
