//! Self-attention of one picture or text without ever holding the tokens × tokens matrix.
//!
//! A task takes a few rows of queries and, head by head, computes their scores against all keys, the softmax, and the
//! weighted mean of the values; the scores of those rows (about 100 × tokens numbers) stay in the second-level cache.

use rayon::prelude::*;

use super::math;
use super::scratch::{Scratch, with_scratch};
use super::tile::{COLS, SEGMENT, TileKernel, Work, prefetch, rows_per_task, store_row};

/// Bytes of scores and weights that one task keeps in the second-level cache, beside one head's keys and values.
const BYTES_PER_TASK: usize = 640 << 10;

/// Rotary position embedding of the patch tokens (reference: `dinov3/layers/rope_position_encoding.py`).
#[derive(Clone, Debug)]
pub struct Rope {
    /// `[patches, head_dim / 2]`
    pub cos: Vec<f32>,
    /// `[patches, head_dim / 2]`
    pub sin: Vec<f32>,
    /// Tokens before the patches, which are not rotated.
    pub prefix: usize,
}

/// Sizes of one attention call.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// CLS, registers and patches, or those of a text.
    pub tokens: usize,
    /// Attention heads.
    pub heads: usize,
    /// Numbers per head.
    pub head_dim: usize,
    /// Whether a token sees itself and those before it alone.
    pub is_causal: bool,
}

impl AttentionShape {
    /// Numbers of a token.
    pub fn dim(self) -> usize {
        self.heads * self.head_dim
    }
}

/// `softmax(q kᵀ / √head_dim) v`; `qkv` is `[tokens, 3, heads, head_dim]`, `out` is `[tokens, heads, head_dim]`.
///
/// # Panics
/// Where a slice or the rope is shorter than the shape.
pub fn attention<K: TileKernel>(
    kernel: K,
    qkv: &[f32],
    shape: AttentionShape,
    rope: Option<&Rope>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let keys = Keys::pack(kernel, qkv, shape, rope, scratch);
    let row_bytes = shape.tokens * (size_of::<f32>() + size_of::<K::A>());
    // Query rows share each panel of keys and values while it is in cache: two tiles at least, four at most.
    let most = (BYTES_PER_TASK / row_bytes).clamp(2 * K::ROWS, 4 * K::ROWS);
    let rows = rows_per_task::<K>(shape.tokens, most);
    out.par_chunks_mut(rows * shape.dim()).with_max_len(1).enumerate().for_each(|(task, out)| {
        keys.attend(qkv, rope, task * rows, out);
    });
}

/// Keys and values of all heads as right panels.
struct Keys<'a, K: TileKernel> {
    kernel: K,
    shape: AttentionShape,
    /// Per head and panel of [`COLS`] tokens: `[head_dim, COLS]`, keys transposed.
    keys: &'a [K::B],
    /// Per head and panel of [`COLS`] numbers of the head: `[tokens, COLS]`.
    values: &'a [K::B],
}

impl<'a, K: TileKernel> Keys<'a, K> {
    fn token_panels(shape: AttentionShape) -> usize {
        shape.tokens.div_ceil(COLS)
    }

    fn value_panels(shape: AttentionShape) -> usize {
        shape.head_dim.div_ceil(COLS)
    }

    fn pack(kernel: K, qkv: &[f32], shape: AttentionShape, rope: Option<&Rope>, scratch: &'a mut Scratch) -> Self {
        let AttentionShape { tokens, heads, head_dim, .. } = shape;
        let key_len = Self::token_panels(shape) * K::b_len(head_dim);
        let value_len = Self::value_panels(shape) * K::b_len(tokens);
        let (keys, values) = scratch.pair::<K::B>(heads * key_len, heads * value_len);
        let per_head = keys.par_chunks_mut(key_len).zip(values.par_chunks_mut(value_len)).enumerate();
        per_head.for_each(|(head, (keys, values))| {
            with_scratch::<f32, _>(0, COLS * head_dim, |_, rotated| {
                kernel.vectorize(PackHead::<K> { qkv, shape, rope, head, rotated, keys, values });
            });
        });
        Self { kernel, shape, keys, values }
    }

    /// Attention of the query rows from `first` on, all heads, into `out`, `[rows, dim]`.
    fn attend(&self, qkv: &[f32], rope: Option<&Rope>, first: usize, out: &mut [f32]) {
        let AttentionShape { tokens, head_dim, .. } = self.shape;
        let rows = out.len() / self.shape.dim();
        let panels = rows.div_ceil(K::ROWS);
        let padded = Self::token_panels(self.shape) * COLS;
        let (query_len, weight_len) = (K::a_len(head_dim), K::a_len(tokens));
        let floats = panels * K::ROWS * padded + head_dim + panels * K::ROWS + K::ROWS * COLS;
        with_scratch(panels * (query_len + weight_len), floats, |left: &mut [K::A], floats| {
            let (queries, weights) = left.split_at_mut(panels * query_len);
            let (scores, floats) = floats.split_at_mut(panels * K::ROWS * padded);
            let (rotated, floats) = floats.split_at_mut(head_dim);
            let (inverse_sums, tile) = floats.split_at_mut(panels * K::ROWS);
            self.kernel.vectorize(Attend {
                keys: self,
                qkv,
                rope,
                first,
                queries,
                weights,
                scores,
                rotated,
                inverse_sums,
                tile,
                out,
            });
        });
    }
}

