//! Recording to MP4: openh264's pictures, and the sound of another clip.

use std::io;
use std::path::Path;

use super::encoder::Encoder;
use super::muxer::{Muxer, NewSample, TrackFormat};
use super::partial::Partial;
use super::sound::Sound;
use super::{FrameSink, RecordingFormat, check_frame};
use crate::Result;
use crate::image::Picture;
use crate::video::mp4::track::{Edit, Media};
use crate::video::{Timeline, VideoError};

/// Ticks a second by which the start of sound may be rounded.
const FINE_TIMESCALE: u32 = 48_000;

const PICTURES: usize = 0;
const SOUND: usize = 1;

/// Writes an MP4 file.
pub struct Mp4Sink {
    format: RecordingFormat,
    encoder: Encoder,
    sound: Option<Sound>,
    partial: Partial,
    /// From the first frame on.
    muxer: Option<Muxer<std::fs::File>>,
    pushed: usize,
    is_over: bool,
}

impl Mp4Sink {
    /// # Errors
    /// Where the file cannot be created, or the sound not be read.
    pub fn create(path: &Path, format: RecordingFormat) -> Result<Self> {
        let fps = format.timeline.mean_fps();
        let failed = |reason: String| VideoError::not_written(path, reason);
        let encoder = Encoder::new(format.width, format.height, fps, format.quality).map_err(failed)?;
        let sound = match &format.sound {
            Some(sound) => Sound::open(&sound.path, sound.part.as_ref(), &format.ffmpeg)?,
            None => None,
        };
        let partial = Partial::create(path).map_err(|error| VideoError::not_written_io(path, &error))?;
        Ok(Self { format, encoder, sound, partial, muxer: None, pushed: 0, is_over: false })
    }

    fn try_push(&mut self, frame: &Picture) -> io::Result<()> {
        let timeline = &self.format.timeline;
        let time_ms = (timeline.start_secs(self.pushed) * 1000.0) as u64;
        let encoded = self.encoder.encode(frame, time_ms).map_err(io::Error::other)?;
        let muxer = match &mut self.muxer {
            Some(muxer) => muxer,
            None => {
                let pictures = pictures(&self.format, &self.encoder)?;
                let timescale = movie_timescale(timeline);
                let sound = self.sound.as_ref().map(|sound| sound.format(timescale));
                let tracks = [Some(pictures), sound].into_iter().flatten().collect();
                self.muxer.insert(Muxer::new(self.partial.file().try_clone()?, timescale, tracks)?)
            }
        };
        if encoded.is_sync && self.pushed > 0 {
            copy_sound(muxer, self.sound.as_mut(), end_secs(timeline, self.pushed))?;
            muxer.write_fragment()?;
        }
        let duration = u32::try_from(timeline.duration(self.pushed)).map_err(io::Error::other)?;
        muxer.push(PICTURES, &NewSample { data: &encoded.data, duration, is_sync: encoded.is_sync });
        self.pushed += 1;
        Ok(())
    }

    fn try_finish(&mut self) -> io::Result<()> {
        let timeline = &self.format.timeline;
        let Some(muxer) = &mut self.muxer else { return Err(io::Error::other("no frame was recorded")) };
        // All of the sound belongs to all of the clip, even where it is longer.
        let until = if self.pushed == timeline.len() { f64::INFINITY } else { end_secs(timeline, self.pushed) };
        copy_sound(muxer, self.sound.as_mut(), until)?;
        muxer.finish()?;
        self.partial.finish()
    }

    /// Keeps what is complete, and says so.
    fn fail(&mut self, error: &io::Error) -> VideoError {
        self.is_over = true;
        let frames = self.muxer.as_ref().map_or(0, |muxer| muxer.written(PICTURES));
        let len = self.muxer.as_ref().filter(|_| frames > 0).map(Muxer::complete_len);
        let kept = self.partial.keep(len).map(|path| (path, frames));
        VideoError::not_written_io(self.partial.target(), error).keeping(kept)
    }
}

impl FrameSink for Mp4Sink {
    fn push(&mut self, frame: &Picture, alpha: Option<&[u8]>) -> Result<()> {
        check_frame(self.partial.target(), &self.format, self.pushed, frame, alpha)?;
        if self.is_over {
            return Err(VideoError::not_written(self.partial.target(), "it failed before").into());
        }
        self.try_push(frame).map_err(|error| self.fail(&error).into())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.is_over {
            return Err(VideoError::not_written(self.partial.target(), "it failed before").into());
        }
        self.try_finish().map_err(|error| self.fail(&error))?;
        self.is_over = true;
        Ok(())
    }

    fn abandon(mut self: Box<Self>) {
        self.is_over = true;
        self.partial.remove();
    }
}

impl Drop for Mp4Sink {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // What fails here was not complete.
        if let Some(muxer) = &mut self.muxer {
            let until = end_secs(&self.format.timeline, self.pushed);
            _ = copy_sound(muxer, self.sound.as_mut(), until).and_then(|()| muxer.write_fragment());
        }
        self.fail(&io::Error::other("it was not finished"));
    }
}

fn pictures(format: &RecordingFormat, encoder: &Encoder) -> io::Result<TrackFormat> {
    let timeline = &format.timeline;
    let edits = match timeline.start(0) {
        0 => Vec::new(),
        late => {
            let duration = late * u64::from(movie_timescale(timeline) / timeline.timescale());
            vec![Edit { duration, media_time: None }, Edit { duration: 0, media_time: Some(0) }]
        }
    };
    let side = |side: usize| u16::try_from(side).map_err(io::Error::other);
    Ok(TrackFormat {
        media: Media::Video,
        timescale: timeline.timescale(),
        descriptions: encoder.descriptions().map_err(io::Error::other)?,
        edits,
        size: (side(format.width)?, side(format.height)?),
    })
}

/// Ticks of edit lists: a multiple of those of the pictures, and fine enough for sound.
fn movie_timescale(timeline: &Timeline) -> u32 {
    timeline.timescale() * FINE_TIMESCALE.div_ceil(timeline.timescale())
}

/// When the first `frames` frames are over.
fn end_secs(timeline: &Timeline, frames: usize) -> f64 {
    frames.checked_sub(1).map_or(0.0, |last| timeline.start_secs(last) + timeline.duration_secs(last))
}

/// Copies what is heard before `secs`.
fn copy_sound(muxer: &mut Muxer<std::fs::File>, sound: Option<&mut Sound>, secs: f64) -> io::Result<()> {
    let Some(sound) = sound else { return Ok(()) };
    while let Some((data, duration)) = sound.next_before(secs)? {
        muxer.push(SOUND, &NewSample { data: &data, duration, is_sync: true });
    }
    Ok(())
}
