//! The engine's errors. Every message is one sentence that names the file and says what to do.

use std::path::{Path, PathBuf};

use crate::analysis::AnalysisError;
use crate::camera::CameraError;
use crate::checkpoint::CheckpointError;
use crate::gpu::GpuError;
use crate::heads::HeadError;
use crate::hub::HubError;
use crate::image::PictureError;
use crate::probe::ProbeError;
use crate::retrieval::RetrievalError;
use crate::text::TextError;
use crate::tracking::TrackingError;
use crate::video::VideoError;

/// Result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A picture could not be read or does not fit.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A clip could not be read or written.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// A camera gives no pictures.
    #[error(transparent)]
    Camera(#[from] CameraError),
    /// A checkpoint could not be read, or is not a DINOv3 backbone.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A model could not be found or downloaded.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// An analysis was asked for something its inputs do not give.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// A probe could not be trained or used.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// An index of pictures could not be opened, or belongs to another model.
    #[error(transparent)]
    Retrieval(Box<RetrievalError>),
    /// Labels cannot be read, or do not fit the clip.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// Texts could not be compared with a picture.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A head could not be used.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A device was asked for that this program or machine does not offer.
    #[error("device {device}: {reason}")]
    Device {
        /// As asked for: "cuda:1".
        device: String,
        /// Why not, and what to use instead.
        reason: String,
    },
    /// The graphics device has no room.
    #[error("{0}; try a smaller --size, or --device cpu")]
    Gpu(#[from] GpuError),
    /// A layer was asked for that the model does not have.
    #[error("layer {layer} does not exist: the model has layers 0 to {last}")]
    Layer {
        /// As asked for.
        layer: usize,
        /// The last one there is.
        last: usize,
    },
    /// The tensor library failed: out of memory, a lost device.
    #[error("the model could not run ({0}): try a smaller --size, or --device cpu")]
    Tensor(#[from] candle_core::Error),
    /// The work was stopped on request.
    #[error("cancelled")]
    Cancelled,
}

// Boxed, since it is larger than all others.
impl From<RetrievalError> for Error {
    fn from(error: RetrievalError) -> Self {
        Self::Retrieval(Box::new(error))
    }
}

impl Error {
    /// For `map_err`: an I/O error on `path` while doing `action` ("read", "write", "create").
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }
}
