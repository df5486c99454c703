//! The similarity of one picture to a patch, recomputed by the graphics device whenever the patch changes.

use std::sync::{Arc, Weak};
use std::time::Instant;

use dinoscope_engine::analysis::similarity::unit_direction;
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::features::{Geometry, Patch};
use dinoscope_engine::gpu::{Gpu, MapQuery, MapTexture, SimilarityPipeline};

use crate::gui::overlay::{LayerContent, MapStyle};

/// A map that follows a patch.
#[derive(Default)]
pub struct LiveMap {
    pipeline: Option<SimilarityPipeline>,
    drawn: Option<Drawn>,
}

struct Drawn {
    map: MapTexture,
    from: Weak<CachedFeatures>,
    patch: Patch,
    onto: Weak<CachedFeatures>,
    geometry: Geometry,
    /// Least and greatest value, once they have come back from the device.
    range: Option<(f32, f32)>,
    /// Since when there is a map, of whatever patch.
    since: Instant,
}

impl LiveMap {
    /// Compares `patch` of one picture with all patches of another (or the same) one; does nothing where that is what
    /// is drawn already.
    ///
    /// # Errors
    /// A sentence: features that are broken, or of two models.
    pub fn compare(
        &mut self,
        gpu: &Gpu,
        from: &Arc<CachedFeatures>,
        patch: Patch,
        onto: &Arc<CachedFeatures>,
    ) -> Result<(), String> {
        let is_drawn = |drawn: &Drawn| drawn.patch == patch && is_same(&drawn.from, from) && is_same(&drawn.onto, onto);
        if self.drawn.as_ref().is_some_and(is_drawn) {
            return Ok(());
        }
        let before = self.drawn.take();
        let range = before.as_ref().and_then(|drawn| drawn.range);
        let Some(grid) = &onto.resident else { return Ok(()) };
        let direction = unit_direction(&from.features.patch, &[patch]).map_err(|error| error.to_string())?;
        let query = MapQuery { positive: vec![direction], ..MapQuery::default() };
        let since = before.as_ref().map_or_else(Instant::now, |drawn| drawn.since);
        let map = before.map(|drawn| drawn.map).filter(|map| (map.rows, map.cols) == (grid.rows, grid.cols));
        let mut map = map.unwrap_or_else(|| MapTexture::new(gpu, grid.rows, grid.cols));
        let pipeline = self.pipeline.get_or_insert_with(|| SimilarityPipeline::new(gpu));
        pipeline.run(gpu, grid, &query, &mut map).map_err(|error| error.to_string())?;
        let (from, onto, geometry) = (Arc::downgrade(from), Arc::downgrade(onto), onto.geometry);
        self.drawn = Some(Drawn { map, from, patch, onto, geometry, range, since });
        Ok(())
    }

    /// Takes what has come back from the device; whether that was the newest.
    pub fn arrive(&mut self, gpu: &Gpu) -> bool {
        let Some(drawn) = &mut self.drawn else { return true };
        if let Some(values) = drawn.map.arrived(gpu) {
            let whole = (f32::INFINITY, f32::NEG_INFINITY);
            let range = values.iter().fold(whole, |(low, high), &value| (low.min(value), high.max(value)));
            drawn.range = (range.0 <= range.1).then_some(range);
        }
        drawn.map.has_arrived()
    }

    /// Least and greatest value of the map, or for a moment those of the one before.
    pub fn range(&self) -> Option<(f32, f32)> {
        self.drawn.as_ref()?.range
    }

    /// Nothing is pointed at any more.
    pub fn clear(&mut self) {
        self.drawn = None;
    }

    /// Since when there is a map.
    pub fn since(&self) -> Option<Instant> {
        self.drawn.as_ref().map(|drawn| drawn.since)
    }

    /// For drawing: the map, and where its patches lie.
    pub fn layer(&self, style: MapStyle) -> Option<(Geometry, LayerContent)> {
        let drawn = self.drawn.as_ref()?;
        let (map, range) = (drawn.map.view().clone(), drawn.map.range_view().clone());
        Some((drawn.geometry, LayerContent::Map { map, range, style }))
    }
}

fn is_same(weak: &Weak<CachedFeatures>, features: &Arc<CachedFeatures>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(features))
}
