//! Recording frames: H.264 in MP4 by the encoder that is compiled in, numbered pictures, and whatever else an `ffmpeg` on
//! the path writes.

mod ffmpeg;
mod folder;
mod h264;
mod movie;
mod mp4;
mod sound;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Timeline;
use crate::Result;
use crate::image::Picture;

/// Endings of files that need no other program.
const MP4_ENDINGS: [&str; 3] = ["mp4", "m4v", "mov"];

/// What is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingFormat {
    /// Of every frame, in pixels.
    pub width: usize,
    /// Of every frame, in pixels.
    pub height: usize,
    /// When each frame is shown.
    pub timeline: Timeline,
    /// A clip whose first sound track is copied, where the container takes it.
    pub sound_from: Option<PathBuf>,
}

impl RecordingFormat {
    /// Without sound.
    pub fn new(width: usize, height: usize, timeline: Timeline) -> Self {
        Self { width, height, timeline, sound_from: None }
    }
}

/// Takes frames in order. Dropped before [`FrameSink::finish`], it leaves nothing, unless writing has failed: then what
/// was recorded until there stays readable, and the error says where.
pub trait FrameSink: Send {
    /// Adds the next frame.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where it cannot be written, [`super::VideoError::Recording`] where it does not fit.
    fn push(&mut self, frame: &Picture) -> Result<()>;

    /// Completes the recording, which takes its name only now.
    ///
    /// # Errors
    /// Likewise.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Begins a recording: `.mp4`, `.m4v` and `.mov` are H.264; a name without an ending is a folder of numbered PNGs;
/// others are written by an `ffmpeg` on the path, at a constant rate. H.264 has no odd sizes: the last row or column is
/// doubled.
///
/// # Errors
/// [`crate::Error::Io`] where it cannot be created, [`super::VideoError::Recording`] for formats that cannot be written.
pub fn create(path: &Path, format: RecordingFormat) -> Result<Box<dyn FrameSink>> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    Ok(match &*ending {
        "" => Box::new(folder::Pictures::create(path)?),
        ending if MP4_ENDINGS.contains(&ending) => Box::new(mp4::Mp4Sink::create(path, format)?),
        _ => Box::new(ffmpeg::FfmpegSink::create(path, &format)?),
    })
}
