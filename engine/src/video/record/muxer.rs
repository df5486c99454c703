//! Writes MP4 so that it can be played at any time, and is an ordinary file at the end.
//!
//! ```text
//! while it is written:  ftyp  free  moov  moof mdat  moof mdat  …
//! when it is finished:  ftyp  mdat──────────────────────────────  moov
//! ```
//!
//! A fragmented file is complete after each fragment, whatever becomes of the program. At the end the sample tables are
//! written behind it all, and the place held free before becomes the header of one `mdat` box around what was there.

use std::io::{self, Seek, SeekFrom, Write};

use mp4_atom::{
    Atom, Co64, Dinf, Dref, DrefEntry, Elst, ElstEntry, Encode, Ftyp, Hdlr, Mdhd, Mfhd, Mvhd, Smhd, Stco, Stsc,
    StscEntry, Stss, Stsz, StszSamples, Stts, SttsEntry, Tfdt, Tfhd, Tkhd, Trex, Trun, TrunEntry, Url, Vmhd,
};

use crate::video::mp4::boxes::Kind;
use crate::video::mp4::track::{Edit, Media, rescale};

/// Flags of a sample that others need, and of one that needs others.
const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;

/// What a track of the file is.
pub struct TrackFormat {
    /// Pictures or sound.
    pub media: Media,
    /// Ticks a second.
    pub timescale: u32,
    /// Body of the `stsd` box.
    pub descriptions: Vec<u8>,
    /// In ticks of the movie; the last one may have no duration, and goes on to the end then.
    pub edits: Vec<Edit>,
    /// In pixels.
    pub size: (u16, u16),
}

/// A sample to be written.
pub struct NewSample<'a> {
    pub data: &'a [u8],
    /// In ticks of the track.
    pub duration: u32,
    pub is_sync: bool,
}

/// Writes a file of some tracks.
pub struct Muxer<W> {
    writer: W,
    timescale: u32,
    tracks: Vec<Track>,
    /// Where the header of the outer box goes.
    outer: u64,
    /// Bytes written in full fragments, and what is before them.
    len: u64,
    fragments: u32,
}

struct Track {
    format: TrackFormat,
    /// Of all samples.
    sizes: Vec<u32>,
    durations: Vec<u32>,
    /// Numbers of the samples from which decoding can start, from 1.
    syncs: Vec<u32>,
    /// Where each run of samples lies, and how many they are.
    chunks: Vec<(u64, u32)>,
    /// Ticks of the samples in full fragments.
    written_ticks: u64,
    /// Samples of the next fragment, and their data.
    pending: Vec<TrunEntry>,
    data: Vec<u8>,
}

