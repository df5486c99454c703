//! What kind of clip a path is, by its content.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::{animation, folder};
use crate::{Error, Result};

/// What reads a clip.
pub(super) enum Kind {
    /// Of pictures.
    Folder,
    /// GIF, PNG or WebP, of one frame or more.
    Animation(ImageFormat),
    /// MP4 and MOV.
    Mp4,
    /// Another container of video, by its name for people.
    Container(&'static str),
    /// None of these.
    Unknown,
}

/// First bytes of containers, and their names.
const CONTAINERS: [(&[u8], &str); 7] = [
    (b"\x1A\x45\xDF\xA3", "a Matroska or WebM file"),
    (b"\x00\x00\x01\xBA", "an MPEG program stream"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "a Windows Media file"),
    (b"FLV\x01", "a Flash video"),
    (b"DKIF", "an IVF file"),
    (b"YUV4MPEG2", "a YUV4MPEG file"),
    (b"\x06\x0E\x2B\x34", "an MXF file"),
];

/// Bytes of a packet of an MPEG transport stream, each of which begins with the same byte.
const TRANSPORT_PACKET: usize = 188;

/// # Errors
/// [`Error::Io`] where the path cannot be read.
pub(super) fn kind(path: &Path) -> Result<Kind> {
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    if metadata.is_dir() {
        return Ok(Kind::Folder);
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(Error::io("read", path))?;
    Ok(match image::guess_format(&head) {
        Ok(format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::WebP)) => Kind::Animation(format),
        Ok(_) => Kind::Unknown,
        Err(_) if is_mp4(&head) => Kind::Mp4,
        Err(_) => container(&head, path).map_or(Kind::Unknown, Kind::Container),
    })
}

/// Old MOV files begin with any of their boxes. HEIC and AVIF pictures are boxes as well.
fn is_mp4(head: &[u8]) -> bool {
    match head.get(4..8) {
        Some(b"ftyp") => !head.get(8..12).is_some_and(|b| matches!(b, b"heic" | b"heix" | b"mif1" | b"avif")),
        Some(kind) => matches!(kind, b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot"),
        None => false,
    }
}

fn container(head: &[u8], path: &Path) -> Option<&'static str> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
        return Some("an AVI file");
    }
    if head.first() == Some(&0x47) && head.get(TRANSPORT_PACKET) == Some(&0x47) {
        return Some("an MPEG transport stream");
    }
    // Ogg is mostly sound, and in these transport streams four bytes stand before each packet.
    match ending.as_str() {
        "ogv" if head.starts_with(b"OggS") => return Some("an Ogg file"),
        "m2ts" | "mts" => return Some("an MPEG transport stream"),
        _ => {}
    }
    CONTAINERS.iter().find(|(mark, _)| head.starts_with(mark)).map(|&(_, name)| name)
}

/// Whether [`super::Video::open`] is the one to open `path`: a video file, an animated picture of more than one frame,
/// a folder of numbered pictures. Reads no more than the file's structure.
pub fn is_video(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    match kind(path) {
        Ok(Kind::Folder) => folder::numbered_pictures(path).is_ok_and(|pictures| !pictures.is_empty()),
        // A pipe gives its bytes only once.
        Ok(Kind::Animation(format)) => is_file && animation::is_animated(path, format),
        Ok(Kind::Mp4 | Kind::Container(_)) => true,
        Ok(Kind::Unknown) | Err(_) => false,
    }
}
