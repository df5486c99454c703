//! The one operation that differs between processors: a small block of a matrix product.
//!
//! Everything above it ([`linear`](super::linear), [`attention`](super::attention)) is written once over
//! [`TileKernel`].

use bytemuck::Pod;

/// Columns of every tile; right operands are packed in panels of this many columns.
pub const COLS: usize = 32;

/// Columns of a left panel that may be written at a time.
pub const SEGMENT: usize = 512;

/// A block product `C[ROWS, COLS] = A[ROWS, k] · B[k, COLS]` on packed panels.
///
/// The panels' inner order belongs to the kernel: they are written through [`store_a`](Self::store_a) and
/// [`store_b`](Self::store_b) only.
pub trait TileKernel: Copy + Send + Sync + 'static {
    /// Element of a packed left panel.
    type A: Pod + Send + Sync;
    /// Element of a packed right panel.
    type B: Pod + Send + Sync;
    /// Rows of a tile.
    const ROWS: usize;
    /// Rows that should share a panel of the right operand while it is in cache: the faster the tile, the more.
    const ROWS_PER_TASK: usize;

    /// Elements of a left panel `[ROWS, k]`.
    fn a_len(k: usize) -> usize;

    /// Elements of a right panel `[k, COLS]`.
    fn b_len(k: usize) -> usize;

    /// Writes row `row` of a left panel from column `start` on, a multiple of [`SEGMENT`]; `values` are the next
    /// `SEGMENT` columns, or all that are left, and what the kernel pads beyond those is zeroed.
    fn store_a(self, panel: &mut [Self::A], row: usize, start: usize, values: &[f32]);

    /// Writes rows `k` and `k + 1` of a right panel of `depth` rows in all; `k` is even. Where `k + 1` is `depth`, the
    /// second row is zero. Panels start zeroed.
    fn store_b(panel: &mut [Self::B], depth: usize, k: usize, rows: [&[f32; COLS]; 2]);

    /// `c[row * stride + col] = Σ a·b` for the whole tile, overwriting. Meanwhile `ahead`, which a later tile will read,
    /// may be brought into the second-level cache.
    ///
    /// Call it within [`vectorize`](Self::vectorize) of the same kernel.
    ///
    /// # Panics
    /// Where a slice is shorter than the tile needs.
    fn tile(self, a: &[Self::A], b: &[Self::B], k: usize, c: &mut [f32], stride: usize, ahead: &[Self::B]);

    /// Runs `work` compiled for this kernel's instruction set, with the processor set up for [`tile`](Self::tile).
    fn vectorize(self, work: impl Work);
}

/// What [`TileKernel::vectorize`] runs. A trait and not a closure, because only a method can be marked
/// `#[inline(always)]`, and code is compiled for the instruction set of the function that it is inlined into.
pub trait Work {
    /// Mark it, and the functions of this module's siblings that it calls, `#[inline(always)]`.
    fn run(self);
}

/// Writes a whole row of a left panel.
#[inline(always)]
pub(super) fn store_row<K: TileKernel>(kernel: K, panel: &mut [K::A], row: usize, values: &[f32]) {
    for (segment, values) in values.chunks(SEGMENT).enumerate() {
        kernel.store_a(panel, row, segment * SEGMENT, values);
    }
}

/// Rows of one task over `rows` in all, a multiple of the tile's: at most `most`, and such that threads finish together.
pub(super) fn rows_per_task<K: TileKernel>(rows: usize, most: usize) -> usize {
    panels_per_task(rows.div_ceil(K::ROWS), (most / K::ROWS).max(1), rayon::current_num_threads()) * K::ROWS
}

/// The longest thread's work counts, and a quarter of a panel for every task that it starts.
fn panels_per_task(panels: usize, most: usize, threads: usize) -> usize {
    let cost = |size: usize| {
        let (whole, rest) = (panels / size, panels % size);
        let longest = whole.div_ceil(threads) * size + if whole.is_multiple_of(threads) { rest } else { 0 };
        4 * longest + panels.div_ceil(size).div_ceil(threads)
    };
    // Two tasks a thread at least: where a thread is held up, another one can take over.
    let most = most.min(panels.div_ceil(2 * threads)).max(1);
    (1..=most).rev().min_by_key(|size| cost(*size)).unwrap_or(1)
}

