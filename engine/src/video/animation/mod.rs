//! Animated GIF, PNG and WebP.
//!
//! Each frame builds on the ones before, so that decoding always starts at the first. A thread of its own decodes ahead
//! by a frame; it ends when its frames are no longer asked for.

mod delays;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageFormat, ImageResult, Limits, RgbaImage};

use super::{FrameReader, Opened, VideoError, VideoInfo};
use crate::image::Picture;
use crate::image::decode::{check_dimensions, rgb8};
use crate::{Cancel, Error, Result};

/// Most bytes that a decoder may allocate: a few frames of the largest picture that is read.
const MAX_DECODER_BYTES: u64 = 4_000_000_000;

struct Animation {
    path: PathBuf,
    format: ImageFormat,
    frames: Receiver<ImageResult<RgbaImage>>,
    next: usize,
}

/// Whether the file has more than one frame.
pub(super) fn is_animated(path: &Path, format: ImageFormat) -> bool {
    delays::read(path, format).is_ok_and(|delays| delays.len() > 1)
}

pub(super) fn open(path: &Path, format: ImageFormat) -> Result<Opened> {
    let delays = delays::read(path, format).map_err(Error::io("read", path))?;
    if delays.is_empty() {
        return Err(VideoError::unreadable(path, "it is a still picture, or broken").into());
    }
    let (width, height) = dimensions(path, format)?;
    let name = format!("{format:?}").to_uppercase();
    let codec = if format == ImageFormat::Png { "animated PNG" } else { &name };
    let info = VideoInfo::new(path, width, height, codec, delays::timeline(&delays));
    let frames = decode(path.to_path_buf(), format);
    Ok(Opened { info, reader: Box::new(Animation { path: path.to_path_buf(), format, frames, next: 0 }) })
}

impl FrameReader for Animation {
    fn entry(&mut self, _index: usize) -> Result<usize> {
        Ok(0)
    }

    fn seek(&mut self, _entry: usize) -> Result<()> {
        if self.next != 0 {
            self.frames = decode(self.path.clone(), self.format);
            self.next = 0;
        }
        Ok(())
    }

    fn next(&mut self, wanted_from: usize, _cancel: &Cancel) -> Result<Option<Picture>> {
        let index = self.next;
        self.next += 1;
        let broken = |reason: &str| VideoError::frame(&self.path, index, reason);
        let frame = self.frames.recv().map_err(|_| broken("the file ends before it, or is broken"))?;
        let frame = frame.map_err(|error| broken(&error.to_string().replace(['\n', '\r'], " ")))?;
        if index < wanted_from {
            return Ok(None);
        }
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let rgb = rgb8(DynamicImage::ImageRgba8(frame)).ok_or_else(|| broken("its samples are of no known kind"))?;
        Ok(Some(Picture::from_rgb(width, height, rgb)?))
    }
}

fn dimensions(path: &Path, format: ImageFormat) -> Result<(usize, usize)> {
    let file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
    let dimensions = match format {
        ImageFormat::Gif => GifDecoder::new(file).map(|decoder| decoder.dimensions()),
        ImageFormat::WebP => WebPDecoder::new(file).map(|decoder| decoder.dimensions()),
        _ => PngDecoder::new(file).map(|decoder| decoder.dimensions()),
    };
    let (width, height) = dimensions.map_err(|error| VideoError::unreadable(path, error.to_string()))?;
    check_dimensions(path, width, height)?;
    Ok((width as usize, height as usize))
}

/// Starts decoding from the first frame.
fn decode(path: PathBuf, format: ImageFormat) -> Receiver<ImageResult<RgbaImage>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // The iterator of frames cannot leave the thread that made it.
    thread::spawn(move || match frames(&path, format) {
        Ok(frames) => {
            for frame in frames {
                let ends = frame.is_err();
                if sender.send(frame.map(image::Frame::into_buffer)).is_err() || ends {
                    break;
                }
            }
        }
        // Nobody listens where the clip was closed meanwhile.
        Err(error) => _ = sender.send(Err(error)),
    });
    receiver
}

fn frames(path: &Path, format: ImageFormat) -> ImageResult<Frames<'static>> {
    let file = BufReader::new(File::open(path)?);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    Ok(match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(file)?;
            decoder.set_limits(limits)?;
            decoder.into_frames()
        }
        ImageFormat::WebP => {
            let mut decoder = WebPDecoder::new(file)?;
            decoder.set_limits(limits)?;
            decoder.into_frames()
        }
        _ => PngDecoder::with_limits(file, limits)?.apng()?.into_frames(),
    })
}
