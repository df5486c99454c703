//! The command line: what is parsed, and which file executes it.

mod bench;
mod classify;
mod completions;
mod context;
mod dataset;
mod depth;
mod detect;
mod doctor;
mod drawing;
mod encode_text;
mod exit;
mod features;
mod heads;
mod knn;
mod linear;
mod logger;
mod logreg;
mod matching;
mod models;
mod options;
mod output;
mod pca;
mod pictures;
mod pipeline;
mod point;
mod probe;
mod retrieve;
mod segment;
mod similarity;
mod text;
mod track;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches as _, Parser, Subcommand};
use dinoscope_engine::Cancel;
use dinoscope_engine::backend::DeviceChoice;

use context::Context;
use options::CommonOptions;

use crate::gui::Launch;

const EXAMPLES: &str = "\
Examples:
  dinoscope                                                 the window, with a sample picture
  dinoscope holiday.jpg cat.jpg                             the window, with pictures of yours
  dinoscope similarity cat.jpg --point 320,200 -o cat.png   what looks like this patch?
  dinoscope pca *.jpg -o colours --joint                    features as colours
  dinoscope match left.jpg right.jpg -o matches.png         which patch is where?
  dinoscope track dog.mp4 --mask first.png -o dog.tracked.mp4  objects followed through a video
  dinoscope segment cat.jpg --model vitl16 --text cat --text sofa -o words.png    what is where, in words?
  dinoscope features *.jpg -o features --layers 5,11        features for your own program

Every subcommand has its own examples: dinoscope help similarity";

/// A microscope for Meta's DINOv3 vision models.
///
/// The bundled demo model is a small stand-in, not Meta's weights: choose a published model by --model, or a
/// checkpoint by --weights.
#[derive(Parser, Debug)]
#[command(name = "dinoscope", version, after_help = EXAMPLES, disable_help_subcommand = false)]
struct Cli {
    #[command(flatten)]
    common: CommonOptions,

    #[command(subcommand)]
    command: Option<Command>,

    /// Gives the graphics device up after this many seconds, to try what happens then
    #[arg(long, value_name = "SECONDS", hide = true)]
    simulate_device_loss: Option<f32>,

    /// Files to open in the window; without any, a sample picture
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    Features(features::FeaturesArgs),
    Similarity(similarity::SimilarityArgs),
    Pca(pca::PcaArgs),
    Match(matching::MatchArgs),
    Track(track::TrackArgs),
    Segment(segment::SegmentArgs),
    Classify(classify::ClassifyArgs),
    Depth(depth::DepthArgs),
    Detect(detect::DetectArgs),
    Probe(probe::ProbeArgs),
    Knn(knn::KnnArgs),
    Logreg(logreg::LogregArgs),
    Linear(linear::LinearArgs),
    Retrieve(retrieve::RetrieveArgs),
    EncodeText(encode_text::EncodeTextArgs),
    Bench(bench::BenchArgs),
    Models(models::ModelsArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
}

/// Parses the arguments, executes them, and reports a failure in one line.
pub fn run() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let given = Given::of(&matches);
    logger::install(&cli.common);
    let context = Context { options: cli.common, cancel: Cancel::default() };
    let device_loss = cli.simulate_device_loss.map(|seconds| Duration::from_secs_f32(seconds.max(0.0)));
    let window = |context: &Context| Launch { device_loss, ..launch(&cli.files, given, context) };
    exit::code_of(execute(cli.command, &cli.files, window, &context))
}

fn execute(
    command: Option<Command>,
    files: &[PathBuf],
    window: impl FnOnce(&Context) -> Launch,
    context: &Context,
) -> Result<()> {
    #[cfg(target_os = "linux")]
    if matches!(context.options.device, DeviceChoice::Auto | DeviceChoice::Wgpu(_))
        && let Some(
            Command::Features(_)
            | Command::Similarity(_)
            | Command::Pca(_)
            | Command::Match(_)
            | Command::Track(_)
            | Command::Segment(_)
            | Command::Classify(_)
            | Command::Depth(_)
            | Command::Detect(_)
            | Command::Probe(_)
            | Command::Knn(_)
            | Command::Logreg(_)
            | Command::Linear(_)
            | Command::Retrieve(_)
            | Command::EncodeText(_),
        ) = command
    {
        doctor::keep_graphics_quiet();
    }
    if command.is_some() {
        stop_on_interrupt(&context.cancel)?;
    }
    if let Some(threads) = context.options.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
    }
    match command {
        Some(Command::Features(args)) => features::run(&args, context),
        Some(Command::Similarity(args)) => similarity::run(&args, context),
        Some(Command::Pca(args)) => pca::run(&args, context),
        Some(Command::Match(args)) => matching::run(&args, context),
        Some(Command::Track(args)) => track::run(&args, context),
        Some(Command::Segment(args)) => segment::run(&args, context),
        Some(Command::Classify(args)) => classify::run(&args, context),
        Some(Command::Depth(args)) => depth::run(&args, context),
        Some(Command::Detect(args)) => detect::run(&args, context),
        Some(Command::Probe(args)) => probe::run(&args, context),
        Some(Command::Knn(args)) => knn::run(&args, context),
        Some(Command::Logreg(args)) => logreg::run(&args, context),
        Some(Command::Linear(args)) => linear::run(&args, context),
        Some(Command::Retrieve(args)) => retrieve::run(&args, context),
        Some(Command::EncodeText(args)) => encode_text::run(&args, context),
        Some(Command::Bench(args)) => bench::run(&args, context),
        Some(Command::Models(args)) => models::run(&args, context),
        Some(Command::Doctor(args)) => doctor::run(&args, context),
        Some(Command::Completions(args)) => completions::run(&args, &mut Cli::command()),
        None => {
            refuse_mistyped_subcommand(files);
            crate::gui::run(window(context))
        }
    }
}

/// Options that were given and are no defaults.
#[derive(Clone, Copy, Debug)]
struct Given {
    model: bool,
    device: bool,
}

impl Given {
    fn of(matches: &ArgMatches) -> Self {
        let is_given =
            |name: &str| matches.value_source(name).is_some_and(|source| source != ValueSource::DefaultValue);
        Self { model: ["model", "weights", "random_weights"].into_iter().any(is_given), device: is_given("device") }
    }
}

/// The window with these files, and with the model and size of the options; what was not given is as it was last.
fn launch(files: &[PathBuf], given: Given, context: &Context) -> Launch {
    let options = &context.options;
    Launch {
        files: files.to_vec(),
        source: given.model.then(|| options.source()),
        device: given.device.then(|| options.device.clone()),
        dtype: options.dtype,
        size: options.size,
        hub: Some(models::hub_config(context)),
        config_folder: dirs::config_dir().map(|folder| folder.join("dinoscope")),
        ..Launch::default()
    }
}

/// A first word that is neither a file nor looks like one was meant as a subcommand.
fn refuse_mistyped_subcommand(files: &[PathBuf]) {
    let Some(word) = files.first() else { return };
    if word.exists() || word.extension().is_some() || word.components().count() > 1 {
        return;
    }
    let message = format!("there is no subcommand or file '{}'", word.display());
    Cli::command().error(ErrorKind::InvalidSubcommand, message).exit()
}

/// The first Ctrl-C asks the work to stop, a second one ends the program at once.
fn stop_on_interrupt(cancel: &Cancel) -> Result<()> {
    let cancel = cancel.clone();
    ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            std::process::exit(exit::INTERRUPTED.into());
        }
        cancel.cancel();
    })
    .context("cannot listen for Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
