//! Tracks: what they hold, and where each sample lies.

use image::metadata::Orientation;
use mp4_atom::{Elst, Mdhd, Mvhd, Tkhd};

use super::boxes::{Index, Kind, child, children, decode, descendant};
use super::{fragments, samples};

/// A movie's tracks.
pub struct Movie {
    /// Ticks a second of edit lists.
    pub timescale: u32,
    /// As in the file.
    pub tracks: Vec<Track>,
}

/// What a track holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video,
    /// Sound.
    Sound,
    /// Time codes, subtitles and so on.
    Other,
}

/// A video's frame or a packet of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In the file.
    pub offset: u64,
    /// In bytes.
    pub size: u32,
    /// When it is shown, in ticks of the track, before the edit list.
    pub time: i64,
    /// In ticks of the track.
    pub duration: u32,
    /// Whether decoding can start here.
    pub is_sync: bool,
}

/// One entry of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// In ticks of the movie; 0 for the rest of the track.
    pub duration: u64,
    /// Which part of the track it shows, in its ticks; `None` for nothing.
    pub media_time: Option<u64>,
}

/// One track.
pub struct Track {
    /// Its number within the file.
    pub id: u32,
    /// What it holds.
    pub media: Media,
    /// Ticks a second.
    pub timescale: u32,
    /// Body of the `stsd` box: what a decoder must know.
    pub descriptions: Vec<u8>,
    /// In the order of decoding.
    pub samples: Vec<Sample>,
    /// Empty where the track is shown as it is.
    pub edits: Vec<Edit>,
    /// How its pictures are turned upright.
    pub orientation: Orientation,
}

impl Track {
    /// Four letters and body of the first sample description.
    pub fn description(&self) -> Option<(Kind, &[u8])> {
        // Version, flags and count.
        children(self.descriptions.get(8..)?).next()
    }
}

/// # Errors
/// What is wrong with the index.
pub fn read(index: &Index) -> Result<Movie, &'static str> {
    let header: Mvhd = decode(&index.movie).ok_or("its index has no header")?;
    let boxes = children(&index.movie).filter(|(kind, _)| kind == b"trak");
    let mut tracks = boxes.filter_map(|(_, body)| track(body)).collect::<Result<Vec<_>, _>>()?;
    fragments::append(index, &mut tracks)?;
    Ok(Movie { timescale: header.timescale.max(1), tracks })
}

/// `None` for what has no samples of a known form.
fn track(body: &[u8]) -> Option<Result<Track, &'static str>> {
    let header: Tkhd = decode(body)?;
    let media = child(body, b"mdia")?;
    let media_header: Mdhd = decode(media)?;
    let tables = descendant(media, &[b"minf", b"stbl"])?;
    let edits: Option<Elst> = child(body, b"edts").and_then(decode);
    let edits = edits.map_or(Vec::new(), |edits| edits.entries);
    let kind = match child(media, b"hdlr")?.get(8..12)? {
        b"vide" => Media::Video,
        b"soun" => Media::Sound,
        _ => Media::Other,
    };
    Some(samples::read(tables).map(|samples| Track {
        id: header.track_id,
        media: kind,
        timescale: media_header.timescale.max(1),
        descriptions: child(tables, b"stsd").unwrap_or_default().to_vec(),
        samples,
        edits: edits.iter().map(|e| Edit { duration: e.segment_duration, media_time: e.media_time }).collect(),
        orientation: orientation(&header),
    }))
}

/// Of the track header's matrix `[a b; c d]`, by which (x, y) is shown at (ax + cy, bx + dy).
fn orientation(header: &Tkhd) -> Orientation {
    let matrix = &header.matrix;
    match [matrix.a, matrix.b, matrix.c, matrix.d].map(i32::signum) {
        [0, 1, -1, 0] => Orientation::Rotate90,
        [-1, 0, 0, -1] => Orientation::Rotate180,
        [0, -1, 1, 0] => Orientation::Rotate270,
        [-1, 0, 0, 1] => Orientation::FlipHorizontal,
        [1, 0, 0, -1] => Orientation::FlipVertical,
        [0, 1, 1, 0] => Orientation::Rotate90FlipH,
        [0, -1, -1, 0] => Orientation::Rotate270FlipH,
        _ => Orientation::NoTransforms,
    }
}

/// Ticks of one clock in those of another, rounded to nearest.
pub fn rescale(ticks: u64, to: u32, from: u32) -> u64 {
    let (to, from) = (u128::from(to), u128::from(from.max(1)));
    u64::try_from((u128::from(ticks) * to + from / 2) / from).unwrap_or(u64::MAX)
}
