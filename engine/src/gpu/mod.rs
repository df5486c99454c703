//! Work on the graphics device that also draws the window: grids that stay there, and maps computed from them.
//!
//! Shaders are in `shaders/analysis`.

mod grid;
mod map;
mod picture;
mod similarity;

pub use grid::ResidentGrid;
pub use map::{EXCLUDED, MapTexture};
pub use picture::{PictureTexture, upload_colours, upload_labels};
pub use similarity::{Combine, MapQuery, SimilarityPipeline};

/// A graphics device and its queue. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Makes buffers, textures and pipelines.
    pub device: wgpu::Device,
    /// Takes finished work.
    pub queue: wgpu::Queue,
}

/// Why something could not be put on the graphics device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpuError {
    /// More than the device can hold or bind.
    #[error("{what} of {bytes} bytes does not fit the graphics device: {reason}")]
    DoesNotFit {
        /// "the features", "the picture".
        what: &'static str,
        /// Asked for.
        bytes: u64,
        /// Which limit, or what the driver said.
        reason: String,
    },
    /// Features that the pipeline was not given for.
    #[error("the query has {got} numbers where the grid has {expected}; both must come from the same model")]
    Dimension {
        /// Of the grid.
        expected: usize,
        /// Of the query.
        got: usize,
    },
}
