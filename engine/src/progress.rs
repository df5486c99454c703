//! How far a long operation is.

/// One report of a long operation. Reporters are plain closures: `&dyn Fn(Progress)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, for people: "downloading model.safetensors".
    pub stage: String,
    /// Units done so far (bytes, blocks, pictures).
    pub done: u64,
    /// Units in all, where that is known.
    pub total: Option<u64>,
}
