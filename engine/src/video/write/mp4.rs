//! MP4 files that can be read at any moment of being written.
//!
//! A recording is written as fragments, each complete in itself, under a name of its own: what a crash or a full disk
//! leaves can be played up to the last fragment. At the end the whole file gets an ordinary index, and the fragments'
//! heads become part of what it steps over: `[ftyp][free][moov][moof][mdat]…` turns into `[ftyp][mdat ………][moov]`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use mp4_atom::{Avcc, Encode as _, FourCC, Ftyp};

use super::h264::{Encoded, H264Encoder};
use super::movie::{self, Sample, VideoTrack};
use super::{FrameSink, RecordingFormat, sound};
use crate::image::Picture;
use crate::video::VideoError;
use crate::{Error, Result};

/// Of a box header with a 64-bit size.
const LONG_HEADER: usize = 16;

pub struct Mp4Sink {
    target: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    /// Bytes written.
    position: u64,
    /// Where the box begins that becomes the one `mdat`.
    hull: u64,
    format: RecordingFormat,
    encoder: H264Encoder,
    /// From the first frame on.
    config: Option<Avcc>,
    samples: Vec<Sample>,
    /// Frames that wait for their fragment, each behind its length.
    waiting: Vec<Vec<u8>>,
    fragments: u32,
    /// Whether what is in the partial file is worth keeping.
    has_failed: bool,
}

impl Mp4Sink {
    pub fn create(path: &Path, format: RecordingFormat) -> Result<Self> {
        let refuse = |reason: String| VideoError::Recording { path: path.to_path_buf(), reason };
        let fps = format.timeline.mean_fps();
        let encoder = H264Encoder::new(format.width, format.height, fps).map_err(refuse)?;
        if encoder.width.max(encoder.height) > usize::from(u16::MAX) || format.width.min(format.height) == 0 {
            return Err(refuse(format!("no video has {}x{} pixels", format.width, format.height)).into());
        }
        let target = if path.is_symlink() {
            fs::canonicalize(path).map_err(Error::io("write", path))?
        } else {
            path.to_path_buf()
        };
        let partial = partial_name(&target);
        let file = File::create(&partial).map_err(Error::io("create", &partial))?;
        let mut sink = Self {
            target,
            partial,
            file: BufWriter::new(file),
            position: 0,
            hull: 0,
            format,
            encoder,
            config: None,
            samples: Vec::new(),
            waiting: Vec::new(),
            fragments: 0,
            has_failed: false,
        };
        let mut head = Vec::new();
        let brands = [b"isom", b"iso5", b"avc1", b"mp41"].map(FourCC::new).to_vec();
        let ftyp = Ftyp { major_brand: FourCC::new(b"isom"), minor_version: 512, compatible_brands: brands };
        ftyp.encode(&mut head).map_err(|error| sink.refuse(error.to_string()))?;
        sink.hull = head.len() as u64;
        head.extend_from_slice(&(LONG_HEADER as u32).to_be_bytes());
        head.extend_from_slice(b"free");
        head.resize(head.len() + LONG_HEADER - 8, 0);
        sink.write(&head)?;
        Ok(sink)
    }

