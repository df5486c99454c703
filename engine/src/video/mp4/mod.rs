//! MP4 and MOV files.

pub(super) mod boxes;
mod fragments;
mod presentation;
mod samples;
pub(super) mod track;

use std::fs::File;
use std::path::Path;

use mp4_atom::Esds;

use super::h264::stream::Stream;
use super::h264::{H264Reader, Track as H264Track};
use super::{FrameReader, Opened, SoundInfo, VideoError, VideoInfo};
use crate::image::decode::check_dimensions;
use crate::{Cancel, Error, Result};
use presentation::present;
use track::{Media, Movie, Track};

/// Bytes of a sound's sample entry before its boxes.
const SOUND_ENTRY_BYTES: usize = 28;

/// # Errors
/// Where the clip cannot be read; [`VideoError::Codec`] where it can only be read by other means.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let index = boxes::read_index(&file).map_err(Error::io("read", path))?;
    let index = index.ok_or_else(|| {
        VideoError::unreadable(path, "the file has no index (\"moov\"); it may be a partial copy of a longer file")
    })?;
    let Movie { timescale, tracks } = track::read(&index).map_err(|reason| VideoError::unreadable(path, reason))?;
    let sound = tracks.iter().find(|track| track.media == Media::Sound).and_then(sound_info);
    let video = tracks.into_iter().find(|track| track.media == Media::Video && !track.samples.is_empty());
    let video = video.ok_or_else(|| VideoError::unreadable(path, "it has no pictures"))?;

    let unsupported = |codec: String| VideoError::Codec { path: path.to_path_buf(), codec };
    let stream = match video.description() {
        Some((kind, entry)) if matches!(&kind, b"avc1" | b"avc3") => {
            Stream::new(entry).map_err(|reason| unsupported(format!("H.264 with {reason}")))?
        }
        Some((kind, _)) => return Err(unsupported(codec_name(&kind)).into()),
        None => return Err(VideoError::unreadable(path, "its format is not described").into()),
    };
    let presentation = present(&video.samples, video.timescale, &video.edits, timescale)
        .map_err(|reason| unsupported(format!("H.264, but {reason}")))?;
    if presentation.samples.is_empty() {
        return Err(VideoError::unreadable(path, "its edit list shows no frame").into());
    }
    let track = H264Track {
        path: path.to_path_buf(),
        file,
        file_len: index.file_len,
        stream,
        samples: video.samples,
        shown: presentation.samples,
        orientation: video.orientation,
    };
    let mut reader = H264Reader::new(track).map_err(|reason| VideoError::unreadable(path, reason))?;
    let (width, height) = size(&mut reader, path)?;
    let info = VideoInfo { sound, ..VideoInfo::new(path, width, height, "H.264", presentation.timeline) };
    Ok(Opened { info, reader: Box::new(reader) })
}

/// Of the first frame that can be decoded; what the file says beside it need not be true.
fn size(reader: &mut H264Reader, path: &Path) -> Result<(usize, usize)> {
    reader.seek(0)?;
    let Some(first) = reader.next(0, &Cancel::default())? else { unreachable!("a wanted frame is given") };
    check_dimensions(path, first.width as u32, first.height as u32)?;
    reader.seek(0)?;
    Ok((first.width, first.height))
}

fn sound_info(track: &Track) -> Option<SoundInfo> {
    let (kind, entry) = track.description()?;
    let mut channels = u32::from(u16::from_be_bytes(*entry.get(16..18)?.first_chunk()?));
    let codec = match &kind {
        b"mp4a" => "AAC",
        b"Opus" => "Opus",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"fLaC" => "FLAC",
        b"alac" => "ALAC",
        b".mp3" => "MP3",
        _ => &letters(&kind),
    };
    // The entry of AAC says 2 whatever it holds.
    let said = boxes::decode::<Esds>(entry.get(SOUND_ENTRY_BYTES..)?);
    match said.and_then(|said| said.es_desc.dec_config.dec_specific).map_or(0, |specific| specific.chan_conf) {
        0 => {}
        7 => channels = 8,
        said => channels = said.into(),
    }
    Some(SoundInfo { codec: codec.to_owned(), sample_rate: track.timescale, channels })
}

fn codec_name(kind: &boxes::Kind) -> String {
    match kind {
        b"hvc1" | b"hev1" => "HEVC".to_owned(),
        b"av01" => "AV1".to_owned(),
        b"vp09" => "VP9".to_owned(),
        b"vp08" => "VP8".to_owned(),
        b"mp4v" => "MPEG-4 part 2".to_owned(),
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG".to_owned(),
        b"encv" => "encrypted video".to_owned(),
        _ if kind.starts_with(b"ap") => "ProRes".to_owned(),
        _ => letters(kind),
    }
}

fn letters(kind: &boxes::Kind) -> String {
    String::from_utf8_lossy(kind).trim().to_owned()
}
