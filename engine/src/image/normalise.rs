//! Mean and deviation of the training pictures.

use super::Pixels;

/// Per-channel (value - mean) / std on values in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Red, green, blue.
    pub mean: [f32; 3],
    /// Red, green, blue.
    pub std: [f32; 3],
}

impl Normalisation {
    /// Weights trained on pictures of the web (LVD-1689M); ImageNet's numbers.
    pub const WEB: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    /// Weights trained on satellite pictures (SAT-493M).
    pub const SATELLITE: Self = Self { mean: [0.430, 0.411, 0.296], std: [0.213, 0.156, 0.143] };

    /// Normalises values of 0..=1 in place.
    pub fn apply(&self, pixels: &mut Pixels) {
        let planes = pixels.data.chunks_exact_mut(pixels.width * pixels.height);
        for ((plane, mean), std) in planes.zip(self.mean).zip(self.std) {
            for value in plane {
                *value = (*value - mean) / std;
            }
        }
    }
}
