//! Why a clip could not be read or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Timeline;

/// Why a clip could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// Not a clip of a known kind, or broken.
    #[error("cannot read {} as a video: {reason}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A codec that only ffmpeg decodes.
    #[error(
        "{} is {codec}, which is read with ffmpeg: install ffmpeg so that it is found on the PATH, or convert the clip to \
         H.264 in MP4", path.display()
    )]
    Codec {
        /// The file.
        path: PathBuf,
        /// For people: "HEVC", "H.264 with 10 bits a sample".
        codec: String,
    },
    /// ffmpeg could not do what was asked of it.
    #[error("ffmpeg cannot read {}: {reason}", path.display())]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// A frame that the clip does not have.
    #[error("{} has {len} frames, numbered from 0: there is no frame {index}", path.display())]
    NoSuchFrame {
        /// The file or folder.
        path: PathBuf,
        /// As asked for.
        index: usize,
        /// Frames in the clip.
        len: usize,
    },
    /// A frame that the clip promises but that cannot be decoded; others may be.
    #[error("frame {index} of {} cannot be decoded: {reason}", path.display())]
    Frame {
        /// The file or folder.
        path: PathBuf,
        /// Of the frame.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A recording could not be written.
    #[error("cannot write {}: {reason}{}", path.display(), Kept(kept))]
    NotWritten {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// Where the frames are that were complete before, and how many.
        kept: Option<(PathBuf, usize)>,
    },
    /// The picture's size changes within the clip.
    #[error(
        "frame {index} of {} has {}x{} pixels, but the clip has {}x{}: cut the clip where its size changes, or convert \
         it to one size", path.display(), got.0, got.1, expected.0, expected.1
    )]
    SizeChanges {
        /// The file or folder.
        path: PathBuf,
        /// Of the frame.
        index: usize,
        /// Width and height of the clip.
        expected: (usize, usize),
        /// Width and height of the frame.
        got: (usize, usize),
    },
}

impl VideoError {
    pub(super) fn unreadable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unreadable { path: path.to_path_buf(), reason: reason.into() }
    }

    pub(super) fn ffmpeg(path: &Path, reason: impl Into<String>) -> Self {
        Self::Ffmpeg { path: path.to_path_buf(), reason: reason.into() }
    }

    pub(super) fn not_written(path: &Path, reason: impl Into<String>) -> Self {
        Self::NotWritten { path: path.to_path_buf(), reason: reason.into(), kept: None }
    }

    pub(super) fn not_written_io(path: &Path, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
            _ => error.to_string(),
        };
        Self::not_written(path, reason)
    }

    /// Says where the frames are that were complete before.
    pub(super) fn keeping(mut self, frames: Option<(PathBuf, usize)>) -> Self {
        if let Self::NotWritten { kept, .. } = &mut self {
            *kept = frames;
        }
        self
    }

    pub(super) fn frame(path: &Path, index: usize, reason: impl Into<String>) -> Self {
        Self::Frame { path: path.to_path_buf(), index, reason: reason.into() }
    }

    /// # Errors
    /// [`Self::NoSuchFrame`]
    pub(super) fn check_index(path: &Path, index: usize, timeline: &Timeline) -> Result<(), Self> {
        if index < timeline.len() {
            return Ok(());
        }
        Err(Self::NoSuchFrame { path: path.to_path_buf(), index, len: timeline.len() })
    }
}

struct Kept<'a>(&'a Option<(PathBuf, usize)>);

impl fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((path, frames)) => write!(f, "; the first {frames} frames are kept in {}", path.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_one() {
        let error = VideoError::not_written_io(Path::new("out.mp4"), &io::ErrorKind::StorageFull.into());
        let error = error.keeping(Some(("out.partial.mp4".into(), 7))).to_string();
        assert_eq!(error, "cannot write out.mp4: the disk is full; the first 7 frames are kept in out.partial.mp4");
    }
}
