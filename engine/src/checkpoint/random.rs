//! Random weights of the scale of trained ones, for benchmarks and tests.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// A tensor by its name (Meta's) and shape. Every tensor has its own sequence, so none needs to be kept.
pub(super) fn tensor(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
    // FNV-1a
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ hash);
    let len = shape.iter().product();
    let (mean, deviation) = match name {
        _ if name.ends_with("gamma") => (0.5, 0.1),
        // Norms alone have vectors as weights.
        _ if name.ends_with("weight") && shape.len() == 1 => (1.0, 0.1),
        _ => (0.0, 0.02),
    };
    let mut numbers: Vec<f32> = (0..len).map(|_| mean + deviation * normal(&mut rng)).collect();
    if name.ends_with("attn.qkv.bias") {
        numbers[len / 3..2 * len / 3].fill(0.0);
    }
    numbers
}

/// Mean 0, deviation 1, at most 3.5 away: the sum of four uniform numbers, close to a normal one and quick to draw.
fn normal(rng: &mut impl RngCore) -> f32 {
    const MEAN: f32 = 2.0 * 65535.0;
    const DEVIATION: f32 = 37837.2;
    let bits = rng.next_u64();
    let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
    (sum as f32 - MEAN) / DEVIATION
}