impl<W: Write> Muxer<W> {
    /// Begins a file. `timescale` is that of its edit lists.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn new(writer: W, timescale: u32, tracks: Vec<TrackFormat>) -> io::Result<Self> {
        let tracks = tracks.into_iter().map(Track::new).collect();
        let mut muxer = Self { writer, timescale, tracks, outer: 0, len: 0, fragments: 0 };
        let mut head = Vec::new();
        let brands = [b"isom", b"iso5", b"avc1", b"mp42"].map(Into::into).to_vec();
        encode(&mut head, &Ftyp { major_brand: b"isom".into(), minor_version: 0x200, compatible_brands: brands })?;
        muxer.outer = head.len() as u64;
        write_box(&mut head, b"free", |body| {
            body.extend_from_slice(&[0; 8]);
            Ok(())
        })?;
        muxer.movie(&mut head, false)?;
        muxer.writer.write_all(&head)?;
        muxer.len = head.len() as u64;
        Ok(muxer)
    }

    /// Adds a sample to the next fragment.
    pub fn push(&mut self, track: usize, sample: &NewSample<'_>) {
        let track = &mut self.tracks[track];
        track.pending.push(TrunEntry {
            duration: Some(sample.duration),
            size: Some(sample.data.len() as u32),
            flags: Some(if sample.is_sync { SYNC } else { NON_SYNC }),
            cts: None,
        });
        track.data.extend_from_slice(sample.data);
    }

    /// Samples of a track in full fragments.
    pub fn written(&self, track: usize) -> usize {
        self.tracks[track].sizes.len()
    }

    /// Bytes of the file up to the end of the last full fragment.
    pub fn complete_len(&self) -> u64 {
        self.len
    }

    /// Writes the samples that wait as a fragment.
    ///
    /// # Errors
    /// Where it cannot be written; what is behind [`Self::complete_len`] is worthless then.
    pub fn write_fragment(&mut self) -> io::Result<()> {
        if self.tracks.iter().all(|track| track.pending.is_empty()) {
            return Ok(());
        }
        // The offsets of the data count from the start of this box, whose length does not depend on them.
        let mut fragment = Vec::new();
        self.fragment(&mut fragment, 0)?;
        let header = fragment.len() + 8;
        fragment.clear();
        self.fragment(&mut fragment, header)?;
        write_box(&mut fragment, b"mdat", |body| {
            self.tracks.iter().for_each(|track| body.extend_from_slice(&track.data));
            Ok(())
        })?;
        self.writer.write_all(&fragment)?;
        let mut at = self.len + header as u64;
        for track in &mut self.tracks {
            let len = track.data.len() as u64;
            track.settle(at);
            at += len;
        }
        self.len += fragment.len() as u64;
        self.fragments += 1;
        Ok(())
    }

    fn fragment(&self, bytes: &mut Vec<u8>, mut offset: usize) -> io::Result<()> {
        write_box(bytes, b"moof", |moof| {
            encode(moof, &Mfhd { sequence_number: self.fragments + 1 })?;
            for (id, track) in (1..).zip(&self.tracks).filter(|(_, track)| !track.pending.is_empty()) {
                write_box(moof, b"traf", |traf| {
                    encode(traf, &Tfhd { track_id: id, default_base_is_moof: true, ..Tfhd::default() })?;
                    encode(traf, &Tfdt { base_media_decode_time: track.written_ticks })?;
                    let data_offset = Some(i32::try_from(offset).map_err(io::Error::other)?);
                    encode(traf, &Trun { data_offset, samples: track.pending.clone().into() })
                })?;
                offset += track.data.len();
            }
            Ok(())
        })
    }

    /// The index: of what is written, or of a file whose fragments say what they hold.
    fn movie(&self, bytes: &mut Vec<u8>, is_finished: bool) -> io::Result<()> {
        let duration = self.tracks.iter().map(|track| track.shown(self.timescale)).max().unwrap_or(0);
        write_box(bytes, b"moov", |moov| {
            let next_track_id = self.tracks.len() as u32 + 1;
            let (rate, volume) = (1.into(), 1.into());
            let header = Mvhd { timescale: self.timescale, duration, rate, volume, next_track_id, ..Mvhd::default() };
            encode(moov, &header)?;
            for (id, track) in (1..).zip(&self.tracks) {
                write_box(moov, b"trak", |trak| track.describe(trak, id, self.timescale))?;
            }
            if is_finished {
                return Ok(());
            }
            write_box(moov, b"mvex", |mvex| {
                for (id, _) in (1..).zip(&self.tracks) {
                    encode(mvex, &Trex { track_id: id, default_sample_description_index: 1, ..Trex::default() })?;
                }
                Ok(())
            })
        })
    }
}

impl<W: Write + Seek> Muxer<W> {
    /// Writes what waits and the sample tables, and makes an ordinary file of it.
    ///
    /// # Errors
    /// Where it cannot be written; the file up to [`Self::complete_len`] is still a fragmented one then.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write_fragment()?;
        let mut index = Vec::new();
        self.movie(&mut index, true)?;
        self.writer.write_all(&index)?;
        self.writer.flush()?;
        let mut header = Vec::new();
        header.extend_from_slice(&1u32.to_be_bytes());
        header.extend_from_slice(b"mdat");
        header.extend_from_slice(&(self.len - self.outer).to_be_bytes());
        self.writer.seek(SeekFrom::Start(self.outer))?;
        self.writer.write_all(&header)?;
        self.writer.flush()
    }
}

impl Track {
    fn new(format: TrackFormat) -> Self {
        Self {
            format,
            sizes: Vec::new(),
            durations: Vec::new(),
            syncs: Vec::new(),
            chunks: Vec::new(),
            written_ticks: 0,
            pending: Vec::new(),
            data: Vec::new(),
        }
    }

    /// The samples that waited are written, from `offset` on.
    fn settle(&mut self, offset: u64) {
        if self.pending.is_empty() {
            return;
        }
        self.chunks.push((offset, self.pending.len() as u32));
        self.data.clear();
        for sample in self.pending.drain(..) {
            let duration = sample.duration.unwrap_or(0);
            self.written_ticks += u64::from(duration);
            self.sizes.push(sample.size.unwrap_or(0));
            self.durations.push(duration);
            if sample.flags == Some(SYNC) {
                self.syncs.push(self.sizes.len() as u32);
            }
        }
    }

