//! Branch-free transcendental functions that the compiler vectorises.
//!
//! Called inside [`TileKernel::vectorize`](super::tile::TileKernel::vectorize), where they become vector code of the
//! kernel's width; elsewhere they are right but slow.

/// Adding it to a float of magnitude below 2^22 leaves the nearest integer in the low bits of the mantissa.
const ROUND: f32 = 12_582_912.0;

/// `2^x` for `x` up to 126, relative error below 3e-7; about 1e-38 from -126 down.
///
/// Minimax polynomial of degree 5 on [-0.5, 0.5]; the exponent is added as an integer.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    // Not `f32::max`, whose care for NaN costs two more instructions.
    let x = if x < -126.0 { -126.0 } else { x };
    let shifted = x + ROUND;
    let fraction = x - (shifted - ROUND);
    let mut power = 0.001_327_646_7_f32;
    power = power.mul_add(fraction, 0.009_675_541);
    power = power.mul_add(fraction, 0.055_507_135);
    power = power.mul_add(fraction, 0.240_221_2);
    power = power.mul_add(fraction, 0.693_146_94);
    power = power.mul_add(fraction, 1.000_000_1);
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `x * Φ(x)`, the exact GELU (not the tanh form); absolute error below 2e-6 for |x| ≤ 8.
///
/// Φ(x) - 1/2 is odd: a minimax polynomial in x² on |x| ≤ 5 times x, where Φ is 3e-7 from its limit.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    const LIMIT: f32 = 5.0;
    const COEFFICIENTS: [f32; 12] = [
        -0.001_514_143_1,
        0.002_001_889,
        -0.002_915_697_6,
        0.006_165_405_7,
        -0.010_973_211,
        0.016_497_666,
        -0.023_336_738,
        0.031_426_23,
        -0.040_432_95,
        0.051_521_42,
        -0.070_296_65,
        0.141_363_78,
    ];
    let clamped = x.clamp(-LIMIT, LIMIT);
    let s = (clamped * clamped).mul_add(2.0 / (LIMIT * LIMIT), -1.0);
    let mut sum = 0.000_492_957_3_f32;
    for coefficient in COEFFICIENTS {
        sum = sum.mul_add(s, coefficient);
    }
    x * clamped.mul_add(sum, 0.5)
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp2((-std::f32::consts::LOG2_E * x).min(126.0)))
}

/// Folds `values` in four vectors of 16, since one alone would wait for itself at every step; `empty` is the neutral
/// element.
#[inline(always)]
fn fold(values: &[f32], empty: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [[empty; 16]; 4];
    let mut chunks = values.chunks_exact(64);
    for chunk in &mut chunks {
        for (lanes, chunk) in lanes.iter_mut().zip(chunk.chunks_exact(16)) {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane = join(*value, *lane);
            }
        }
    }
    let mut joined = [empty; 16];
    for (i, joined) in joined.iter_mut().enumerate() {
        *joined = join(join(lanes[0][i], lanes[1][i]), join(lanes[2][i], lanes[3][i]));
    }
    joined.iter().chain(chunks.remainder()).fold(empty, |a, b| join(a, *b))
}

/// Sum of a slice.
#[inline(always)]
pub fn sum(values: &[f32]) -> f32 {
    fold(values, 0.0, |a, b| a + b)
}

/// Largest value of a slice; -inf where it is empty.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    fold(values, f32::NEG_INFINITY, |a, b| if a > b { a } else { b })
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over one row, as `torch.nn.LayerNorm`.
#[inline(always)]
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let n = x.len() as f32;
    let mean = sum(x) / n;
    for (out, x) in out.iter_mut().zip(x) {
        *out = x - mean;
    }
    let mut lanes = [0f32; 16];
    let mut chunks = out.chunks_exact(16);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = value.mul_add(*value, *lane);
        }
    }
    let squares = lanes.iter().sum::<f32>() + chunks.remainder().iter().map(|v| v * v).sum::<f32>();
    let scale = 1.0 / (squares / n + eps).sqrt();
    for ((out, weight), bias) in out.iter_mut().zip(weight).zip(bias) {
        *out = (*out * scale).mul_add(*weight, *bias);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Φ(x), the normal distribution, in f64, by the series of erf.
    pub fn phi(x: f64) -> f64 {
        let z = x.abs() / std::f64::consts::SQRT_2;
        let mut term = z;
        let mut series = z;
        for n in 1..200 {
            term *= -z * z / n as f64;
            series += term / (2 * n + 1) as f64;
        }
        let erf = if z < 4.0 { series * 2.0 / std::f64::consts::PI.sqrt() } else { 1.0 };
        0.5 * (1.0 + erf.copysign(x))
    }

    #[test]
    fn exp2_is_accurate() {
        for i in -12_000..=3_000 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp2();
            assert!((f64::from(exp2(x)) / exact - 1.0).abs() < 3e-7, "{x}: {} {exact}", exp2(x));
        }
        assert!(exp2(-1e9) < 1e-37 && exp2(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_is_the_exact_one() {
        for i in -800..=800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x) * phi(f64::from(x));
            assert!((f64::from(gelu(x)) - exact).abs() < 2e-6, "{x}: {} {exact}", gelu(x));
        }
        assert!((gelu(100.0) - 100.0).abs() < 1e-4 && gelu(-100.0).abs() < 1e-4);
    }

    #[test]
    fn layer_norm_centres_and_scales() {
        let x: Vec<f32> = (0..37).map(|i| (i * i) as f32 * 0.1 + 5.0).collect();
        let mut out = vec![0.0; 37];
        layer_norm(&x, &[2.0; 37], &[1.0; 37], 0.0, &mut out);
        let mean = out.iter().sum::<f32>() / 37.0;
        let variance = out.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 37.0;
        assert!((mean - 1.0).abs() < 1e-5 && (variance - 4.0).abs() < 1e-4, "{mean} {variance}");
    }
}
