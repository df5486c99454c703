//! Objects are labelled in one frame and followed through the clip (reference: `notebooks/segmentation_tracking.ipynb`).
//!
//! [`Tracker`] holds what is known of every frame and says what to propagate next; [`FrameFeatures`] keeps the features
//! that it asks for, so that only the first pass runs a model, and [`ProbabilityArchive`] what came out. [`LabelMap`] is what a person sees, reads and writes.

mod archive;
mod error;
pub mod export;
mod labels;
mod patches;
mod propagator;
pub mod record;
mod session;
mod spill;
mod store;
#[cfg(test)]
mod tests;
mod tracker;

pub use archive::{ArchivedProbabilities, ProbabilityArchive};
pub use error::TrackingError;
pub use labels::LabelMap;
pub use patches::PatchProbabilities;
pub use propagator::{Propagator, SharedContext};
pub use session::{Session, SessionSettings, TrackedFrame};
pub use store::FrameFeatures;
pub use tracker::{Direction, Step, Stretch, Tracker, TrackingOptions};
