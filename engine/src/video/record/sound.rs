//! Sound that is copied into a recording, packet by packet, without being decoded.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use tempfile::NamedTempFile;

use super::muxer::TrackFormat;
use crate::video::VideoError;
use crate::video::ffmpeg::Program;
use crate::video::mp4::track::{Edit, Media, Sample, Track};
use crate::video::mp4::{boxes, track};
use crate::{Error, Result};

/// A sound track of a file.
pub struct Sound {
    file: File,
    track: Track,
    /// The packets that are copied.
    packets: Range<usize>,
    /// In seconds: how long nothing is heard, where in the track it begins (in ticks, from the first packet copied), and
    /// how long it is heard.
    delay_secs: f64,
    media_time: u64,
    length_secs: Option<f64>,
    /// The next packet.
    next: usize,
    /// Holds what ffmpeg took out of another container.
    _extracted: Option<NamedTempFile>,
}

impl Sound {
    /// The first sound track of a clip, or that part of it; `None` where it has none.
    ///
    /// # Errors
    /// Where the file cannot be read, or its sound not be brought into MP4.
    pub fn open(path: &Path, part: Option<&Range<f64>>, ffmpeg: &Path) -> Result<Option<Self>> {
        match read(path)? {
            Some((file, movie)) => Ok(Self::new(file, movie, part, None)),
            None => {
                let Some(extracted) = Program::new(ffmpeg).extract_sound(path)? else { return Ok(None) };
                let read = read(extracted.path())?;
                Ok(read.and_then(|(file, movie)| Self::new(file, movie, part, Some(extracted))))
            }
        }
    }

    fn new(
        file: File,
        movie: track::Movie,
        part: Option<&Range<f64>>,
        extracted: Option<NamedTempFile>,
    ) -> Option<Self> {
        let is_sound = |track: &Track| track.media == Media::Sound && !track.samples.is_empty();
        let track = movie.tracks.into_iter().find(is_sound)?;
        let secs = |ticks: u64| ticks as f64 / f64::from(movie.timescale);
        let empty: u64 =
            track.edits.iter().take_while(|edit| edit.media_time.is_none()).map(|edit| edit.duration).sum();
        let edit = track.edits.iter().find(|edit| edit.media_time.is_some());
        let (delay_secs, media_time) = (secs(empty), edit.and_then(|edit| edit.media_time).unwrap_or(0));
        let length_secs = edit.map(|edit| edit.duration).filter(|&duration| duration > 0).map(secs);
        let packets = 0..track.samples.len();
        let mut sound =
            Self { file, track, packets, delay_secs, media_time, length_secs, next: 0, _extracted: extracted };
        if let Some(part) = part {
            sound.cut(part);
        }
        Some(sound)
    }

    /// Keeps what is heard from `part.start` to `part.end`, in seconds of the clip.
    fn cut(&mut self, part: &Range<f64>) {
        let timescale = f64::from(self.track.timescale);
        let end = self.length_secs.map_or(part.end, |length| part.end.min(self.delay_secs + length));
        let begin = part.start.max(self.delay_secs);
        let tick = |secs: f64| self.media_time + ((secs - self.delay_secs).max(0.0) * timescale).round() as u64;
        let (from, to) = (tick(begin), tick(end.max(begin)));
        let first = self.track.samples.partition_point(|sample| sample.time <= from as i64).saturating_sub(1);
        // Packets of AAC and Opus are only complete together with the one before.
        let first = first.saturating_sub(1);
        let last = self.track.samples.partition_point(|sample| sample.time < to as i64).max(first);
        let origin = self.track.samples[first].time.max(0) as u64;
        self.packets = first..last;
        self.next = first;
        self.media_time = from.saturating_sub(origin);
        self.delay_secs = begin - part.start;
        self.length_secs = Some((end - begin).max(0.0));
    }

    /// For a file whose edit lists count in `timescale`.
    pub fn format(&self, timescale: u32) -> TrackFormat {
        let ticks = |secs: f64| (secs * f64::from(timescale)).round() as u64;
        let delay = Edit { duration: ticks(self.delay_secs), media_time: None };
        let shown = Edit { duration: self.length_secs.map_or(0, ticks), media_time: Some(self.media_time) };
        let is_plain = delay.duration == 0 && self.media_time == 0 && self.length_secs.is_none();
        let edits = if is_plain {
            Vec::new()
        } else if delay.duration == 0 {
            vec![shown]
        } else {
            vec![delay, shown]
        };
        let (media, size) = (Media::Sound, (0, 0));
        TrackFormat {
            media,
            timescale: self.track.timescale,
            descriptions: self.track.descriptions.clone(),
            edits,
            size,
        }
    }

    /// The next packet, if it is heard before `secs` of the recording, and its duration in ticks.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next_before(&mut self, secs: f64) -> io::Result<Option<(Vec<u8>, u32)>> {
        if !self.packets.contains(&self.next) {
            return Ok(None);
        }
        let Sample { offset, size, time, duration, .. } = self.track.samples[self.next];
        let origin = self.track.samples[self.packets.start].time as f64 + self.media_time as f64;
        let start = self.delay_secs + (time as f64 - origin) / f64::from(self.track.timescale);
        if start >= secs {
            return Ok(None);
        }
        let mut data = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(u64::from(size)).read_to_end(&mut data)?;
        if data.len() < size as usize {
            // The clip ends too early; its sound does, too.
            self.next = self.packets.end;
            return Ok(None);
        }
        // Times count where durations disagree with them.
        let following = self.track.samples.get(self.next + 1).map(|next| next.time.saturating_sub(time));
        let duration = following.and_then(|gap| u32::try_from(gap).ok()).unwrap_or(duration);
        self.next += 1;
        Ok(Some((data, duration)))
    }
}

/// `None` for what is no MP4 file.
fn read(path: &Path) -> Result<Option<(File, track::Movie)>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let index = boxes::read_index(&file).map_err(Error::io("read", path))?;
    let movie = index.map(|index| track::read(&index)).transpose();
    Ok(movie.map_err(|reason| VideoError::unreadable(path, reason))?.map(|movie| (file, movie)))
}
