//! What takes the time of a model on a GPU, kernel by kernel, beside what the device can do at most.

use anyhow::Result;
use dinoscope_engine::backend::OpenDevice;
use dinoscope_engine::backend::wgpu::{Part, Probe, WgpuBackbone, device_name};
use dinoscope_engine::model::{ModelConfig, zoo};
use serde_json::{Value, json};

use super::{Timing, measure};
use crate::cli::context::Context;
use crate::cli::exit;

/// A measured run takes at least this, so that submitting it does not count.
const RUN_MS: f64 = 50.0;

/// Measures each [`Part`] for the model of the options at `width` × `height` pixels.
pub fn run(iters: u32, context: &Context, (width, height): (usize, usize)) -> Result<()> {
    let options = &context.options;
    let OpenDevice::Wgpu(gpu) = OpenDevice::open(&options.device, options.dtype, None)? else {
        return Err(exit::usage("--what kernels measures those of wgpu: use it with --device wgpu"));
    };
    let config = match zoo::find(&options.model).map(|model| model.config()) {
        Some(ModelConfig::Vit(config)) => config,
        _ => return Err(exit::usage("--what kernels measures those of a vision transformer; give --model vits16")),
    };
    let dtype = options.dtype.unwrap_or_else(|| WgpuBackbone::default_dtype(&gpu));
    let grid = (height.div_ceil(config.patch), width.div_ceil(config.patch));
    let mut probe = Probe::new(&gpu, dtype, &config, grid)?;

    let (device, method) = (device_name(&gpu), probe.method().to_string());
    context.say(format!(
        "kernels of {} at {width}x{height} on {device} ({}); products in tiles of {method}",
        options.model,
        dtype.name()
    ));
    let mut parts = serde_json::Map::new();
    let mut peak = None;
    for part in Part::ALL {
        let timing = time(part, &mut probe, iters, context)?;
        let gflops = timing.gflops(probe.flops(part));
        let share = peak.map(|peak: f64| format!(", {:.0} % of the peak", 100.0 * gflops / peak)).unwrap_or_default();
        peak = peak.or(Some(gflops));
        let (name, shape, Timing { median, min, max }) = (part.name(), probe.shape(part), timing);
        context.say(format!(
            "{name:<10} {shape:<18} median {median:.3} ms (min {min:.3}, max {max:.3}), {gflops:.1} GFLOP/s{share}"
        ));
        let numbers = json!({"shape": shape, "median_ms": median, "min_ms": min, "max_ms": max, "gflops": gflops});
        parts.insert(name.to_owned(), numbers);
    }
    context.say_json(&json!({
        "device": device,
        "dtype": dtype.name(),
        "model": options.model,
        "size": format!("{width}x{height}"),
        "method": method,
        "kernels": Value::Object(parts),
    }))
}

/// Of one run of the kernel, which is repeated often enough to be timed.
fn time(part: Part, probe: &mut Probe, iters: u32, context: &Context) -> Result<Timing> {
    let mut run = |times| Ok(probe.run(part, times, &context.cancel)?);
    let once = measure(part.name(), 1, context, &mut || run(1))?.min;
    let times = (RUN_MS / once).ceil().clamp(1.0, 10_000.0) as u32;
    let Timing { median, min, max } = measure(part.name(), iters, context, &mut || run(times))?;
    let each = |ms: f64| ms / f64::from(times);
    Ok(Timing { median: each(median), min: each(min), max: each(max) })
}
