//! H.264 in MP4 and MOV, by openh264.

mod decoder;
pub(super) mod stream;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::colour::to_rgb;
use super::mp4::track::Sample;
use super::{FrameReader, VideoError};
use crate::image::Picture;
use crate::{Cancel, Error, Result};
use decoder::{Decoded, Decoder};
use stream::{Stream, is_idr, is_referred_to, is_sps, push_unit};

/// Frames that may wait for one that is shown before them; the standard lets a decoder keep 16.
const MAX_WAITING: usize = 24;

/// Where a clip's frames lie.
pub(super) struct Track {
    pub path: PathBuf,
    pub file: File,
    /// Bytes in the file.
    pub file_len: u64,
    pub stream: Stream,
    /// In the order of decoding.
    pub samples: Vec<Sample>,
    /// The sample of each frame.
    pub shown: Vec<usize>,
    pub orientation: Orientation,
}

/// Decodes a track.
pub(super) struct H264Reader {
    track: Track,
    /// The frame that shows each sample, where one does.
    frame_of: Vec<Option<usize>>,
    decoder: Decoder,
    /// The frame that is given next.
    next: usize,
    /// The sample that is decoded next.
    next_sample: usize,
    /// Whether the decoder is new, and waits for a key frame.
    is_fresh: bool,
    /// The sequence parameter set that came last within the samples.
    sps: Vec<u8>,
    /// Frames that came out before their turn; those that are not wanted are `None`.
    waiting: Vec<(usize, Option<Picture>)>,
    /// Why samples were not decoded.
    damage: Option<String>,
    /// A sample as it is in the file, and with start codes.
    buffers: [Vec<u8>; 2],
}

impl H264Reader {
    /// # Errors
    /// What the decoder says.
    pub fn new(track: Track) -> Result<Self, String> {
        let mut frame_of = vec![None; track.samples.len()];
        for (frame, &sample) in track.shown.iter().enumerate() {
            frame_of[sample] = Some(frame);
        }
        Ok(Self {
            track,
            frame_of,
            decoder: Decoder::new()?,
            next: 0,
            next_sample: 0,
            is_fresh: true,
            sps: Vec::new(),
            waiting: Vec::new(),
            damage: None,
            buffers: [Vec::new(), Vec::new()],
        })
    }

    /// The last sample at or before `sample` from which decoding can start so that `sample` comes out.
    fn entry_sample(&mut self, sample: usize) -> io::Result<usize> {
        let time = self.track.samples[sample].time;
        let mut at = sample;
        loop {
            let Some(key) = self.track.samples[..=at].iter().rposition(|sample| sample.is_sync) else { return Ok(0) };
            // Pictures that are decoded after a key frame but shown before it may refer to what is before the key
            // frame; and some files call pictures key frames that refer to others.
            if self.track.samples[key].time <= time && self.starts_anew(key)? {
                return Ok(key);
            }
            match key.checked_sub(1) {
                Some(before) => at = before,
                None => return Ok(0),
            }
        }
    }

    fn starts_anew(&mut self, sample: usize) -> io::Result<bool> {
        Ok(match self.read(sample)? {
            true => self.track.stream.units(&self.buffers[0]).any(is_idr),
            false => false,
        })
    }

    /// Whether the sample is in the file, in full.
    fn read(&mut self, sample: usize) -> io::Result<bool> {
        let Sample { offset, size, .. } = self.track.samples[sample];
        let buffer = &mut self.buffers[0];
        buffer.clear();
        if offset.saturating_add(u64::from(size)) > self.track.file_len {
            return Ok(false);
        }
        self.track.file.seek(SeekFrom::Start(offset))?;
        (&mut self.track.file).take(u64::from(size)).read_to_end(buffer)?;
        Ok(buffer.len() == size as usize)
    }

