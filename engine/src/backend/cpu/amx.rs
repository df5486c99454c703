//! bf16 products on the tile unit of recent x86 processors (AMX): 32 × 32 tiles, f32 accumulation.
//!
//! The intrinsics are not in stable Rust, hence the assembly.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_storeu_si512};
use std::sync::OnceLock;

use half::bf16;

use super::bf16::{pairs, round_to_bf16};
use super::tile::{COLS, TileKernel, Work, check_tile};

const ROWS: usize = 32;
/// k per hardware tile: 64 bytes of bf16.
const DEPTH: usize = 32;
/// bf16 numbers of a hardware tile, 16 rows of 64 bytes.
const HARDWARE_TILE: usize = 16 * DEPTH;

/// The kernel; made by [`Amx::detect`], so that having one means the processor can run it.
#[derive(Clone, Copy, Debug)]
pub struct Amx(());

impl Amx {
    /// `None` where processor or operating system lack AMX with bf16.
    pub fn detect() -> Option<Self> {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        AVAILABLE.get_or_init(available).then_some(Self(()))
    }
}

/// Whether the processor has AMX-TILE, AMX-BF16 and the AVX-512 that the code around it is compiled for, and Linux lets this
/// process use the tile registers (they must be asked for, since they enlarge every thread's saved state).
fn available() -> bool {
    const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
    if !is_x86_feature_detected!("avx512bf16")
        || !is_x86_feature_detected!("avx512bw")
        || !is_x86_feature_detected!("avx512vl")
        || __cpuid(0).eax < 7
    {
        return false;
    }
    __cpuid_count(7, 0).edx & TILE_AND_BF16 == TILE_AND_BF16 && request_permission()
}

#[cfg(target_os = "linux")]
fn request_permission() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: arch_prctl with this request reads no memory of ours; an older kernel answers with an error.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn request_permission() -> bool {
    false
}

/// Operand of `ldtilecfg`: eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct TileConfig([u8; 64]);

impl TileConfig {
    const fn new() -> Self {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = 64;
            bytes[48 + tile] = 16;
            tile += 1;
        }
        Self(bytes)
    }
}

/// Rounds as [`round_to_bf16`], in one instruction: the compiler's own code for it takes a tenth of a layer's time.
///
/// # Safety
/// The processor has AVX-512 BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn round_chunk(values: &[f32; DEPTH], stored: &mut [bf16]) {
    assert_eq!(stored.len(), DEPTH);
    // SAFETY: 32 numbers are readable and 32 writable.
    unsafe {
        let (low, high) = (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(16)));
        let rounded: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
        _mm512_storeu_si512(stored.as_mut_ptr().cast(), rounded);
    }
}

static TILE_CONFIG: TileConfig = TileConfig::new();

impl TileKernel for Amx {
    /// `[k / 32][2 tiles][16 rows][32]`
    type A = bf16;
    /// `[k / 32][2 tiles][16 pairs of k][16 columns]`; the even k of a pair is in the low half.
    type B = u32;
    const ROWS: usize = ROWS;
    const ROWS_PER_TASK: usize = 256;

    fn a_len(k: usize) -> usize {
        k.div_ceil(DEPTH) * 2 * HARDWARE_TILE
    }

    fn b_len(k: usize) -> usize {
        k.div_ceil(DEPTH) * HARDWARE_TILE
    }

    #[inline(always)]
    fn store_a(self, panel: &mut [bf16], row: usize, start: usize, values: &[f32]) {
        let blocks = panel[start / DEPTH * 2 * HARDWARE_TILE..].chunks_exact_mut(2 * HARDWARE_TILE);
        for (block, values) in blocks.zip(values.chunks(DEPTH)) {
            let stored = &mut block[row * DEPTH..][..DEPTH];
            match values.first_chunk::<DEPTH>() {
                // SAFETY: `self` exists, so `detect` has found AVX-512 BF16.
                Some(values) => unsafe { round_chunk(values, stored) },
                None => {
                    round_to_bf16(values, &mut stored[..values.len()]);
                    stored[values.len()..].fill(bf16::ZERO);
                }
            }
        }
    }

    #[inline(always)]
    fn store_b(panel: &mut [u32], _depth: usize, k: usize, rows: [&[f32; COLS]; 2]) {
        let pairs = pairs(rows);
        let (block, pair) = (k / DEPTH, k % DEPTH / 2);
        for (tile, pairs) in pairs.chunks_exact(16).enumerate() {
            panel[((block * 2 + tile) * 16 + pair) * 16..][..16].copy_from_slice(pairs);
        }
    }

    #[inline(always)]
    fn tile(self, a: &[bf16], b: &[u32], k: usize, c: &mut [f32], stride: usize, ahead: &[u32]) {
        check_tile::<Self>(a.len(), b.len(), k, c.len(), stride);
        let blocks = k.div_ceil(DEPTH);
        if blocks == 0 {
            c.chunks_mut(stride).take(ROWS).for_each(|row| row[..COLS].fill(0.0));
            return;
        }
        // Two lines at a time, four times per block at most.
        let step = (size_of_val(ahead) / (blocks * 4)).min(128) & !63;
        // An empty slice points nowhere, and a prefetch of an unmapped page walks the page table in vain.
        let ahead = if ahead.is_empty() { b.as_ptr() } else { ahead.as_ptr() };
        let c = c.as_mut_ptr();
        // SAFETY: the lengths were checked for `blocks` blocks of two hardware tiles each, and for four hardware tiles
        // of c. Tiles are configured by `vectorize`; a missing configuration traps, it corrupts nothing.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {row}*1]",
                "tileloadd tmm6, [{b} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{ahead}]",
                "prefetcht1 [{ahead} + 64]",
                "add {ahead}, {step}",
                "tileloadd tmm7, [{b} + {row}*1 + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{ahead}]",
                "prefetcht1 [{ahead} + 64]",
                "add {ahead}, {step}",
                "tileloadd tmm5, [{a} + {row}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{ahead}]",
                "prefetcht1 [{ahead} + 64]",
                "add {ahead}, {step}",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{ahead}]",
                "prefetcht1 [{ahead} + 64]",
                "add {ahead}, {step}",
                "add {a}, 2048",
                "add {b}, 2048",
                "dec {blocks}",
                "jnz 2b",
                "tilestored [{c0} + {stride}*1], tmm0",
                "tilestored [{c0} + {stride}*1 + 64], tmm1",
                "tilestored [{c1} + {stride}*1], tmm2",
                "tilestored [{c1} + {stride}*1 + 64], tmm3",
                a = inout(reg) a.as_ptr() => _,
                b = inout(reg) b.as_ptr() => _,
                blocks = inout(reg) blocks => _,
                row = in(reg) 64_usize,
                ahead = inout(reg) ahead => _,
                step = in(reg) step,
                c0 = in(reg) c,
                c1 = in(reg) c.add(16 * stride),
                stride = in(reg) stride * size_of::<f32>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    #[inline(always)]
    fn vectorize(self, work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn with_avx512(work: impl Work) {
            work.run();
        }
        /// Puts the tile registers back to their initial state, so that context switches stay cheap.
        struct Release;
        impl Drop for Release {
            fn drop(&mut self) {
                // SAFETY: no tile is in use after the work.
                unsafe { asm!("tilerelease", options(nostack, nomem)) }
            }
        }
        // SAFETY: the operand is 64 bytes of a valid configuration; `self` exists, so AMX is there.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const TILE_CONFIG, options(nostack, readonly)) }
        let _release = Release;
        // SAFETY: `detect` has checked these features.
        unsafe { with_avx512(work) }
    }
}