    fn refuse(&self, reason: impl Into<String>) -> Error {
        VideoError::Recording { path: self.target.clone(), reason: reason.into() }.into()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        self.checked(written)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// What a failed write leaves is worth keeping once it has a fragment.
    fn checked<T>(&mut self, result: io::Result<T>) -> Result<T> {
        result.map_err(|source| {
            self.has_failed = self.fragments > 0;
            if !self.has_failed {
                return Error::Io { action: "write", path: self.target.clone(), source };
            }
            let (partial, frames) = (self.partial.display(), self.samples.len() - self.waiting.len());
            self.refuse(format!("{source}; the first {frames} frames are kept in {partial}"))
        })
    }

    fn track<'a>(&'a self, config: &'a Avcc, samples: &'a [Sample]) -> VideoTrack<'a> {
        let size = (self.encoder.width, self.encoder.height);
        VideoTrack { size, timescale: self.format.timeline.timescale(), config, samples }
    }

    /// Writes the frames that wait, as one fragment.
    fn flush(&mut self) -> Result<()> {
        let Some(config) = self.config.clone().filter(|_| !self.waiting.is_empty()) else { return Ok(()) };
        let broken = |error: mp4_atom::Error| error.to_string();
        if self.fragments == 0 {
            let head = movie::index(&self.track(&config, &[]), None).map_err(|error| self.refuse(broken(error)))?;
            self.write(&head)?;
        }
        let first = self.samples.len() - self.waiting.len();
        let timeline = &self.format.timeline;
        let start = timeline.start(first) - timeline.start(0);
        let head = movie::fragment(self.fragments + 1, start, &self.samples[first..]);
        let head = head.map_err(|error| self.refuse(broken(error)))?;
        self.write(&head)?;
        let waiting = std::mem::take(&mut self.waiting);
        let length = 8 + waiting.iter().map(Vec::len).sum::<usize>();
        let length = u32::try_from(length).map_err(|_| self.refuse("a second of it takes more than 4 GB"))?;
        self.write(&length.to_be_bytes())?;
        self.write(b"mdat")?;
        for (index, frame) in waiting.iter().enumerate() {
            self.samples[first + index].offset = self.position;
            self.write(frame)?;
        }
        let flushed = self.file.flush();
        self.fragments += 1;
        self.checked(flushed)
    }

    fn complete(&mut self) -> Result<()> {
        self.flush()?;
        let Some(config) = self.config.clone() else { return Err(self.refuse("it has no frames")) };
        let timescale = self.format.timeline.timescale();
        let sound = match &self.format.sound_from {
            Some(path) => sound::copy(path, timescale, &mut self.file, &mut self.position)?,
            None => None,
        };
        let index = movie::index(&self.track(&config, &self.samples), sound.as_ref());
        let index = index.map_err(|error| self.refuse(error.to_string()))?;
        let hull = self.position - self.hull;
        self.write(&index)?;
        let mut header = Vec::from(1u32.to_be_bytes());
        header.extend_from_slice(b"mdat");
        header.extend_from_slice(&hull.to_be_bytes());
        let written = self.file.flush().and_then(|()| {
            let file = self.file.get_mut();
            // The index is on the disk before the fragments' heads are given up.
            file.sync_data()?;
            file.seek(SeekFrom::Start(self.hull))?;
            file.write_all(&header)?;
            file.sync_all()
        });
        self.checked(written)?;
        fs::rename(&self.partial, &self.target).map_err(Error::io("write", &self.target))
    }
}

impl FrameSink for Mp4Sink {
    fn push(&mut self, frame: &Picture) -> Result<()> {
        let (expected, got) = ((self.format.width, self.format.height), (frame.width, frame.height));
        if expected != got {
            let reason =
                format!("a frame has {}x{} pixels where {}x{} are needed", got.0, got.1, expected.0, expected.1);
            return Err(self.refuse(reason));
        }
        let number = self.samples.len();
        if number >= self.format.timeline.len() {
            return Err(self.refuse(format!("it has more than its {number} frames")));
        }
        let encoded = self.encoder.encode(frame).map_err(|reason| self.refuse(reason))?;
        let Encoded { units, is_sync, parameter_sets } = encoded;
        if let (None, Some((sequence, picture))) = (&self.config, &parameter_sets) {
            let config = Avcc::new(sequence, picture).map_err(|error| self.refuse(error.to_string()))?;
            self.config = Some(config);
        }
        if is_sync {
            self.flush()?;
        }
        let mut data = Vec::new();
        for unit in units {
            data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            data.extend_from_slice(&unit);
        }
        let duration = u32::try_from(self.format.timeline.duration(number)).unwrap_or(u32::MAX);
        self.samples.push(Sample { offset: 0, size: data.len() as u32, duration, is_sync });
        self.waiting.push(data);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.complete()
    }
}

impl Drop for Mp4Sink {
    fn drop(&mut self) {
        if !self.has_failed {
            // Renamed by now where everything went well.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// "out.partial.mp4" beside "out.mp4".
fn partial_name(target: &Path) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    let ending = target.extension().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{stem}.partial.{ending}"))
}
