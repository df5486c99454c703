//! `dinoscope track`: objects of the first frame, followed through a clip.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use dinoscope_engine::analysis::propagation::PropagationOptions;
use dinoscope_engine::draw::Palette;
use dinoscope_engine::draw::labels::{Background, LabelStyle};
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::features::Geometry;
use dinoscope_engine::image::{Filter, Picture, Preprocessing, SizeRule};
use dinoscope_engine::tracking::record::{RecordFrame, RecordKind, RecordedClip, Recorder, recorder};
use dinoscope_engine::tracking::{
    Direction, LabelMap, PatchProbabilities, Propagator, Session, SessionSettings, Stretch, TrackedFrame,
    TrackingOptions,
};
use dinoscope_engine::video::{Video, VideoOptions};
use indicatif::ProgressBar;
use serde_json::json;

use super::context::Context;
use super::drawing::parse_share;
use super::exit;
use super::output::{check_file, create_folder, refuse_input};

/// Short side of the model's input where `--size` is not given: the reference's.
const DEFAULT_SIZE: usize = 960;

/// Frames that wait to be written.
const WAITING: usize = 2;

/// Features that are kept beside those of the context, in bytes: nothing is tracked twice here.
const MEMORY: usize = 64 << 20;

/// Follow the objects of the first frame through a video
///
/// Labels move from frame to frame through the similarity of patches, without training. The mask is a PNG of the
/// frame's size: the indices of an indexed one are the objects' ids; a grey one with a single value is object 1.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope track dog.mp4 --mask first.png -o tracked.mp4                 objects in colour over the video
  dinoscope track frames/ --mask first.png --masks masks --fps 30         a folder of numbered pictures
  dinoscope track dog.mp4 --mask first.png -o dog.mp4 --background green  cut out
  dinoscope track dog.mp4 --mask first.png --coco dog.json --table dog.csv")]
pub struct TrackArgs {
    /// A video file, or a folder of numbered pictures
    #[arg(value_name = "VIDEO")]
    video: PathBuf,

    /// The objects of the first frame
    #[arg(long, value_name = "FIRST.png")]
    mask: PathBuf,

    /// The video with its objects coloured
    #[arg(short, long, value_name = "OUT.mp4", required_unless_present_any = ["masks", "soft_masks", "cut_outs", "coco", "table"])]
    output: Option<PathBuf>,

    /// Folder for an indexed PNG of every frame, at the video's size
    #[arg(long, value_name = "DIR")]
    masks: Option<PathBuf>,

    /// Folder for grey PNGs of every object and frame: how much each pixel belongs to it
    #[arg(long, value_name = "DIR")]
    soft_masks: Option<PathBuf>,

    /// Folder for PNGs of every frame that are transparent where no object is
    #[arg(long, value_name = "DIR")]
    cut_outs: Option<PathBuf>,

    /// Masks as COCO's JSON, run-length encoded
    #[arg(long, value_name = "OUT.json")]
    coco: Option<PathBuf>,

    /// Areas, boxes and centroids
    #[arg(long, value_name = "OUT.csv")]
    table: Option<PathBuf>,

    /// A value of the mask that is background too
    #[arg(long, value_name = "ID")]
    void: Option<u8>,

    /// Frames per second of a folder of pictures
    #[arg(long, value_name = "N", default_value = "24", value_parser = parse_positive)]
    fps: f64,

    /// The last frames that are looked at, beside the first one
    #[arg(long, value_name = "N", default_value_t = TrackingOptions::default().context)]
    context: usize,

    /// How far things may move from frame to frame, in patches
    #[arg(long, value_name = "PATCHES", default_value = "12", value_parser = parse_radius)]
    neighborhood: f32,

    /// Most similar patches that decide
    #[arg(long, value_name = "K", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    topk: u32,

    /// Lower: the most similar patch decides more
    #[arg(long, value_name = "T", default_value = "0.2", value_parser = parse_temperature)]
    temperature: f32,

    /// How much the colours cover the objects, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = parse_share)]
    opacity: f32,

    /// Width of a line around every object, in pixels
    #[arg(long, value_name = "PX", default_value = "0")]
    outline: usize,

    /// What is seen where no object is
    #[arg(long, value_enum, default_value_t = Behind::Frame)]
    background: Behind,

