//! Labels and depths of pixels, brought to patches and back: what linear layers on patches learn, and how they are judged.

use std::path::Path;

use ndarray::{Array2, ArrayView2};

use super::logistic::Classifier;
use super::metrics::Confusion;
use super::{ProbeError, metrics};
use crate::classes::Labels;
use crate::draw::overlay::Interpolation;
use crate::draw::sample::Sampler;
use crate::features::Geometry;
use crate::image::mask::stored_samples;
use crate::{Error, Result};

/// The label of pixels that do not count, as in most data sets.
pub const VOID: u16 = 255;

/// Reads a PNG whose greys or indices are classes.
///
/// # Errors
/// [`Error::Io`], [`crate::image::PictureError`], and [`ProbeError::File`] for pictures in colours.
pub fn read_labels(path: &Path) -> Result<Labels> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let stored = stored_samples(path, &bytes)?.ok_or_else(|| ProbeError::Labelling {
        path: path.to_path_buf(),
        reason: "it must be a grey or indexed PNG".to_owned(),
    })?;
    Ok(Labels { width: stored.width as usize, height: stored.height as usize, data: stored.values })
}

/// Reads depths `[height, width]`: a `.npy` of f32, or a 16-bit PNG whose values are multiplied by `unit`. What is not above 0
/// is unknown.
///
/// # Errors
/// As [`read_labels`].
pub fn read_depths(path: &Path, unit: f32) -> Result<Array2<f32>> {
    let wrong = |reason: String| ProbeError::Labelling { path: path.to_path_buf(), reason };
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
        return Ok(ndarray_npy::read_npy(path).map_err(|error| wrong(error.to_string()))?);
    }
    let Labels { width, height, data } = read_labels(path)?;
    let values = data.into_iter().map(|value| f32::from(value) * unit).collect();
    Ok(Array2::from_shape_vec((height, width), values).expect("one value per pixel"))
}

/// Pixels of a patch along one axis: those whose centre lies in it.
fn span(index: usize, patches: usize, pixels: usize) -> std::ops::Range<usize> {
    let edge = |index: usize| ((2 * index * pixels + patches) / (2 * patches)).min(pixels);
    edge(index)..edge(index + 1).max(edge(index) + 1).min(pixels)
}

/// The class that most pixels of each patch have, where that is more than half of those that count; row by row.
pub fn patch_classes(labels: &Labels, geometry: &Geometry, classes: usize) -> Vec<Option<usize>> {
    each_patch(geometry, |rows, cols| {
        let mut counts = vec![0usize; classes];
        let mut all = 0;
        for y in rows {
            for label in &labels.data[y * labels.width..][cols.clone()] {
                if let Some(count) = counts.get_mut(usize::from(*label)).filter(|_| *label != VOID) {
                    *count += 1;
                    all += 1;
                }
            }
        }
        let (class, most) = counts.iter().enumerate().max_by_key(|(class, count)| (**count, usize::MAX - class))?;
        (2 * most > all).then_some(class)
    })
}

/// The mean of the known depths of each patch; row by row.
pub fn patch_depths(depths: ArrayView2<'_, f32>, geometry: &Geometry) -> Vec<Option<f32>> {
    each_patch(geometry, |rows, cols| {
        let (mut sum, mut count) = (0.0, 0.0);
        for y in rows {
            for x in cols.clone() {
                let depth = depths[[y, x]];
                if depth.is_finite() && depth > 0.0 {
                    sum += depth;
                    count += 1.0;
                }
            }
        }
        (count > 0.0).then(|| sum / count)
    })
}

fn each_patch<T>(
    geometry: &Geometry,
    of: impl Fn(std::ops::Range<usize>, std::ops::Range<usize>) -> Option<T>,
) -> Vec<Option<T>> {
    let ((rows, cols), (width, height)) = (geometry.grid, geometry.covered);
    (0..rows * cols).map(|patch| of(span(patch / cols, rows, height), span(patch % cols, cols, width))).collect()
}

/// Depths as classes: equal steps from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bins {
    /// In the unit of the depths.
    pub low: f32,
    /// In the unit of the depths.
    pub high: f32,
    /// How many.
    pub count: usize,
}

impl Bins {
    /// The bin of a depth.
    pub fn of(&self, depth: f32) -> usize {
        let share = (depth - self.low) / (self.high - self.low).max(f32::MIN_POSITIVE);
        ((share * self.count as f32) as usize).min(self.count - 1)
    }

    /// The depth in the middle of a bin.
    pub fn centre(&self, bin: usize) -> f32 {
        self.low + (self.high - self.low) * (bin as f32 + 0.5) / self.count as f32
    }

    /// The depth that is to be expected of probabilities of the bins.
    pub fn expected(&self, probabilities: &[f32]) -> f32 {
        probabilities.iter().enumerate().map(|(bin, probability)| probability * self.centre(bin)).sum()
    }
}

/// Counts the pixels of a picture: scores of patches `[n, classes]` are interpolated, the likeliest class counts.
///
/// # Errors
/// [`ProbeError::Dimension`]
pub fn judge_classes(
    layer: &Classifier,
    features: ArrayView2<'_, f32>,
    geometry: &Geometry,
    labels: &Labels,
    confusion: &mut Confusion,
) -> Result<(), ProbeError> {
    let probabilities = layer.probabilities(features)?;
    let classes = probabilities.ncols();
    let sampler = Sampler::new(geometry, Interpolation::Bilinear);
    let mut scores = vec![0.0; classes];
    for y in 0..geometry.covered.1 {
        for x in 0..geometry.covered.0 {
            let label = labels.data[y * labels.width + x];
            if label == VOID || usize::from(label) >= classes {
                continue;
            }
            for (class, score) in scores.iter_mut().enumerate() {
                *score = sampler.at(x, y, |row, col| probabilities[[row * geometry.grid.1 + col, class]]);
            }
            confusion.count(usize::from(label), metrics::best(&scores));
        }
    }
    Ok(())
}

