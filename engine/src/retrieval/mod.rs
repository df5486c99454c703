//! Finding pictures that are like others, as a whole or in a region.
//!
//! An index is a folder: `index.json` says what its features are made with, [`crate::probe::vectors`] keeps CLS tokens,
//! [`patches`] the features of patches, and [`approximate`] a graph for a great many pictures.

pub mod approximate;
pub mod index;
pub mod patches;
pub mod query;
pub mod search;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use index::{Index, Recipe};
pub use query::Region;
pub use search::{Found, Hit};

/// Indexed pictures from which on whole pictures are searched by a graph.
pub const APPROXIMATE_FROM: usize = 50_000;

/// Why an index could not be made or searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetrievalError {
    /// No index.
    #[error("{} is no index of pictures ({reason}); make one with 'dinoscope retrieve index'", path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// Features of other weights.
    #[error(
        "the index {} was made with {expected} (weights {expected_weights}), not with {got} ({got_weights}): \
         choose that one by --model or --weights, or make another index",
        path.display()
    )]
    Model {
        /// The folder.
        path: PathBuf,
        /// Name of the index's model.
        expected: String,
        /// SHA-256 of its weights.
        expected_weights: String,
        /// Name of the model that was given.
        got: String,
        /// SHA-256 of its weights.
        got_weights: String,
    },
    /// Features of another size of the input.
    #[error("the index {} was made with --size {expected}, not {got}: leave --size out, or make another index", path.display())]
    Size {
        /// The folder.
        path: PathBuf,
        /// Of the index.
        expected: String,
        /// As asked for.
        got: String,
    },
}
