//! How long each frame of an animated picture is shown, without decoding it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image::ImageFormat;

use crate::video::timeline::{Timeline, gcd};

/// Seconds as a fraction: numerator and denominator.
type Delay = (u32, u32);

/// What browsers and ffmpeg show in place of a delay of 10 ms and less.
const HURRIED: Delay = (1, 10);

/// Most frames that are counted.
const MAX_FRAMES: usize = 1_000_000;

/// Ticks a second where the delays have no common denominator below it.
const MAX_TIMESCALE: u64 = 1_000_000;

/// One delay per frame; nothing for a still picture. Frames behind a damaged place are not counted.
///
/// # Errors
/// Where the file cannot be read.
pub(super) fn read(path: &Path, format: ImageFormat) -> io::Result<Vec<Delay>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut delays = Vec::new();
    let walked = match format {
        ImageFormat::Gif => gif(&mut reader, &mut delays),
        ImageFormat::WebP => webp(&mut reader, &mut delays),
        _ => png(&mut reader, &mut delays),
    };
    match walked {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(delays),
    }
}

/// The frames one after the other.
pub(super) fn timeline(delays: &[Delay]) -> Timeline {
    let shared = delays.iter().try_fold(1u64, |shared, &(_, per)| {
        let per = u64::from(per);
        Some(shared / gcd(shared, per) * per).filter(|&shared| shared <= MAX_TIMESCALE)
    });
    let timescale = shared.unwrap_or(90_000);
    let mut starts = Vec::with_capacity(delays.len());
    let (mut end, mut last) = (0, 0);
    for &(delay, per) in delays {
        starts.push(end);
        last = u64::from(delay) * timescale / u64::from(per);
        end += last;
    }
    Timeline::new(timescale as u32, &starts, last)
}

fn push(delays: &mut Vec<Delay>, delay: u32, per: u32) -> io::Result<()> {
    if delays.len() == MAX_FRAMES {
        return Err(io::Error::other("it has more than a million frames"));
    }
    let divisor = gcd(u64::from(delay), u64::from(per)) as u32;
    let hurried = u64::from(delay) * 100 <= u64::from(per);
    delays.push(if hurried { HURRIED } else { (delay / divisor, per / divisor) });
    Ok(())
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// GIF89a: delays are hundredths of a second in the graphic control extension before a frame.
fn gif(reader: &mut (impl BufRead + Seek), delays: &mut Vec<Delay>) -> io::Result<()> {
    let header: [u8; 13] = bytes(reader)?;
    skip_colors(reader, header[10])?;
    let mut delay = 0;
    loop {
        match bytes(reader)? {
            [0x21] => {
                let [label] = bytes(reader)?;
                if label == 0xF9 {
                    let [_, _, low, high, _] = bytes(reader)?;
                    delay = u16::from_le_bytes([low, high]);
                }
                skip_blocks(reader)?;
            }
            [0x2C] => {
                let descriptor: [u8; 9] = bytes(reader)?;
                skip_colors(reader, descriptor[8])?;
                let [_code_size] = bytes(reader)?;
                skip_blocks(reader)?;
                push(delays, u32::from(std::mem::take(&mut delay)), 100)?;
            }
            _ => return Ok(()),
        }
    }
}

fn skip_colors(reader: &mut impl BufRead, flags: u8) -> io::Result<()> {
    let len = if flags & 0x80 == 0 { 0 } else { 3u64 << ((flags & 7) + 1) };
    skip(reader, len)
}

fn skip_blocks(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let [len] = bytes(reader)?;
        if len == 0 {
            return Ok(());
        }
        skip(reader, u64::from(len))?;
    }
}

/// By reading, so that the end of the file is noticed.
fn skip(reader: &mut impl BufRead, len: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(len), &mut io::sink())? {
        skipped if skipped == len => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// APNG: delays are fractions in `fcTL`, the chunk before a frame's data.
fn png(reader: &mut (impl BufRead + Seek), delays: &mut Vec<Delay>) -> io::Result<()> {
    let mut animated = false;
    reader.seek(SeekFrom::Start(8))?;
    loop {
        let [a, b, c, d, name @ ..]: [u8; 8] = bytes(reader)?;
        let mut left = u64::from(u32::from_be_bytes([a, b, c, d])) + 4;
        match &name {
            b"acTL" => animated = true,
            b"fcTL" if animated && left >= 28 => {
                let control: [u8; 24] = bytes(reader)?;
                left -= 24;
                let [delay, per] = [[control[20], control[21]], [control[22], control[23]]].map(u16::from_be_bytes);
                push(delays, u32::from(delay), if per == 0 { 100 } else { u32::from(per) })?;
            }
            b"IEND" => return Ok(()),
            _ => {}
        }
        reader.seek_relative(left as i64)?;
    }
}

/// Animated WebP: delays are milliseconds in the header of an `ANMF` chunk.
fn webp(reader: &mut (impl BufRead + Seek), delays: &mut Vec<Delay>) -> io::Result<()> {
    reader.seek(SeekFrom::Start(12))?;
    loop {
        let [name @ .., a, b, c, d]: [u8; 8] = bytes(reader)?;
        let mut left = u64::from(u32::from_le_bytes([a, b, c, d])).next_multiple_of(2);
        if &name == b"ANMF" && left >= 16 {
            let header: [u8; 16] = bytes(reader)?;
            left -= 16;
            push(delays, u32::from_le_bytes([header[12], header[13], header[14], 0]), 1000)?;
        }
        reader.seek_relative(left as i64)?;
    }
}
