//! f32 products with AVX-512: 14 × 32 tiles, 28 accumulators in registers.
//!
//! Right panels may be stored as f32, f16 or bf16 and are widened when loaded, which halves a model's memory at no
//! loss beyond the weights' own rounding.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use bytemuck::Pod;
use half::{bf16, f16};

use super::tile::{COLS, TileKernel, Work, check_tile};

const ROWS: usize = 14;
/// Left panels are cut along k into blocks of this many columns, so that a row's distance is a constant.
const BLOCK: usize = 256;
/// Distance of rows within a block: 16 more than the block, since rows a power of two apart would share cache sets.
const STRIDE: usize = BLOCK + 16;

/// How the numbers of a right panel are stored.
pub trait Storage: Pod + Send + Sync {
    /// Rounds to the stored type.
    fn from_f32(value: f32) -> Self;

    /// Sixteen numbers from `source` on, widened to f32.
    ///
    /// # Safety
    /// Sixteen elements are readable at `source`, and the processor has AVX-512F.
    unsafe fn load(source: *const Self) -> __m512;
}

impl Storage for f32 {
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }

    #[inline(always)]
    unsafe fn load(source: *const Self) -> __m512 {
        // SAFETY: as the trait asks.
        unsafe { _mm512_loadu_ps(source) }
    }
}

impl Storage for f16 {
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }

    #[inline(always)]
    unsafe fn load(source: *const Self) -> __m512 {
        // SAFETY: as the trait asks; 16 f16 are 256 bits.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(source.cast())) }
    }
}

impl Storage for bf16 {
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        bf16::from_f32(value)
    }

    #[inline(always)]
    unsafe fn load(source: *const Self) -> __m512 {
        // SAFETY: as the trait asks; a bf16 is the upper half of an f32.
        unsafe {
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(source.cast()))))
        }
    }
}

/// The kernel; made by [`Avx512::detect`], so that having one means the processor can run it.
#[derive(Clone, Copy, Debug)]
pub struct Avx512<S>(PhantomData<S>);

impl<S> Avx512<S> {
    /// `None` where the processor lacks AVX-512F.
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(PhantomData))
    }
}

impl<S: Storage> TileKernel for Avx512<S> {
    type A = f32;
    type B = S;
    const ROWS: usize = ROWS;
    const ROWS_PER_TASK: usize = 112;

    fn a_len(k: usize) -> usize {
        k.div_ceil(BLOCK) * ROWS * STRIDE
    }

    fn b_len(k: usize) -> usize {
        k * COLS
    }

    #[inline(always)]
    fn store_a(self, panel: &mut [f32], row: usize, start: usize, values: &[f32]) {
        let blocks = panel[start / BLOCK * ROWS * STRIDE..].chunks_exact_mut(ROWS * STRIDE);
        for (block, values) in blocks.zip(values.chunks(BLOCK)) {
            block[row * STRIDE..][..values.len()].copy_from_slice(values);
        }
    }

    #[inline(always)]
    fn store_b(panel: &mut [S], depth: usize, k: usize, rows: [&[f32; COLS]; 2]) {
        for (k, values) in (k..depth).zip(rows) {
            for (stored, value) in panel[k * COLS..][..COLS].iter_mut().zip(values) {
                *stored = S::from_f32(*value);
            }
        }
    }

    #[inline(always)]
    fn tile(self, a: &[f32], b: &[S], k: usize, c: &mut [f32], stride: usize, ahead: &[S]) {
        check_tile::<Self>(a.len(), b.len(), k, c.len(), stride);
        // SAFETY: the lengths were checked; `self` exists, so the processor has AVX-512F.
        unsafe { tile(a.as_ptr(), b.as_ptr(), k, c.as_mut_ptr(), stride, ahead) }
    }

    #[inline(always)]
    fn vectorize(self, work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        fn with_avx512(work: impl Work) {
            work.run();
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has these features.
            return unsafe { with_avx512(work) };
        }
        work.run();
    }
}

/// # Safety
/// `a`, `b` and `c` are readable, or writable, as [`check_tile`] checks; the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
#[inline(never)]
unsafe fn tile<S: Storage>(mut a: *const f32, mut b: *const S, mut k: usize, c: *mut f32, stride: usize, ahead: &[S]) {
    // An empty slice points nowhere, and a prefetch of an unmapped page walks the page table in vain.
    let mut later = if ahead.is_empty() { b } else { ahead.as_ptr() };
    let step = ahead.len() / k.max(1);
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: a holds ceil(k / BLOCK) blocks, b holds k rows of COLS, c holds ROWS rows `stride` apart,
    // and `later` takes at most k steps within `ahead`.
    unsafe {
        while k > 0 {
            let depth = k.min(BLOCK);
            for i in 0..depth {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(16 * COLS).cast());
                if size_of::<S>() == 4 {
                    _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(16 * COLS + 16).cast());
                }
                let left = S::load(b);
                let right = S::load(b.add(16));
                b = b.add(COLS);
                _mm_prefetch::<_MM_HINT_T1>(later.cast());
                later = later.add(step);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let value = _mm512_set1_ps(*a.add(row * STRIDE + i));
                    sums[0] = _mm512_fmadd_ps(value, left, sums[0]);
                    sums[1] = _mm512_fmadd_ps(value, right, sums[1]);
                }
            }
            a = a.add(ROWS * STRIDE);
            k -= depth;
        }
        for (row, sums) in sums.iter().enumerate() {
            _mm512_storeu_ps(c.add(row * stride), sums[0]);
            _mm512_storeu_ps(c.add(row * stride + 16), sums[1]);
        }
    }
}
