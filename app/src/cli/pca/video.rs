//! A clip in the colours of one basis for all its frames.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use dinoscope_engine::image::Preprocessing;
use dinoscope_engine::tracking::FrameFeatures;
use dinoscope_engine::video::{ClipMap, FrameEncoder, MapRecording, Video, VideoOptions, is_video, record_map};
use serde_json::json;

use super::{Foreground, PcaArgs, chosen_variance, explained};
use crate::cli::context::{Context, show_progress};
use crate::cli::exit;
use crate::cli::output::check_file;

/// Memory for features of frames, in bytes.
const MEMORY: usize = 1 << 30;

/// Disk for features beyond that, in bytes; what has no room there either is encoded twice.
const DISK: u64 = 16 << 30;

/// Whether a clip is asked for: a video, and a file to write it to.
pub fn is_asked(args: &PcaArgs) -> bool {
    matches!(&args.images[..], [only] if args.output.extension().is_some() && is_video(only))
}

/// Runs the subcommand on a clip.
pub fn run(args: &PcaArgs, context: &Context) -> Result<()> {
    let path: &Path = &args.images[0];
    check_file(&args.output, &[path])?;
    let has_foreground = match args.foreground {
        Foreground::All => false,
        Foreground::Auto => true,
        Foreground::Mask(_) => return Err(exit::usage("--foreground takes auto or none for a video")),
    };
    if args.npy {
        return Err(exit::usage("--npy is for pictures, not for a video"));
    }
    let mut video = Video::open(path, &VideoOptions::default())?;
    let frames = video.info().timeline.len();
    let mut encoder = context.load_encoder()?;
    let preprocessing: Preprocessing = context.options.preprocessing(encoder.normalisation());
    let map = ClipMap::Pca {
        basis: None,
        components: args.components.clone(),
        has_foreground,
        interpolation: args.draw.into(),
        opacity: 1.0,
    };
    let provenance = encoder.provenance().clone();
    let bar = context.progress_bar("encoding", Some(frames as u64));
    let start = Instant::now();
    let mut store = FrameFeatures::new(MEMORY, DISK);
    let mut encoder = FrameEncoder { encoder: &mut encoder, preprocessing, store: &mut store, prepare: Ok };
    let recording = MapRecording { map: &map, span: (0, frames.saturating_sub(1)), path: &args.output };
    let progress = |progress| show_progress(&bar, &progress);
    let basis = record_map(&recording, &mut video, &mut encoder, &progress, &context.cancel)?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    if let Some(basis) = &basis {
        context.say(explained(basis, "all frames together"));
    }
    context.say(format!("{} → {}: {frames} frames in {seconds:.1} s", path.display(), args.output.display()));
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "video": path,
        "file": args.output,
        "frames": frames,
        "seconds": seconds,
        "components": args.components,
        "explained_variance": basis.map(|basis| chosen_variance(&basis, &args.components)),
    }))
}
