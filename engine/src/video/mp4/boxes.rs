//! Boxes of MP4 and MOV files (ISO/IEC 14496-12, chapter 4): a size, four letters, a body.
//!
//! Only what is needed is looked for, and whatever else a file holds is stepped over: unknown boxes, and known ones that
//! are not as the standard has them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use mp4_atom::{Atom, DecodeMaybe, Header, ReadFrom};

/// Four letters.
pub type Kind = [u8; 4];

/// A file's index: everything but the samples.
pub struct Index {
    /// Body of the `moov` box.
    pub movie: Vec<u8>,
    /// The `moof` boxes: where each starts in the file, and its body.
    pub fragments: Vec<(u64, Vec<u8>)>,
    /// Bytes in the file.
    pub file_len: u64,
}

/// Reads a file's boxes up to its end or to the first place that makes no sense. `None` where there is no `moov`.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_index(file: &File) -> io::Result<Option<Index>> {
    let file_len = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let (mut movie, mut fragments) = (None, Vec::new());
    let mut start = 0;
    while start < file_len {
        reader.seek(SeekFrom::Start(start))?;
        let Ok(header) = Header::read_from(&mut reader) else { break };
        let body = reader.stream_position()?;
        let size = header.size.map_or(file_len - body, |size| size as u64);
        match header.kind.as_ref() {
            b"moov" if movie.is_none() => movie = Some(read(&mut reader, size)?),
            b"moof" => fragments.push((start, read(&mut reader, size)?)),
            _ => {}
        }
        // No more than the file is long, whatever the header says.
        start = body.saturating_add(size);
    }
    Ok(movie.map(|movie| Index { movie, fragments, file_len }))
}

fn read(reader: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The boxes in a body; the last one may be cut off.
pub fn children(mut body: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    std::iter::from_fn(move || {
        let header = Header::decode_maybe(&mut body).ok()??;
        let (child, rest) = body.split_at(header.size.unwrap_or(body.len()).min(body.len()));
        body = rest;
        Some((*header.kind.as_ref(), child))
    })
}

/// The first box of that kind.
pub fn child<'a>(body: &'a [u8], kind: &Kind) -> Option<&'a [u8]> {
    children(body).find(|(found, _)| found == kind).map(|(_, child)| child)
}

/// The first box at the end of a path of kinds.
pub fn descendant<'a>(body: &'a [u8], path: &[&Kind]) -> Option<&'a [u8]> {
    path.iter().try_fold(body, |body, kind| child(body, kind))
}

/// The first box of type `T`, where it is there and sound.
pub fn decode<T: Atom>(body: &[u8]) -> Option<T> {
    T::decode_body(&mut child(body, T::KIND.as_ref())?).ok()
}
