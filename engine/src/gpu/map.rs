//! One number per patch on the graphics device.

use ndarray::Array2;

use super::Gpu;

/// Value of patches that a map leaves out; far below any cosine.
pub const EXCLUDED: f32 = -8.0;

/// A map `[rows, cols]` as an `r32float` texture of that size, its least and greatest value (excluded patches aside) as
/// a second texture of 2×1, and both read back without waiting.
#[derive(Debug)]
pub struct MapTexture {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
}

impl MapTexture {
    /// An empty map.
    pub fn new(_gpu: &Gpu, _rows: usize, _cols: usize) -> Self {
        todo!()
    }

    /// For drawing: `r32float`, `cols` × `rows`.
    pub fn view(&self) -> &wgpu::TextureView {
        todo!()
    }

    /// For drawing: `r32float`, 2 × 1: least, greatest.
    pub fn range_view(&self) -> &wgpu::TextureView {
        todo!()
    }

    /// The newest values that have arrived from the device, `[rows, cols]`; a frame or two old. Never waits.
    pub fn arrived(&mut self, _gpu: &Gpu) -> Option<&Array2<f32>> {
        todo!()
    }
}