/// The part of `next` that the `index`-th of `count` tiles should bring into cache.
#[inline(always)]
pub(super) fn share<T>(next: &[T], index: usize, count: usize) -> &[T] {
    let len = next.len().div_ceil(count);
    &next[(index * len).min(next.len())..((index + 1) * len).min(next.len())]
}

/// Checks the slices of one [`TileKernel::tile`] call; kernels read and write unchecked after it.
pub(super) fn check_tile<K: TileKernel>(a: usize, b: usize, k: usize, c: usize, stride: usize) {
    assert!(a >= K::a_len(k) && b >= K::b_len(k), "panels of {a} and {b} are too short for k = {k}");
    assert!(stride >= COLS && c >= (K::ROWS - 1) * stride + COLS, "output of {c} is too short for stride {stride}");
}

/// Asks for the cache lines of `row` ahead of their use. Tiles write short pieces of rows that are far apart, which no
/// hardware prefetcher foresees; asked for before the product, they arrive while it is computed.
#[inline(always)]
pub(super) fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: prefetching reads nothing that the program sees, and the address is that of a slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// Plain Rust, vectorised by the compiler: for processors without a kernel of their own (x86 with AVX2, ARM with NEON).
/// On x86 without FMA, older than 2013, every product is a library call: right, but some fifty times slower.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Portable {
    const HALF: usize = COLS / 2;
}

impl TileKernel for Portable {
    type A = f32;
    type B = f32;
    const ROWS: usize = 4;
    const ROWS_PER_TASK: usize = 96;

    fn a_len(k: usize) -> usize {
        Self::ROWS * k
    }

    fn b_len(k: usize) -> usize {
        COLS * k
    }

    #[inline(always)]
    fn store_a(self, panel: &mut [f32], row: usize, start: usize, values: &[f32]) {
        for (group, value) in panel[start * Self::ROWS..].chunks_exact_mut(Self::ROWS).zip(values) {
            group[row] = *value;
        }
    }

    #[inline(always)]
    fn store_b(panel: &mut [f32], depth: usize, k: usize, rows: [&[f32; COLS]; 2]) {
        // [two halves][depth][HALF]: 4 rows of one half fit the 16 registers of AVX2.
        for (k, values) in (k..depth).zip(rows) {
            for (half, values) in values.chunks_exact(Self::HALF).enumerate() {
                let start = (half * depth + k) * Self::HALF;
                panel[start..start + Self::HALF].copy_from_slice(values);
            }
        }
    }

    #[inline(always)]
    fn tile(self, a: &[f32], b: &[f32], k: usize, c: &mut [f32], stride: usize, _ahead: &[f32]) {
        check_tile::<Self>(a.len(), b.len(), k, c.len(), stride);
        let a = &a[..Self::ROWS * k];
        for (half, b) in b[..COLS * k].chunks_exact((Self::HALF * k).max(1)).enumerate() {
            let mut sums = [[0f32; Self::HALF]; Self::ROWS];
            for (a, b) in a.chunks_exact(Self::ROWS).zip(b.chunks_exact(Self::HALF)) {
                for (sums, a) in sums.iter_mut().zip(a) {
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum = a.mul_add(*b, *sum);
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let start = row * stride + half * Self::HALF;
                c[start..start + Self::HALF].copy_from_slice(sums);
            }
        }
    }

    #[inline(always)]
    fn vectorize(self, work: impl Work) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            fn with_avx2(work: impl Work) {
                work.run();
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the processor has both features.
                return unsafe { with_avx2(work) };
            }
        }
        work.run();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_finish_together() {
        // 1,029 tokens in tiles of 14: 38 panels for the longer thread, where tasks of 8 would make it 40.
        assert_eq!(panels_per_task(74, 8, 2), 6);
        assert_eq!(panels_per_task(74, 8, 1), 8);
        assert_eq!(panels_per_task(1, 8, 2), 1);
        assert_eq!(panels_per_task(0, 8, 2), 1);
        assert_eq!(panels_per_task(5, 8, 64), 1);
    }
}
