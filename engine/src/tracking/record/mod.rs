//! Recording what was tracked, frame by frame: videos, folders of masks, tables.

mod folder;
mod table;
mod video;

use std::path::Path;
use std::sync::Arc;

use super::{LabelMap, PatchProbabilities};
use crate::draw::labels::LabelStyle;
use crate::features::Geometry;
use crate::image::Picture;
use crate::video::{Timeline, VideoInfo};
use crate::{Error, Result};

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordKind {
    /// The frames with their objects coloured, as a video; into a folder, as numbered pictures.
    Overlay {
        /// How objects look.
        style: LabelStyle,
        /// The frame as it is at the left of it.
        is_beside: bool,
    },
    /// A folder of numbered PNGs that are transparent where no object is.
    CutOuts(LabelStyle),
    /// A folder of numbered, indexed PNGs, whose indices are the objects' ids.
    Masks,
    /// A folder for each object with numbered grey PNGs: how much every pixel belongs to it.
    SoftMasks,
    /// One JSON file as COCO has them, with masks as run lengths.
    Coco,
    /// One CSV file of areas, boxes and centroids.
    Table,
}

/// The clip that a recording is made of.
#[derive(Clone, Debug)]
pub struct RecordedClip {
    /// The clip.
    pub info: Arc<VideoInfo>,
    /// First and last frame. The first one is recorded at time 0.
    pub span: (usize, usize),
    /// Ids and names of the objects.
    pub names: Vec<(u8, String)>,
}

impl RecordedClip {
    /// When the recorded frames are shown.
    fn timeline(&self) -> Timeline {
        self.info.timeline.part(self.span.0..self.span.1 + 1)
    }

    fn name(&self, object: u8) -> String {
        let known = self.names.iter().find(|(id, _)| *id == object);
        known.map_or_else(|| format!("object {object}"), |(_, name)| name.clone())
    }
}

/// One frame that is recorded.
#[derive(Clone, Copy, Debug)]
pub struct RecordFrame<'a> {
    /// Its place in the clip.
    pub frame: usize,
    /// Its pixels.
    pub picture: &'a Picture,
    /// The object of every pixel.
    pub labels: &'a LabelMap,
    /// What was tracked; nothing where a person has painted.
    pub tracked: Option<(&'a PatchProbabilities, &'a Geometry)>,
}

/// Takes frames in the order of the clip.
pub trait Recorder: Send {
    /// Writes a frame.
    ///
    /// # Errors
    /// [`crate::Error::Io`] and [`crate::video::VideoError`] where it cannot be written; what was written before stays
    /// readable.
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()>;

    /// Completes what was written.
    ///
    /// # Errors
    /// Likewise.
    fn finish(self: Box<Self>) -> Result<()>;

    /// Ends it without leaving a half file; frames in files of their own stay.
    fn abandon(self: Box<Self>) {}
}

impl dyn Recorder {
    /// Completes a recording all of whose frames were added. Stopped by a person, it leaves no half file; after an error, what
    /// was complete stays.
    ///
    /// # Errors
    /// That of `added`, and as [`Recorder::finish`].
    pub fn end(self: Box<Self>, added: Result<()>) -> Result<()> {
        match added {
            Ok(()) => self.finish(),
            Err(Error::Cancelled) => {
                self.abandon();
                Err(Error::Cancelled)
            }
            Err(error) => Err(error),
        }
    }
}

/// Begins a recording.
///
/// # Errors
/// As [`crate::video::record::create`], and [`crate::Error::Io`] where a file or folder cannot be created.
pub fn recorder(kind: &RecordKind, path: &Path, clip: &RecordedClip) -> Result<Box<dyn Recorder>> {
    Ok(match kind {
        RecordKind::Overlay { style, is_beside } => Box::new(video::Overlay::create(path, clip, style, *is_beside)?),
        RecordKind::CutOuts(style) => Box::new(folder::CutOuts::create(path, style)?),
        RecordKind::Masks => Box::new(folder::Masks::create(path)?),
        RecordKind::SoftMasks => Box::new(folder::SoftMasks::create(path, clip)?),
        RecordKind::Coco => Box::new(table::Coco::new(path, clip)),
        RecordKind::Table => Box::new(table::Table::new(path, clip)?),
    })
}
