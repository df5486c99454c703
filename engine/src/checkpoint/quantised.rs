//! ggml's quantised blocks (source: `dequantize_row_*` in ggml's `ggml-quants.c`). Bytes of whole blocks are expected;
//! what is left of an incomplete one is passed over.

use half::f16;

use super::ElementType;

/// Numbers of a [`Group`].
pub(crate) const GROUP: usize = 32;

/// Neighbours in a row that share a scale: each is `scale * code - minimum`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) scale: f32,
    pub(crate) minimum: f32,
    pub(crate) codes: [i8; GROUP],
}

/// A quantised matrix as it lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantisedMatrix {
    /// One of the quantised types.
    pub(crate) element: ElementType,
    /// `[rows, inputs]` row-major; inputs are a multiple of a block.
    pub(crate) bytes: Vec<u8>,
}

impl QuantisedMatrix {
    /// How many numbers it has.
    pub fn numbers(&self) -> usize {
        self.element.block().map_or(0, |(together, unit)| self.bytes.len() / unit * together)
    }

    /// All numbers, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut numbers = Vec::new();
        append_f32(self.element, &self.bytes, &mut numbers);
        numbers
    }

    /// Whether every number is.
    pub(super) fn is_finite(&self) -> bool {
        let mut finite = true;
        // Codes have 8 bits at most, and scales half precision: no product of them is too large for f32.
        for_each_group(self.element, &self.bytes, |group| finite &= (group.scale + group.minimum).is_finite());
        finite
    }
}

/// Appends the numbers in `bytes`; nothing where the type is not quantised.
pub(super) fn append_f32(element: ElementType, bytes: &[u8], out: &mut Vec<f32>) {
    for_each_group(element, bytes, |Group { scale, minimum, codes }| {
        out.extend(codes.iter().map(|&code| scale * f32::from(code) - minimum));
    });
}

/// Visits the groups in the order of their numbers.
#[inline(always)]
pub(crate) fn for_each_group(element: ElementType, bytes: &[u8], mut visit: impl FnMut(&Group)) {
    match element {
        ElementType::Q8_0 => bytes.as_chunks().0.iter().for_each(|block| visit(&q8_0(block))),
        ElementType::Q4_0 => bytes.as_chunks().0.iter().for_each(|block| visit(&q4_0(block))),
        ElementType::Q4K => bytes.as_chunks().0.iter().for_each(|block| q4_k(block).iter().for_each(&mut visit)),
        _ => {}
    }
}

/// The scale, f16, then 32 codes of 8 bits.
fn q8_0(block: &[u8; 34]) -> Group {
    Group { scale: half_at(block, 0), minimum: 0.0, codes: std::array::from_fn(|i| block[2 + i].cast_signed()) }
}

/// The scale, f16, then 32 codes of 4 bits, the second half of them in the upper ones; 8 stands for zero.
fn q4_0(block: &[u8; 18]) -> Group {
    let nibble = |i: usize| if i < GROUP / 2 { block[2 + i] & 15 } else { block[2 + i - GROUP / 2] >> 4 };
    Group { scale: half_at(block, 0), minimum: 0.0, codes: std::array::from_fn(|i| nibble(i).cast_signed() - 8) }
}

/// The scale of scales and that of minima, both f16, eight scales and minima of 6 bits, then eight groups of 32 codes of
/// 4 bits; two groups share bytes.
fn q4_k(block: &[u8; 144]) -> [Group; 8] {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let shared = &block[4..16];
    std::array::from_fn(|group| {
        let (factor, offset) = if group < 4 {
            (shared[group] & 63, shared[group + 4] & 63)
        } else {
            let low = shared[group + 4];
            ((low & 15) | (shared[group - 4] >> 6 << 4), (low >> 4) | (shared[group] >> 6 << 4))
        };
        let codes = &block[16 + group / 2 * GROUP..][..GROUP];
        let nibble = |byte: u8| if group % 2 == 0 { byte & 15 } else { byte >> 4 };
        Group {
            scale: scale * f32::from(factor),
            minimum: minimum * f32::from(offset),
            codes: std::array::from_fn(|i| nibble(codes[i]).cast_signed()),
        }
    })
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    use super::*;

    /// candle's quantised blocks give the numbers that candle makes of them.
    #[test]
    fn blocks_are_read_as_candle_reads_them() {
        let number =
            |i: usize| ((i * 7919 % 1009) as f32 / 504.5 - 1.0).powi(3) * if i % 512 < 256 { 0.02 } else { 3.0 };
        let numbers = Tensor::from_vec((0..2048).map(number).collect::<Vec<_>>(), (4, 512), &Device::Cpu).unwrap();
        for (kind, element) in [
            (GgmlDType::Q8_0, ElementType::Q8_0),
            (GgmlDType::Q4_0, ElementType::Q4_0),
            (GgmlDType::Q4K, ElementType::Q4K),
        ] {
            assert_eq!(element.block(), Some((kind.block_size(), kind.type_size())));
            let quantised = QTensor::quantize(&numbers, kind).unwrap();
            let expected = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut matrix = QuantisedMatrix { element, bytes: quantised.data().unwrap().to_vec() };
            assert_eq!(matrix.to_f32(), expected, "{element}");
            assert!(matrix.is_finite());
            // Bytes have no alignment to speak of.
            let (shifted, mut got) = ([&[0][..], &matrix.bytes].concat(), Vec::new());
            element.append_f32(&shifted[1..], &mut got);
            assert_eq!(got, expected, "{element}");
            let last = matrix.bytes.len() - element.block().unwrap().1;
            matrix.bytes[last..last + 2].copy_from_slice(&f16::NAN.to_le_bytes());
            assert!(!matrix.is_finite());
        }
    }
}
