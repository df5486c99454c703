use super::super::kernels::attention::{Sequences, Way, record_with, widest_broadcast};
use super::super::pipelines::Input;
use super::bench::{Bench, all_inputs, check, gpu, numbers, tolerance};
use crate::gpu::{Gpu, Pace};

/// qkv: `[tokens, 3 * heads * head]`; queries are scaled for powers of two.
fn twin(qkv: &[f32], (tokens, heads, head): (usize, usize, usize), is_causal: bool) -> Vec<f64> {
    let dim = heads * head;
    let part = |token: usize, part: usize, h: usize| &qkv[token * 3 * dim + part * dim + h * head..][..head];
    let mut out = vec![0.0; tokens * dim];
    for h in 0..heads {
        for query in 0..tokens {
            let q = part(query, 0, h);
            let score =
                |key: usize| -> f64 { q.iter().zip(part(key, 1, h)).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum() };
            let seen = if is_causal { query + 1 } else { tokens };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = scores.iter().map(|score| (score - greatest).exp2()).sum();
            let out = &mut out[query * dim + h * head..][..head];
            for (key, score) in scores.iter().enumerate() {
                let weight = (score - greatest).exp2() / sum;
                for (out, value) in out.iter_mut().zip(part(key, 2, h)) {
                    *out += weight * f64::from(*value);
                }
            }
        }
    }
    out
}

#[test]
fn attention_agrees() {
    let gpu = gpu();
    let shapes = [(1, 1, 4), (5, 2, 12), (64, 1, 64), (67, 3, 48), (129, 2, 128), (200, 2, 80), (4_101, 1, 8)];
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        for shape @ (tokens, heads, head) in shapes {
            let sequences = Sequences { count: 1, tokens, is_causal: false };
            // Scores far apart, so that the greatest one changes from tile to tile.
            let qkv: Vec<f32> = numbers(7, tokens * 3 * heads * head).into_iter().map(|value| 4.0 * value).collect();
            let expected = twin(&qkv, shape, false);
            for way in ways(&gpu, head) {
                let (region, out) = (bench.inputs(&qkv), bench.inputs(&vec![7.0; tokens * heads * head]));
                bench.run(|recording| record_with(recording, way, &region, sequences, (heads, head), &out));
                // Weights depend on the scores by powers: a score's rounding shows in them.
                let what = format!("{shape:?} in {input:?}, {way:?}");
                check(&bench.read_inputs(&out), &expected, 4.0 * tolerance(input), &what);
            }
        }
    }
}

#[test]
fn causal_attention_of_several_sequences_agrees() {
    let gpu = gpu();
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        for (count, shape @ (tokens, heads, head)) in
            [(1, (1, 1, 8)), (3, (2, 2, 64)), (5, (12, 2, 64)), (2, (77, 3, 48)), (2, (130, 1, 128))]
        {
            let len = tokens * 3 * heads * head;
            let qkv: Vec<f32> = numbers(11, count * len).into_iter().map(|value| 4.0 * value).collect();
            let sequences = Sequences { count, tokens, is_causal: true };
            let expected: Vec<f64> = qkv.chunks_exact(len).flat_map(|qkv| twin(qkv, shape, true)).collect();
            for way in ways(&gpu, head) {
                let (region, out) = (bench.inputs(&qkv), bench.inputs(&vec![7.0; count * tokens * heads * head]));
                bench.run(|recording| record_with(recording, way, &region, sequences, (heads, head), &out));
                let what = format!("{count} of {shape:?} in {input:?}, {way:?}");
                check(&bench.read_inputs(&out), &expected, 4.0 * tolerance(input), &what);
            }
        }
    }
}

/// Software has subgroups.
fn ways(gpu: &Gpu, head: usize) -> Vec<Way> {
    let lanes = gpu.lanes().expect("software has subgroups of one size");
    let mut all = vec![Way::Plain, Way::Subgroup];
    all.extend((head <= widest_broadcast(lanes)).then_some(Way::Broadcast(lanes)));
    assert!(all.contains(&Way::for_device(gpu, head)));
    all
}

#[test]
fn queries_come_in_pieces() {
    let gpu = gpu();
    let (count, tokens, heads, head) = (2, 300, 2, 16);
    let sequences = Sequences { count, tokens, is_causal: true };
    let qkv = numbers(7, count * tokens * 3 * heads * head);
    for way in ways(&gpu, head) {
        let mut bench = Bench::new(&gpu, Input::F32);
        let region = bench.inputs(&qkv);
        let mut run = |work| {
            let out = bench.floats(&vec![7.0; count * tokens * heads * head]);
            bench.tools.pace = Pace::fixed(work);
            let pieces = bench.run(|recording| record_with(recording, way, &region, sequences, (heads, head), &out));
            (pieces, bench.read_floats(&out))
        };
        let (pieces, whole) = run(u64::MAX);
        assert_eq!(pieces, 1);
        let (pieces, banded) = run((2 * count * tokens * heads * head * 129) as u64);
        assert_eq!((pieces, banded), (3, whole), "{way:?}: 128 queries each");
    }
}
