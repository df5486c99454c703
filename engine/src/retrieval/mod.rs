//! Finding pictures that are like others, as a whole or in a region.
//!
//! An index is a folder: `index.json` says what its features are made with, [`crate::probe::vectors`] keeps CLS tokens,
//! [`patches`] the features of patches, and [`approximate`] a graph for a great many pictures.

pub mod approximate;
pub mod index;
pub mod patches;
pub mod query;
pub mod report;
pub mod search;
pub mod sheet;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::image::SizeRule;

pub use index::{Index, Recipe};
pub use query::Region;
pub use search::{Found, Hit};
pub use sheet::Sheet;

/// Indexed pictures from which on a graph is made, for those who search again and again.
pub const APPROXIMATE_FROM: usize = 50_000;

/// Size of the model's input where none is asked for: smaller than for maps, since patches of a great many pictures are kept.
pub const USUAL_SIZE: SizeRule = SizeRule::ShortSide(384);

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
    /// Nothing to index.
    #[error("{} holds no pictures", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing to ask about.
    #[error("the region lies outside of the picture, which has {}x{} pixels", picture.0, picture.1)]
    Outside {
        /// Width and height in pixels.
        picture: (usize, usize),
    },
}
