//! What features say: host versions of every analysis.

/// Why an analysis could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Too little to work on.
    #[error("{0}")]
    NotEnough(String),
}
