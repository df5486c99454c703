//! Clips that an `ffmpeg` beside this program decodes: whatever it knows.

mod probe;
mod process;

use std::path::{Path, PathBuf};

use super::{FrameReader, Opened, VideoError, VideoInfo};
use crate::image::Picture;
use crate::image::decode::check_dimensions;
use crate::{Cancel, Result};
use probe::Probe;
use process::Decoding;

pub(super) use process::{Program, last_line, url};

/// Frames before a place that are decoded with it: stepping backwards asks for them next, and starting ffmpeg takes
/// longer than decoding them.
const LEAD: usize = 16;

struct FfmpegReader {
    path: PathBuf,
    program: Program,
    probe: Probe,
    decoding: Decoding,
    /// The frame that is given next.
    next: usize,
    /// In pixels, as shown.
    size: (usize, usize),
}

/// `None` where there is no ffmpeg.
///
/// # Errors
/// [`VideoError::Ffmpeg`] where ffmpeg cannot read the clip.
fn open(path: &Path, program: &Path) -> Result<Option<Opened>> {
    let program = Program::new(program);
    let Some(probe) = probe::read(path, &program)? else { return Ok(None) };
    let Some(mut decoding) = Decoding::start(path, &program, &probe, 0)? else { return Ok(None) };
    let (width, height) = decoding.size(&Cancel::default())?;
    check_dimensions(path, width as u32, height as u32)?;
    let mut info = VideoInfo::new(path, width, height, &probe.codec, probe.timeline.clone());
    info.sound.clone_from(&probe.sound);
    let reader = FfmpegReader { path: path.to_path_buf(), program, probe, decoding, next: 0, size: (width, height) };
    Ok(Some(Opened { info, reader: Box::new(reader) }))
}

/// Opens what was not read otherwise, for the reason `own`.
///
/// # Errors
/// `own` where there is no ffmpeg, or where it can read no more of the clip.
pub(super) fn open_instead(path: &Path, program: &Path, own: VideoError) -> Result<Opened> {
    match open(path, program) {
        Ok(Some(opened)) => Ok(opened),
        Ok(None) => Err(own.into()),
        // Where only ffmpeg could have read it, its reason is the one that matters.
        Err(error) if matches!(own, VideoError::Codec { .. }) => Err(error),
        Err(_) => Err(own.into()),
    }
}

impl FrameReader for FfmpegReader {
    fn entry(&mut self, index: usize) -> Result<usize> {
        Ok(index.saturating_sub(LEAD))
    }

    fn seek(&mut self, entry: usize) -> Result<()> {
        if self.next != entry {
            self.start(entry)?;
        }
        self.next = entry;
        Ok(())
    }

    fn next(&mut self, wanted_from: usize, cancel: &Cancel) -> Result<Option<Picture>> {
        let index = self.next;
        // Undefined until this frame is there.
        self.next = usize::MAX;
        let mut found = self.decoding.advance_to(&self.probe, index, cancel)?;
        if !found && self.decoding.started_at() > 0 && self.decoding.is_first() {
            // Some containers cannot be entered exactly; the beginning always can.
            self.start(0)?;
            found = self.decoding.advance_to(&self.probe, index, cancel)?;
        }
        if !found {
            return Err(VideoError::frame(&self.path, index, "ffmpeg leaves it out").into());
        }
        let got = self.decoding.size(cancel)?;
        if got != self.size {
            return Err(VideoError::SizeChanges { path: self.path.clone(), index, expected: self.size, got }.into());
        }
        let picture = self.decoding.take(self.size, index >= wanted_from)?;
        self.next = index + 1;
        Ok(picture)
    }
}

impl FfmpegReader {
    fn start(&mut self, index: usize) -> Result<()> {
        self.decoding = Decoding::start(&self.path, &self.program, &self.probe, index)?
            .ok_or_else(|| VideoError::ffmpeg(&self.path, "it is no longer installed"))?;
        Ok(())
    }
}
