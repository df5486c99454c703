//! What ffprobe says about a clip.

use std::path::Path;

use serde::Deserialize;

use super::process::Program;
use crate::Result;
use crate::video::{SoundInfo, Timeline, VideoError};

/// A clip as ffprobe sees it.
pub struct Probe {
    /// For people: "HEVC".
    pub codec: String,
    /// When each frame is shown; 0 is where the first track begins, if that is later than the file's own 0.
    pub timeline: Timeline,
    /// The file's own time of each frame, in `time_base`, ascending.
    pub times: Vec<i64>,
    /// Seconds a tick of `times`, as a fraction.
    pub time_base: (i64, i64),
    /// Where the first track begins, in seconds: what ffmpeg's seeking counts from.
    pub start_secs: f64,
    /// The first sound track.
    pub sound: Option<SoundInfo>,
}

#[derive(Deserialize)]
struct Streams {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    time_base: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
struct Disposition {
    /// A cover picture, which is no video.
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Default, Deserialize)]
struct Format {
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct Entries {
    #[serde(default, alias = "frames")]
    packets: Vec<Entry>,
}

/// A packet, or a decoded frame.
#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "best_effort_timestamp")]
    pts: Option<i64>,
    #[serde(alias = "pkt_duration")]
    duration: Option<i64>,
    #[serde(default)]
    flags: String,
}

/// `None` where there is no ffprobe.
///
/// # Errors
/// [`VideoError::Ffmpeg`]
pub fn read(path: &Path, program: &Program) -> Result<Option<Probe>> {
    const STREAMS: &str = "stream=codec_type,codec_name,time_base,sample_rate,channels:stream_disposition=attached_pic:\
                           format=start_time";
    let Some(json) = program.probe(path, &["-show_entries", STREAMS])? else { return Ok(None) };
    let said: Streams = parse(path, &json)?;
    let is = |stream: &&Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    let video = said.streams.iter().find(|stream| is(stream, "video") && stream.disposition.attached_pic == 0);
    let video = video.ok_or_else(|| VideoError::ffmpeg(path, "it finds no pictures in it"))?;
    let sound = said.streams.iter().find(|stream| is(stream, "audio"));
    let time_base = video.time_base.as_deref().and_then(fraction).unwrap_or((1, 1000));
    let start_secs = said.format.start_time.as_deref().and_then(|time| time.parse().ok()).unwrap_or(0.0);

    // Packets need no decoding, but in VP8 some of them hold no frame, and some containers keep no times.
    let is_vp8 = video.codec_name.as_deref() == Some("vp8");
    let packets = if is_vp8 { None } else { entries(path, program, "packet=pts,duration,flags")? };
    let mut entries = match packets {
        Some(packets) if packets.iter().all(|packet| packet.pts.is_some()) && !packets.is_empty() => packets,
        _ => entries(path, program, "frame=best_effort_timestamp,pkt_duration")?.unwrap_or_default(),
    };
    // Packets that an edit list leaves out.
    entries.retain(|entry| !entry.flags.contains('D'));
    let (times, last) = times(&mut entries);
    if times.is_empty() {
        let reason =
            "it finds no times of frames in it; put the stream into a container (ffmpeg -i STREAM -c copy OUT.mp4)";
        return Err(VideoError::ffmpeg(path, reason).into());
    }
    Ok(Some(Probe {
        codec: codec_name(video.codec_name.as_deref().unwrap_or("video of an unknown kind")),
        timeline: timeline(&times, last, time_base, start_secs),
        times,
        time_base,
        start_secs,
        sound: sound.map(|sound| SoundInfo {
            codec: codec_name(sound.codec_name.as_deref().unwrap_or("sound of an unknown kind")),
            sample_rate: sound.sample_rate.as_deref().and_then(|rate| rate.parse().ok()).unwrap_or(0),
            channels: sound.channels.unwrap_or(0),
        }),
    }))
}

/// Time of each frame, ascending, and the duration of the last one where it is known.
fn times(entries: &mut [Entry]) -> (Vec<i64>, Option<i64>) {
    let mut end = None;
    for entry in entries.iter_mut() {
        // A decoder may give its last frames without a time.
        entry.pts = entry.pts.or(end);
        end = entry.pts.map(|time| time.saturating_add(entry.duration.unwrap_or(0).max(1)));
    }
    entries.sort_by_key(|entry| entry.pts);
    let mut times: Vec<i64> = entries.iter().filter_map(|entry| entry.pts).collect();
    times.dedup();
    (times, entries.last().and_then(|entry| entry.duration).filter(|&duration| duration > 0))
}

/// Of the first video track.
fn entries(path: &Path, program: &Program, what: &str) -> Result<Option<Vec<Entry>>> {
    let json = program.probe(path, &["-select_streams", "V:0", "-show_entries", what])?;
    Ok(json.map(|json| parse::<Entries>(path, &json)).transpose()?.map(|entries| entries.packets))
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, json: &'a [u8]) -> Result<T, VideoError> {
    serde_json::from_slice(json)
        .map_err(|error| VideoError::ffmpeg(path, format!("ffprobe's answer is broken ({error})")))
}

/// "1/30000"
fn fraction(text: &str) -> Option<(i64, i64)> {
    let (numerator, denominator) = text.split_once('/')?;
    let (numerator, denominator) = (numerator.parse().ok()?, denominator.parse().ok()?);
    (numerator > 0 && denominator > 0 && denominator <= i64::from(u32::MAX)).then_some((numerator, denominator))
}

fn timeline(times: &[i64], last: Option<i64>, time_base: (i64, i64), start_secs: f64) -> Timeline {
    let (numerator, denominator) = time_base;
    let zero = (start_secs.max(0.0) * denominator as f64 / numerator as f64).round() as i64;
    // Times below 0 would be lost.
    let zero = times.first().map_or(zero, |&first| zero.min(first));
    let ticks = |time: i64| u64::try_from(time.saturating_sub(zero).saturating_mul(numerator)).unwrap_or(0);
    let starts: Vec<u64> = times.iter().map(|&time| ticks(time)).collect();
    // Without a duration the last frame is shown as long as the one before, or a twenty-fifth of a second.
    let before = || match times {
        [.., a, b] => b - a,
        _ => denominator / (25 * numerator),
    };
    let last = last.unwrap_or_else(before).max(1).saturating_mul(numerator);
    Timeline::new(denominator as u32, &starts, last as u64)
}

/// As people write it.
fn codec_name(name: &str) -> String {
    match name {
        "h264" => "H.264".to_owned(),
        "prores" => "ProRes".to_owned(),
        "mjpeg" => "Motion JPEG".to_owned(),
        "mpeg4" => "MPEG-4 part 2".to_owned(),
        "opus" => "Opus".to_owned(),
        "vorbis" => "Vorbis".to_owned(),
        _ => name.to_uppercase(),
    }
}
