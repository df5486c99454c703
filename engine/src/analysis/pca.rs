//! Rainbow PCA: principal components of patch features, whitened, as colours (reference: `notebooks/pca.ipynb`,
//! which calls `sklearn.decomposition.PCA(n_components=3, whiten=True)`).

mod streaming;

pub use streaming::StreamingPca;

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Side, get_global_parallelism};
use ndarray::{Array2, Array3, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::AnalysisError;
use crate::features::FeatureGrid;

/// Whitened scores of every patch, `[rows, cols, components]`.
pub type Scores = Array3<f32>;

/// Patches of one picture to fit on.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Features of the picture.
    pub grid: &'a FeatureGrid,
    /// `[rows, cols]`, the patches that count; all of them where there is none.
    pub foreground: Option<&'a Array2<bool>>,
}

/// A fitted PCA: a mean, and orthonormal directions by falling variance.
///
/// In each component the entry of largest magnitude is positive (sklearn's `svd_flip`), so the same features always
/// give the same colours. A component without variance is all zero, and so are the scores on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// `[dim]`
    pub mean: Vec<f64>,
    /// `[components][dim]`
    pub components: Vec<Vec<f64>>,
    /// `[components]`, of the samples along each component, with n - 1 in the denominator.
    pub variances: Vec<f64>,
    /// Of the samples along all `dim` directions.
    pub total_variance: f64,
}

impl Basis {
    /// Fits the first `components` components over all samples together.
    ///
    /// # Errors
    /// [`AnalysisError::NotEnough`] where there are not more patches than components, or all are the same;
    /// [`AnalysisError::Dimension`] where grids differ, [`AnalysisError::MaskSize`], [`AnalysisError::NotFinite`].
    pub fn fit(samples: &[Sample], components: usize) -> Result<Self, AnalysisError> {
        let patches = select(samples)?;
        let dim = patches.first().map_or(0, ArrayView1::len);
        check_counts(patches.len(), dim, components)?;
        let mean = mean(&patches);
        // The smaller of the two products holds all there is to know.
        let spread = if patches.len() < dim {
            spread_from_gram(&patches, &mean, components)
        } else {
            spread_from_covariance(&patches, &mean, components)
        }?;
        Self::from_spread(mean, spread, patches.len())
    }

    fn from_spread(mean: Vec<f64>, spread: Spread, patches: usize) -> Result<Self, AnalysisError> {
        let dim = mean.len();
        if spread.total == 0.0 {
            return Err(AnalysisError::NotEnough("all patches have the same features: PCA has nothing to show".into()));
        }
        let noise = spread.total * f64::EPSILON * dim.max(patches) as f64;
        let (components, variances) = spread
            .leading
            .into_iter()
            .map(
                |(variance, vector)| {
                    if variance > noise { (with_positive_peak(vector), variance) } else { (vec![0.0; dim], 0.0) }
                },
            )
            .unzip();
        Ok(Self { mean, components, variances, total_variance: spread.total })
    }

    /// A basis as its `Serialize` writes it, for people who keep one in a file.
    ///
    /// # Errors
    /// [`AnalysisError::Basis`] for anything else.
    pub fn from_json(text: &str) -> Result<Self, AnalysisError> {
        let basis: Self = serde_json::from_str(text).map_err(|error| AnalysisError::Basis(error.to_string()))?;
        let dim = basis.mean.len();
        let problem = if dim == 0 || basis.components.is_empty() {
            "it is empty"
        } else if basis.components.iter().any(|component| component.len() != dim) {
            "its mean and its components differ in length"
        } else if basis.variances.len() != basis.components.len() {
            "it has not one variance for each component"
        } else if basis.variances.iter().chain([&basis.total_variance]).any(|variance| *variance < 0.0)
            || basis.total_variance == 0.0
        {
            "its variances are not positive"
        } else {
            return Ok(basis);
        };
        Err(AnalysisError::Basis(problem.to_owned()))
    }

