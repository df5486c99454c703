//! Maps of features through a clip, recorded as a video: principal components, similarity to a query.

use std::path::Path;
use std::sync::Arc;

use super::record::{RecordingFormat, SoundSource, create};
use super::{EncodedFrame, FrameEncoder, Video};
use crate::analysis::foreground::{self, PatchMask};
use crate::analysis::pca::{Basis, Sample, StreamingPca, colours};
use crate::analysis::similarity::{EXCLUDED, MapQuery, combined_map};
use crate::draw::overlay::{Interpolation, OverlayStyle, colours_over_picture, map_over_picture};
use crate::features::{FeatureGrid, Geometry};
use crate::image::Picture;
use crate::probe::Probe;
use crate::probe::apply::ApplyOptions;
use crate::{Cancel, Progress, Result};

/// What of the features is shown.
#[derive(Clone, Debug)]
pub enum ClipMap {
    /// Three principal components as red, green and blue.
    Pca {
        /// Used as it is; without one, a basis is fitted to all frames together.
        basis: Option<Arc<Basis>>,
        /// Which components.
        components: Vec<usize>,
        /// Only what [`foreground::automatic`] finds in each frame counts; the rest is black.
        has_foreground: bool,
        /// Between patches.
        interpolation: Interpolation,
        /// 1: colours alone.
        opacity: f32,
    },
    /// Similarity to a query from any picture.
    Similarity {
        /// What is asked.
        query: MapQuery,
        /// How it looks.
        style: OverlayStyle,
    },
    /// What a probe says.
    Probe {
        /// Of the model that encodes.
        probe: Arc<Probe>,
        /// What is done with its probabilities.
        options: ApplyOptions,
        /// How it looks.
        style: OverlayStyle,
    },
}

/// Which frames are recorded, and where to.
#[derive(Clone, Copy, Debug)]
pub struct MapRecording<'a> {
    /// What is shown.
    pub map: &'a ClipMap,
    /// First and last frame.
    pub span: (usize, usize),
    /// The video.
    pub path: &'a Path,
}

/// Records a map; `frames` must prepare nothing, since components are those of raw features. Gives the basis, where one
/// was used.
///
/// # Errors
/// Those of [`FrameEncoder::run`], [`create`], the analyses, and the recording.
pub fn record_map(
    recording: &MapRecording<'_>,
    video: &mut Video,
    frames: &mut FrameEncoder<'_>,
    progress: &dyn Fn(Progress),
    cancel: &Cancel,
) -> Result<Option<Arc<Basis>>> {
    let info = video.info().clone();
    let (start, end) = recording.span;
    let all: Vec<usize> = (start..=end).collect();
    let geometry = frames.preprocessing.geometry(info.width, info.height, frames.encoder.config().stride())?;
    let report = |stage: &str, done: usize| {
        let stage = format!("{stage} frame {} of {}", (done + 1).min(all.len()), all.len());
        progress(Progress { stage, done: done as u64, total: Some(all.len() as u64) });
    };
    let basis = match recording.map {
        ClipMap::Pca { basis: Some(basis), .. } => Some(Arc::clone(basis)),
        ClipMap::Pca { basis: None, components, has_foreground, .. } => {
            let mut pca = StreamingPca::default();
            frames.run(video, &all, cancel, &mut |encoded| {
                report("encoding", encoded.frame - start);
                let foreground = automatic(&encoded.features, *has_foreground)?;
                Ok(pca.add(&Sample { grid: &encoded.features, foreground: foreground.as_ref() })?)
            })?;
            let needed = components.iter().max().map_or(0, |last| last + 1);
            Some(Arc::new(pca.fit(needed)?))
        }
        ClipMap::Similarity { .. } | ClipMap::Probe { .. } => None,
    };
    let format = RecordingFormat {
        sound: Some(SoundSource::of(&info, recording.span)),
        ..RecordingFormat::new(info.width, info.height, info.timeline.part(start..end + 1))
    };
    let mut sink = create(recording.path, format)?;
    let mut pictures = video.reopen()?;
    let recorded = frames.run(video, &all, cancel, &mut |EncodedFrame { frame, picture, features }| {
        report("drawing", frame - start);
        let picture = picture.map_or_else(|| pictures.frame(frame, cancel), Ok)?;
        sink.push(&draw(recording.map, basis.as_deref(), &picture, &geometry, &features)?, None)
    });
    sink.end(recorded)?;
    Ok(basis)
}

fn draw(
    map: &ClipMap,
    basis: Option<&Basis>,
    picture: &Picture,
    geometry: &Geometry,
    features: &FeatureGrid,
) -> Result<Picture> {
    Ok(match (map, basis) {
        (ClipMap::Pca { components, has_foreground, interpolation, opacity, .. }, Some(basis)) => {
            let foreground = automatic(features, *has_foreground)?;
            let colours = colours(&basis.project(features, components)?, foreground.as_ref());
            colours_over_picture(picture, geometry, &colours, *interpolation, *opacity)
        }
        (ClipMap::Similarity { query, style }, _) => {
            let mut values = combined_map(features, query)?;
            values.mapv_inplace(|value| if value == EXCLUDED { f32::NAN } else { value });
            map_over_picture(picture, geometry, &values, style)
        }
        (ClipMap::Probe { probe, options, style }, _) => {
            probe.apply(features, picture, geometry, *options)?.over_picture(picture, &probe.classes, style)
        }
        (ClipMap::Pca { .. }, None) => picture.clone(),
    })
}

fn automatic(grid: &FeatureGrid, is_asked: bool) -> Result<Option<PatchMask>> {
    Ok(if is_asked { Some(foreground::automatic(grid)?) } else { None })
}
