//! Recordings of clips: what was tracked, and maps of features.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::lane::Job;
use super::{Clip, ModelChoice, Outcome, TrackedLabels};
use crate::encoder::Encoder;
use crate::image::{Filter, Preprocessing, SizeRule};
use crate::tracking::record::{RecordFrame, RecordKind, RecordedClip, recorder};
use crate::tracking::{FrameFeatures, LabelMap};
use crate::video::{ClipMap, FrameEncoder, MapRecording, Video, VideoOptions, record_map};
use crate::{Progress, Result};

/// Memory for features of frames, in bytes.
const MEMORY: usize = 1 << 30;

/// Disk for features of frames beyond that, in bytes.
const DISK: u64 = 16 << 30;

/// Objects that were followed through a clip.
#[derive(Clone, Debug)]
pub struct TracksExport {
    /// What is written.
    pub kind: RecordKind,
    /// The clip.
    pub clip: Clip,
    /// First and last frame.
    pub span: (usize, usize),
    /// Ids and names of the objects; others become background.
    pub names: Vec<(u8, String)>,
    /// By frame; those without have no objects.
    pub frames: Arc<BTreeMap<usize, FrameLabels>>,
}

/// The objects of one frame.
#[derive(Clone, Debug)]
pub enum FrameLabels {
    /// A person has painted them.
    Painted(Arc<LabelMap>),
    /// They were tracked.
    Tracked(Arc<TrackedLabels>),
}

/// A map of features through a clip.
#[derive(Clone, Debug)]
pub struct ClipMapExport {
    /// What is shown.
    pub map: ClipMap,
    /// The clip.
    pub clip: Clip,
    /// First and last frame.
    pub span: (usize, usize),
    /// The model; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
    /// Size of its input.
    pub size: SizeRule,
    /// How frames are resized to it.
    pub filter: Filter,
}

/// Reads the clip once more and writes what was tracked in it.
pub fn record_tracks(request: &TracksExport, path: &Path, job: &Job<'_>) -> Result<Outcome> {
    let TracksExport { kind, clip, span, names, frames } = request;
    let info = Arc::clone(&clip.info);
    let mut video = Video::open(&info.path, &VideoOptions::default())?;
    let recorded = RecordedClip { info: Arc::clone(&info), span: *span, names: names.clone() };
    let mut recorder = recorder(kind, path, &recorded)?;
    let total = span.1 - span.0 + 1;
    let is_recorded = |id: u8| names.iter().any(|(known, _)| *known == id);
    let mut add_all = || {
        (span.0..=span.1).try_for_each(|frame| {
            let done = frame - span.0;
            let stage = format!("recording frame {} of {total}", done + 1);
            job.progress(Progress { stage, done: done as u64, total: Some(total as u64) });
            let picture = video.frame(frame, job.cancel())?;
            let (mut labels, tracked) = match frames.get(&frame) {
                Some(FrameLabels::Painted(map)) => ((**map).clone(), None),
                Some(FrameLabels::Tracked(tracked)) => {
                    let patches = tracked.patches.read()?;
                    let labels = LabelMap::of_patches(&tracked.labels, &tracked.geometry);
                    (labels, Some((patches, &tracked.geometry)))
                }
                None => (LabelMap::new(info.width, info.height, vec![0; info.width * info.height])?, None),
            };
            labels.ids.iter_mut().filter(|id| !is_recorded(**id)).for_each(|id| *id = 0);
            let tracked = tracked.as_ref().map(|(patches, geometry)| (&**patches, *geometry));
            recorder.add(&RecordFrame { frame, picture: &picture, labels: &labels, tracked })
        })
    };
    let added = add_all();
    recorder.end(added)?;
    Ok(Outcome::Exported(path.to_path_buf()))
}

/// Encodes the clip and records a map of it.
pub fn record_clip_map(request: &ClipMapExport, path: &Path, encoder: &mut Encoder, job: &Job<'_>) -> Result<Outcome> {
    let ClipMapExport { map, clip, span, size, filter, .. } = request;
    let mut video = Video::open(&clip.info.path, &VideoOptions::default())?;
    let preprocessing = Preprocessing { size: *size, filter: *filter, normalisation: encoder.normalisation() };
    let mut store = FrameFeatures::new(MEMORY, DISK);
    let mut frames = FrameEncoder { encoder, preprocessing, store: &mut store, prepare: Ok };
    let recording = MapRecording { map, span: *span, path };
    record_map(&recording, &mut video, &mut frames, &|progress| job.progress(progress), job.cancel())?;
    Ok(Outcome::Exported(path.to_path_buf()))
}
