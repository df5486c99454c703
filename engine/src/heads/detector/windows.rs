//! What the backbone is shown: the windows of a picture, and the whole of it at the size of one (reference:
//! `dinov3/eval/detection/models/windows.py`).

use std::ops::Range;

use candle_core::{Device, Result as TensorResult, Tensor};
use candle_nn::{Conv2dConfig, GroupNorm, Module, VarBuilder, conv2d, group_norm};

use super::sizes::Sizes;
use super::{DetectorConfig, GROUPS, NORM_EPS, Steps};
use crate::Result;
use crate::backend::Run;
use crate::classes::windows::{Window, cut};
use crate::encoder::Encoder;
use crate::features::FeatureGrid;
use crate::image::{Filter, PictureError, Pixels, resample};

/// A picture's windows along both sides, in patches. All have one size but the last, which may be smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Division {
    rows: Vec<Range<usize>>,
    cols: Vec<Range<usize>>,
}

impl Division {
    fn new(pixels: &Pixels, count: usize, patch: usize) -> Result<Self, PictureError> {
        let side = |len: usize| {
            if !(1..=len / patch).contains(&count) {
                return None;
            }
            let size = (len / count).div_ceil(patch);
            let parts = (0..count).map(|index| index * size..((index + 1) * size).min(len / patch));
            Some(parts.collect::<Vec<_>>()).filter(|parts| parts.iter().all(|part| part.start < part.end))
        };
        match (side(pixels.height), side(pixels.width)) {
            (Some(rows), Some(cols)) => Ok(Self { rows, cols }),
            _ => Err(PictureError::Size(format!(
                "{}x{} pixels cannot be divided into {count}x{count} windows of whole patches: choose a larger --size",
                pixels.width, pixels.height
            ))),
        }
    }
}

/// Reads features of all layers and both views together. It is linear, so that each view is read as soon as it is there,
/// and all numbers of a picture (32,768 a patch in the published head) are never held at once.
pub struct Projection {
    /// Of each view (the whole, then the windows) and layer: `[dim, width]`.
    parts: Vec<Tensor>,
    bias: Tensor,
    norm: GroupNorm,
}

impl Projection {
    /// Reads it for features of `dim` numbers.
    pub fn load(sizes: &Sizes, dim: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &Sizes { channels, width, .. } = sizes;
        let conv = conv2d(channels, width, 1, Conv2dConfig::default(), vb.pp(0))?;
        let weight = conv.weight().reshape((width, channels))?;
        let part = |start: usize| weight.narrow(1, start, dim)?.t()?.contiguous();
        Ok(Self {
            parts: (0..channels).step_by(dim).map(part).collect::<TensorResult<_>>()?,
            bias: vb.get(width, "0.bias")?,
            norm: group_norm(GROUPS, width, NORM_EPS, vb.pp(1))?,
        })
    }

    /// What one view adds, `[rows, cols, width]`.
    fn view<'a>(&self, is_window: bool, layers: impl Iterator<Item = &'a FeatureGrid>) -> TensorResult<Tensor> {
        let of_view = &self.parts[if is_window { self.parts.len() / 2 } else { 0 }..];
        let mut sum: Option<Tensor> = None;
        let mut grid = (0, 0);
        for (features, weight) in layers.zip(of_view) {
            grid = (features.rows, features.cols);
            let numbers: Vec<f32> = features.data.iter().copied().collect();
            let read = Tensor::from_vec(numbers, features.data.dim(), weight.device())?.matmul(weight)?;
            sum = Some(match sum {
                Some(sum) => (sum + read)?,
                None => read,
            });
        }
        let sum = sum.ok_or_else(|| candle_core::Error::Msg("no layer is read".to_owned()))?;
        sum.reshape((grid.0, grid.1, ()))
    }

    /// Adds the bias and normalises, `[rows, cols, width]`.
    fn finish(&self, sum: &Tensor) -> TensorResult<Tensor> {
        let tokens = sum.broadcast_add(&self.bias)?.flatten_to(1)?;
        let channels_first = tokens.t()?.unsqueeze(0)?.contiguous()?;
        self.norm.forward(&channels_first)?.squeeze(0)?.t()?.reshape(sum.shape())
    }
}

