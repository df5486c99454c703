//! Correspondences between two pictures, on the graphics device where it is a real one.

use std::sync::Arc;

use ndarray::Array3;

use super::{MatchRequest, MatchResult, Selected};
use crate::analysis::matching::{self, Nearest, Pair, Side};
use crate::analysis::{AnalysisError, pca};
use crate::cache::CachedFeatures;
use crate::gpu::{Gpu, NearestPipeline, ProjectionPipeline, ResidentGrid};
use crate::{Cancel, Error, Result};

/// Compares pictures. Grids that lie on a graphics device are compared there.
pub struct Matcher {
    gpu: Option<Gpu>,
    pipelines: Option<Pipelines>,
}

struct Pipelines {
    nearest: NearestPipeline,
    projection: ProjectionPipeline,
}

impl Matcher {
    /// A program on the processor that plays a graphics device is slower than the processor itself.
    pub fn new(gpu: Option<Gpu>) -> Self {
        Self::on(gpu.filter(Gpu::is_hardware))
    }

    /// On that device, whatever it is.
    fn on(gpu: Option<Gpu>) -> Self {
        Self { gpu, pipelines: None }
    }

    /// What a request asks for.
    ///
    /// # Errors
    /// As [`matching::matches()`] and [`matching::colours`].
    pub fn run(&mut self, request: &MatchRequest, cancel: &Cancel) -> Result<MatchResult> {
        let (left, right) = (side(&request.left), side(&request.right));
        let features = [&*request.left.features, &*request.right.features];
        let nearest = match self.nearest_on_device(features, cancel)? {
            Some(nearest) => nearest,
            None => matching::nearest(left.grid, right.grid, cancel)?,
        };
        cancel.check()?;
        let pairs = matching::select(&left, &right, &nearest, &request.options)?;
        cancel.check()?;
        let colours = match self.colours(&left, &right, features, &pairs) {
            Ok([left, right]) => Some([Arc::new(left), Arc::new(right)]),
            Err(Error::Analysis(AnalysisError::NotEnough(_))) => None,
            Err(error) => return Err(error),
        };
        let (left, right) = (request.left.picture, request.right.picture);
        Ok(MatchResult { left, right, pairs, nearest, colours })
    }

    /// Found in half precision; the cosines are exact all the same.
    fn nearest_on_device(&mut self, features: [&CachedFeatures; 2], cancel: &Cancel) -> Result<Option<Nearest>> {
        let found =
            self.on_device(features, |gpu, pipelines, [left, right]| pipelines.nearest.run(gpu, left, right, cancel))?;
        Ok(found.map(|nearest| nearest.with_cosines_of(&features[0].features.patch, &features[1].features.patch)))
    }

    fn colours(
        &mut self,
        left: &Side<'_>,
        right: &Side<'_>,
        features: [&CachedFeatures; 2],
        pairs: &[Pair],
    ) -> Result<[Array3<f32>; 2]> {
        let basis = matching::basis(left, pairs)?;
        let scores = self.on_device(features, |gpu, pipelines, [left, right]| {
            let scores = |grid| pipelines.projection.run(gpu, grid, &basis, &[0, 1, 2]);
            Ok([scores(left)?, scores(right)?])
        })?;
        Ok(match scores {
            Some([first, second]) => [pca::colours(&first, left.foreground), pca::colours(&second, right.foreground)],
            None => [matching::paint(left, &basis)?, matching::paint(right, &basis)?],
        })
    }

    /// `None` without a device, or where it fails.
    fn on_device<T>(
        &mut self,
        features: [&CachedFeatures; 2],
        work: impl FnOnce(&Gpu, &Pipelines, [&ResidentGrid; 2]) -> Result<T>,
    ) -> Result<Option<T>> {
        let (Some(gpu), [Some(left), Some(right)]) = (&self.gpu, features.map(|features| features.resident.as_ref()))
        else {
            return Ok(None);
        };
        let compile = || Pipelines { nearest: NearestPipeline::new(gpu), projection: ProjectionPipeline::new(gpu) };
        match work(gpu, self.pipelines.get_or_insert_with(compile), [left, right]) {
            Ok(done) => Ok(Some(done)),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                log::warn!("the processor compares the pictures: {error}");
                Ok(None)
            }
        }
    }
}

