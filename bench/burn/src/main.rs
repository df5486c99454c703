//! Matrix products and attention on the wgpu device of this machine: dinoscope's kernels and burn's in turns.
//!
//! dinoscope's turn is `dinoscope bench --what kernels`, which repeats a kernel until it has taken long enough to be timed
//! and gives the median; burn's turn does the same here.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn_backend::ops::{AttentionModuleOptions, FloatTensorOps, ModuleOps};
use burn_backend::{Backend, BackendTypes, TensorData, read_sync};
use burn_wgpu::Wgpu;
use serde_json::Value;

type Device = <Wgpu as BackendTypes>::Device;
type Tensor = <Wgpu as BackendTypes>::FloatTensorPrimitive;

/// ViT-S/16 at 512²: 32 × 32 patches, CLS and four registers.
const TOKENS: usize = 1029;
const DIM: usize = 384;
const HIDDEN: usize = 1536;
const HEADS: usize = 6;
const HEAD: usize = 64;

/// A timed turn takes at least this.
const TURN_MS: f64 = 50.0;

struct Options {
    dinoscope: PathBuf,
    rounds: usize,
    /// Timed turns of each program in a round.
    turns: usize,
}

fn main() -> Result<()> {
    let options = options()?;
    let device = Device::default();
    println!("burn 0.22.1 on {}", Wgpu::name(&device));
    let product = Product::new(&device);
    let attention = Attention::new(&device);
    product.check()?;
    attention.check()?;

    let mut times = [const { Vec::new() }; 4];
    for round in 0..options.rounds {
        let ours = dinoscope(&options)?;
        let [gemm, mixing] = [part(&ours, "gemm")?, part(&ours, "attention")?];
        let theirs = [turn(&device, options.turns, || product.run())?, turn(&device, options.turns, || attention.run())?];
        let now = [gemm, theirs[0], mixing, theirs[1]];
        println!("round {}: product {gemm:.2} and {:.2} ms, attention {mixing:.2} and {:.2} ms", round + 1, now[1], now[3]);
        for (times, now) in times.iter_mut().zip(now) {
            times.push(now);
        }
        if round == 0 {
            println!("dinoscope on {}, {}", ours["device"], ours["method"]);
        }
    }
    let [gemm, their_gemm, mixing, their_mixing] = times.map(median);
    let flops = [2 * TOKENS * DIM * HIDDEN, 4 * HEADS * TOKENS * TOKENS * HEAD].map(|flops| flops as f64 / 1e6);
    println!("\n| f32 | dinoscope ms | burn ms | dinoscope GFLOP/s | burn GFLOP/s | speed over burn's |\n|---|---|---|---|---|---|");
    let names = [format!("product {TOKENS}×{DIM}×{HIDDEN}"), format!("attention {HEADS} × {TOKENS} × {HEAD}")];
    for (name, (ours, theirs), flops) in
        [(&names[0], (gemm, their_gemm), flops[0]), (&names[1], (mixing, their_mixing), flops[1])]
    {
        let (our_speed, their_speed) = (flops / ours, flops / theirs);
        println!("| {name} | {ours:.2} | {theirs:.2} | {our_speed:.1} | {their_speed:.1} | {:.2} |", theirs / ours);
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options { dinoscope: "../../target/release/dinoscope".into(), rounds: 5, turns: 5 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--dinoscope" => options.dinoscope = value.into(),
            "--rounds" => options.rounds = value.parse()?,
            "--turns" => options.turns = value.parse()?,
            _ => anyhow::bail!("expected --dinoscope PATH, --rounds N or --turns N, got {name}"),
        }
    }
    ensure!(options.rounds > 0 && options.turns > 0, "nothing is to be measured");
    Ok(options)
}

