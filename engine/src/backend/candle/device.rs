//! candle's devices.

use candle_core::Device;

use crate::{Error, Result};

/// NVIDIA's GPU of that index.
///
/// # Errors
/// [`Error::Device`] where CUDA is not built in, or the machine does not have it.
pub fn open_cuda(index: usize) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        let reason = "this build has no CUDA; build with `--features cuda`, or use `--device wgpu`";
        return Err(refuse(&format!("cuda:{index}"), reason.to_owned()));
    }
    Device::new_cuda(index).map_err(|error| refuse(&format!("cuda:{index}"), format!("{error}; use `--device cpu`")))
}

/// Apple's GPU.
///
/// # Errors
/// [`Error::Device`] where Metal is not built in, or the machine does not have it.
pub fn open_metal() -> Result<Device> {
    if !cfg!(feature = "metal") {
        let reason = "this build has no Metal; build with `--features metal`, or use `--device wgpu`";
        return Err(refuse("metal", reason.to_owned()));
    }
    // candle panics on a Mac without a Metal device, such as some virtual machines.
    match std::panic::catch_unwind(|| Device::new_metal(0)) {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => Err(refuse("metal", format!("{error}; use `--device cpu`"))),
        Err(_) => Err(refuse("metal", "this machine has no Metal device; use `--device cpu`".to_owned())),
    }
}

fn refuse(device: &str, reason: String) -> Error {
    Error::Device { device: device.to_owned(), reason }
}