    /// The video as it is at the left of the coloured one
    #[arg(long)]
    side_by_side: bool,
}

/// `--background`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Behind {
    /// The video
    Frame,
    /// Black
    Black,
    /// White
    White,
    /// Green, for other programs to take away
    Green,
}

/// Runs the subcommand.
pub fn run(args: &TrackArgs, context: &Context) -> Result<()> {
    check_outputs(args)?;
    let labels = LabelMap::read(&args.mask, args.void)?;
    let objects = labels.objects();
    ensure!(!objects.is_empty(), "{} shows no object: every pixel is background", args.mask.display());
    let mut video = Video::open(&args.video, &VideoOptions { folder_fps: args.fps, ..VideoOptions::default() })?;
    let mut encoder = context.load_encoder()?;
    let info = Arc::new(video.info().clone());
    let last = info.timeline.len().saturating_sub(1);
    let clip = RecordedClip {
        info: Arc::clone(&info),
        span: (0, last),
        names: objects.iter().map(|id| (*id, format!("object {id}"))).collect(),
    };
    let mut session = session(args, context, &encoder, &video)?;
    session.tracker.set_mask(0, labels.clone())?;

    let mut recorders = recorders(args, &clip, objects.last().copied().unwrap_or(1))?;
    let bar = context.progress_bar(&format!("tracking on {}", encoder.provenance().device), Some(last as u64 + 1));
    let start = Instant::now();
    let first = video.frame(0, &context.cancel)?;
    let (send, frames) = sync_channel(WAITING);
    let cancel = &context.cancel;
    let tracked = thread::scope(|scope| -> Result<(), dinoscope_engine::Error> {
        let recorders = &mut recorders;
        let writing = scope.spawn(move || record_all(recorders, &frames, &bar));
        let tracked = track(&mut session, &mut video, &mut encoder, (first, labels), cancel, send);
        let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(tracked)
    });
    let mut ended: Result<()> = Ok(());
    for recorder in recorders {
        let result = match &tracked {
            Err(dinoscope_engine::Error::Cancelled) => {
                recorder.abandon();
                Ok(())
            }
            // What was complete before an error stays.
            Err(_) => Ok(()),
            Ok(()) => recorder.finish(),
        };
        ended = ended.and(result.map_err(Into::into));
    }
    tracked?;
    ended?;
    report(args, context, &encoder, &objects, last + 1, start.elapsed().as_secs_f64())
}

/// A frame on its way to the recorders.
struct Done {
    frame: usize,
    picture: Arc<Picture>,
    labels: LabelMap,
    tracked: Option<(Arc<PatchProbabilities>, Geometry)>,
}

fn session(args: &TrackArgs, context: &Context, encoder: &Encoder, video: &Video) -> Result<Session> {
    let trained_with = encoder.normalisation();
    let Preprocessing { normalisation, .. } = context.options.preprocessing(trained_with);
    let settings = SessionSettings {
        size: context.options.size.unwrap_or(SizeRule::ShortSide(DEFAULT_SIZE)),
        filter: context.options.filter().unwrap_or(Filter::Bicubic),
        normalisation,
        memory: MEMORY,
        disk: 0,
    };
    let options = TrackingOptions {
        context: args.context,
        propagation: PropagationOptions {
            radius: args.neighborhood,
            topk: args.topk as usize,
            temperature: args.temperature,
        },
    };
    Ok(Session::new(video.info(), encoder.config().stride(), &settings, options, Propagator::beside(encoder))?)
}

fn track(
    session: &mut Session,
    video: &mut Video,
    encoder: &mut Encoder,
    (picture, labels): (Arc<Picture>, LabelMap),
    cancel: &dinoscope_engine::Cancel,
    frames: SyncSender<Done>,
) -> Result<(), dinoscope_engine::Error> {
    // The other side ends early only where it has failed, which its own error tells.
    let send = |done: Done| frames.send(done).map_err(|_| dinoscope_engine::Error::Cancelled);
    let last = video.info().timeline.len().saturating_sub(1);
    send(Done { frame: 0, picture, labels, tracked: None })?;
    let stretch = Stretch { mask: 0, direction: Direction::Forward, last };
    session.track(&stretch, video, encoder, cancel, &mut |TrackedFrame { frame, picture, tracker, .. }| {
        let geometry = *tracker.geometry();
        let (Some(picture), Some(patches)) = (picture, tracker.patches(frame)?) else { return Ok(()) };
        send(Done { frame, picture, labels: patches.labels(&geometry), tracked: Some((patches, geometry)) })
    })?;
    Ok(())
}