/// One head's keys and values on their way into right panels.
struct PackHead<'a, K: TileKernel> {
    qkv: &'a [f32],
    shape: AttentionShape,
    rope: Option<&'a Rope>,
    head: usize,
    /// `[COLS, head_dim]`
    rotated: &'a mut [f32],
    keys: &'a mut [K::B],
    values: &'a mut [K::B],
}

impl<K: TileKernel> Work for PackHead<'_, K> {
    #[inline(always)]
    fn run(mut self) {
        self.pack_keys();
        self.pack_values();
    }
}

impl<K: TileKernel> PackHead<'_, K> {
    #[inline(always)]
    fn pack_keys(&mut self) {
        let AttentionShape { tokens, head_dim, .. } = self.shape;
        let len = K::b_len(head_dim);
        for panel in 0..tokens.div_ceil(COLS) {
            for i in 0..COLS {
                let token = panel * COLS + i;
                let rotated = &mut self.rotated[i * head_dim..][..head_dim];
                if token < tokens {
                    rotate(part(self.qkv, self.shape, 1, self.head, token), self.rope, token, 1.0, rotated);
                } else {
                    rotated.fill(0.0);
                }
            }
            let column = |k: usize| {
                let mut column = [0f32; COLS];
                if k < head_dim {
                    for (value, rotated) in column.iter_mut().zip(self.rotated.chunks_exact(head_dim)) {
                        *value = rotated[k];
                    }
                }
                column
            };
            for k in (0..head_dim).step_by(2) {
                K::store_b(&mut self.keys[panel * len..][..len], head_dim, k, [&column(k), &column(k + 1)]);
            }
        }
    }

    #[inline(always)]
    fn pack_values(&mut self) {
        let AttentionShape { tokens, head_dim, .. } = self.shape;
        let len = K::b_len(tokens);
        for token in (0..tokens).step_by(2) {
            for panel in 0..head_dim.div_ceil(COLS) {
                let columns = |token: usize| {
                    let mut padded = [0f32; COLS];
                    if token < tokens {
                        let value = &part(self.qkv, self.shape, 2, self.head, token)[panel * COLS..];
                        match value.first_chunk::<COLS>() {
                            Some(value) => padded = *value,
                            None => padded[..value.len()].copy_from_slice(value),
                        }
                    }
                    padded
                };
                let rows = [&columns(token), &columns(token + 1)];
                K::store_b(&mut self.values[panel * len..][..len], tokens, token, rows);
            }
        }
    }
}

/// Some query rows against all keys and values, head by head, and room to work.
struct Attend<'a, K: TileKernel> {
    keys: &'a Keys<'a, K>,
    qkv: &'a [f32],
    rope: Option<&'a Rope>,
    /// Token of the first row.
    first: usize,
    /// Left panels `[rows, head_dim]`.
    queries: &'a mut [K::A],
    /// Left panels `[rows, tokens]`: numerators of the softmax.
    weights: &'a mut [K::A],
    /// `[rows, tokens padded to COLS]`
    scores: &'a mut [f32],
    /// `[head_dim]`
    rotated: &'a mut [f32],
    /// `[rows]`: one over the softmax's denominators.
    inverse_sums: &'a mut [f32],
    /// `[ROWS, COLS]`
    tile: &'a mut [f32],
    /// `[rows, dim]`
    out: &'a mut [f32],
}

impl<K: TileKernel> Work for Attend<'_, K> {
    #[inline(always)]
    fn run(mut self) {
        for head in 0..self.keys.shape.heads {
            self.pack_queries(head);
            self.score(head);
            self.softmax();
            self.mix(head);
        }
    }
}

