//! GGUF, ggml's file format, for quantised weights
//! (format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>).
//!
//! The reader is this project's own: candle's stops the program on a header that states an alignment of zero, and its
//! writer holds all tensors at once.

mod facts;
mod read;
mod write;

pub(crate) use facts::Facts;
pub use facts::{Accuracy, Quantisation};
pub(super) use facts::{quantisation, sidecar};
pub(super) use read::{is_gguf, read};
pub(crate) use write::{Entry, header, padding};

use super::ElementType;

/// What a file begins with.
const MAGIC: &[u8; 4] = b"GGUF";

/// Tensors begin at multiples of this where the file does not say otherwise.
const ALIGNMENT: usize = 32;

/// A value of the metadata, of the kinds that this project writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    U32(u32),
    F32(f32),
    F64(f64),
    Bool(bool),
    Text(String),
    F32s(Vec<f32>),
}

/// Numbers of the kinds of values.
mod kind {
    pub const U32: u32 = 4;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const TEXT: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const F64: u32 = 12;
}

/// ggml's numbers of the types that are read.
const ELEMENTS: [(u32, ElementType); 6] = [
    (0, ElementType::F32),
    (1, ElementType::F16),
    (2, ElementType::Q4_0),
    (8, ElementType::Q8_0),
    (12, ElementType::Q4K),
    (30, ElementType::Bf16),
];
