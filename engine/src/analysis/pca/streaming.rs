//! One basis for more patches than the memory holds: grids are added one after the other, and only sums are kept.

use faer::Mat;
use ndarray::ArrayView1;

use super::{BLOCK, Basis, Sample, accumulate_products, check_counts, leading_eigenpairs, select};
use crate::analysis::AnalysisError;

/// Sums over patches: what [`Basis::fit`] needs to know of them.
pub struct StreamingPca {
    /// The first patch. Sums are relative to it, so that a large common mean does not cost them their small digits.
    origin: Vec<f64>,
    /// `[dim]`
    sum: Vec<f64>,
    /// `[dim, dim]`, the lower triangle.
    products: Mat<f64>,
    patches: usize,
}

impl Default for StreamingPca {
    fn default() -> Self {
        Self { origin: Vec::new(), sum: Vec::new(), products: Mat::new(), patches: 0 }
    }
}

impl StreamingPca {
    /// Adds the patches that count.
    ///
    /// # Errors
    /// As [`Basis::fit`].
    pub fn add(&mut self, sample: &Sample<'_>) -> Result<(), AnalysisError> {
        let patches = select(std::slice::from_ref(sample))?;
        let Some(first) = patches.first() else { return Ok(()) };
        if self.origin.is_empty() {
            self.origin = first.iter().map(|&v| f64::from(v)).collect();
            self.sum = vec![0.0; first.len()];
            self.products = Mat::zeros(first.len(), first.len());
        }
        let (expected, got) = (self.origin.len(), first.len());
        if expected != got {
            return Err(AnalysisError::Dimension { expected, got });
        }
        for block in patches.chunks(BLOCK) {
            let relative = super::centred_columns(block, &self.origin);
            accumulate_products(&mut self.products, &relative, relative.transpose(), 1.0);
        }
        patches.iter().for_each(|patch| self.add_to_sum(patch));
        self.patches += patches.len();
        Ok(())
    }

    fn add_to_sum(&mut self, patch: &ArrayView1<'_, f32>) {
        for ((sum, &v), origin) in self.sum.iter_mut().zip(patch).zip(&self.origin) {
            *sum += f64::from(v) - origin;
        }
    }

    /// The first `components` components over all that was added, as [`Basis::fit`] finds them.
    ///
    /// # Errors
    /// As [`Basis::fit`].
    pub fn fit(&self, components: usize) -> Result<Basis, AnalysisError> {
        let (dim, count) = (self.origin.len(), self.patches as f64);
        check_counts(self.patches, dim, components)?;
        let shift: Vec<f64> = self.sum.iter().map(|sum| sum / count).collect();
        let covariance = Mat::from_fn(dim, dim, |row, col| {
            if row < col { 0.0 } else { (self.products[(row, col)] - count * shift[row] * shift[col]) / (count - 1.0) }
        });
        let mean = self.origin.iter().zip(&shift).map(|(origin, shift)| origin + shift).collect();
        Basis::from_spread(mean, leading_eigenpairs(&covariance, components)?, self.patches)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, concatenate};

    use super::*;
    use crate::features::FeatureGrid;

    fn grid(rows: usize, seed: usize) -> FeatureGrid {
        let value = |(patch, k): (usize, usize)| {
            let hash = ((patch + 97 * seed) as u64 * 7919 + k as u64 * 104_729 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            30.0 + (k as f32 + 1.0) * ((hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        };
        FeatureGrid { rows, cols: 7, data: Array2::from_shape_fn((rows * 7, 6), value) }
    }

    #[test]
    fn it_is_the_basis_of_all_patches_together() {
        let grids = [grid(5, 1), grid(9, 2), grid(3, 3)];
        let mask = Array2::from_shape_fn((9, 7), |(row, col)| (row + col) % 3 > 0);
        let masks = [None, Some(&mask), None];
        let samples: Vec<Sample<'_>> =
            grids.iter().zip(masks).map(|(grid, foreground)| Sample { grid, foreground }).collect();
        let mut streaming = StreamingPca::default();
        samples.iter().for_each(|sample| streaming.add(sample).expect("patches"));
        let (streamed, whole) = (streaming.fit(3).expect("a basis"), Basis::fit(&samples, 3).expect("a basis"));
        let close = |a: &f64, b: &f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        streamed.mean.iter().zip(&whole.mean).for_each(|(a, b)| close(a, b));
        streamed.variances.iter().zip(&whole.variances).for_each(|(a, b)| close(a, b));
        let components = streamed.components.iter().flatten().zip(whole.components.iter().flatten());
        components.for_each(|(a, b)| close(a, b));
        close(&streamed.total_variance, &whole.total_variance);
        // The same patches in one grid.
        let views: Vec<_> = grids.iter().map(|grid| grid.data.view()).collect();
        let data = concatenate(Axis(0), &views).expect("one width");
        let all = FeatureGrid { rows: 17, cols: 7, data };
        let mut streaming = StreamingPca::default();
        streaming.add(&Sample { grid: &all, foreground: None }).expect("patches");
        let apart = streaming.fit(1).expect("a basis").mean;
        assert!(apart.iter().zip(&streamed.mean).any(|(a, b)| (a - b).abs() > 1e-6), "masked patches do not count");
    }

    #[test]
    fn what_cannot_be_fitted_is_told() {
        let mut streaming = StreamingPca::default();
        assert!(matches!(streaming.fit(1), Err(AnalysisError::NotEnough(_))));
        streaming.add(&Sample { grid: &grid(2, 1), foreground: None }).expect("patches");
        let other = FeatureGrid { rows: 1, cols: 1, data: Array2::zeros((1, 4)) };
        let refused = streaming.add(&Sample { grid: &other, foreground: None });
        assert!(matches!(refused, Err(AnalysisError::Dimension { expected: 6, got: 4 })), "{refused:?}");
    }
}