fn record_all(
    recorders: &mut [Box<dyn Recorder>],
    frames: &Receiver<Done>,
    bar: &ProgressBar,
) -> Result<(), dinoscope_engine::Error> {
    for Done { frame, picture, labels, tracked } in frames {
        let tracked = tracked.as_ref().map(|(patches, geometry)| (&**patches, geometry));
        let done = RecordFrame { frame, picture: &picture, labels: &labels, tracked };
        recorders.iter_mut().try_for_each(|recorder| recorder.add(&done))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn recorders(args: &TrackArgs, clip: &RecordedClip, largest: u8) -> Result<Vec<Box<dyn Recorder>>> {
    let background = match args.background {
        Behind::Frame => Background::Frame,
        Behind::Black => Background::BLACK,
        Behind::White => Background::WHITE,
        Behind::Green => Background::GREEN,
    };
    let palette = Palette::of_objects(largest);
    let style = LabelStyle { palette, opacity: args.opacity, outline: args.outline, background };
    let asked = [
        (&args.output, RecordKind::Overlay { style: style.clone(), is_beside: args.side_by_side }),
        (&args.masks, RecordKind::Masks),
        (&args.soft_masks, RecordKind::SoftMasks),
        (&args.cut_outs, RecordKind::CutOuts(style)),
        (&args.coco, RecordKind::Coco),
        (&args.table, RecordKind::Table),
    ];
    let asked = asked.iter().filter_map(|(path, kind)| Some((path.as_deref()?, kind)));
    asked.map(|(path, kind)| Ok(recorder(kind, path, clip)?)).collect()
}

/// Before any work.
fn check_outputs(args: &TrackArgs) -> Result<()> {
    let inputs: Vec<&Path> = vec![&args.video, &args.mask];
    for file in [&args.output, &args.coco, &args.table].into_iter().flatten() {
        check_file(file, &inputs)?;
    }
    for folder in [&args.masks, &args.soft_masks, &args.cut_outs].into_iter().flatten() {
        refuse_input(folder, &inputs)?;
        create_folder(folder)?;
    }
    let mut outputs: Vec<&PathBuf> =
        [&args.output, &args.coco, &args.table, &args.masks, &args.soft_masks, &args.cut_outs]
            .into_iter()
            .flatten()
            .collect();
    outputs.sort();
    match outputs.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(exit::usage(format!("{} is named for two outputs: choose another name", pair[0].display()))),
        None => Ok(()),
    }
}

fn report(
    args: &TrackArgs,
    context: &Context,
    encoder: &Encoder,
    objects: &[u8],
    frames: usize,
    seconds: f64,
) -> Result<()> {
    let rate = frames as f64 / seconds.max(1e-9);
    let outputs = [&args.output, &args.masks, &args.soft_masks, &args.cut_outs, &args.coco, &args.table];
    let outputs: Vec<String> = outputs.into_iter().flatten().map(|path| path.display().to_string()).collect();
    let objects_text = if objects.len() == 1 { "1 object".to_owned() } else { format!("{} objects", objects.len()) };
    context.say(format!("{frames} frames, {objects_text}, {rate:.2} frames/s: {}", outputs.join(", ")));
    let provenance = encoder.provenance();
    context.say_json(&json!({
        "video": args.video, "frames": frames, "objects": objects, "outputs": outputs, "seconds": seconds,
        "frames_per_s": rate, "model": provenance.model, "weights": provenance.weights, "device": provenance.device,
        "dtype": provenance.dtype,
    }))
}

fn parse_positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0).ok_or_else(|| "expected a number above 0".to_owned())
}

fn parse_temperature(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|n: &f32| n.is_finite() && *n > 0.0).ok_or_else(|| "expected a number above 0".to_owned())
}

fn parse_radius(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|n: &f32| n.is_finite() && *n >= 0.0)
        .ok_or_else(|| "expected a number of patches".to_owned())
}
