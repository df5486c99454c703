//! Samples of a fragmented file: each `moof` box lists those of the data behind it.

use mp4_atom::{Atom, Tfdt, Tfhd, Trex, Trun};

use super::boxes::{Index, child, children, decode};
use super::samples::MAX_SAMPLES;
use super::track::{Sample, Track};

/// In the flags of a sample: decoding cannot start here.
const NON_SYNC: u32 = 1 << 16;

/// Appends the samples of all fragments to their tracks.
///
/// # Errors
/// What is wrong with them.
pub fn append(index: &Index, tracks: &mut [Track]) -> Result<(), &'static str> {
    let defaults = child(&index.movie, b"mvex").unwrap_or_default();
    let defaults: Vec<Trex> = children(defaults)
        .filter(|(kind, _)| kind == b"trex")
        .filter_map(|(_, mut b)| Trex::decode_body(&mut b).ok())
        .collect();
    // Where the next sample of each track is decoded.
    let mut clocks: Vec<i64> =
        tracks.iter().map(|track| track.samples.iter().map(|sample| i64::from(sample.duration)).sum()).collect();
    for (start, body) in &index.fragments {
        // Without an offset of its own, data follows that of the run before.
        let mut data = *start;
        for (_, fragment) in children(body).filter(|(kind, _)| kind == b"traf") {
            let Some(header) = decode::<Tfhd>(fragment) else { continue };
            let Some(at) = tracks.iter().position(|track| track.id == header.track_id) else { continue };
            let (track, clock) = (&mut tracks[at], &mut clocks[at]);
            let default = defaults.iter().find(|default| default.track_id == header.track_id);
            let duration = header.default_sample_duration.or(default.map(|d| d.default_sample_duration)).unwrap_or(0);
            let size = header.default_sample_size.or(default.map(|d| d.default_sample_size)).unwrap_or(0);
            let flags = header.default_sample_flags.or(default.map(|d| d.default_sample_flags)).unwrap_or(0);
            if let Some(time) = decode::<Tfdt>(fragment) {
                *clock = i64::try_from(time.base_media_decode_time).map_err(|_| "its times are out of range")?;
            }
            let base = header.base_data_offset.unwrap_or(*start);
            for (_, mut run) in children(fragment).filter(|(kind, _)| kind == b"trun") {
                let Ok(run) = Trun::decode_body(&mut run) else { continue };
                if run.samples.len() > MAX_SAMPLES.saturating_sub(track.samples.len()) {
                    return Err("it has too many samples");
                }
                if let Some(offset) = run.data_offset {
                    data = base.saturating_add_signed(i64::from(offset));
                }
                for entry in &run.samples {
                    let sample = Sample {
                        offset: data,
                        size: entry.size.unwrap_or(size),
                        time: clock.saturating_add(entry.cts.unwrap_or(0)),
                        duration: entry.duration.unwrap_or(duration),
                        is_sync: entry.flags.unwrap_or(flags) & NON_SYNC == 0,
                    };
                    data = data.saturating_add(u64::from(sample.size));
                    *clock = clock.saturating_add(i64::from(sample.duration));
                    track.samples.push(sample);
                }
            }
        }
    }
    Ok(())
}
