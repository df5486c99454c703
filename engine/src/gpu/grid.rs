//! Features that stay on the graphics device.

use super::{Gpu, GpuError};
use crate::features::FeatureGrid;

/// A [`FeatureGrid`] on the graphics device, every feature of length 1, in half precision, split into as many buffers
/// as the device's binding limit asks for.
#[derive(Debug)]
pub struct ResidentGrid {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
    /// Numbers per patch.
    pub dim: usize,
}

impl ResidentGrid {
    /// Normalises and uploads. Meant for a worker thread: it takes as long as reading the features.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(_gpu: &Gpu, _grid: &FeatureGrid) -> Result<Self, GpuError> {
        todo!()
    }

    /// Memory taken on the device.
    pub fn bytes(&self) -> usize {
        todo!()
    }
}