/// Errors of depths.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DepthError {
    squares: f64,
    shares: f64,
    count: u64,
}

impl DepthError {
    /// Counts the known pixels of a picture; depths of patches are interpolated.
    ///
    /// # Errors
    /// [`ProbeError::Dimension`]
    pub fn judge(
        &mut self,
        layer: &Classifier,
        bins: &Bins,
        features: ArrayView2<'_, f32>,
        geometry: &Geometry,
        depths: ArrayView2<'_, f32>,
    ) -> Result<(), ProbeError> {
        let probabilities = layer.probabilities(features)?;
        let found: Vec<f32> = probabilities.rows().into_iter().map(|row| bins.expected(&row.to_vec())).collect();
        let sampler = Sampler::new(geometry, Interpolation::Bilinear);
        for y in 0..geometry.covered.1 {
            for x in 0..geometry.covered.0 {
                let depth = depths[[y, x]];
                if depth.is_finite() && depth > 0.0 {
                    let error = f64::from(sampler.at(x, y, |row, col| found[row * geometry.grid.1 + col]) - depth);
                    self.squares += error * error;
                    self.shares += error.abs() / f64::from(depth);
                    self.count += 1;
                }
            }
        }
        Ok(())
    }

    /// Root of the mean square, in the unit of the depths.
    pub fn rmse(&self) -> f64 {
        (self.squares / self.count.max(1) as f64).sqrt()
    }

    /// Mean error as a share of the depth.
    pub fn relative(&self) -> f64 {
        self.shares / self.count.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    const GEOMETRY: Geometry = Geometry { picture: (9, 4), covered: (8, 4), grid: (2, 4) };

    #[test]
    fn patches_have_the_class_of_most_pixels() {
        let mut labels = Labels { width: 9, height: 4, data: vec![0; 36] };
        for y in 0..4 {
            labels.data[y * 9 + 2] = 1;
            labels.data[y * 9 + 3] = 1;
            labels.data[y * 9 + 5] = 1;
            labels.data[y * 9 + 6] = VOID;
            labels.data[y * 9 + 7] = 1;
        }
        let found = patch_classes(&labels, &GEOMETRY, 2);
        let row = [Some(0), Some(1), None, Some(1)];
        assert_eq!(found, [row, row].concat(), "half and half is nothing; what does not count does not count");
    }

    #[test]
    fn depths_are_means_of_what_is_known() {
        let mut depths = Array2::from_elem((4, 9), 2.0);
        depths[[0, 0]] = 0.0;
        depths[[0, 1]] = 4.0;
        depths.slice_mut(ndarray::s![2.., 6..8]).fill(f32::NAN);
        let found = patch_depths(depths.view(), &GEOMETRY);
        assert_eq!((found[0], found[1], found[7]), (Some(8.0 / 3.0), Some(2.0), None));
        let bins = Bins { low: 1.0, high: 5.0, count: 4 };
        assert_eq!([0.0, 1.0, 2.9, 5.0, 9.0].map(|depth| bins.of(depth)), [0, 0, 1, 3, 3]);
        assert_eq!((bins.centre(0), bins.expected(&[0.5, 0.0, 0.0, 0.5])), (1.5, 3.0));
    }

    #[test]
    fn errors_are_counted_at_pixels() {
        // Features are the class itself.
        let features = Array2::from_shape_fn((8, 1), |(i, _)| if i % 4 < 2 { -30.0 } else { 30.0 });
        let layer = Classifier { weights: array![[1.0]], intercept: Array1::zeros(1) };
        let labels = Labels { width: 9, height: 4, data: (0..36).map(|i| u16::from(i % 9 >= 5)).collect() };
        let mut confusion = Confusion::new(2);
        judge_classes(&layer, features.view(), &GEOMETRY, &labels, &mut confusion).unwrap();
        assert_eq!(confusion.counts, array![[16, 4], [0, 12]], "pixels without a patch do not count");
        let bins = Bins { low: 1.0, high: 3.0, count: 2 };
        let depths = Array2::from_elem((4, 9), 2.0);
        let mut error = DepthError::default();
        error.judge(&layer, &bins, features.view(), &GEOMETRY, depths.view()).unwrap();
        assert!(error.rmse() < 0.5 && error.rmse() > 0.4 && error.relative() < 0.25, "{error:?}");
    }

    #[test]
    fn labels_and_depths_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        Labels { width: 2, height: 1, data: vec![3, 1000] }.write_png(&path, 2000).unwrap();
        assert_eq!(read_labels(&path).unwrap().data, [3, 1000]);
        assert_eq!(read_depths(&path, 0.001).unwrap(), array![[0.003, 1.0]]);
        let npy = folder.path().join("a.npy");
        crate::output::write_npy(&npy, array![[1.5f32, 2.5]].view()).unwrap();
        assert_eq!(read_depths(&npy, 1.0).unwrap(), array![[1.5, 2.5]]);
        image::RgbImage::new(2, 2).save(&path).unwrap();
        let message = read_labels(&path).unwrap_err().to_string();
        assert!(message.contains("a.png") && message.contains("grey or indexed"), "{message}");
    }
}
