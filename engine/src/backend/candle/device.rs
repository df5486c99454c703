//! From `--device` to a candle device.

use candle_core::Device;

use crate::backend::DeviceChoice;
use crate::{Error, Result};

/// Opens the device and gives its name as `--device` takes it.
///
/// # Errors
/// [`Error::Device`] where it is not built in, or the machine does not have it.
pub fn open(choice: &DeviceChoice) -> Result<(Device, String)> {
    let refuse = |device: &str, reason: String| Error::Device { device: device.to_owned(), reason };
    match choice {
        DeviceChoice::Auto => Ok(automatic()),
        DeviceChoice::Cpu => Ok((Device::Cpu, "cpu".to_owned())),
        DeviceChoice::Cuda(index) => {
            let name = format!("cuda:{index}");
            if !cfg!(feature = "cuda") {
                let reason = "this build has no CUDA; build with `--features cuda`, or use `--device cpu`";
                return Err(refuse(&name, reason.to_owned()));
            }
            match Device::new_cuda(*index) {
                Ok(device) => Ok((device, name)),
                Err(error) => Err(refuse(&name, format!("{error}; use `--device cpu`"))),
            }
        }
        DeviceChoice::Metal => {
            if !cfg!(feature = "metal") {
                let reason = "this build has no Metal; build with `--features metal`, or use `--device cpu`";
                return Err(refuse("metal", reason.to_owned()));
            }
            // candle panics on a Mac without a Metal device, such as some virtual machines.
            match std::panic::catch_unwind(|| Device::new_metal(0)) {
                Ok(Ok(device)) => Ok((device, "metal".to_owned())),
                Ok(Err(error)) => Err(refuse("metal", format!("{error}; use `--device cpu`"))),
                Err(_) => Err(refuse("metal", "this machine has no Metal device; use `--device cpu`".to_owned())),
            }
        }
        DeviceChoice::Wgpu(_) => {
            Err(refuse("wgpu", "this version does not run models through wgpu yet; use `--device cpu`".to_owned()))
        }
    }
}

/// What a person can choose from: automatic, the processor, and the graphics processors that this build can use.
pub fn choices() -> Vec<DeviceChoice> {
    let mut choices = vec![DeviceChoice::Auto, DeviceChoice::Cpu];
    if cfg!(feature = "cuda") {
        choices.extend((0..cuda_devices()).map(DeviceChoice::Cuda));
    }
    if cfg!(feature = "metal") {
        choices.push(DeviceChoice::Metal);
    }
    choices
}

/// NVIDIA's driver lists them on Linux; elsewhere one is offered, and opening it says whether it is there.
fn cuda_devices() -> usize {
    std::fs::read_dir("/proc/driver/nvidia/gpus").map_or(1, Iterator::count)
}

/// CUDA, then Metal, then the processor: the first that is built in and opens.
fn automatic() -> (Device, String) {
    for choice in [DeviceChoice::Cuda(0), DeviceChoice::Metal] {
        match open(&choice) {
            Ok(opened) => return opened,
            Err(error) => log::debug!("{error}"),
        }
    }
    (Device::Cpu, "cpu".to_owned())
}
