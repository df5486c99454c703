//! Work on the graphics device that also draws the window: grids that stay there, and maps computed from them.
//!
//! Shaders are in `shaders/analysis` and `shaders/picture`.

mod compute;
mod device;
mod grid;
mod map;
mod mipmap;
mod nearest;
mod pace;
mod picture;
mod projection;
mod propagation;
mod readback;
mod similarity;
#[cfg(test)]
pub(crate) mod tests;

pub use device::{Gpu, GpuError, device_descriptor};
pub use grid::ResidentGrid;
pub(crate) use grid::SCALE as FEATURE_SCALE;
pub use map::MapTexture;
pub use nearest::NearestPipeline;
pub(crate) use pace::Pace;
pub use picture::{PictureTexture, upload_colours};
pub use projection::ProjectionPipeline;
pub use propagation::{PropagationPipeline, ResidentContext};
pub use similarity::SimilarityPipeline;

pub use crate::analysis::similarity::{Combine, EXCLUDED, MapQuery};