    /// Whitened scores of every patch on the chosen components (0-based), `[rows, cols, chosen.len()]`.
    ///
    /// # Errors
    /// [`AnalysisError::Dimension`] where the basis comes from another model, [`AnalysisError::NotEnough`] for a
    /// component that was not fitted, [`AnalysisError::NotFinite`] for NaN.
    pub fn project(&self, grid: &FeatureGrid, chosen: &[usize]) -> Result<Scores, AnalysisError> {
        if grid.dim() != self.mean.len() {
            return Err(AnalysisError::Dimension { expected: self.mean.len(), got: grid.dim() });
        }
        let axes = chosen.iter().map(|&index| self.whitening_axis(index)).collect::<Result<Vec<_>, _>>()?;
        let features = grid.data.as_standard_layout();
        let scores: Vec<f32> = (0..features.nrows())
            .into_par_iter()
            .with_min_len(64)
            .flat_map_iter(|i| {
                let feature = features.row(i);
                axes.iter().map(move |(axis, offset)| (dot(feature, axis) - offset) as f32).collect::<Vec<_>>()
            })
            .collect();
        if scores.iter().any(|v| !v.is_finite()) {
            return Err(AnalysisError::NotFinite);
        }
        let shape = (grid.rows, grid.cols, chosen.len());
        Ok(Array3::from_shape_vec(shape, scores).expect("a grid has rows * cols features"))
    }

    /// A component divided by its deviation, and the mean's score on it.
    pub(crate) fn whitening_axis(&self, index: usize) -> Result<(Vec<f64>, f64), AnalysisError> {
        let (Some(component), Some(&variance)) = (self.components.get(index), self.variances.get(index)) else {
            return Err(AnalysisError::NotEnough(format!(
                "component {index} does not exist: components 0 to {} were fitted",
                self.components.len().saturating_sub(1)
            )));
        };
        let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
        let axis: Vec<f64> = component.iter().map(|v| v * scale).collect();
        let offset = axis.iter().zip(&self.mean).map(|(a, m)| a * m).sum();
        Ok((axis, offset))
    }

    /// Share of the total variance along each component, `[components]`.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        self.variances.iter().map(|v| v / self.total_variance).collect()
    }

    /// Flips components that point against those of `reference`, so that colours stay from one fit to the next.
    pub fn align_to(&mut self, reference: &Basis) {
        for (component, other) in self.components.iter_mut().zip(&reference.components) {
            if component.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
                component.iter_mut().for_each(|v| *v = -*v);
            }
        }
    }
}

/// `sigmoid(2 * x)` as RGB in 0..=1, `[rows, cols, 3]`; black outside of the foreground. One component gives grey,
/// two leave blue at the middle, those after the third are not shown.
pub fn colours(projected: &Array3<f32>, foreground: Option<&Array2<bool>>) -> Array3<f32> {
    let (rows, cols, shown) = projected.dim();
    Array3::from_shape_fn((rows, cols, 3), |(row, col, channel)| {
        if foreground.is_some_and(|mask| !mask[[row, col]]) {
            return 0.0;
        }
        let score = match (shown, channel) {
            (1, _) => projected[[row, col, 0]],
            (_, channel) if channel < shown => projected[[row, col, channel]],
            _ => 0.0,
        };
        1.0 / (1.0 + (-2.0 * score).exp())
    })
}

/// That components can be fitted to so many patches of `dim` numbers.
fn check_counts(patches: usize, dim: usize, components: usize) -> Result<(), AnalysisError> {
    if patches <= components.max(1) {
        return Err(AnalysisError::NotEnough(format!(
            "PCA with {components} components needs at least {} patches, there are {patches}; use a larger picture, \
             a larger mask or fewer components",
            components.max(1) + 1,
        )));
    }
    if components > dim {
        return Err(AnalysisError::NotEnough(format!(
            "component {} does not exist: features of {dim} numbers have components 0 to {}",
            components - 1,
            dim.saturating_sub(1)
        )));
    }
    Ok(())
}

/// The features that count, checked.
fn select<'a>(samples: &[Sample<'a>]) -> Result<Vec<ArrayView1<'a, f32>>, AnalysisError> {
    let mut patches = Vec::new();
    let expected = samples.first().map_or(0, |sample| sample.grid.dim());
    for &Sample { grid, foreground } in samples {
        if grid.dim() != expected {
            return Err(AnalysisError::Dimension { expected, got: grid.dim() });
        }
        if let Some(mask) = foreground {
            super::check_mask(mask.dim(), (grid.rows, grid.cols))?;
        }
        let counts = |index: usize| foreground.is_none_or(|mask| mask[[index / grid.cols, index % grid.cols]]);
        patches.extend(grid.data.rows().into_iter().enumerate().filter(|&(i, _)| counts(i)).map(|(_, row)| row));
    }
    if patches.par_iter().any(|patch| patch.iter().any(|v| !v.is_finite())) {
        return Err(AnalysisError::NotFinite);
    }
    Ok(patches)
}

