//! `dinoscope bench`: how fast is this machine?

mod hover;
mod kernels;
mod memory;
mod propagation;

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use dinoscope_engine::analysis::pca::{Basis, Sample};
use dinoscope_engine::analysis::similarity::{Query, similarity};
use dinoscope_engine::backend::Trial;
use dinoscope_engine::features::{FeatureGrid, Patch};
use dinoscope_engine::image::{Picture, SizeRule};
use dinoscope_engine::model::flops::flops;
use serde_json::{Value, json};

use self::hover::Hover;
use self::memory::Memory;
use self::propagation::Propagation;
use super::context::{Context, residency_text};
use super::exit;

/// Runs before the measured ones, so that caches are warm and threads are up.
const WARM_UP: usize = 2;

/// Measure how fast a model and its analyses run here
///
/// After warm-up, one picture at a time, on random pixels: median, least and greatest time. Reading and resizing
/// pictures is not part of it. Memory of `propagate` is what one call takes beyond its inputs.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope bench                                            the demo model at 768x768
  dinoscope bench --model vitb16 --random-weights --size 512 ViT-B without downloading it
  dinoscope bench --what all --iters 20 --threads 4
  dinoscope bench --model vits16 --random-weights --dtype bf16 --size 1024x768 --json
  dinoscope bench --model vitb16 --random-weights --device wgpu --tune
  dinoscope bench --model vitb16 --size 512 --device wgpu --what kernels")]
pub struct BenchArgs {
    /// Measured runs
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iters: u32,

    /// What to measure
    #[arg(long, value_enum, default_value_t = What::Backbone)]
    what: What,

    /// Search the fastest kernels of a GPU first, and remember them for this machine (--device wgpu)
    #[arg(long)]
    tune: bool,
}

/// `--what`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// The model
    Backbone,
    /// Cosines of all patches with one, on the processor and on the graphics device
    Similarity,
    /// Fitting three components and projecting on them
    Pca,
    /// Moving labels from eight frames to the next, with random features of the model's width
    Propagate,
    /// The model, similarity, PCA and labels
    All,
    /// A product and attention of the model alone, beside the device's own speed (--device wgpu)
    Kernels,
}

/// Runs the subcommand.
pub fn run(args: &BenchArgs, context: &Context) -> Result<()> {
    #[cfg(target_os = "linux")]
    super::doctor::keep_graphics_quiet();
    let size = match context.options.size {
        None => (768, 768),
        Some(SizeRule::ShortSide(side)) => (side, side),
        Some(SizeRule::Exact { width, height }) => (width, height),
        Some(SizeRule::Native) => return Err(exit::usage("--size native: bench has no picture; give N or WxH")),
    };
    if args.what == What::Kernels {
        return kernels::run(args.iters, context, size);
    }
    let mut encoder = context.load_encoder()?;
    let stride = encoder.config().stride();
    let (width, height) = match context.options.size {
        Some(SizeRule::Exact { .. }) => size,
        _ => (size.0.next_multiple_of(stride), size.1.next_multiple_of(stride)),
    };
    let mut preprocessing = context.options.preprocessing(encoder.normalisation());
    preprocessing.size = SizeRule::Exact { width, height };
    preprocessing.size.resolve(width, height, stride).map_err(|error| exit::usage(error.to_string()))?;
    let (pixels, geometry) = preprocessing.apply(&noise(width, height), stride)?;
    let trials = if args.tune { encoder.tune(&pixels, &context.cancel)? } else { Vec::new() };
    if args.tune && trials.is_empty() {
        return Err(exit::usage("--tune searches kernels of wgpu: use it with --device wgpu"));
    }
    let operations = flops(encoder.config(), geometry.grid.0, geometry.grid.1);
    let wanted = |part| args.what == part || args.what == What::All;

    let measure = |name: &str, run: &mut dyn FnMut() -> Result<()>| measure(name, args.iters, context, run);
    let mut parts: Vec<(&str, Timing, Option<u64>)> = Vec::new();
    let mut adapter = None;
    let mut memory = Memory::default();
    let mut extra = None;
    let mut grid = None;
    if wanted(What::Backbone) {
        let timing = measure("backbone", &mut || {
            grid = Some(encoder.forward(&pixels, &[], &context.cancel)?.output.patch);
            Ok(())
        })?;
        parts.push(("backbone", timing, Some(operations)));
    }
    let grid: Option<FeatureGrid> = match grid {
        None if wanted(What::Similarity) || wanted(What::Pca) => {
            Some(encoder.forward(&pixels, &[], &context.cancel)?.output.patch)
        }
        grid => grid,
    };
    if let Some(grid) = grid.as_ref().filter(|_| wanted(What::Similarity)) {
        let centre = Patch { row: grid.rows / 2, col: grid.cols / 2 };
        let timing = measure("similarity", &mut || {
            similarity(grid, &Query::new(grid, &[centre], &[])?)?;
            Ok(())
        })?;
        parts.push(("similarity", timing, None));
        if let Some(mut hover) = Hover::new(grid)? {
            let timing = measure("similarity_gpu", &mut || hover.run(grid, centre))?;
            parts.push(("similarity_gpu", timing, None));
            adapter = Some(hover.adapter);
        }
    }
    if let Some(grid) = grid.as_ref().filter(|_| wanted(What::Pca)) {
        let timing = measure("pca", &mut || {
            Basis::fit(&[Sample { grid, foreground: None }], 3)?.project(grid, &[0, 1, 2])?;
            Ok(())
        })?;
        parts.push(("pca", timing, None));
    }
    if wanted(What::Propagate) {
        let (rows, cols) = geometry.grid;
        let propagation = Propagation::new(rows, cols, encoder.config().dim())?;
        // The first call: later ones may find memory that was freed but not given back.
        let (first, beyond_inputs) = memory.extra_mb(|| propagation.run(&context.cancel));
        first?;
        extra = beyond_inputs;
        let timing = measure("propagate", &mut || propagation.run(&context.cancel))?;
        parts.push(("propagate", timing, None));
    }

    let provenance = encoder.provenance();
    let threads = rayon::current_num_threads();
    let peak = memory.peak_mb();
    let residency = residency_text(encoder.residency());
    context.say(format!(
        "{} at {width}x{height} on {} ({}), {threads} threads{residency}",
        provenance.model, provenance.device, provenance.dtype
    ));
    for Trial { name, time } in &trials {
        context.say(format!("tile {name}: {:.2} ms", time.as_secs_f64() * 1e3));
    }
    for (name, timing, operations) in &parts {
        context.say(timing.line(name, *operations));
    }
    if wanted(What::Similarity) {
        context.say(format!("graphics device: {}", adapter.as_deref().unwrap_or("none")));
    }
    if let Some(extra) = extra {
        context.say(format!("propagate takes {extra:.0} MB beyond its inputs"));
    }
    if let Some(peak) = peak {
        context.say(format!("peak memory {peak:.0} MB"));
    }
    let mut result = json!({
        "device": provenance.device,
        "dtype": provenance.dtype,
        "weights": encoder.residency(),
        "threads": threads,
        "model": provenance.model,
        "size": format!("{width}x{height}"),
        "peak_memory_mb": peak,
    });
    for (name, timing, operations) in &parts {
        result[*name] = timing.to_json(*operations);
    }
    if wanted(What::Propagate) {
        result["propagate"]["extra_memory_mb"] = json!(extra);
    }
    if args.tune {
        let tile = |trial: &Trial| json!({"tile": trial.name, "ms": trial.time.as_secs_f64() * 1e3});
        result["tune"] = trials.iter().map(tile).collect();
    }
    if let Some(adapter) = adapter {
        result["similarity_gpu"]["adapter"] = json!(adapter);
    }
    context.say_json(&result)
}

