//! What tracking refuses.

use std::path::PathBuf;

/// Why labels could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// A file that holds no label map.
    #[error("cannot read {} as a label map: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it is instead, and what to do.
        reason: String,
    },
    /// Labels of another size than the clip.
    #[error("the labels are {}x{} pixels where the clip has {}x{}; scale them to the size of the clip", got.0, got.1, expected.0, expected.1)]
    Size {
        /// Width and height.
        expected: (usize, usize),
        /// Width and height.
        got: (usize, usize),
    },
    /// Not one id per pixel.
    #[error("labels of {width}x{height} pixels have one id a pixel and at least one pixel, got {got} ids")]
    Ids {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Ids.
        got: usize,
    },
    /// Features of a frame that has another grid than the others.
    #[error("frame {frame} has {}x{} patches where the clip has {}x{}; encode all frames at one size", got.0, got.1, expected.0, expected.1)]
    Grid {
        /// The frame.
        frame: usize,
        /// Rows and columns.
        expected: (usize, usize),
        /// Rows and columns.
        got: (usize, usize),
    },
    /// A frame whose probabilities had to make room.
    #[error("a frame that was tracked long ago is forgotten; track the clip again from its mask")]
    Forgotten,
}
