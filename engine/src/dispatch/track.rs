//! Tracking objects through a clip.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::lane::Job;
use super::{Clip, ModelChoice, Outcome, PictureId};
use crate::encoder::Encoder;
use crate::features::Geometry;
use crate::gpu::Gpu;
use crate::image::{Filter, SizeRule};
use crate::tracking::{
    ArchivedProbabilities, Direction, LabelMap, Propagator, Session, SessionSettings, Stretch, TrackedFrame,
    TrackingOptions,
};
use crate::video::{Video, VideoOptions};
use crate::{Progress, Result};

/// Memory for features of frames, in bytes.
const MEMORY: usize = 1 << 30;

/// Disk for features of frames beyond that, in bytes.
const DISK: u64 = 16 << 30;

/// What is to be tracked, and from what.
#[derive(Clone, Debug)]
pub struct TrackRequest {
    /// Any frame of the clip.
    pub picture: PictureId,
    /// The clip.
    pub clip: Clip,
    /// The model; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
    /// Size of its input.
    pub size: SizeRule,
    /// How frames are resized to it.
    pub filter: Filter,
    /// What a person has painted, by frame.
    pub masks: BTreeMap<usize, Arc<LabelMap>>,
    /// When which object is out of sight.
    pub absent: Vec<(u8, Vec<RangeInclusive<usize>>)>,
    /// How.
    pub options: TrackingOptions,
    /// Which frames.
    pub goal: TrackGoal,
}

/// Which frames are to be tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackGoal {
    /// All of these that are not tracked yet.
    Span(RangeInclusive<usize>),
    /// From the nearest mask to one frame, on the way there through another.
    From {
        /// Where to look for the mask.
        frame: usize,
        /// Which way.
        direction: Direction,
        /// The last one.
        last: usize,
    },
}

/// A frame that was tracked.
#[derive(Clone, Debug)]
pub struct TrackedLabels {
    /// How likely every patch belongs to each object.
    pub patches: ArchivedProbabilities,
    /// The object of every patch, `[rows * cols]`.
    pub labels: Vec<u8>,
    /// How patches and pixels lie over each other.
    pub geometry: Geometry,
}

/// A clip that was tracked last, with its features: what changes little is tracked again at once.
pub struct Tracked {
    document: PictureId,
    settings: SessionSettings,
    session: Session,
}

/// Works a request off; `before` is what the last one has left, and takes what this one leaves.
pub fn track(
    request: &TrackRequest,
    encoder: &mut Encoder,
    gpu: Option<&Gpu>,
    before: &mut Option<Tracked>,
    job: &Job<'_>,
) -> Result<Outcome> {
    let document = request.picture.document();
    let settings = SessionSettings {
        size: request.size,
        filter: request.filter,
        normalisation: encoder.normalisation(),
        memory: MEMORY,
        disk: DISK,
    };
    let known = before.take().filter(|known| (known.document, known.settings) == (document, settings));
    let session = match known {
        Some(known) => known.session,
        None => {
            let stride = encoder.config().stride();
            Session::new(&request.clip.info, stride, &settings, request.options, Propagator::new(gpu.cloned()))?
        }
    };
    // Put back at once: what was tracked before an error stays.
    let session = &mut before.insert(Tracked { document, settings, session }).session;
    session.tracker.set_options(request.options);
    session.set_masks(request.masks.iter().map(|(&frame, map)| (frame, &**map)), &request.absent)?;
    let stretches = match request.goal.clone() {
        TrackGoal::Span(span) => session.missing(span),
        TrackGoal::From { frame, direction, last } => session.from_frame(frame, direction, last).into_iter().collect(),
    };
    let kept = (0..request.clip.info.timeline.len()).filter(|&frame| session.tracker.is_known(frame));
    job.emit(Outcome::TrackingBegins { picture: document, kept: kept.collect() });
    let total: usize = stretches.iter().map(|stretch| session.targets(stretch).len()).sum();
    let mut video = Video::open(&request.clip.info.path, &VideoOptions::default())?;
    let mut done = 0;
    job.progress(progress(done, total));
    for stretch in &stretches {
        follow(session, stretch, &mut video, encoder, job, document, (&mut done, total))?;
    }
    Ok(Outcome::Finished)
}

fn follow(
    session: &mut Session,
    stretch: &Stretch,
    video: &mut Video,
    encoder: &mut Encoder,
    job: &Job<'_>,
    document: PictureId,
    (done, total): (&mut usize, usize),
) -> Result<()> {
    session.track(stretch, video, encoder, job.cancel(), &mut |TrackedFrame { frame, tracker, moved, .. }| {
        if let Some(message) = moved {
            job.emit(Outcome::TrackingMoved { message });
        }
        let geometry = *tracker.geometry();
        if let Some(patches) = tracker.tracked(frame).cloned() {
            let labels = patches.read()?.patch_labels(&geometry);
            let tracked = Arc::new(TrackedLabels { patches, labels, geometry });
            job.emit(Outcome::Tracked { picture: document.at_frame(frame), tracked });
        }
        *done += 1;
        job.progress(progress(*done, total));
        Ok(())
    })
}

fn progress(done: usize, total: usize) -> Progress {
    let stage = format!("tracking frame {} of {total}", (done + 1).min(total));
    Progress { stage, done: done as u64, total: Some(total as u64) }
}
