//! Sound is copied as it is.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use mp4_atom::{Decode as _, Elst, ElstEntry, FixedPoint, Stsd};

use super::movie::{Sample, SoundTrack};
use crate::video::mp4::boxes;
use crate::video::mp4::track::{self, Media, Track};
use crate::{Error, Result};

/// Appends the first sound track of an MP4 file to `out`, at `position`, which moves on. `None` for other files, files
/// without sound, and sound that cannot be described.
///
/// # Errors
/// [`Error::Io`] where it cannot be read or written.
pub fn copy(path: &Path, timescale: u32, out: &mut impl Write, position: &mut u64) -> Result<Option<SoundTrack>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let Ok(Some(index)) = boxes::read_index(&file) else { return Ok(None) };
    let Ok(movie) = track::read(&index) else { return Ok(None) };
    let Some(track) = movie.tracks.iter().find(|track| track.media == Media::Sound) else { return Ok(None) };
    let Some(description) = description(track) else {
        log::warn!("the sound of {} is of a kind that cannot be copied; it is left out", path.display());
        return Ok(None);
    };
    let mut reader = BufReader::new(file);
    let mut samples = Vec::new();
    let mut packet = Vec::new();
    for sample in &track.samples {
        packet.resize(sample.size as usize, 0);
        let read = reader.seek(SeekFrom::Start(sample.offset)).and_then(|_| reader.read_exact(&mut packet));
        if read.is_err() {
            log::warn!("the sound of {} is cut short", path.display());
            break;
        }
        out.write_all(&packet).map_err(Error::io("write", path))?;
        let duration = sample.duration;
        samples.push(Sample { offset: *position, size: sample.size, duration, is_sync: true });
        *position += packet.len() as u64;
    }
    let edits = (!track.edits.is_empty()).then(|| edits(track, movie.timescale, timescale));
    Ok(Some(SoundTrack { description, timescale: track.timescale, samples, edits }))
}

fn description(track: &Track) -> Option<Stsd> {
    let mut bytes = Vec::from(u32::try_from(track.descriptions.len() + 8).ok()?.to_be_bytes());
    bytes.extend_from_slice(b"stsd");
    bytes.extend_from_slice(&track.descriptions);
    Stsd::decode(&mut bytes.as_slice()).ok()
}

/// Durations of edits are in ticks of the movie.
fn edits(track: &Track, from: u32, to: u32) -> Elst {
    let entry = |edit: &track::Edit| ElstEntry {
        segment_duration: edit.duration * u64::from(to) / u64::from(from.max(1)),
        media_time: edit.media_time,
        media_rate: FixedPoint::from(1),
    };
    Elst { entries: track.edits.iter().map(entry).collect() }
}
