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

/// Whether a patch is foreground (1) or background (0), where its share says so clearly.
pub fn label(share: f32) -> Option<usize> {
    if share < MOST_OF_BACKGROUND {
        Some(0)
    } else {
        (share > LEAST_OF_FOREGROUND).then_some(1)
    }
}
