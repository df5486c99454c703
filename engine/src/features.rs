//! What a backbone says about a picture.

use ndarray::{Array2, ArrayView1, Axis};

/// One feature vector per patch, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureGrid {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
    /// `[rows * cols, dim]`, patch (row, col) at `row * cols + col`.
    pub data: Array2<f32>,
}

impl FeatureGrid {
    /// Numbers per patch.
    pub fn dim(&self) -> usize {
        self.data.ncols()
    }

    /// The feature of one patch, `[dim]`. Panics outside of the grid, as indexing does.
    pub fn at(&self, patch: Patch) -> ArrayView1<'_, f32> {
        self.data.row(patch.row * self.cols + patch.col)
    }
}

/// Place of a patch in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patch {
    /// From the top.
    pub row: usize,
    /// From the left.
    pub col: usize,
}

/// The tokens of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The CLS token, `[dim]`; ConvNeXt: the mean over all positions.
    pub cls: Vec<f32>,
    /// Register (storage) tokens, `[registers, dim]`; ConvNeXt has none: `[0, dim]`.
    pub registers: Array2<f32>,
    /// Patch tokens.
    pub patch: FeatureGrid,
}

impl Features {
    /// CLS, then the mean of the patches, `[2 * dim]`: what classifiers read.
    pub fn cls_and_mean(&self) -> Vec<f32> {
        let mean = self.patch.data.mapv(f64::from).mean_axis(Axis(0)).unwrap_or_default();
        self.cls.iter().copied().chain(mean.iter().map(|number| *number as f32)).collect()
    }

    /// Whether all numbers are: sums of finite weights may still be too large.
    pub fn is_finite(&self) -> bool {
        let tokens = self.patch.data.iter().chain(&self.registers);
        tokens.chain(&self.cls).all(|number| number.is_finite())
    }
}

/// What one forward pass gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// After the last block and the final norm.
    pub output: Features,
    /// The intermediate layers asked for, in that order, with their index.
    pub layers: Vec<(usize, Features)>,
}

/// How a picture and its patch grid lie over each other.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Geometry {
    /// Width and height in pixels of the original picture (after EXIF rotation).
    pub picture: (usize, usize),
    /// Width and height in original pixels that the grid covers, from the top left:
    /// the whole picture, or less where `--size native` cropped it.
    pub covered: (usize, usize),
    /// Patch rows and columns.
    pub grid: (usize, usize),
}

impl Geometry {
    /// The patch under a point of the original picture, or `None` where no patch lies.
    pub fn patch_from_pixel(&self, x: f64, y: f64) -> Option<Patch> {
        let (width, height) = self.covered;
        let inside = |v: f64, len: usize| -> bool { v >= 0.0 && v < len as f64 };
        if !inside(x, width) || !inside(y, height) {
            return None;
        }
        let (rows, cols) = self.grid;
        let index = |v: f64, len: usize, n: usize| ((v * n as f64 / len as f64) as usize).min(n - 1);
        Some(Patch { row: index(y, height, rows), col: index(x, width, cols) })
    }

    /// Centre of a patch in original pixels, (x, y).
    pub fn pixel_from_patch(&self, patch: Patch) -> (f64, f64) {
        let (rows, cols) = self.grid;
        let centre = |i: usize, n: usize, len: usize| (i as f64 + 0.5) * len as f64 / n as f64;
        (centre(patch.col, cols, self.covered.0), centre(patch.row, rows, self.covered.1))
    }
}
