//! Finding and downloading published weights.

/// Why weights could not be found or fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The model is known but not on this machine.
    #[error("{name} is not on this machine: run `dinoscope models download {name}`")]
    NotPresent {
        /// Name of the model.
        name: String,
    },
}
