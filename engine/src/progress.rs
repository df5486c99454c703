//! How far a long operation is, and how it is stopped.

use crate::Cancel;

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

/// Who is told how far a long operation is, and what stops it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Takes reports.
    pub progress: &'a dyn Fn(Progress),
    /// Stops it.
    pub cancel: &'a Cancel,
}
