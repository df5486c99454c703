//! Cameras: pictures that replace each other.
//!
//! [`Live`] captures on a thread of its own. Nothing queues: whoever looks is given a frame that was captured after the
//! one before was taken, and what comes meanwhile is dropped without being decoded.

#[cfg(any(all(feature = "camera", target_os = "linux"), test))]
mod frame;
mod live;
#[cfg(all(feature = "camera", target_os = "linux"))]
mod v4l;

use std::sync::Arc;

pub use live::{Live, LiveFrame};

use crate::Result;
use crate::image::Picture;

/// The cameras of a machine, or what stands in for them.
pub trait Cameras: Send + Sync {
    /// Those that are connected now. Asks the system, which may take a moment.
    ///
    /// # Errors
    /// [`CameraError`]
    fn list(&self) -> Result<Vec<CameraInfo>>;

    /// Switches one on.
    ///
    /// # Errors
    /// [`CameraError`]
    fn open(&self, camera: &CameraInfo) -> Result<Box<dyn Capture>>;
}

/// A camera that is on; dropping it switches it off.
pub trait Capture {
    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`CameraError`]
    fn grab(&mut self) -> Result<()>;

    /// Decodes the frame that was grabbed last.
    ///
    /// # Errors
    /// [`CameraError`]
    fn retrieve(&mut self) -> Result<Picture>;
}

/// A camera that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// What the system calls it: "/dev/video0".
    pub id: String,
    /// What its maker calls it.
    pub name: String,
}

/// Why a camera gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The system refuses something.
    #[error("camera {camera}: cannot {action}: {source}; see that it is connected and that no other program uses it")]
    System {
        /// Its name or id.
        camera: String,
        /// "open it", "read a frame".
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// None of its formats is understood.
    #[error("camera {camera}: its pictures are {formats}, where MJPG, JPEG or YUYV is expected; choose another camera")]
    Format {
        /// Its name.
        camera: String,
        /// Their codes.
        formats: String,
    },
    /// A frame that is not what the camera said.
    #[error("camera {camera}: a frame cannot be decoded: {reason}; disconnect it and connect it again")]
    Frame {
        /// Its name.
        camera: String,
        /// What is wrong.
        reason: String,
    },
}

/// The cameras of this machine, where this build knows how to reach them: on Linux with the feature `camera`.
pub fn system() -> Option<Arc<dyn Cameras>> {
    #[cfg(all(feature = "camera", target_os = "linux"))]
    return Some(Arc::new(v4l::Video4Linux));
    #[cfg(not(all(feature = "camera", target_os = "linux")))]
    None
}