/// Milliseconds of the measured runs.
struct Timing {
    median: f64,
    min: f64,
    max: f64,
}

fn measure(name: &str, iters: u32, context: &Context, run: &mut dyn FnMut() -> Result<()>) -> Result<Timing> {
    let bar = context.progress_bar(name, Some(iters.into()));
    for _ in 0..WARM_UP {
        run()?;
    }
    let mut times = Vec::new();
    for _ in 0..iters {
        context.cancel.check()?;
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        bar.inc(1);
    }
    bar.finish_and_clear();
    ensure!(!times.is_empty(), "nothing was measured");
    Ok(Timing::of(times))
}

impl Timing {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median =
            if times.len().is_multiple_of(2) { (times[middle - 1] + times[middle]) / 2.0 } else { times[middle] };
        Self { median, min: times[0], max: times[times.len() - 1] }
    }

    fn per_second(&self) -> f64 {
        1e3 / self.median
    }

    /// Billions of operations a second.
    fn gflops(&self, operations: u64) -> f64 {
        operations as f64 / 1e6 / self.median
    }

    fn line(&self, name: &str, operations: Option<u64>) -> String {
        let Self { median, min, max } = self;
        let speed = operations.map(|n| format!(", {:.0} GFLOP/s", self.gflops(n))).unwrap_or_default();
        let rate = self.per_second();
        format!("{name:<14} median {median:.2} ms (min {min:.2}, max {max:.2}), {rate:.1} images/s{speed}")
    }

    fn to_json(&self, operations: Option<u64>) -> Value {
        let mut part = json!({
            "median_ms": self.median,
            "min_ms": self.min,
            "max_ms": self.max,
            "images_per_s": self.per_second(),
        });
        if let Some(operations) = operations {
            part["gflops"] = json!(self.gflops(operations));
        }
        part
    }
}

/// Random numbers, the same every time (xorshift, Marsaglia 2003).
fn random() -> impl Iterator<Item = u32> {
    let mut state = 0x2545_F491_u32;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
}

/// A picture of random bytes.
fn noise(width: usize, height: usize) -> Picture {
    Picture { width, height, rgb: random().map(|bits| (bits >> 24) as u8).take(width * height * 3).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let odd = Timing::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(Timing::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(odd.gflops(4_000_000), 2.0);
    }
}
