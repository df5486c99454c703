//! Pictures and colours per patch as textures.

use ndarray::{Array2, Array3};

use super::{Gpu, GpuError};
use crate::image::Picture;

/// A picture as an `rgba8unorm_srgb` texture with all its smaller levels (mipmaps).
#[derive(Debug)]
pub struct PictureTexture {
    /// All levels.
    pub view: wgpu::TextureView,
    /// Width and height of level 0 in texels: the picture's, or less where the device's largest texture is smaller.
    pub size: (u32, u32),
    /// Memory taken on the device.
    pub bytes: usize,
}

impl PictureTexture {
    /// Scales down what the device cannot hold, and uploads. Meant for a worker thread.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(_gpu: &Gpu, _picture: &Picture) -> Result<Self, GpuError> {
        todo!()
    }
}

/// Colours per patch `[rows, cols, 3]` in 0..=1 (as shown: sRGB), as `rgba8unorm`, `cols` × `rows`.
pub fn upload_colours(_gpu: &Gpu, _colours: &Array3<f32>) -> wgpu::TextureView {
    todo!()
}

/// Labels per patch `[rows, cols]` drawn in `palette[label]` (wrapping around), as [`upload_colours`].
pub fn upload_labels(_gpu: &Gpu, _labels: &Array2<usize>, _palette: &[[u8; 3]]) -> wgpu::TextureView {
    todo!()
}