    /// Edits with all durations, in ticks of the movie.
    fn edits(&self, timescale: u32) -> Vec<ElstEntry> {
        let total = self.written_ticks;
        let rest = |from: u64| rescale(total.saturating_sub(from), timescale, self.format.timescale);
        let entry = |edit: &Edit| ElstEntry {
            segment_duration: match (edit.duration, edit.media_time) {
                (0, Some(from)) => rest(from),
                (duration, _) => duration,
            },
            media_time: edit.media_time,
            media_rate: 1.into(),
        };
        self.format.edits.iter().map(entry).collect()
    }

    /// How long it is shown, in ticks of the movie.
    fn shown(&self, timescale: u32) -> u64 {
        if self.format.edits.is_empty() {
            return rescale(self.written_ticks, timescale, self.format.timescale);
        }
        self.edits(timescale).iter().map(|edit| edit.segment_duration).sum()
    }

    /// The body of a `trak` box.
    fn describe(&self, trak: &mut Vec<u8>, id: u32, timescale: u32) -> io::Result<()> {
        let format = &self.format;
        let is_video = format.media == Media::Video;
        let header = Tkhd {
            track_id: id,
            duration: self.shown(timescale),
            enabled: true,
            in_movie: true,
            volume: u8::from(!is_video).into(),
            width: format.size.0.into(),
            height: format.size.1.into(),
            ..Tkhd::default()
        };
        encode(trak, &header)?;
        if !format.edits.is_empty() {
            write_box(trak, b"edts", |edts| encode(edts, &Elst { entries: self.edits(timescale) }))?;
        }
        write_box(trak, b"mdia", |mdia| {
            let (timescale, duration) = (format.timescale, self.written_ticks);
            encode(mdia, &Mdhd { timescale, duration, language: "und".into(), ..Mdhd::default() })?;
            let (handler, name) = if is_video { (b"vide", "pictures") } else { (b"soun", "sound") };
            encode(mdia, &Hdlr { handler: handler.into(), name: name.into() })?;
            write_box(mdia, b"minf", |minf| {
                if is_video {
                    encode(minf, &Vmhd::default())?;
                } else {
                    encode(minf, &Smhd::default())?;
                }
                encode(minf, &Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } })?;
                write_box(minf, b"stbl", |stbl| self.tables(stbl))
            })
        })
    }

    fn tables(&self, stbl: &mut Vec<u8>) -> io::Result<()> {
        write_box(stbl, b"stsd", |stsd| {
            stsd.extend_from_slice(&self.format.descriptions);
            Ok(())
        })?;
        let durations = runs(self.durations.iter().copied());
        let entries =
            durations.into_iter().map(|(sample_delta, sample_count)| SttsEntry { sample_count, sample_delta });
        encode(stbl, &Stts { entries: entries.collect() })?;
        if self.syncs.len() < self.sizes.len() {
            encode(stbl, &Stss { entries: self.syncs.clone() })?;
        }
        let mut first_chunk = 1;
        let mut entries = Vec::new();
        for (samples_per_chunk, chunks) in runs(self.chunks.iter().map(|&(_, samples)| samples)) {
            entries.push(StscEntry { first_chunk, samples_per_chunk, sample_description_index: 1 });
            first_chunk += chunks;
        }
        encode(stbl, &Stsc { entries })?;
        encode(stbl, &Stsz { samples: StszSamples::Different { sizes: self.sizes.clone() } })?;
        match self.chunks.iter().map(|&(offset, _)| u32::try_from(offset)).collect() {
            Ok(entries) => encode(stbl, &Stco { entries }),
            Err(_) => encode(stbl, &Co64 { entries: self.chunks.iter().map(|&(offset, _)| offset).collect() }),
        }
    }
}

/// Values and how often each comes in a row.
fn runs(values: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    runs
}

fn encode(bytes: &mut Vec<u8>, atom: &impl Atom) -> io::Result<()> {
    atom.encode(bytes).map_err(io::Error::other)
}

/// Appends a box around what `body` appends.
pub fn write_box(
    bytes: &mut Vec<u8>,
    kind: &Kind,
    body: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(kind);
    body(bytes)?;
    let size = u32::try_from(bytes.len() - start).map_err(io::Error::other)?;
    bytes[start..start + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}
