//! How models, devices and durations are called.

use std::time::Duration;

use dinoscope_engine::backend::{DeviceChoice, Dtype};
use dinoscope_engine::dispatch::ModelInfo;
use dinoscope_engine::encoder::ModelSource;

/// "vits16", "finetuned.pth".
pub fn model(source: &ModelSource) -> String {
    match source {
        ModelSource::Named(name) => name.clone(),
        ModelSource::Path(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ModelSource::Random { name, .. } => format!("{name}, random weights"),
    }
}

/// "Automatic", "CPU", "CUDA:0".
pub fn device(choice: &DeviceChoice) -> String {
    match choice {
        DeviceChoice::Auto => "Automatic".to_owned(),
        DeviceChoice::Cpu => "CPU".to_owned(),
        DeviceChoice::Cuda(index) => format!("CUDA:{index}"),
        DeviceChoice::Metal => "Metal".to_owned(),
        DeviceChoice::Wgpu(_) => "wgpu".to_owned(),
    }
}

/// "Automatic", "bf16".
pub fn precision(dtype: Option<Dtype>) -> &'static str {
    dtype.map_or("Automatic", Dtype::name)
}

/// "CPU", "CUDA:0", "wgpu": the device that a model runs on.
pub fn running_device(info: &ModelInfo) -> String {
    match info.provenance.device.split(':').next() {
        Some("metal") => "Metal".to_owned(),
        Some("wgpu") => "wgpu".to_owned(),
        _ => info.provenance.device.to_ascii_uppercase(),
    }
}

/// "CPU, f32, 2 threads", "wgpu (NVIDIA GeForce RTX 4070), f16".
pub fn runs_on(info: &ModelInfo) -> String {
    let (device, dtype) = (running_device(info), &info.provenance.dtype);
    match (info.provenance.device.as_str(), rayon::current_num_threads()) {
        ("cpu", 1) => format!("{device}, {dtype}, 1 thread"),
        ("cpu", threads) => format!("{device}, {dtype}, {threads} threads"),
        (name, _) => match name.strip_prefix("wgpu:") {
            Some(adapter) => format!("{device} ({adapter}), {dtype}"),
            None => format!("{device}, {dtype}"),
        },
    }
}

/// "12 ms", "1.2 s", "2 min 5 s".
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else if seconds < 3570.0 {
        let whole = (seconds / 5.0).round() as u64 * 5;
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!("{} h {} min", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let text = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        assert_eq!(text(0.0123), "12 ms");
        assert_eq!(text(0.9996), "1.0 s");
        assert_eq!(text(9.96), "10 s");
        assert_eq!(text(59.6), "1 min 0 s");
        assert_eq!(text(203.0), "3 min 25 s");
        assert_eq!(text(3600.0), "1 h 0 min");
    }
}
