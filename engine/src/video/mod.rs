//! Clips: frames out of files and folders at exact times, and into them.
//!
//! ```text
//! file or folder ─ sniff ─► a FrameReader per kind of clip ─► Video: cache, seek ─► Picture
//! Picture ─► a FrameSink per kind of recording ─► file or folder
//! ```

mod animation;
mod colour;
mod encode;
mod error;
mod ffmpeg;
mod folder;
mod h264;
mod maps;
mod mp4;
mod recent;
pub mod record;
mod sniff;
mod timeline;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use encode::{EncodedFrame, FrameEncoder};
pub use error::VideoError;
pub use maps::{ClipMap, MapRecording, record_map};
pub use record::{FrameSink, Quality, RecordingFormat, SoundSource};
pub use sniff::is_video;
pub use timeline::Timeline;

use crate::image::Picture;
use crate::{Cancel, Error, Result};
use recent::Recent;
use sniff::Kind;

/// What a clip's file does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoOptions {
    /// Frames per second of a folder of pictures.
    pub folder_fps: f64,
    /// The program for what this one does not decode: a name on the PATH, or a path. ffprobe lies beside it.
    pub ffmpeg: PathBuf,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self { folder_fps: 24.0, ffmpeg: PathBuf::from("ffmpeg") }
    }
}

/// What a clip is.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// The file or folder.
    pub path: PathBuf,
    /// Of the file or folder, without its path.
    pub name: String,
    /// In pixels, as shown: after rotation.
    pub width: usize,
    /// In pixels, as shown: after rotation.
    pub height: usize,
    /// For people: "H.264", "GIF", "pictures".
    pub codec: String,
    /// When each frame is shown; its length is that of the clip.
    pub timeline: Timeline,
    /// The first sound track.
    pub sound: Option<SoundInfo>,
}

impl VideoInfo {
    fn new(path: &Path, width: usize, height: usize, codec: &str, timeline: Timeline) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { path: path.to_path_buf(), name, width, height, codec: codec.to_owned(), timeline, sound: None }
    }
}

/// A clip's sound, which is copied and never decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundInfo {
    /// For people: "AAC".
    pub codec: String,
    /// In Hz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// An open clip.
///
/// Memory is bounded however long the clip is: the compressed data stays in the file, and of decoded frames only the
/// last ones used are kept.
pub struct Video {
    info: VideoInfo,
    reader: Box<dyn FrameReader>,
    /// The frame that the reader gives next.
    position: usize,
    recent: Recent,
    options: VideoOptions,
}

/// A clip's frames in the order they are shown, from places where decoding can start.
trait FrameReader: Send {
    /// The last frame at or before `index` from which decoding can start.
    fn entry(&mut self, index: usize) -> Result<usize>;

    /// Makes frame `entry`, one that [`Self::entry`] named, the next.
    fn seek(&mut self, entry: usize) -> Result<()>;

    /// Passes the next frame, and gives it unless it lies before frame `wanted_from`: for those that nobody wants, readers
    /// save what they can. After an error the position is undefined until the next [`Self::seek`].
    fn next(&mut self, wanted_from: usize, cancel: &Cancel) -> Result<Option<Picture>>;
}

/// What the opener of a kind of clip returns.
struct Opened {
    info: VideoInfo,
    reader: Box<dyn FrameReader>,
}

impl Video {
    /// Opens a clip: MP4 and MOV with H.264, animated GIF, PNG and WebP, a folder of numbered pictures, and through
    /// ffmpeg, where it is installed, whatever that reads. The content decides, not the name.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where it cannot be read, [`VideoError`] where it is no clip.
    pub fn open(path: &Path, options: &VideoOptions) -> Result<Self> {
        let Opened { info, reader } = match sniff::kind(path)? {
            Kind::Folder => folder::open(path, options.folder_fps)?,
            Kind::Animation(format) => animation::open(path, format)?,
            Kind::Mp4 => match mp4::open(path) {
                Err(Error::Video(own)) => ffmpeg::open_instead(path, &options.ffmpeg, own)?,
                opened => opened?,
            },
            Kind::Container(name) => {
                let own = VideoError::Codec { path: path.to_path_buf(), codec: name.to_owned() };
                ffmpeg::open_instead(path, &options.ffmpeg, own)?
            }
            Kind::Unknown => {
                let own = VideoError::unreadable(path, "it is neither a video nor an animated picture");
                ffmpeg::open_instead(path, &options.ffmpeg, own)?
            }
        };
        let recent = Recent::new(info.width, info.height);
        // No reader is at this position, so that the first frame asked for seeks.
        Ok(Self { info, reader, position: usize::MAX, recent, options: options.clone() })
    }

    /// The same clip once more, to be read from another thread.
    ///
    /// # Errors
    /// As [`Video::open`].
    pub fn reopen(&self) -> Result<Self> {
        Self::open(&self.info.path, &self.options)
    }

    /// Size, times and kind.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Frame `index`, exactly that one. Frames asked for in order are decoded once; any other is decoded from the key
    /// frame before it.
    ///
    /// # Errors
    /// [`VideoError`] where there is no such frame or it cannot be decoded, [`crate::Error::Cancelled`].
    pub fn frame(&mut self, index: usize, cancel: &Cancel) -> Result<Arc<Picture>> {
        VideoError::check_index(&self.info.path, index, &self.info.timeline)?;
        if let Some(frame) = self.recent.get(index) {
            return Ok(frame);
        }
        if self.position != index {
            let entry = self.reader.entry(index)?;
            if !(entry..index).contains(&self.position) {
                self.position = usize::MAX;
                self.reader.seek(entry)?;
                self.position = entry;
            }
        }
        // Frames on the way are kept, as many as half the cache holds: stepping backwards asks for them next.
        let wanted_from = (index + 1).saturating_sub(self.recent.capacity() / 2);
        loop {
            let at = std::mem::replace(&mut self.position, usize::MAX);
            cancel.check()?;
            let frame = self.reader.next(wanted_from, cancel)?;
            self.position = at + 1;
            let Some(frame) = frame else { continue };
            let frame = self.checked(at, frame)?;
            self.recent.insert(at, Arc::clone(&frame));
            if at == index {
                return Ok(frame);
            }
        }
    }

    /// The last frame at or before `index` that needs no other to be decoded, which makes it quick to show: while somebody
    /// drags through a clip, or as a thumbnail.
    ///
    /// # Errors
    /// [`VideoError`] where there is no such frame, [`crate::Error::Io`].
    pub fn quick_frame(&mut self, index: usize) -> Result<usize> {
        VideoError::check_index(&self.info.path, index, &self.info.timeline)?;
        self.reader.entry(index)
    }

    fn checked(&self, index: usize, frame: Picture) -> Result<Arc<Picture>, VideoError> {
        let (expected, got) = ((self.info.width, self.info.height), (frame.width, frame.height));
        if expected != got {
            return Err(VideoError::SizeChanges { path: self.info.path.clone(), index, expected, got });
        }
        Ok(Arc::new(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_moves_between_threads() {
        fn is_send<T: Send>() {}
        is_send::<Video>();
    }
}
