//! What the window does when the pointer moves, on the graphics device: a direction, a map, its values.

use anyhow::{Context as _, Result};
use dinoscope_engine::analysis::similarity::unit_direction;
use dinoscope_engine::features::{FeatureGrid, Patch};
use dinoscope_engine::gpu::{Gpu, MapQuery, MapTexture, ResidentGrid, SimilarityPipeline};

/// A grid on the graphics device and the map that is drawn from it.
pub struct Hover {
    gpu: Gpu,
    pipeline: SimilarityPipeline,
    resident: ResidentGrid,
    map: MapTexture,
    /// As the driver names the device.
    pub adapter: String,
}

impl Hover {
    /// Uploads `grid`; `None` where this machine has no graphics device that computes.
    ///
    /// # Errors
    /// The grid does not fit.
    pub fn new(grid: &FeatureGrid) -> Result<Option<Self>> {
        let Some(gpu) = Gpu::without_window() else { return Ok(None) };
        let info = gpu.device.adapter_info();
        Ok(Some(Self {
            pipeline: SimilarityPipeline::new(&gpu),
            resident: ResidentGrid::upload(&gpu, grid)?,
            map: MapTexture::new(&gpu, grid.rows, grid.cols),
            adapter: format!("{} ({})", info.name, info.backend),
            gpu,
        }))
    }

    /// The map of one patch, from its feature to values on the host; unlike the window this waits.
    pub fn run(&mut self, grid: &FeatureGrid, patch: Patch) -> Result<()> {
        let query = MapQuery { positive: vec![unit_direction(grid, &[patch])?], ..MapQuery::default() };
        self.pipeline.run(&self.gpu, &self.resident, &query, &mut self.map)?;
        self.gpu.device.poll(wgpu::PollType::wait_indefinitely()).context("the graphics device stopped")?;
        self.map.arrived(&self.gpu).context("the graphics device gave no values")?;
        Ok(())
    }
}
