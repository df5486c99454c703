//! Types of a tensor's elements, and their conversion to f32.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde::Serialize;

use super::quantised;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// ggml's blocks of 32 numbers of 8 bits.
    Q8_0,
    /// ggml's blocks of 32 numbers of 4 bits.
    Q4_0,
    /// ggml's blocks of 256 numbers of 4 bits.
    #[serde(rename = "q4_k")]
    Q4K,
    /// Anything else; never read.
    Other,
}

impl ElementType {
    /// Bytes per element; `None` where several are stored together, or it is not known.
    pub fn size(self) -> Option<usize> {
        self.block().filter(|(elements, _)| *elements == 1).map(|(_, bytes)| bytes)
    }

    /// How many elements are stored together, and in how many bytes; `None` where it is not known.
    pub fn block(self) -> Option<(usize, usize)> {
        match self {
            Self::F64 | Self::I64 => Some((1, 8)),
            Self::F32 | Self::I32 => Some((1, 4)),
            Self::F16 | Self::Bf16 | Self::I16 => Some((1, 2)),
            Self::I8 | Self::U8 | Self::Bool => Some((1, 1)),
            Self::Q8_0 => Some((32, 34)),
            Self::Q4_0 => Some((32, 18)),
            Self::Q4K => Some((256, 144)),
            Self::Other => None,
        }
    }

    /// Whether tensors of this type can be weights.
    pub fn is_weight(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16) || self.is_quantised()
    }

    /// Whether it is one of ggml's blocks.
    pub fn is_quantised(self) -> bool {
        matches!(self, Self::Q8_0 | Self::Q4_0 | Self::Q4K)
    }

    /// Appends the little-endian elements in `bytes` to `out`; nothing for types that are no weights.
    pub(crate) fn append_f32(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F64 => out.extend(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
            Self::F32 => out.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
            Self::F16 => append_half(bytes, f16::from_le_bytes, |half, to| half.convert_to_f32_slice(to), out),
            Self::Bf16 => append_half(bytes, bf16::from_le_bytes, |half, to| half.convert_to_f32_slice(to), out),
            _ => quantised::append_f32(self, bytes, out),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4K => "q4_k",
            Self::Other => "of another type",
        };
        f.write_str(name)
    }
}

/// Converts by blocks through an aligned buffer: the bytes of a file have no alignment to speak of.
fn append_half<H: Copy + Default>(
    bytes: &[u8],
    from_bytes: impl Fn([u8; 2]) -> H,
    convert: impl Fn(&[H], &mut [f32]),
    out: &mut Vec<f32>,
) {
    const BLOCK: usize = 2048;
    let mut aligned = [H::default(); BLOCK];
    for block in bytes.as_chunks::<2>().0.chunks(BLOCK) {
        let halves = &mut aligned[..block.len()];
        for (half, pair) in halves.iter_mut().zip(block) {
            *half = from_bytes(*pair);
        }
        let start = out.len();
        out.resize(start + block.len(), 0.0);
        convert(halves, &mut out[start..]);
    }
}

/// Whether no number is NaN or infinite.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    // One pass without an early exit per number, so that it runs at the speed of the memory.
    values.chunks(4096).all(|chunk| !chunk.iter().fold(false, |bad, v| bad | (v.to_bits() & EXPONENT == EXPONENT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_type_converts() {
        let values: Vec<f32> = (0..5000).map(|i| (i as f32 - 2500.0) / 4.0).collect();
        let check = |kind: ElementType, bytes: Vec<u8>, expected: Vec<f32>| {
            let mut out = Vec::new();
            kind.append_f32(&bytes, &mut out);
            assert_eq!(out, expected, "{kind}");
        };
        check(ElementType::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect(), values.clone());
        check(ElementType::F64, values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect(), values.clone());
        let halves: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
        check(
            ElementType::F16,
            halves.iter().flat_map(|v| v.to_le_bytes()).collect(),
            halves.iter().map(|v| v.to_f32()).collect(),
        );
        let brains: Vec<bf16> = values.iter().map(|v| bf16::from_f32(*v)).collect();
        check(
            ElementType::Bf16,
            brains.iter().flat_map(|v| v.to_le_bytes()).collect(),
            brains.iter().map(|v| v.to_f32()).collect(),
        );
    }

    #[test]
    fn finite_check_sees_the_last_element() {
        let mut values = vec![f32::MAX; 5000];
        assert!(all_finite(&values));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            values[4999] = bad;
            assert!(!all_finite(&values));
        }
    }
}