fn side(selected: &Selected) -> Side<'_> {
    Side {
        grid: &selected.features.features.patch,
        geometry: &selected.features.geometry,
        foreground: selected.foreground.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::analysis::matching::MatchOptions;
    use crate::dispatch::PictureId;
    use crate::encoder::Provenance;
    use crate::features::{FeatureGrid, Features, Geometry};

    const DIM: usize = 40;

    /// Reproducible, without structure, in -1..=1.
    fn noise(i: usize, k: usize) -> f32 {
        let mut hash = ((i << 16) + k) as u64;
        for _ in 0..2 {
            hash = (hash ^ (hash >> 29)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// The same picture, each time shifted by some patches, with noise of its own.
    fn selected(gpu: &Gpu, (rows, cols): (usize, usize), shift: usize, foreground: Option<Array2<bool>>) -> Selected {
        let value = |(i, k): (usize, usize)| 3.0 * noise(i + shift, k) + 0.3 * noise(90_001 + 37 * i + shift, k);
        let patch = FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, DIM), value) };
        let resident = Some(ResidentGrid::upload(gpu, &patch).expect("room"));
        let text = |text: &str| text.to_owned();
        let provenance =
            Provenance { model: text("m"), weights: text("none"), device: text("cpu"), dtype: text("f32") };
        let covered = (16 * cols, 16 * rows);
        let geometry = Geometry { picture: covered, covered, grid: (rows, cols) };
        let features = Features { cls: vec![0.0; DIM], registers: Array2::zeros((0, DIM)), patch };
        Selected {
            picture: PictureId(shift as u64),
            features: Arc::new(CachedFeatures { features, geometry, provenance: Arc::new(provenance), resident }),
            foreground: foreground.map(Arc::new),
        }
    }

    #[test]
    fn the_device_finds_what_the_processor_finds() {
        let gpu = Gpu::without_window().expect("a graphics adapter, a software one (lavapipe) at least");
        let half = Array2::from_shape_fn((13, 11), |(row, _)| row < 6);
        let request = MatchRequest {
            left: selected(&gpu, (9, 15), 5, None),
            right: selected(&gpu, (13, 11), 2, Some(half)),
            options: MatchOptions::default(),
        };
        let cancel = Cancel::default();
        let [on_device, on_host] = [Some(gpu), None]
            .map(|gpu| Matcher::on(gpu).run(&request, &cancel).unwrap_or_else(|error| panic!("{error}")));
        assert!(on_host.pairs.len() > 20, "{}", on_host.pairs.len());
        let indices = |nearest: &Nearest| -> Vec<usize> {
            nearest.right_of_left.iter().chain(&nearest.left_of_right).map(|(index, _)| *index).collect()
        };
        assert_eq!(indices(&on_device.nearest), indices(&on_host.nearest));
        for (got, expected) in on_device.pairs.iter().zip(&on_host.pairs) {
            assert_eq!((got.left, got.right), (expected.left, expected.right));
            assert!((got.score - expected.score).abs() < 1e-6, "cosines come from the features: {got:?} {expected:?}");
        }
        let [got, expected] = [on_device, on_host].map(|result| result.colours.expect("enough pairs"));
        for (got, expected) in got.iter().zip(&expected) {
            assert!((&**got - &**expected).iter().all(|difference| difference.abs() < 2e-3));
        }
    }

    #[test]
    fn a_stopped_search_is_not_continued_by_the_processor() {
        let gpu = Gpu::without_window().expect("a graphics adapter");
        let side = selected(&gpu, (3, 3), 0, None);
        let request = MatchRequest { left: side.clone(), right: side, options: MatchOptions::default() };
        let cancel = Cancel::default();
        cancel.cancel();
        let stopped = Matcher::on(Some(gpu)).run(&request, &cancel);
        assert!(matches!(stopped, Err(Error::Cancelled)));
    }

    #[test]
    fn software_is_left_to_the_processor() {
        let gpu = Gpu::without_window().expect("a graphics adapter");
        assert_eq!(Matcher::new(Some(gpu.clone())).gpu.is_some(), gpu.is_hardware());
    }
}
