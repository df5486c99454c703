//! `dinoscope probe apply`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::overlay::OverlayStyle;
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::image::Preprocessing;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::output::write_npy;
use dinoscope_engine::probe::Probe;
use dinoscope_engine::probe::apply::ApplyOptions;
use dinoscope_engine::tracking::FrameFeatures;
use dinoscope_engine::video::{ClipMap, FrameEncoder, MapRecording, Video, VideoOptions, is_video, record_map};
use serde_json::json;

use crate::cli::context::{Context, show_progress};
use crate::cli::drawing::parse_share;
use crate::cli::exit;
use crate::cli::output::{Origin, check_file, create_folder, refuse_input};
use crate::cli::pictures::{self, Prepare};

/// Apply a probe to pictures, folders of pictures, or a video
///
/// Of two classes the picture shows the second one's probability, of more each patch in the colour of its class. The probe
/// says at which size; the model must be the one that it was trained with.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// What 'probe train' or the window wrote
    #[arg(value_name = "PROBE")]
    probe: PathBuf,

    /// Pictures, folders of pictures, or one video
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    /// Folder for the pictures, created where it is missing; of a video, the file to write
    #[arg(short, long, value_name = "DIR|OUT.mp4")]
    output: PathBuf,

    /// A median over 3x3 patches
    #[arg(long)]
    median: bool,

    /// Bring probabilities to pixels along the picture's edges
    #[arg(long)]
    edges: bool,

    /// Also STEM.mask.png: the class of each pixel as its value
    #[arg(long)]
    masks: bool,

    /// Also STEM.probe.npy: probabilities, [rows, cols, classes], with --edges [height, width, classes]
    #[arg(long)]
    npy: bool,

    /// magma, inferno, viridis, cividis or turbo
    #[arg(long, value_name = "MAP", default_value = "magma")]
    colors: Colormap,

    /// How much the map covers the picture, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.75", value_parser = parse_share)]
    opacity: f32,
}

impl ApplyArgs {
    fn options(&self) -> ApplyOptions {
        ApplyOptions { has_median: self.median, follows_edges: self.edges }
    }

    fn style(&self) -> OverlayStyle {
        OverlayStyle { colormap: self.colors, opacity: self.opacity, ..OverlayStyle::default() }
    }
}

/// Runs the subcommand.
pub fn run(args: &ApplyArgs, context: &Context) -> Result<()> {
    let probe = Probe::load(&args.probe)?;
    if let [only] = &args.images[..]
        && is_video(only)
        && args.output.extension().is_some()
    {
        return run_on_clip(args, probe, only, context);
    }
    create_folder(&args.output)?;
    let mut encoder = context.load_encoder()?;
    check_model(&probe, &encoder)?;
    let origin = Origin::of(&encoder);
    let prepare = Prepare::with(preprocessing(&probe, &encoder, context), &encoder);
    let inputs = pictures::inputs(&expanded(&args.images)?);
    let paths: Vec<&Path> = inputs.iter().map(|input| input.path.as_path()).collect();
    let outcome = pictures::for_each(
        &inputs,
        context,
        &prepare,
        "probe",
        |_, prepared| Ok((encoder.forward(&prepared.pixels, &[], &context.cancel)?.output.patch, prepared)),
        |input, (grid, prepared)| {
            let applied = probe.apply(&grid, &prepared.picture, &prepared.geometry, args.options())?;
            let labels = applied.labels();
            let file = |ending: &str| -> Result<PathBuf> {
                let path = args.output.join(format!("{}.{ending}", input.stem));
                refuse_input(&path, &paths)?;
                Ok(path)
            };
            let drawn = applied.over_picture(&prepared.picture, &probe.classes, &args.style());
            let mut metadata = origin.metadata(&prepared.geometry);
            metadata.push(("classes", probe.classes.join("\n")));
            let mut files = vec![file("probe.png")?];
            write_picture(&files[0], &drawn, &metadata)?;
            if args.masks {
                files.push(file("mask.png")?);
                labels.write_png(&files[files.len() - 1], probe.classes.len())?;
            }
            if args.npy {
                files.push(file("probe.npy")?);
                write_npy(&files[files.len() - 1], applied.probabilities.view())?;
            }
            let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            context.say(format!("{} → {}", input.path.display(), shown.join(", ")));
            let areas = labels.areas(probe.classes.len());
            let share = |class: usize| areas[class] as f64 / labels.data.len().max(1) as f64;
            Ok(json!({
                "image": input.path.to_string_lossy(),
                "files": shown,
                "grid": [prepared.geometry.grid.0, prepared.geometry.grid.1],
                "classes": probe.classes.iter().enumerate().map(|(class, name)| json!({
                    "index": class, "name": name, "share": share(class),
                })).collect::<Vec<_>>(),
            }))
        },
    )?;
    let provenance = origin.provenance();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "probe": args.probe,
        "images": outcome.0.iter().flatten().collect::<Vec<_>>(),
    }))?;
    outcome.check()
}

fn run_on_clip(args: &ApplyArgs, probe: Probe, path: &Path, context: &Context) -> Result<()> {
    check_file(&args.output, &[path])?;
    if args.npy || args.masks {
        return Err(exit::usage("--npy and --masks are for pictures, not for a video"));
    }
    let mut video = Video::open(path, &VideoOptions::default())?;
    let frames = video.info().timeline.len();
    let mut encoder = context.load_encoder()?;
    check_model(&probe, &encoder)?;
    let preprocessing = preprocessing(&probe, &encoder, context);
    let map = ClipMap::Probe { probe: Arc::new(probe), options: args.options(), style: args.style() };
    let bar = context.progress_bar("encoding", Some(frames as u64));
    let start = Instant::now();
    // Each frame is needed once.
    let mut store = FrameFeatures::new(0, 0);
    let mut encoder = FrameEncoder { encoder: &mut encoder, preprocessing, store: &mut store, prepare: Ok };
    let recording = MapRecording { map: &map, span: (0, frames.saturating_sub(1)), path: &args.output };
    let progress = |progress| show_progress(&bar, &progress);
    record_map(&recording, &mut video, &mut encoder, &progress, &context.cancel)?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    context.say(format!("{} → {}: {frames} frames in {seconds:.1} s", path.display(), args.output.display()));
    context.say_json(&json!({
        "probe": args.probe, "video": path, "file": args.output, "frames": frames, "seconds": seconds,
    }))
}

/// Features of other weights mean something else.
fn check_model(probe: &Probe, encoder: &Encoder) -> Result<()> {
    let provenance = encoder.provenance();
    ensure!(
        provenance.weights == probe.weights,
        "the probe was trained with {} (weights {}), not with {} ({}): choose that one by --model or --weights",
        probe.model,
        probe.weights,
        provenance.model,
        provenance.weights
    );
    Ok(())
}

fn preprocessing(probe: &Probe, encoder: &Encoder, context: &Context) -> Preprocessing {
    let size = context.options.size.unwrap_or(probe.size);
    Preprocessing { size, ..context.options.preprocessing(encoder.normalisation()) }
}

/// Folders stand for the pictures in them.
fn expanded(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() { all.extend(pictures::in_folder(path)?) } else { all.push(path.clone()) }
    }
    Ok(all)
}
