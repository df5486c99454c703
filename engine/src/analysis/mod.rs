//! What features say: host versions of every analysis.

pub mod clustering;
pub mod edges;
pub mod foreground;
pub mod matching;
pub mod pairs;
pub mod pca;
pub mod propagation;
pub mod region;
pub mod similarity;
#[cfg(test)]
mod tests;
mod unit;

pub use unit::{unit, unit_rows};

/// Why an analysis could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnalysisError {
    /// Too little to work on.
    #[error("{0}")]
    NotEnough(String),
    /// Features of different models (or layers) do not compare.
    #[error(
        "features have {got} numbers per patch where {expected} are needed; encode all pictures with the same model"
    )]
    Dimension {
        /// Numbers per patch of the query, the basis or the first grid.
        expected: usize,
        /// Numbers per patch of the grid at fault.
        got: usize,
    },
    /// A patch that the grid does not have.
    #[error("patch ({row}, {col}) does not exist: the grid has {rows} rows and {cols} columns")]
    Patch {
        /// Asked for.
        row: usize,
        /// Asked for.
        col: usize,
        /// There are.
        rows: usize,
        /// There are.
        cols: usize,
    },
    /// A mask or map of another size than the picture or grid it belongs to.
    #[error("the mask is {}x{} where {}x{} is needed; use a mask of the picture's own size", got.0, got.1, expected.0, expected.1)]
    MaskSize {
        /// Width and height.
        expected: (usize, usize),
        /// Width and height.
        got: (usize, usize),
    },
    /// Frames of different sizes do not share their patches' places.
    #[error("a frame has {}x{} patches where the first has {}x{}; encode all frames at one size", got.0, got.1, expected.0, expected.1)]
    GridSize {
        /// Rows and columns.
        expected: (usize, usize),
        /// Rows and columns.
        got: (usize, usize),
    },
    /// Probabilities that belong to another grid, or to other classes.
    #[error("probabilities are [{}, {}] where [{}, {}] is needed: one row per patch, one column per class", got.0, got.1, expected.0, expected.1)]
    Probabilities {
        /// Patches and classes.
        expected: (usize, usize),
        /// Patches and classes.
        got: (usize, usize),
    },
    /// An option that means nothing.
    #[error("{name} {value} is out of range: it must be {range}")]
    Option {
        /// "radius".
        name: &'static str,
        /// As asked for.
        value: f64,
        /// "at least 0".
        range: &'static str,
    },
    /// A file that holds no basis.
    #[error("this is no PCA basis of dinoscope ({0}); save one from the PCA tool")]
    Basis(String),
    /// Features that hold NaN or infinity.
    #[error("the features hold NaN or infinite numbers; check the weights, or use --dtype f32")]
    NotFinite,
}

/// That a mask or map has the size it needs; both (rows, columns).
fn check_mask(got: (usize, usize), expected: (usize, usize)) -> Result<(), AnalysisError> {
    let width_height = |(rows, cols)| (cols, rows);
    if got == expected {
        return Ok(());
    }
    Err(AnalysisError::MaskSize { expected: width_height(expected), got: width_height(got) })
}
