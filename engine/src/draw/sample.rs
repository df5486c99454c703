//! From patches to pixels.

use ndarray::Array2;

use crate::features::Geometry;

/// How patches become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Smooth between patch centres, as torch's `interpolate(mode="bilinear", align_corners=False)`.
    #[default]
    Bilinear,
    /// Every pixel has the value of its patch.
    Patches,
}

/// Which patches make the pixels along one axis.
pub struct Axis {
    /// For each pixel: two patches, and the share of the second.
    taps: Vec<(usize, usize, f32)>,
}

impl Axis {
    fn new(pixels: usize, patches: usize, interpolation: Interpolation) -> Self {
        let taps = (0..pixels).map(|pixel| {
            let position = (pixel as f64 + 0.5) * patches as f64 / pixels as f64;
            let last = patches - 1;
            match interpolation {
                Interpolation::Patches => {
                    let nearest = (position as usize).min(last);
                    (nearest, nearest, 0.0)
                }
                Interpolation::Bilinear => {
                    let from_centre = (position - 0.5).max(0.0);
                    let first = (from_centre as usize).min(last);
                    (first, (first + 1).min(last), (from_centre - first as f64) as f32)
                }
            }
        });
        Self { taps: taps.collect() }
    }
}

/// Reads patch values at pixels.
pub struct Sampler {
    x: Axis,
    y: Axis,
}

impl Sampler {
    /// For the part of a picture that the grid covers.
    pub fn new(geometry: &Geometry, interpolation: Interpolation) -> Self {
        Self {
            x: Axis::new(geometry.covered.0, geometry.grid.1, interpolation),
            y: Axis::new(geometry.covered.1, geometry.grid.0, interpolation),
        }
    }

    /// Value under a covered pixel.
    pub fn at(&self, x: usize, y: usize, value: impl Fn(usize, usize) -> f32) -> f32 {
        let (left, right, wx) = self.x.taps[x];
        let (top, bottom, wy) = self.y.taps[y];
        let mix = |a: f32, b: f32, weight: f32| if weight == 0.0 { a } else { a + (b - a) * weight };
        let row = |row: usize| mix(value(row, left), value(row, right), wx);
        mix(row(top), row(bottom), wy)
    }
}

/// A map at the resolution of the picture, `[covered height, covered width]`.
pub fn upsample(map: &Array2<f32>, geometry: &Geometry, interpolation: Interpolation) -> Array2<f32> {
    let sampler = Sampler::new(geometry, interpolation);
    let (width, height) = geometry.covered;
    Array2::from_shape_fn((height, width), |(y, x)| sampler.at(x, y, |row, col| map[[row, col]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bilinear_is_torchs() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 4.]]]]), (4, 5), mode="bilinear")
        let expected = ndarray::arr2(&[
            [0.0, 0.1, 0.5, 0.9, 1.0],
            [0.5, 0.625, 1.125, 1.625, 1.75],
            [1.5, 1.675, 2.375, 3.075, 3.25],
            [2.0, 2.2, 3.0, 3.8, 4.0],
        ]);
        let geometry = Geometry { picture: (5, 4), covered: (5, 4), grid: (2, 2) };
        let found = upsample(&ndarray::arr2(&[[0.0, 1.0], [2.0, 4.0]]), &geometry, Interpolation::Bilinear);
        assert!((&found - &expected).iter().all(|d: &f32| d.abs() < 1e-6), "{found}");
    }

    #[test]
    fn patches_have_sharp_edges() {
        let geometry = Geometry { picture: (4, 2), covered: (4, 1), grid: (1, 2) };
        let found = upsample(&ndarray::arr2(&[[3.0, 5.0]]), &geometry, Interpolation::Patches);
        assert_eq!(found, ndarray::arr2(&[[3.0, 3.0, 5.0, 5.0]]));
    }
}