/// `[dim]`. Taken relative to the first patch, so that equal features have exactly their own mean.
fn mean(patches: &[ArrayView1<f32>]) -> Vec<f64> {
    let first = &patches[0];
    let mut mean = vec![0.0; first.len()];
    for patch in patches {
        for ((sum, &v), &origin) in mean.iter_mut().zip(patch).zip(first) {
            *sum += f64::from(v) - f64::from(origin);
        }
    }
    mean.iter().zip(first).map(|(sum, &origin)| f64::from(origin) + sum / patches.len() as f64).collect()
}

/// Variance in all directions, and along the leading ones: (variance, unit vector), falling.
struct Spread {
    total: f64,
    leading: Vec<(f64, Vec<f64>)>,
}

/// Patches that are centred and multiplied at a time.
const BLOCK: usize = 1024;

/// By the `[dim, dim]` covariance.
fn spread_from_covariance(patches: &[ArrayView1<f32>], mean: &[f64], count: usize) -> Result<Spread, AnalysisError> {
    let dim = mean.len();
    let mut covariance = Mat::<f64>::zeros(dim, dim);
    let scale = 1.0 / (patches.len() as f64 - 1.0);
    for block in patches.chunks(BLOCK) {
        let centred = centred_columns(block, mean);
        accumulate_products(&mut covariance, &centred, centred.transpose(), scale);
    }
    leading_eigenpairs(&covariance, count)
}

/// By the `[patches, patches]` products of the centred patches, which have the same spectrum.
fn spread_from_gram(patches: &[ArrayView1<f32>], mean: &[f64], count: usize) -> Result<Spread, AnalysisError> {
    let centred = centred_columns(patches, mean);
    let mut gram = Mat::<f64>::zeros(patches.len(), patches.len());
    accumulate_products(&mut gram, centred.transpose(), &centred, 1.0 / (patches.len() as f64 - 1.0));
    let mut spread = leading_eigenpairs(&gram, count)?;
    for (_, vector) in &mut spread.leading {
        let weights = faer::Col::<f64>::from_fn(vector.len(), |i| vector[i]);
        let direction = &centred * &weights;
        let length = direction.norm_l2();
        *vector = direction.iter().map(|v| if length > 0.0 { v / length } else { 0.0 }).collect();
    }
    Ok(spread)
}

/// `[dim, patches]`
fn centred_columns(patches: &[ArrayView1<f32>], mean: &[f64]) -> Mat<f64> {
    Mat::from_fn(mean.len(), patches.len(), |i, patch| f64::from(patches[patch][i]) - mean[i])
}

/// Adds `scale * lhs * rhs` to the lower triangle of a symmetric matrix.
fn accumulate_products(
    sum: &mut Mat<f64>,
    lhs: impl faer::mat::AsMatRef<T = f64, Rows = usize, Cols = usize>,
    rhs: impl faer::mat::AsMatRef<T = f64, Rows = usize, Cols = usize>,
    scale: f64,
) {
    triangular::matmul(
        sum,
        BlockStructure::TriangularLower,
        Accum::Add,
        lhs,
        BlockStructure::Rectangular,
        rhs,
        BlockStructure::Rectangular,
        scale,
        get_global_parallelism(),
    );
}

/// The trace of a symmetric matrix (lower triangle) and its `count` largest (eigenvalue, eigenvector), falling.
fn leading_eigenpairs(symmetric: &Mat<f64>, count: usize) -> Result<Spread, AnalysisError> {
    let size = symmetric.nrows();
    let total = (0..size).map(|i| symmetric[(i, i)]).sum();
    let eigen = symmetric.self_adjoint_eigen(Side::Lower).map_err(|_| AnalysisError::NotFinite)?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let pair = |i: usize| (values[i], vectors.col(i).iter().copied().collect());
    Ok(Spread { total, leading: (0..size).rev().take(count).map(pair).collect() })
}

/// The direction or its opposite, so that its entry of largest magnitude (the first of equals) is positive.
fn with_positive_peak(mut direction: Vec<f64>) -> Vec<f64> {
    let peak = direction.iter().copied().fold(0.0, |peak: f64, v| if v.abs() > peak.abs() { v } else { peak });
    if peak < 0.0 {
        direction.iter_mut().for_each(|v| *v = -*v);
    }
    direction
}

/// In double precision: a large common mean would cost single precision its small digits.
fn dot(feature: ArrayView1<f32>, axis: &[f64]) -> f64 {
    feature.iter().zip(axis).map(|(&v, a)| f64::from(v) * a).sum()
}
