//! Classes of pixels: scores of every class everywhere in a picture, and the best one as labels, whatever they come from.

pub(crate) mod bilinear;
mod labels;
mod scores;
pub(crate) mod windows;

pub use labels::Labels;
pub use scores::{ScoreSource, Scores};
