//! Networks on top of backbones, as they are published: classes of a picture, depth, segmentation, detection.
//!
//! ```text
//! Encoded (features of some layers) ─ a head, through candle ─► classes, metres, labels, boxes
//! ```
//! A head is a function of what [`crate::backend::Backbone::forward`] gives, so it works behind every backend. Its sizes
//! are read from its tensors; what they do not tell comes from presets of the published heads. [`eomt`] alone brings its
//! backbone along.

pub mod classifier;
mod conv;
pub mod depth;
pub mod detector;
pub mod eomt;
mod error;
mod layers;
mod masks;
mod published;
mod recognise;
pub mod segmentor;
#[cfg(test)]
mod tests;
mod weights;

pub use error::HeadError;
pub use published::{HEADS_PAGE, PublishedHead, Task};
pub(crate) use recognise::recognise;
pub use recognise::task_of;
pub use weights::HeadWeights;

use candle_core::Device;

use crate::backend::OpenDevice;

/// Where a head runs: beside the backbone on CUDA and Metal, else on the processor.
pub fn head_device(device: &OpenDevice) -> Device {
    match device {
        OpenDevice::Candle { device, .. } => device.clone(),
        OpenDevice::Wgpu(_) => Device::Cpu,
    }
}
