//! Every kernel that this processor has, against the formulas in f64.
//!
//! Whatever is computed here starts with working memory full of NaN, and with an output full of NaN where a layer does
//! not add to it: a number that is left out, or left over, shows.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::attention::{AttentionShape, Rope};
use super::linear::{Epilogue, Norm, PackedWeight};
use super::math::tests::phi;
use super::scratch::{Scratch, with_scratch};
use super::{Kernels, available, kernels};
use crate::backend::Dtype;
use crate::checkpoint::{ElementType, QuantisedMatrix};

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

/// Sums in f32 in another order (1e-6 of the terms' magnitudes at 20,000 of them), the exponential's polynomial (3e-7)
/// and GELU's (2e-6 of one).
const F32_SUM: f64 = 3e-6;

/// What a product's relative error is when its operands are rounded as the kernels of a type may do: weights to 11
/// significant bits (f16), weights and inputs to 8 (bf16).
fn product_rounding(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => 0.0,
        Dtype::F16 => 2f64.powi(-11),
        Dtype::Bf16 => 2.01 * 2f64.powi(-8),
    }
}

/// Distance of an attention row to the exact one, over the weighted mean length of the values it was mixed from.
fn attention_tolerance(dtype: Dtype) -> f64 {
    match dtype {
        // Scores reach 10, so that an error of 1e-7 in one is 1e-6 in its exponential.
        Dtype::F32 => 5e-6,
        // Keys and values have 11 bits.
        Dtype::F16 => 1e-3,
        // Queries, keys, values and the softmax have 8 bits.
        Dtype::Bf16 => 1e-2,
    }
}

/// One thread, and more threads than most sizes here have tasks for.
fn pools() -> [ThreadPool; 2] {
    [1, 3].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
}

/// Runs `work` in `pool` when the working memory of its threads holds nothing but NaN, whether read as f32, f16 or bf16.
fn run_in_dirty<R: Send>(pool: &ThreadPool, work: impl FnOnce() -> R + Send) -> R {
    const FLOATS: usize = 1 << 18;
    let nan = f32::from_bits(0x7fff_7fff);
    pool.broadcast(|_| with_scratch::<f32, _>(0, FLOATS, |_, floats| floats.fill(nan)));
    pool.install(work)
}

struct Numbers(Xoshiro256PlusPlus);