    /// Decodes the next sample.
    fn advance(&mut self, wanted_from: usize) -> Result<()> {
        let sample = self.next_sample;
        if !self.read(sample).map_err(Error::io("read", &self.track.path))? {
            self.next_sample += 1;
            self.damage = Some("the file ends before it; it may be a partial copy".into());
            return Ok(());
        }
        let [bytes, unit] = &mut self.buffers;
        let units = || self.track.stream.units(bytes);
        let frame = self.frame_of[sample];
        if frame.is_none_or(|frame| frame < wanted_from) && !units().any(is_referred_to) {
            self.next_sample += 1;
            self.waiting.extend(frame.map(|frame| (frame, None)));
            return Ok(());
        }
        unit.clear();
        let sps = units().find(|unit| is_sps(unit));
        if sps.is_none() && units().any(is_idr) {
            unit.extend_from_slice(&self.track.stream.parameter_sets);
        }
        units().for_each(|nal| push_unit(unit, nal));
        if let Some(sps) = sps.filter(|&sps| sps != self.sps) {
            self.sps = sps.to_vec();
            // The decoder forgets what still waits in it where the format changes. The sample's turn is the next time.
            if !self.is_fresh {
                return self.flush(wanted_from);
            }
        }
        self.next_sample += 1;
        self.is_fresh = false;
        let (decoded, state) = self.decoder.decode(unit, sample as u64);
        if state != 0 {
            self.damage =
                Some(format!("the data is damaged or of a kind that is not supported (openh264: {state:#x})"));
        }
        if let Some(decoded) = decoded {
            let frame = self.frame_of.get(decoded.stamp as usize).copied().flatten();
            self.waiting.extend(wait(&decoded, frame, self.next, wanted_from, &self.track)?);
        }
        Ok(())
    }

    /// Takes what still waits out of the decoder, and begins with a new one.
    fn flush(&mut self, wanted_from: usize) -> Result<()> {
        while let Some(decoded) = self.decoder.flush() {
            let frame = self.frame_of.get(decoded.stamp as usize).copied().flatten();
            self.waiting.extend(wait(&decoded, frame, self.next, wanted_from, &self.track)?);
        }
        self.renew()
    }

    fn renew(&mut self) -> Result<()> {
        self.decoder = Decoder::new().map_err(|reason| VideoError::frame(&self.track.path, self.next, reason))?;
        self.is_fresh = true;
        Ok(())
    }

    fn missing(&self) -> Error {
        let reason = self.damage.as_deref().unwrap_or("the decoder leaves it out");
        VideoError::frame(&self.track.path, self.next, reason).into()
    }
}

/// The entry for a decoded picture among those that wait; `None` where its turn is over, or it is never shown.
fn wait(
    decoded: &Decoded<'_>,
    frame: Option<usize>,
    next: usize,
    wanted_from: usize,
    track: &Track,
) -> Result<Option<(usize, Option<Picture>)>, VideoError> {
    let Some(frame) = frame.filter(|&frame| frame >= next) else { return Ok(None) };
    if frame < wanted_from {
        return Ok(Some((frame, None)));
    }
    let mut planes = decoded.planes;
    if let Some((width, height)) = track.stream.shown
        && (1..=planes.width).contains(&width)
        && (1..=planes.height).contains(&height)
    {
        (planes.width, planes.height) = (width, height);
    }
    let picture =
        to_rgb(&planes, track.stream.colour).map_err(|reason| VideoError::frame(&track.path, frame, reason))?;
    Ok(Some((frame, Some(upright(picture, track.orientation)))))
}

fn upright(picture: Picture, orientation: Orientation) -> Picture {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let (width, height) = (picture.width as u32, picture.height as u32);
    let Some(image) = RgbImage::from_raw(width, height, picture.rgb) else {
        unreachable!("a picture has as many samples as its size says")
    };
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    Picture { width: image.width() as usize, height: image.height() as usize, rgb: image.into_bytes() }
}

impl FrameReader for H264Reader {
    fn entry(&mut self, index: usize) -> Result<usize> {
        let path = self.track.path.clone();
        let sample = self.entry_sample(self.track.shown[index]).map_err(Error::io("read", &path))?;
        // The key frame itself may be cut away by the edit list.
        Ok((sample..self.frame_of.len()).find_map(|sample| self.frame_of[sample]).map_or(index, |f| f.min(index)))
    }

    fn seek(&mut self, entry: usize) -> Result<()> {
        let path = self.track.path.clone();
        self.next_sample = self.entry_sample(self.track.shown[entry]).map_err(Error::io("read", &path))?;
        self.next = entry;
        self.sps.clear();
        self.waiting.clear();
        self.damage = None;
        // What the old decoder still holds belongs to another place.
        if self.is_fresh { Ok(()) } else { self.renew() }
    }

    fn next(&mut self, wanted_from: usize, cancel: &Cancel) -> Result<Option<Picture>> {
        loop {
            if let Some(at) = self.waiting.iter().position(|&(frame, _)| frame == self.next) {
                self.next += 1;
                return Ok(self.waiting.swap_remove(at).1);
            }
            cancel.check()?;
            let is_at_end = self.next_sample == self.track.samples.len();
            if self.waiting.len() > MAX_WAITING || (is_at_end && self.is_fresh) {
                return Err(self.missing());
            }
            if is_at_end {
                self.flush(wanted_from)?;
            } else {
                self.advance(wanted_from)?;
            }
        }
    }
}