/// What `dinoscope bench` says.
fn dinoscope(options: &Options) -> Result<Value> {
    let turns = options.turns.to_string();
    let output = Command::new(&options.dinoscope)
        .args(["bench", "--what", "kernels", "--model", "vits16", "--size", "512", "--device", "wgpu", "--dtype", "f32"])
        .args(["--json", "--iters", &turns])
        .output()
        .with_context(|| format!("cannot run {}; build it, or give --dinoscope", options.dinoscope.display()))?;
    ensure!(output.status.success(), "dinoscope: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn part(json: &Value, name: &str) -> Result<f64> {
    json["kernels"][name]["median_ms"].as_f64().with_context(|| format!("dinoscope did not measure {name}"))
}

/// Median milliseconds of one run.
fn turn(device: &Device, turns: usize, run: impl Fn() -> Tensor) -> Result<f64> {
    let time = |times: usize| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..times {
            run();
        }
        Wgpu::sync(device).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(start.elapsed().as_secs_f64() * 1e3 / times as f64)
    };
    time(1)?;
    let once = time(1)?;
    let times = (TURN_MS / once).ceil().clamp(1.0, 10_000.0) as usize;
    Ok(median((0..turns).map(|_| time(times)).collect::<Result<_>>()?))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len().is_multiple_of(2) { (times[middle - 1] + times[middle]) / 2.0 } else { times[middle] }
}

/// In [-1, 1), without structure.
fn noise(count: usize) -> Vec<f32> {
    let number = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (0..count).map(|i| number(i) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

fn tensor<const N: usize>(numbers: &[f32], shape: [usize; N], device: &Device) -> Tensor {
    Wgpu::float_from_data(TensorData::new(numbers.to_vec(), shape), device)
}

fn numbers(tensor: Tensor) -> Result<Vec<f32>> {
    let data = read_sync(Wgpu::float_into_data(tensor)).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    data.try_to_vec().map_err(|error| anyhow::anyhow!("{error:?}"))
}

/// `[TOKENS, DIM] · [DIM, HIDDEN]`
struct Product {
    a: Vec<f32>,
    w: Vec<f32>,
    tensors: [Tensor; 2],
}

impl Product {
    fn new(device: &Device) -> Self {
        let (a, w) = (noise(TOKENS * DIM), noise(DIM * HIDDEN));
        let tensors = [tensor(&a, [TOKENS, DIM], device), tensor(&w, [DIM, HIDDEN], device)];
        Self { a, w, tensors }
    }

    fn run(&self) -> Tensor {
        let [a, w] = self.tensors.clone();
        Wgpu::float_matmul(a, w)
    }

    /// That it is the product.
    fn check(&self) -> Result<()> {
        let product = numbers(self.run())?;
        for (row, col) in [(0, 0), (17, 1001), (TOKENS - 1, HIDDEN - 1)] {
            let expected: f32 = (0..DIM).map(|k| self.a[row * DIM + k] * self.w[k * HIDDEN + col]).sum();
            let got = product[row * HIDDEN + col];
            ensure!((got - expected).abs() < 1e-3, "burn's product is {got} at ({row}, {col}), not {expected}");
        }
        Ok(())
    }
}

/// Queries, keys and values, `[1, HEADS, TOKENS, HEAD]` each.
struct Attention {
    host: [Vec<f32>; 3],
    tensors: [Tensor; 3],
}

impl Attention {
    fn new(device: &Device) -> Self {
        let all = noise(3 * HEADS * TOKENS * HEAD);
        let host = [0, 1, 2].map(|i| all[i * HEADS * TOKENS * HEAD..][..HEADS * TOKENS * HEAD].to_vec());
        let tensors = [0, 1, 2].map(|i| tensor(&host[i], [1, HEADS, TOKENS, HEAD], device));
        Self { host, tensors }
    }

    fn run(&self) -> Tensor {
        let [queries, keys, values] = self.tensors.clone();
        Wgpu::attention(queries, keys, values, None, None, AttentionModuleOptions::default())
    }

    /// That it is attention, for one query.
    fn check(&self) -> Result<()> {
        let mixed = numbers(self.run())?;
        let (head, query) = (HEADS - 1, 700);
        let row = |part: usize, token: usize| &self.host[part][(head * TOKENS + token) * HEAD..][..HEAD];
        let score = |key| -> f32 { row(0, query).iter().zip(row(1, key)).map(|(q, k)| q * k).sum::<f32>() / 8.0 };
        let powers: Vec<f32> = (0..TOKENS).map(|key| score(key).exp()).collect();
        let sum: f32 = powers.iter().sum();
        for depth in [0, HEAD - 1] {
            let expected: f32 = powers.iter().enumerate().map(|(key, power)| power / sum * row(2, key)[depth]).sum();
            let got = mixed[(head * TOKENS + query) * HEAD + depth];
            ensure!((got - expected).abs() < 1e-3, "burn's attention is {got} at {depth}, not {expected}");
        }
        Ok(())
    }
}