impl Numbers {
    fn new(seed: usize) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed as u64))
    }

    /// Multiples of `limit / 128` between `-limit` and `limit`: with a power of two they have 7 significant bits, which
    /// every type holds.
    fn exact(&mut self, len: usize, limit: f32) -> Vec<f32> {
        (0..len).map(|_| ((self.0.next_u32() >> 8) % 255) as f32 / 128.0 * limit - 127.0 / 128.0 * limit).collect()
    }

    /// All 24 bits.
    fn real(&mut self, len: usize, limit: f32) -> Vec<f32> {
        (0..len).map(|_| ((self.0.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * limit).collect()
    }
}

/// A number, and how far a kernel's answer may be from it.
#[derive(Clone, Copy, Default)]
struct Bounded {
    value: f64,
    error: f64,
}

#[track_caller]
fn check(got: &[f32], expected: &[Bounded], what: impl Fn() -> String) {
    assert_eq!(got.len(), expected.len());
    for (i, (&got, Bounded { value, error })) in got.iter().zip(expected).enumerate() {
        let distance = (f64::from(got) - value).abs();
        assert!(distance <= *error, "{}: number {i} is {got}, expected {value} ± {error:.1e}", what());
    }
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Bias,
    Gelu,
    SwiGlu,
    AddScaled,
}

impl Ending {
    const ALL: [Self; 4] = [Self::Bias, Self::Gelu, Self::SwiGlu, Self::AddScaled];
}

/// A linear layer and its input.
struct Layer {
    inputs: usize,
    /// Numbers per row of the output.
    width: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    norm: Option<Norm>,
    epilogue: Epilogue,
    /// What the output holds before.
    before: Vec<f32>,
}

impl Layer {
    /// Weights and input have all bits with `real`, else as few as every type holds.
    fn new([rows, inputs, width]: [usize; 3], ending: Ending, with_norm: bool, real: bool) -> Self {
        let mut numbers = Numbers::new(rows + inputs + width);
        let mut fill = |len, limit| if real { numbers.real(len, limit) } else { numbers.exact(len, limit) };
        let outputs = if matches!(ending, Ending::SwiGlu) { 2 * width } else { width };
        let epilogue = match ending {
            Ending::Bias => Epilogue::Bias,
            Ending::Gelu => Epilogue::Gelu,
            Ending::SwiGlu => Epilogue::SwiGlu,
            Ending::AddScaled => Epilogue::AddScaled(fill(width, 1.0)),
        };
        let before = match ending {
            Ending::AddScaled => fill(rows * width, 4.0),
            _ => vec![f32::NAN; rows * width],
        };
        let norm = with_norm.then(|| Norm { weight: fill(inputs, 1.0), bias: fill(inputs, 0.5), eps: 1e-5 });
        Self {
            inputs,
            width,
            x: fill(rows * inputs, 2.0),
            // Outputs are about 3 at a thousand inputs, where activations bend.
            weight: fill(outputs * inputs, 0.125),
            bias: fill(outputs, 1.0),
            norm,
            epilogue,
            before,
        }
    }

    fn run(&self, kernels: &dyn Kernels) -> Vec<f32> {
        self.apply(kernels.pack(&self.weight, self.inputs, &self.epilogue).as_ref())
    }

    fn apply(&self, packed: &dyn PackedWeight) -> Vec<f32> {
        let mut out = self.before.clone();
        packed.apply(&self.x, self.norm.as_ref(), &self.bias, &self.epilogue, &mut out);
        out
    }

    /// For kernels whose products have that relative error.
    fn expected(&self, rounding: f64) -> Vec<Bounded> {
        let rows = self.x.chunks_exact(self.inputs);
        rows.zip(self.before.chunks_exact(self.width)).flat_map(|(x, before)| self.row(x, before, rounding)).collect()
    }

    fn row(&self, x: &[f32], before: &[f32], rounding: f64) -> Vec<Bounded> {
        let x: Vec<f64> = match &self.norm {
            Some(norm) => layer_norm(x, norm),
            None => x.iter().copied().map(f64::from).collect(),
        };
        let product = |(bias, weight): (&f32, &[f32])| {
            let bias = f64::from(*bias);
            let terms = x.iter().zip(weight).map(|(x, weight)| x * f64::from(*weight));
            let (sum, magnitude) = terms.fold((0.0, 0.0), |(sum, all), term: f64| (sum + term, all + term.abs()));
            Bounded { value: sum + bias, error: rounding * magnitude + F32_SUM * (magnitude + bias.abs()) }
        };
        let y: Vec<Bounded> = self.bias.iter().zip(self.weight.chunks_exact(self.inputs)).map(product).collect();
        match &self.epilogue {
            Epilogue::Bias => y,
            Epilogue::Gelu => {
                let gelu = |y: &Bounded| Bounded { value: y.value * phi(y.value), error: 1.13 * y.error + F32_SUM };
                y.iter().map(gelu).collect()
            }
            Epilogue::SwiGlu => {
                let (gate, up) = y.split_at(self.width);
                let gated = |(gate, up): (&Bounded, &Bounded)| {
                    let silu = gate.value / (1.0 + (-gate.value).exp());
                    let silu_error = 1.1 * gate.error + F32_SUM * silu.abs();
                    let error = silu_error * (up.value.abs() + up.error) + silu.abs() * up.error;
                    Bounded { value: silu * up.value, error }
                };
                gate.iter().zip(up).map(gated).collect()
            }
            Epilogue::AddScaled(scale) => {
                let added = |((y, scale), before): ((&Bounded, &f32), &f32)| {
                    let (scale, before) = (f64::from(*scale), f64::from(*before));
                    let value = before + scale * y.value;
                    Bounded { value, error: scale.abs() * y.error + F32_SUM * (before.abs() + value.abs()) }
                };
                y.iter().zip(scale).zip(before).map(added).collect()
            }
        }
    }
}

fn layer_norm(x: &[f32], norm: &Norm) -> Vec<f64> {
    let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (variance + f64::from(norm.eps)).sqrt();
    let affine = norm.weight.iter().zip(&norm.bias);
    x.iter().zip(affine).map(|(x, (w, b))| (x - mean) * scale * f64::from(*w) + f64::from(*b)).collect()
}

/// Runs a layer on every kernel with any number of threads.
#[track_caller]
fn check_layer(pools: &[ThreadPool], sizes: [usize; 3], ending: Ending, with_norm: bool, real: bool) {
    let layer = Layer::new(sizes, ending, with_norm, real);
    for dtype in DTYPES {
        // What a norm gives has all bits; only weights that have few are held exactly.
        let rounding = match (real, with_norm, dtype) {
            (false, false, _) | (false, true, Dtype::F16) => 0.0,
            _ => product_rounding(dtype),
        };
        let expected = layer.expected(rounding);
        for (name, kernels) in available(dtype) {
            let outputs = pools.iter().map(|pool| {
                let out = run_in_dirty(pool, || layer.run(&*kernels));
                let threads = pool.current_num_threads();
                check(&out, &expected, || {
                    format!("{name}, {threads} threads, {sizes:?}, {ending:?}, norm {with_norm}, real {real}")
                });
                out
            });
            let outputs: Vec<_> = outputs.collect();
            assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {sizes:?} depends on the threads");
        }
    }
}

#[test]
fn linear_layers_of_any_size() {
    let pools = pools();
    // Rows, inputs, width: one of each; around tiles of 14 and 32 rows, of 32 columns and 16 pairs of columns; around
    // blocks of 32, 256 and 512 inputs; several tasks.
    let sizes = [
        [1, 1, 1],
        [1, 513, 33],
        [2, 31, 7],
        [13, 40, 32],
        [14, 64, 64],
        [15, 65, 31],
        [32, 256, 16],
        [33, 257, 50],
        [57, 1100, 47],
        [260, 513, 17],
        [130, 96, 200],
    ];
    for sizes in sizes {
        for ending in Ending::ALL {
            for with_norm in [false, true] {
                check_layer(&pools, sizes, ending, with_norm, false);
            }
        }
    }
}

#[test]
fn rows_longer_than_a_cache() {
    check_layer(&pools(), [3, 20_000, 2], Ending::Bias, true, false);
}

#[test]
fn operands_are_rounded_once_and_to_nearest() {
    let pools = pools();
    for sizes in [[7, 1, 33], [5, 2, 40], [40, 300, 48]] {
        for ending in Ending::ALL {
            check_layer(&pools, sizes, ending, false, true);
        }
    }
}

/// One call of attention.
struct Attention {
    shape: AttentionShape,
    /// `[tokens, 3, heads, head_dim]`
    qkv: Vec<f32>,
    rope: Option<Rope>,
}

impl Attention {
    /// Rotated from token `prefix` on, where there is one.
    fn new([tokens, heads, head_dim]: [usize; 3], prefix: Option<usize>) -> Self {
        let mut numbers = Numbers::new(tokens + heads + head_dim);
        let rope = prefix.map(|prefix| {
            let angles = numbers.real((tokens - prefix) * head_dim / 2, 3.2);
            let (sin, cos) = angles.into_iter().map(f32::sin_cos).unzip();
            Rope { cos, sin, prefix }
        });
        // Scores have deviation 2: each token matters to some query.
        let qkv = numbers.real(tokens * 3 * heads * head_dim, 2.5);
        Self { shape: AttentionShape { tokens, heads, head_dim, is_causal: false }, qkv, rope }
    }

    fn run(&self, kernels: &dyn Kernels) -> Vec<f32> {
        let AttentionShape { tokens, heads, head_dim, .. } = self.shape;
        let mut scratch = Scratch::default();
        let mut run = || {
            let mut out = vec![f32::NAN; tokens * heads * head_dim];
            kernels.attention(&self.qkv, self.shape, self.rope.as_ref(), &mut scratch, &mut out);
            out
        };
        let first = run();
        assert_eq!(first, run(), "{:?} depends on what an earlier call left", self.shape);
        first
    }

    /// q (0), k (1) or v (2) of one token of one head.
    fn vector(&self, part: usize, token: usize, head: usize) -> Vec<f64> {
        let AttentionShape { heads, head_dim, .. } = self.shape;
        let start = ((token * 3 + part) * heads + head) * head_dim;
        self.qkv[start..start + head_dim].iter().copied().map(f64::from).collect()
    }

    fn rotated(&self, part: usize, token: usize, head: usize) -> Vec<f64> {
        let x = self.vector(part, token, head);
        let Some((rope, patch)) = self.rope.as_ref().and_then(|rope| Some((rope, token.checked_sub(rope.prefix)?)))
        else {
            return x;
        };
        let half = x.len() / 2;
        let turned = |i: usize| {
            let (cos, sin) =
                (f64::from(rope.cos[patch * half + i % half]), f64::from(rope.sin[patch * half + i % half]));
            if i < half { x[i] * cos - x[i + half] * sin } else { x[i] * cos + x[i - half] * sin }
        };
        (0..x.len()).map(turned).collect()
    }

    /// Compares the rows of these tokens.
    #[track_caller]
    fn check(&self, got: &[f32], tokens: impl Iterator<Item = usize> + Clone, tolerance: f64, what: &str) {
        let AttentionShape { heads, head_dim, .. } = self.shape;
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        for head in 0..heads {
            let of_all = |vector: &dyn Fn(usize) -> Vec<f64>| (0..self.shape.tokens).map(vector).collect::<Vec<_>>();
            let keys = of_all(&|token| self.rotated(1, token, head));
            let values = of_all(&|token| self.vector(2, token, head));
            for token in tokens.clone() {
                let query = self.rotated(0, token, head);
                let dot = |key: &Vec<f64>| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>();
                let seen = if self.shape.is_causal { token + 1 } else { self.shape.tokens };
                let scores: Vec<f64> = keys[..seen].iter().map(|key| dot(key) / (head_dim as f64).sqrt()).collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
                let total: f64 = weights.iter().sum();
                let mut distance: Vec<f64> =
                    got[(token * heads + head) * head_dim..][..head_dim].iter().copied().map(f64::from).collect();
                let mut scale = 0.0;
                for (weight, value) in weights.iter().zip(&values) {
                    scale += weight / total * length(value);
                    distance.iter_mut().zip(value).for_each(|(distance, value)| *distance -= weight / total * value);
                }
                let error = length(&distance) / scale;
                assert!(error <= tolerance, "{what}, {:?}: token {token} of head {head}: {error:.1e}", self.shape);
            }
        }
    }
}

#[test]
fn attention_of_any_size() {
    let pools = pools();
    // Tokens, heads, width of a head; tokens before the patches.
    let cases = [
        ([1, 1, 16], None),
        ([1, 2, 64], Some(0)),
        ([5, 1, 64], Some(5)),
        ([2, 3, 48], Some(1)),
        ([6, 2, 4], Some(1)),
        ([31, 2, 16], Some(5)),
        ([32, 1, 20], Some(0)),
        ([33, 2, 128], Some(5)),
        ([65, 3, 48], Some(1)),
        ([201, 1, 128], None),
        ([300, 2, 64], Some(5)),
        ([300, 1, 16], Some(5)),
    ];
    for (sizes, prefix) in cases {
        let attention = Attention::new(sizes, prefix);
        for dtype in DTYPES {
            for (name, kernels) in available(dtype) {
                let outputs = pools.each_ref().map(|pool| run_in_dirty(pool, || attention.run(&*kernels)));
                attention.check(&outputs[0], 0..sizes[0], attention_tolerance(dtype), name);
                assert_eq!(outputs[0], outputs[1], "{name}: {sizes:?} depends on the threads");
            }
        }
    }
}

#[test]
fn causal_attention_of_any_size() {
    for sizes in [[1, 1, 16], [2, 3, 64], [12, 2, 64], [31, 2, 20], [77, 3, 64], [201, 1, 128]] {
        let mut attention = Attention::new(sizes, None);
        attention.shape.is_causal = true;
        for dtype in DTYPES {
            for (name, kernels) in available(dtype) {
                attention.check(&attention.run(&*kernels), 0..sizes[0], attention_tolerance(dtype), name);
            }
        }
    }
}

#[test]
fn attention_of_four_thousand_tokens() {
    let attention = Attention::new([4200, 1, 64], Some(5));
    for dtype in DTYPES {
        let out = attention.run(&*kernels(dtype));
        let some_and_the_last = (0..4200).step_by(97).chain([4199]);
        attention.check(&out, some_and_the_last, attention_tolerance(dtype), dtype.name());
    }
}

#[test]
fn scores_of_any_magnitude() {
    let (tokens, head_dim) = (33, 64);
    let mut attention = Attention::new([tokens, 1, head_dim], None);
    let values = Numbers::new(1).exact(tokens * head_dim, 2.0);
    // The score of a token with itself is 11,250, and 0 with every other: the softmax picks one value.
    for (token, qkv) in attention.qkv.chunks_exact_mut(3 * head_dim).enumerate() {
        qkv.fill(0.0);
        qkv[token] = 300.0;
        qkv[head_dim + token] = 300.0;
        qkv[2 * head_dim..].copy_from_slice(&values[token * head_dim..][..head_dim]);
    }
    for dtype in DTYPES {
        for (name, kernels) in available(dtype) {
            let expected: Vec<_> =
                values.iter().map(|value| Bounded { value: f64::from(*value), error: F32_SUM }).collect();
            check(&attention.run(&*kernels), &expected, || name.to_owned());
        }
    }
}

/// Weights that stay quantised are unpacked to the very numbers that are packed otherwise.
#[test]
fn quantised_weights_give_the_same_to_the_last_bit() {
    let pool = &pools()[1];
    for (kind, element) in
        [(GgmlDType::Q8_0, ElementType::Q8_0), (GgmlDType::Q4_0, ElementType::Q4_0), (GgmlDType::Q4K, ElementType::Q4K)]
    {
        for ending in Ending::ALL {
            let mut layer = Layer::new([37, 512, 50], ending, true, true);
            let shape = (layer.weight.len() / layer.inputs, layer.inputs);
            let numbers = Tensor::from_slice(&layer.weight, shape, &Device::Cpu).unwrap();
            let bytes = QTensor::quantize(&numbers, kind).unwrap().data().unwrap().into_owned();
            let matrix = QuantisedMatrix { element, bytes };
            layer.weight = matrix.to_f32();
            for dtype in DTYPES {
                for (name, kernels) in available(dtype) {
                    let expected = layer.run(&*kernels);
                    let quantised = kernels.pack_quantised(&matrix, layer.inputs, &layer.epilogue);
                    let got = run_in_dirty(pool, || layer.apply(quantised.as_ref()));
                    assert_eq!(got, expected, "{name}, {ending:?}, {element}");
                    let is_rounded = name.contains("rounded");
                    // A panel is padded to 32 outputs: of 50 or 100 that is up to 1.3 times as much.
                    let bits = 8.0 * quantised.bytes() as f64 / (1.3 * layer.weight.len() as f64);
                    let most = if element == ElementType::Q8_0 { 9.0 } else { 6.0 };
                    assert!(is_rounded || bits <= most, "{name}, {element}: {bits} bits");
                }
            }
        }
    }
}
