//! From `--device` to a device.

use candle_core::Device;

use super::candle::{open_cuda, open_metal};
use super::wgpu::WgpuBackbone;
use super::{DeviceChoice, Dtype, Placement, PlacementChoice};
use crate::doctor::Memory;
use crate::gpu::Gpu;
use crate::{Error, Result};

/// A device that a model can be put on.
#[derive(Clone)]
pub enum OpenDevice {
    /// Through candle.
    Candle {
        /// The processor, CUDA or Metal.
        device: Device,
        /// As `--device` takes it.
        name: String,
    },
    /// Through wgpu.
    Wgpu(Gpu),
}

impl OpenDevice {
    /// Opens the device; `window` is the one that draws, where there is a window: wgpu shares it if it fits the choice.
    ///
    /// # Errors
    /// [`Error::Device`] where it is not built in, or the machine does not have it.
    pub fn open(choice: &DeviceChoice, dtype: Option<Dtype>, window: Option<&Gpu>) -> Result<Self> {
        match choice {
            DeviceChoice::Auto => Ok(Self::automatic(dtype, window)),
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Cuda(index) => Ok(Self::Candle { device: open_cuda(*index)?, name: format!("cuda:{index}") }),
            DeviceChoice::Metal => Ok(Self::Candle { device: open_metal()?, name: "metal".to_owned() }),
            DeviceChoice::Wgpu(None) => window.cloned().or_else(Gpu::without_window).map(Self::Wgpu).ok_or_else(|| {
                let reason = "this machine has no graphics device that computes; use `--device cpu`".to_owned();
                Error::Device { device: "wgpu".to_owned(), reason }
            }),
            DeviceChoice::Wgpu(Some(name)) => match window.filter(|gpu| gpu.is_named(name)) {
                Some(gpu) => Ok(Self::Wgpu(gpu.clone())),
                None => Gpu::named(name).map(Self::Wgpu).map_err(|names| not_among(name, &names)),
            },
        }
    }

    /// The type of weights and matrix inputs: that one, else what this device runs well.
    pub fn dtype(&self, asked: Option<Dtype>) -> Dtype {
        asked.unwrap_or_else(|| match self {
            Self::Candle { device, .. } if device.is_cpu() => Dtype::F32,
            Self::Candle { .. } => Dtype::F16,
            Self::Wgpu(gpu) => WgpuBackbone::default_dtype(gpu),
        })
    }

    /// How a model is put on this device: as it was asked for, else as it suits. The processor leaves a part of the
    /// memory that is available to everything else ([`Memory::for_weights`]); a GPU says itself when it is full.
    pub fn placement(&self, choice: PlacementChoice) -> Placement {
        let room = || match self {
            Self::Candle { device, .. } if device.is_cpu() => Memory::find().for_weights().unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        Placement { dtype: self.dtype(choice.dtype), budget: choice.budget.unwrap_or_else(room) }
    }

    /// The device of wgpu, where it is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        match self {
            Self::Wgpu(gpu) => Some(gpu),
            Self::Candle { .. } => None,
        }
    }

    /// This machine's processor.
    pub fn cpu() -> Self {
        Self::Candle { device: Device::Cpu, name: "cpu".to_owned() }
    }

    /// CUDA, then Metal, then a graphics processor through wgpu, then the processor: the first that is built in and
    /// opens.
    fn automatic(dtype: Option<Dtype>, window: Option<&Gpu>) -> Self {
        for choice in [DeviceChoice::Cuda(0), DeviceChoice::Metal] {
            match Self::open(&choice, dtype, window) {
                Ok(opened) => return opened,
                Err(error) => log::debug!("{error}"),
            }
        }
        let through_wgpu = || match window {
            Some(gpu) => Some(gpu.clone()).filter(Gpu::is_hardware),
            // Drivers have been seen to panic.
            None => std::panic::catch_unwind(Gpu::hardware).ok().flatten(),
        };
        // wgpu has no bf16.
        match (dtype != Some(Dtype::Bf16)).then(through_wgpu).flatten() {
            Some(gpu) => Self::Wgpu(gpu),
            None => Self::cpu(),
        }
    }
}

fn not_among(name: &str, names: &[String]) -> Error {
    let reason = match names {
        [] => "this machine has no graphics device that computes; use `--device cpu`".to_owned(),
        names => format!("no graphics device has this in its name; there are: {}", names.join(", ")),
    };
    Error::Device { device: format!("wgpu:{name}"), reason }
}

/// What a person can choose from: automatic, the processor, and the graphics processors that this build can use.
pub fn device_choices() -> Vec<DeviceChoice> {
    let mut choices = vec![DeviceChoice::Auto, DeviceChoice::Cpu];
    if cfg!(feature = "cuda") {
        choices.extend((0..cuda_devices()).map(DeviceChoice::Cuda));
    }
    if cfg!(feature = "metal") {
        choices.push(DeviceChoice::Metal);
    }
    choices.push(DeviceChoice::Wgpu(None));
    choices
}

/// NVIDIA's driver lists them on Linux; elsewhere one is offered, and opening it says whether it is there.
fn cuda_devices() -> usize {
    std::fs::read_dir("/proc/driver/nvidia/gpus").map_or(1, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: Option<&str>, window: Option<&Gpu>) -> Result<Gpu> {
        match OpenDevice::open(&DeviceChoice::Wgpu(name.map(str::to_owned)), None, window)? {
            OpenDevice::Wgpu(gpu) => Ok(gpu),
            OpenDevice::Candle { name, .. } => panic!("{name} is not wgpu"),
        }
    }

    #[test]
    fn the_windows_device_is_shared_where_it_fits() {
        let window = Gpu::without_window().expect("a graphics adapter, a software one (lavapipe) at least");
        let name = window.name().to_uppercase();
        let shares = |name| open(name, Some(&window)).expect("it is there").is_same(&window);
        assert!(shares(None) && shares(Some(&name)));
        let other = open(Some(&name), None).expect("it is there");
        assert!(other.name() == window.name() && !other.is_same(&window));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let name = open(None, None).expect("a graphics adapter").name();
        let error = match open(Some("no such device"), None) {
            Ok(gpu) => panic!("{} does not have this name", gpu.name()),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with("device wgpu:no such device: ") && error.contains(&name), "{error}");
    }

    #[test]
    fn software_is_not_chosen_by_itself() {
        let gpu = Gpu::without_window().expect("a graphics adapter");
        let is_wgpu = |dtype| matches!(OpenDevice::automatic(dtype, Some(&gpu)), OpenDevice::Wgpu(_));
        let others_come_first = cfg!(any(feature = "cuda", feature = "metal"));
        assert!(others_come_first || is_wgpu(None) == gpu.is_hardware());
        assert!(!is_wgpu(Some(Dtype::Bf16)));
    }
}
