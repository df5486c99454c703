//! Options that every subcommand understands, in any position.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use dinoscope_engine::backend::{DeviceChoice, Dtype, PlacementChoice};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::image::{Filter, Normalisation, Preprocessing, SizeRule};
use dinoscope_engine::model::zoo::zoo;

use super::exit;

/// Short side of the model's input where `--size` is not given.
const DEFAULT_SIZE: usize = 768;

/// Options that every subcommand understands, in any position.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub struct CommonOptions {
    /// A name from `dinoscope models`
    #[arg(long, global = true, value_name = "NAME", default_value = "demo", value_parser = model_names())]
    pub model: String,

    /// A checkpoint (.pth, .safetensors, .gguf) or a hub-style folder; overrides --model
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "random_weights")]
    pub weights: Option<PathBuf>,

    /// Where to run: auto, cpu, cuda[:N], metal or wgpu[:NAME]
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto", value_parser = parse_device)]
    pub device: DeviceChoice,

    /// Weights and matrix inputs: f32, f16 or bf16 [default: f32 on the CPU, f16 on a GPU that has it]
    #[arg(long, global = true, value_name = "TYPE", value_parser = parse_dtype)]
    pub dtype: Option<Dtype>,

    /// Leave the weights of a vision transformer in their file and read them block by block for every picture
    /// [default: where they do not fit into memory, on the processor and through wgpu, as the window does]
    #[arg(long, global = true)]
    pub stream: bool,

    /// How much memory weights may take, to try what happens where it is little
    #[arg(long, global = true, value_name = "BYTES", hide = true, conflicts_with = "stream")]
    pub weight_bytes: Option<u64>,

    /// Input size: N (short side, rounded up to the patch size), WxH (exactly that) or native (no resampling) [default: 768, where the command names no other]
    #[arg(long, global = true, value_name = "SIZE")]
    pub size: Option<SizeRule>,

    /// Interpolation of the resize, antialiased [default: bilinear; bicubic for track, text, classify and datasets]
    #[arg(long, global = true, value_name = "FILTER", value_enum)]
    pub resample: Option<Resample>,

    /// Mean and deviation of the input, instead of what the weights ask for
    #[arg(long, global = true, value_name = "KIND", value_enum)]
    pub normalize: Option<Normalize>,

    /// CPU threads [default: all]
    #[arg(long, global = true, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<usize>,

    /// The named model with random weights, for benchmarks; nothing is downloaded
    #[arg(
        long,
        global = true,
        value_name = "SEED",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "0"
    )]
    pub random_weights: Option<u64>,

    /// Never touch the network
    #[arg(long, global = true)]
    pub offline: bool,

    /// Print a machine-readable result on stdout, one object
    #[arg(long, global = true)]
    pub json: bool,

    /// Stop at the first input that fails instead of skipping it
    #[arg(long, global = true)]
    pub strict: bool,

    /// Print failures only
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// More lines on stderr; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
}

/// `--resample`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resample {
    /// Triangle
    Bilinear,
    /// Cubic, a = -0.5
    Bicubic,
}

/// `--normalize`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Normalize {
    /// Pictures of the web
    Web,
    /// Satellite pictures
    Sat,
}

impl CommonOptions {
    /// Which weights to load.
    pub fn source(&self) -> ModelSource {
        match (&self.weights, self.random_weights) {
            (Some(path), _) => ModelSource::Path(path.clone()),
            (None, Some(seed)) => ModelSource::Random { name: self.model.clone(), seed },
            (None, None) => ModelSource::Named(self.model.clone()),
        }
    }

    /// How the model is put on its device.
    pub fn placement(&self) -> PlacementChoice {
        PlacementChoice { dtype: self.dtype, budget: self.weight_bytes.or(self.stream.then_some(0)) }
    }

    /// Size of the model's input.
    pub fn size_rule(&self) -> SizeRule {
        self.size.unwrap_or(SizeRule::ShortSide(DEFAULT_SIZE))
    }

    /// Refuses a `--size WxH` that no picture can be brought to for a model of this stride.
    pub fn check_size(&self, stride: usize) -> Result<()> {
        match self.size {
            Some(rule @ SizeRule::Exact { width, height }) => {
                rule.resolve(width, height, stride).map(|_| ()).map_err(|error| exit::usage(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// How pictures are prepared for weights that expect `trained_with`.
    pub fn preprocessing(&self, trained_with: Normalisation) -> Preprocessing {
        Preprocessing {
            size: self.size_rule(),
            filter: self.filter().unwrap_or(Filter::Bilinear),
            normalisation: self.normalisation(trained_with),
        }
    }

    /// Interpolation of the resize, where it was given.
    pub fn filter(&self) -> Option<Filter> {
        self.resample.map(|resample| match resample {
            Resample::Bilinear => Filter::Bilinear,
            Resample::Bicubic => Filter::Bicubic,
        })
    }

    /// Mean and deviation of the input for weights that expect `trained_with`.
    pub fn normalisation(&self, trained_with: Normalisation) -> Normalisation {
        match self.normalize {
            Some(Normalize::Web) => Normalisation::WEB,
            Some(Normalize::Sat) => Normalisation::SATELLITE,
            None => trained_with,
        }
    }
}

/// Accepts the names of the zoo.
pub fn model_names() -> PossibleValuesParser {
    PossibleValuesParser::new(zoo().iter().map(|model| model.name))
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    let (kind, detail) = match text.split_once(':') {
        Some((kind, detail)) => (kind, Some(detail)),
        None => (text, None),
    };
    match (kind, detail) {
        ("auto", None) => Ok(DeviceChoice::Auto),
        ("cpu", None) => Ok(DeviceChoice::Cpu),
        ("cuda", None) => Ok(DeviceChoice::Cuda(0)),
        ("cuda", Some(index)) => {
            index.parse().map(DeviceChoice::Cuda).map_err(|_| "cuda takes a number, as in cuda:0".to_owned())
        }
        ("metal", None) => Ok(DeviceChoice::Metal),
        ("wgpu", name) => Ok(DeviceChoice::Wgpu(name.map(str::to_owned))),
        _ => Err("expected auto, cpu, cuda[:N], metal or wgpu[:NAME]".to_owned()),
    }
}

fn parse_dtype(text: &str) -> Result<Dtype, String> {
    match text {
        "f32" => Ok(Dtype::F32),
        "f16" => Ok(Dtype::F16),
        "bf16" => Ok(Dtype::Bf16),
        _ => Err("expected f32, f16 or bf16".to_owned()),
    }
}

fn parse_threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1024).contains(n)).ok_or_else(|| "expected a number from 1 to 1024".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        assert_eq!(parse_device("cuda"), Ok(DeviceChoice::Cuda(0)));
        assert_eq!(parse_device("cuda:1"), Ok(DeviceChoice::Cuda(1)));
        assert_eq!(parse_device("wgpu"), Ok(DeviceChoice::Wgpu(None)));
        assert_eq!(parse_device("wgpu:RTX 4090"), Ok(DeviceChoice::Wgpu(Some("RTX 4090".to_owned()))));
        for wrong in ["", "gpu", "cuda:x", "cpu:1", "metal:0"] {
            assert!(parse_device(wrong).is_err(), "{wrong}");
        }
    }
}