/// What the networks read of a picture, `[rows, cols, width]`.
///
/// # Errors
/// [`PictureError::Size`] where the picture is too small for its windows; as [`Encoder::forward`].
pub fn describe(
    encoder: &mut Encoder,
    projection: &Projection,
    pixels: &Pixels,
    config: &DetectorConfig,
    steps: &mut Steps<'_>,
) -> Result<Tensor> {
    let patch = encoder.config().stride();
    let division = Division::new(pixels, config.windows, patch)?;
    let mut view = |pixels: &Pixels, is_window: bool| -> Result<Tensor> {
        let layers = steps.backbone(|run: &Run<'_>| encoder.forward(pixels, &config.layers, *run))?.layers;
        Ok(projection.view(is_window, layers.iter().map(|(_, features)| &features.patch))?)
    };

    let mut lines = Vec::new();
    for rows in &division.rows {
        let mut line = Vec::new();
        for cols in &division.cols {
            let (x, y) = (cols.start * patch, rows.start * patch);
            let window = Window { x, y, width: cols.len() * patch, height: rows.len() * patch };
            line.push(view(&cut(pixels, window), true)?);
        }
        lines.push(Tensor::cat(&line, 1)?);
    }
    let windows = Tensor::cat(&lines, 0)?;

    let first = (division.rows[0].len() * patch, division.cols[0].len() * patch);
    let whole = view(&resized_pixels(pixels, first)?, false)?;
    let whole = resized(&whole, (pixels.height / patch, pixels.width / patch))?;
    Ok(projection.finish(&(windows + whole)?)?)
}

/// To that height and width.
fn resized_pixels(pixels: &Pixels, (height, width): (usize, usize)) -> TensorResult<Pixels> {
    let planes = Tensor::from_slice(&pixels.data, (3, pixels.height, pixels.width), &Device::Cpu)?;
    let small = resized(&planes.permute((1, 2, 0))?.contiguous()?, (height, width))?;
    Ok(Pixels { width, height, data: small.permute((2, 0, 1))?.flatten_all()?.to_vec1()? })
}

/// Bilinear and antialiased: `[rows, cols, numbers]` to that many rows and columns.
fn resized(grid: &Tensor, (to_rows, to_cols): (usize, usize)) -> TensorResult<Tensor> {
    let (rows, cols, numbers) = grid.dims3()?;
    let matrix = |from: usize, to: usize| {
        Tensor::from_vec(resample::matrix(from, to, Filter::Bilinear), (to, from), grid.device())
    };
    let columns_first = grid.transpose(0, 1)?.reshape((cols, rows * numbers))?;
    let across = matrix(cols, to_cols)?.matmul(&columns_first)?;
    let rows_first = across.reshape((to_cols, rows, numbers))?.transpose(0, 1)?.reshape((rows, to_cols * numbers))?;
    matrix(rows, to_rows)?.matmul(&rows_first)?.reshape((to_rows, to_cols, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn division(rows: usize, cols: usize, count: usize) -> Result<Division, PictureError> {
        let pixels = Pixels { width: cols * 16, height: rows * 16, data: Vec::new() };
        Division::new(&pixels, count, 16)
    }

    #[test]
    fn the_last_window_may_be_smaller() {
        let found = division(7, 9, 3).expect("it can be divided");
        assert_eq!((found.rows, found.cols), (vec![0..3, 3..6, 6..7], vec![0..3, 3..6, 6..9]));
        let found = division(5, 2, 2).expect("it can be divided");
        assert_eq!((found.rows, found.cols), (vec![0..3, 3..5], vec![0..1, 1..2]));
        let whole = division(4, 7, 1).expect("it can be divided").rows;
        assert_eq!((whole.len(), &whole[0]), (1, &(0..4)));
    }

    #[test]
    fn what_cannot_be_divided_is_named() {
        for (rows, cols) in [(4, 9), (9, 4), (1, 9), (2, 2)] {
            assert!(division(rows, cols, usize::MAX).is_err() && division(rows, cols, 0).is_err());
            let message = division(rows, cols, 3).expect_err("a window would be empty").to_string();
            assert!(message.contains("3x3") && message.contains("--size"), "{message}");
        }
    }

    #[test]
    fn a_grid_is_resized_along_both_sides() {
        let grid = Tensor::arange(0f32, 24.0, &Device::Cpu).and_then(|t| t.reshape((2, 3, 4))).expect("a grid");
        let same = resized(&grid, (2, 3)).and_then(|t| t.flatten_all()?.to_vec1::<f32>()).expect("it is resized");
        assert_eq!(same, (0..24u8).map(f32::from).collect::<Vec<_>>());
        let mean = resized(&grid, (1, 1)).and_then(|t| t.flatten_all()?.to_vec1::<f32>()).expect("it is resized");
        assert!(
            mean.iter().zip([10.0, 11.0, 12.0, 13.0]).all(|(got, expected)| (got - expected).abs() < 1e-4),
            "{mean:?}"
        );
    }
}
