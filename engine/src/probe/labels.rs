//! Labels of patches from masks of pictures.

use ndarray::Array2;

use crate::image::{Mask, Picture, PictureError, Preprocessing, SizeRule, resample};

/// Patches whose share is less are background.
pub const MOST_OF_BACKGROUND: f32 = 0.01;

/// Patches whose share is more are foreground.
pub const LEAST_OF_FOREGROUND: f32 = 0.99;

/// Share of each patch that the mask covers, `[rows, cols]` in 0..=1: the mask is resized as its picture is, and each patch
/// is the mean of its pixels, as in the reference's notebook.
///
/// # Errors
/// As [`Preprocessing::apply`].
pub fn shares(mask: &Mask, preprocessing: &Preprocessing, stride: usize) -> Result<Array2<f32>, PictureError> {
    let geometry = preprocessing.geometry(mask.width, mask.height, stride)?;
    let (rows, cols) = geometry.grid;
    let rgb = mask.data.iter().flat_map(|&inside| [if inside { u8::MAX } else { 0 }; 3]).collect();
    let picture = Picture::from_rgb(mask.width, mask.height, rgb)?;
    let (width, height) = (cols * stride, rows * stride);
    let pixels = match preprocessing.size {
        SizeRule::Native => resample::crop(&picture, width, height),
        _ => resample::resize(&picture, width, height, preprocessing.filter),
    };
    let area = (stride * stride) as f32;
    Ok(Array2::from_shape_fn((rows, cols), |(row, col)| {
        let line = |y: usize| &pixels.data[(row * stride + y) * width + col * stride..][..stride];
        (0..stride).map(|y| line(y).iter().sum::<f32>()).sum::<f32>() / area
    }))
}

/// What becomes of patches that the mask only touches: their share is above 0 and below [`MOST_OF_BACKGROUND`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Touched {
    /// They are background.
    #[default]
    Background,
    /// They are foreground, as in the reference's notebook, which asks whether what it kept is above 0.
    Foreground,
}

/// Whether a patch is foreground (1) or background (0), where its share says so clearly.
pub fn label(share: f32, touched: Touched) -> Option<usize> {
    if share > LEAST_OF_FOREGROUND {
        return Some(1);
    }
    let is_foreground = touched == Touched::Foreground && share > 0.0;
    (share < MOST_OF_BACKGROUND).then_some(usize::from(is_foreground))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Filter, Normalisation};

    #[test]
    fn only_what_is_clear_has_a_label() {
        let labels = |touched| [0.0, 0.005, 0.01, 0.5, 0.99, 0.995, 1.0].map(|share| label(share, touched));
        assert_eq!(labels(Touched::Background), [Some(0), Some(0), None, None, None, Some(1), Some(1)]);
        assert_eq!(labels(Touched::Foreground), [Some(0), Some(1), None, None, None, Some(1), Some(1)]);
    }

    #[test]
    fn shares_are_those_of_the_resized_mask() {
        // A third of the width, at half of the size: patches of 16 pixels see 32.
        let mask = Mask { width: 96, height: 64, data: (0..96 * 64).map(|i| i % 96 < 40).collect() };
        let size = SizeRule::Exact { width: 48, height: 32 };
        let preprocessing = Preprocessing { size, filter: Filter::Bilinear, normalisation: Normalisation::WEB };
        let found = shares(&mask, &preprocessing, 16).unwrap();
        assert_eq!(found.dim(), (2, 3));
        assert_eq!((found[[0, 0]], found[[1, 2]]), (1.0, 0.0));
        assert!((found[[0, 1]] - 0.25).abs() < 0.02, "{}", found[[0, 1]]);
        let cut = shares(&mask, &Preprocessing { size: SizeRule::Native, ..preprocessing }, 16).unwrap();
        assert_eq!((cut.dim(), cut[[0, 1]], cut[[0, 2]]), ((4, 6), 1.0, 0.5));
    }
}
