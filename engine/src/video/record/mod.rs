//! Recordings: frames into files, with the times and the sound of the clip that they come from.
//!
//! Whatever happens, an older file of that name stays until the new one is complete, and what was finished of a recording
//! that failed can be played.

mod encoder;
mod ffmpeg;
mod mp4;
mod muxer;
mod partial;
mod pictures;
mod sound;

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Timeline, VideoError, VideoInfo};
use crate::image::Picture;
use crate::{Error, Result};

/// What a recording is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingFormat {
    /// In pixels. H.264 needs even sizes: where they are not, the file says which part of it is shown, which this program
    /// and some players obey; others show a repeated row or column at the edge.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// When each frame is shown, as many as are pushed at most.
    pub timeline: Timeline,
    /// Sound that is copied.
    pub sound: Option<SoundSource>,
    /// Of the pictures.
    pub quality: Quality,
    /// The program for what this one does not encode: a name on the PATH, or a path.
    pub ffmpeg: PathBuf,
}

impl RecordingFormat {
    /// Good quality, no sound.
    pub fn new(width: usize, height: usize, timeline: Timeline) -> Self {
        let ffmpeg = PathBuf::from("ffmpeg");
        Self { width, height, timeline, sound: None, quality: Quality::default(), ffmpeg }
    }
}

/// Whose sound a recording gets.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundSource {
    /// A clip; it need not have sound.
    pub path: PathBuf,
    /// The part of the clip that is recorded, in seconds; `None` for all of it.
    pub part: Option<Range<f64>>,
}

impl SoundSource {
    /// Of the frames from the first to the last of a clip.
    pub fn of(info: &VideoInfo, (first, last): (usize, usize)) -> Self {
        let timeline = &info.timeline;
        let is_whole = (first, last) == (0, timeline.len().saturating_sub(1));
        let part =
            (!is_whole).then(|| timeline.start_secs(first)..timeline.start_secs(last) + timeline.duration_secs(last));
        Self { path: info.path.clone(), part }
    }
}

/// Of pictures, constant over a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// A small file.
    Small,
    /// Hardly to be told from the original.
    #[default]
    Good,
    /// A large file.
    Best,
}

/// Takes the frames of a recording, in order.
///
/// What is dropped without [`Self::finish`] keeps the frames that are complete, under a temporary name.
pub trait FrameSink: Send {
    /// Adds a frame. `alpha` is `[height, width]`, 255 where it is opaque.
    ///
    /// # Errors
    /// [`VideoError`] where the frame does not fit, or cannot be written. What was complete before stays then, under the
    /// name that the error says.
    fn push(&mut self, frame: &Picture, alpha: Option<&[u8]>) -> Result<()>;

    /// Completes the recording, of fewer frames too than there were to be. It takes the place of an older file.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(self: Box<Self>) -> Result<()>;

    /// Ends it without leaving anything.
    fn abandon(self: Box<Self>);
}

impl dyn FrameSink {
    /// Completes a recording whose frames were all pushed. Stopped by a person, it leaves nothing; after an error, what was
    /// complete stays.
    ///
    /// # Errors
    /// That of `pushed`, and as [`FrameSink::finish`].
    pub fn end(self: Box<Self>, pushed: Result<()>) -> Result<()> {
        match pushed {
            Ok(()) => self.finish(),
            Err(Error::Cancelled) => {
                self.abandon();
                Err(Error::Cancelled)
            }
            Err(error) => Err(error),
        }
    }
}

/// Begins a recording: `.mp4`, `.m4v` and `.mov` are H.264 in MP4, a name without an ending is a folder of PNG pictures,
/// and any other ending is left to ffmpeg.
///
/// # Errors
/// [`VideoError`] where the file or folder cannot be created, or needs an ffmpeg that is not there.
pub fn create(path: &Path, format: RecordingFormat) -> Result<Box<dyn FrameSink>> {
    if format.width == 0 || format.height == 0 || format.timeline.is_empty() {
        return Err(VideoError::not_written(path, "a recording needs pixels and frames").into());
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let sides = (format.width.max(format.height), format.width.min(format.height));
    let is_mp4 = matches!(ending.as_deref(), Some("mp4" | "m4v" | "mov"));
    if ending.is_none() {
        return Ok(Box::new(pictures::PictureSink::create(path, format)?));
    }
    if is_mp4 && sides.0 <= encoder::MAX_SIDES.0 && sides.1 <= encoder::MAX_SIDES.1 {
        return Ok(Box::new(mp4::Mp4Sink::create(path, format)?));
    }
    let Some(sink) = ffmpeg::FfmpegSink::create(path, format)? else {
        let what = if is_mp4 {
            format!("more than {}x{} pixels are", encoder::MAX_SIDES.0, encoder::MAX_SIDES.1)
        } else {
            "this kind of file is".to_owned()
        };
        let reason = format!(
            "{what} written with ffmpeg: install ffmpeg so that it is found on the PATH, or record a smaller .mp4, or to a \
             folder"
        );
        return Err(VideoError::not_written(path, reason).into());
    };
    Ok(Box::new(sink))
}

/// For files that have no transparency.
///
/// # Errors
/// Where the frame is one too many, of another size, or transparent.
fn check_frame(
    path: &Path,
    format: &RecordingFormat,
    index: usize,
    frame: &Picture,
    alpha: Option<&[u8]>,
) -> Result<(), VideoError> {
    let (got, expected) = ((frame.width, frame.height), (format.width, format.height));
    if got != expected {
        let reason =
            format!("frame {index} has {}x{} pixels, the recording has {}x{}", got.0, got.1, expected.0, expected.1);
        return Err(VideoError::not_written(path, reason));
    }
    if alpha.is_some() {
        let reason = "this kind of file cannot be transparent; record to a folder of PNG pictures";
        return Err(VideoError::not_written(path, reason));
    }
    if index >= format.timeline.len() {
        return Err(VideoError::not_written(path, format!("it was to have {index} frames, and got one more")));
    }
    Ok(())
}
