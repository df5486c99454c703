//! bf16 products with the AVX-512 BF16 dot product, for processors that have it without the tile unit.

use std::arch::x86_64::*;

use half::bf16;

use super::tile::{COLS, TileKernel, Work, check_tile};

const ROWS: usize = 14;
/// Pairs of k in a block of a left panel; see `avx512.rs`.
const BLOCK: usize = 256;
const STRIDE: usize = BLOCK + 16;

/// Rounds to nearest even; NaN stays NaN only where its payload survives the rounding, which weights and activations
/// never need.
#[inline(always)]
pub(super) fn round_to_bf16(values: &[f32], out: &mut [bf16]) {
    for (out, value) in out.iter_mut().zip(values) {
        let bits = value.to_bits();
        *out = bf16::from_bits((bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16);
    }
}

/// Two rows of k as the pairs that bf16 products read: the first row in the low halves.
#[inline(always)]
pub(super) fn pairs(rows: [&[f32; COLS]; 2]) -> [u32; COLS] {
    let round = |value: f32| {
        let bits = value.to_bits();
        bits.wrapping_add(0x7fff + (bits >> 16 & 1))
    };
    let mut pairs = [0; COLS];
    for i in 0..COLS {
        pairs[i] = round(rows[0][i]) >> 16 | round(rows[1][i]) & 0xffff_0000;
    }
    pairs
}

/// The kernel; made by [`Avx512Bf16::detect`], so that having one means the processor can run it.
#[derive(Clone, Copy, Debug)]
pub struct Avx512Bf16(());

impl Avx512Bf16 {
    /// `None` where the processor lacks AVX-512 BF16.
    pub fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        all.then_some(Self(()))
    }
}

impl TileKernel for Avx512Bf16 {
    /// `[k / 512][14 rows][272 pairs]`: a pair of neighbours in k, the even one in the low half.
    type A = u32;
    /// `[k / 2][32 columns]` of such pairs.
    type B = u32;
    const ROWS: usize = ROWS;
    const ROWS_PER_TASK: usize = 112;

    fn a_len(k: usize) -> usize {
        k.div_ceil(2 * BLOCK) * ROWS * STRIDE
    }

    fn b_len(k: usize) -> usize {
        k.div_ceil(2) * COLS
    }

    #[inline(always)]
    fn store_a(self, panel: &mut [u32], row: usize, start: usize, values: &[f32]) {
        let mut rounded = [bf16::ZERO; 2 * BLOCK];
        let blocks = panel[start / (2 * BLOCK) * ROWS * STRIDE..].chunks_exact_mut(ROWS * STRIDE);
        for (block, values) in blocks.zip(values.chunks(2 * BLOCK)) {
            round_to_bf16(values, &mut rounded[..values.len()]);
            rounded[values.len()..].fill(bf16::ZERO);
            let pairs = rounded.chunks_exact(2).take(values.len().div_ceil(2));
            for (stored, pair) in block[row * STRIDE..].iter_mut().zip(pairs) {
                *stored = u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16;
            }
        }
    }

    #[inline(always)]
    fn store_b(panel: &mut [u32], _depth: usize, k: usize, rows: [&[f32; COLS]; 2]) {
        panel[k / 2 * COLS..][..COLS].copy_from_slice(&pairs(rows));
    }

    #[inline(always)]
    fn tile(self, a: &[u32], b: &[u32], k: usize, c: &mut [f32], stride: usize, _ahead: &[u32]) {
        check_tile::<Self>(a.len(), b.len(), k, c.len(), stride);
        // SAFETY: the lengths were checked; `self` exists, so the processor has AVX-512 BF16.
        unsafe { tile(a.as_ptr(), b.as_ptr(), k.div_ceil(2), c.as_mut_ptr(), stride) }
    }

    #[inline(always)]
    fn vectorize(self, work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        fn with_avx512(work: impl Work) {
            work.run();
        }
        // SAFETY: `detect` has checked these features.
        unsafe { with_avx512(work) }
    }
}

/// # Safety
/// `a`, `b` and `c` are readable, or writable, as [`check_tile`] checks; the processor has AVX-512 BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline(never)]
unsafe fn tile(mut a: *const u32, mut b: *const u32, mut pairs: usize, c: *mut f32, stride: usize) {
    /// The same 512 bits as pairs of bf16.
    #[inline(always)]
    fn as_bf16(bits: __m512i) -> __m512bh {
        // SAFETY: both are 512 plain bits.
        unsafe { std::mem::transmute(bits) }
    }
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: a holds ceil(pairs / BLOCK) blocks, b holds `pairs` rows of COLS, c holds ROWS rows `stride` apart.
    unsafe {
        while pairs > 0 {
            let depth = pairs.min(BLOCK);
            for i in 0..depth {
                let left = as_bf16(_mm512_loadu_si512(b.cast()));
                let right = as_bf16(_mm512_loadu_si512(b.add(16).cast()));
                b = b.add(COLS);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let value = as_bf16(_mm512_set1_epi32((*a.add(row * STRIDE + i)).cast_signed()));
                    sums[0] = _mm512_dpbf16_ps(sums[0], value, left);
                    sums[1] = _mm512_dpbf16_ps(sums[1], value, right);
                }
            }
            a = a.add(ROWS * STRIDE);
            pairs -= depth;
        }
        for (row, sums) in sums.iter().enumerate() {
            _mm512_storeu_ps(c.add(row * stride), sums[0]);
            _mm512_storeu_ps(c.add(row * stride + 16), sums[1]);
        }
    }
}
