//! Clips: opening them, and reading their frames.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::failure::{message, outcome};
use super::files::{texture, thumbnail};
use super::lane::{Job, Worker, guard};
use super::{Command, Outcome, PictureId};
use crate::gpu::Gpu;
use crate::image::{self, Picture};
use crate::video::{Video, VideoInfo, VideoOptions};
use crate::{Cancel, Result};

/// A clip that is open. Its frames can be read from any thread, by one at a time.
#[derive(Clone)]
pub struct Clip {
    /// Where it is, its size, codec and times.
    pub info: Arc<VideoInfo>,
    video: Arc<Mutex<Video>>,
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clip").field("path", &self.info.path).finish_non_exhaustive()
    }
}

impl Clip {
    /// Opens a file or a folder of numbered pictures.
    ///
    /// # Errors
    /// As [`Video::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let video = Video::open(path, &VideoOptions::default())?;
        Ok(Self { info: Arc::new(video.info().clone()), video: Arc::new(Mutex::new(video)) })
    }

    /// One frame. Waits for other threads that read one.
    ///
    /// # Errors
    /// As [`Video::frame`].
    pub fn frame(&self, index: usize, cancel: &Cancel) -> Result<Arc<Picture>> {
        // A decoder that panicked starts at a key frame again, so nothing of it is lost.
        self.video.lock().unwrap_or_else(PoisonError::into_inner).frame(index, cancel)
    }
}

/// For [`super::Lane::Frames`].
pub fn frames(gpu: Option<Gpu>) -> Worker {
    Box::new(move |job, command| match command {
        Command::Frame { picture, clip } => outcome(clip.frame(picture.frame(), job.cancel()).map(|pixels| {
            let texture = texture(gpu.as_ref(), &pixels);
            Outcome::Frame { picture: *picture, pixels, texture }
        })),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

/// For [`super::Lane::Previews`].
pub fn previews() -> Worker {
    Box::new(|job, command| match command {
        Command::Preview { picture, clip, frames } => outcome(preview(*picture, &clip.info.path, frames, job)),
        Command::Thumbnails(paths) => outcome(thumbnails(paths, job)),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

/// What cannot be read keeps nobody waiting.
fn thumbnails(paths: &[PathBuf], job: &Job<'_>) -> Result<Outcome> {
    for path in paths {
        job.cancel().check()?;
        let read = guard(|| image::read(path).map_err(|error| message(&error)));
        let thumbnail = read.unwrap_or_else(|failure| Err(failure.message)).map(|picture| thumbnail(&picture));
        job.emit(Outcome::Thumbnail { path: path.clone(), thumbnail });
    }
    Ok(Outcome::Finished)
}

fn preview(picture: PictureId, path: &Path, frames: &[usize], job: &Job<'_>) -> Result<Outcome> {
    let mut video = Video::open(path, &VideoOptions::default())?;
    for &frame in frames {
        let thumbnail = thumbnail(&*video.frame(frame, job.cancel())?);
        job.emit(Outcome::Preview { picture: picture.at_frame(frame), thumbnail });
    }
    Ok(Outcome::Finished)
}