impl<K: TileKernel> Attend<'_, K> {
    #[inline(always)]
    fn pack_queries(&mut self, head: usize) {
        let (dim, head_dim) = (self.keys.shape.dim(), self.keys.shape.head_dim);
        let len = K::a_len(head_dim);
        // The softmax is taken in powers of two.
        let scale = std::f32::consts::LOG2_E / (head_dim as f32).sqrt();
        for i in 0..self.out.len() / dim {
            let token = self.first + i;
            let query = part(self.qkv, self.keys.shape, 0, head, token);
            rotate(query, self.rope, token, scale, self.rotated);
            store_row(self.keys.kernel, &mut self.queries[i / K::ROWS * len..][..len], i % K::ROWS, self.rotated);
        }
    }

    #[inline(always)]
    fn score(&mut self, head: usize) {
        let head_dim = self.keys.shape.head_dim;
        let key_len = K::b_len(head_dim);
        let panels = Keys::<K>::token_panels(self.keys.shape);
        let padded = panels * COLS;
        let keys = &self.keys.keys[head * panels * key_len..][..panels * key_len];
        for (panel, keys) in keys.chunks_exact(key_len).enumerate() {
            let queries = self.queries.chunks_exact(K::a_len(head_dim));
            for (queries, scores) in queries.zip(self.scores.chunks_exact_mut(K::ROWS * padded)) {
                self.keys.kernel.tile(queries, keys, head_dim, &mut scores[panel * COLS..], padded, &[]);
            }
        }
    }

    #[inline(always)]
    fn softmax(&mut self) {
        let AttentionShape { tokens, is_causal, .. } = self.keys.shape;
        let padded = Keys::<K>::token_panels(self.keys.shape) * COLS;
        let len = K::a_len(tokens);
        for i in 0..self.out.len() / self.keys.shape.dim() {
            let scores = &mut self.scores[i * padded..][..tokens];
            if is_causal {
                scores[self.first + i + 1..].fill(f32::NEG_INFINITY);
            }
            let panel = &mut self.weights[i / K::ROWS * len..][..len];
            let max = math::max(scores);
            let mut sum = 0.0;
            // Segment by segment, so that the numerators are packed while they are in the first-level cache.
            for (segment, scores) in scores.chunks_mut(SEGMENT).enumerate() {
                sum += softmax_numerators(scores, max);
                self.keys.kernel.store_a(panel, i % K::ROWS, segment * SEGMENT, scores);
            }
            self.inverse_sums[i] = 1.0 / sum;
        }
    }

    /// Weighted means of one head's values, into that head's columns of the output.
    #[inline(always)]
    fn mix(&mut self, head: usize) {
        let AttentionShape { tokens, head_dim, .. } = self.keys.shape;
        let dim = self.keys.shape.dim();
        let value_len = K::b_len(tokens);
        let panels = Keys::<K>::value_panels(self.keys.shape);
        let values = &self.keys.values[head * panels * value_len..][..panels * value_len];
        for (panel, values) in values.chunks_exact(value_len).enumerate() {
            let start = head * head_dim + panel * COLS;
            let count = COLS.min(head_dim - panel * COLS);
            let weights = self.weights.chunks_exact(K::a_len(tokens));
            let blocks = self.out.chunks_mut(K::ROWS * dim).zip(self.inverse_sums.chunks_exact(K::ROWS));
            for (weights, (out, inverse_sums)) in weights.zip(blocks) {
                self.keys.kernel.tile(weights, values, tokens, self.tile, COLS, &[]);
                let rows = out.chunks_exact_mut(dim).zip(self.tile.chunks_exact(COLS)).zip(inverse_sums);
                for ((out, tile), inverse) in rows {
                    for (out, mean) in out[start..start + count].iter_mut().zip(tile) {
                        *out = mean * inverse;
                    }
                }
            }
        }
    }
}

/// One head's q (0), k (1) or v (2) of one token. Tokens are far apart in memory: a later one is asked for ahead.
#[inline(always)]
fn part(qkv: &[f32], shape: AttentionShape, which: usize, head: usize, token: usize) -> &[f32] {
    const AHEAD: usize = 8;
    let AttentionShape { tokens, heads, head_dim, .. } = shape;
    let of = |token: usize| &qkv[((token * 3 + which) * heads + head) * head_dim..][..head_dim];
    prefetch(of((token + AHEAD).min(tokens - 1)));
    of(token)
}

/// `scale · rope(x)` of one token of one head: halves (x₁, x₂) become (x₁ cos - x₂ sin, x₂ cos + x₁ sin).
#[inline(always)]
fn rotate(x: &[f32], rope: Option<&Rope>, token: usize, scale: f32, out: &mut [f32]) {
    let half = x.len() / 2;
    match rope.and_then(|rope| Some((rope, token.checked_sub(rope.prefix)?))) {
        Some((rope, patch)) => {
            let cos = &rope.cos[patch * half..][..half];
            let sin = &rope.sin[patch * half..][..half];
            let (first, second) = x.split_at(half);
            let (out_first, out_second) = out.split_at_mut(half);
            for i in 0..half {
                out_first[i] = scale * (first[i] * cos[i] - second[i] * sin[i]);
                out_second[i] = scale * (second[i] * cos[i] + first[i] * sin[i]);
            }
        }
        None => {
            for (out, x) in out.iter_mut().zip(x) {
                *out = scale * x;
            }
        }
    }
}

/// Replaces scores (in powers of two) by `2^(score - max)` and returns their sum.
#[inline(always)]
fn softmax_numerators(scores: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0f32; 16];
    let mut chunks = scores.chunks_exact_mut(16);
    for chunk in &mut chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *score = math::exp2(*score - max);
            *lane += *score;
        }
    }
    let mut total = lanes.iter().sum();
    for score in chunks.into_remainder() {
        *score = math::exp2(*score - max);
        total += *score;
    }
    total
}
