//! The graphics device and what it refuses.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A graphics device and its queue. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Makes buffers, textures and pipelines.
    pub device: wgpu::Device,
    /// Takes finished work.
    pub queue: wgpu::Queue,
    /// wgpu's own comparison takes the first devices of two instances for the same one.
    identity: Arc<()>,
}

/// Why something could not be put on the graphics device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpuError {
    /// More than the device can hold or bind.
    #[error("{what} of {bytes} bytes does not fit the graphics device: {reason}")]
    DoesNotFit {
        /// "the features", "the picture".
        what: &'static str,
        /// Asked for.
        bytes: u64,
        /// Which limit, or what the driver said.
        reason: String,
    },
    /// No memory is left, whatever the limits say.
    #[error("the graphics device has no memory left for {what} ({bytes} bytes)")]
    OutOfMemory {
        /// "the features", "the picture".
        what: &'static str,
        /// Asked for.
        bytes: u64,
    },
    /// It stopped working.
    #[error("the graphics device stopped working")]
    Lost,
    /// Features that the pipeline was not given for.
    #[error("the query has {got} numbers where the grid has {expected}; both must come from the same model")]
    Dimension {
        /// Of the grid.
        expected: usize,
        /// Of the query.
        got: usize,
    },
}

impl Gpu {
    /// Of a device that is open.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self { device, queue, identity: Arc::default() }
    }

    /// Whether the other one is a clone of this.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }

    /// The fastest device of this machine that computes, without a window; `None` where there is none.
    pub fn without_window() -> Option<Self> {
        BACKENDS.into_iter().find_map(|backends| adapters(backends).iter().find_map(Self::open))
    }

    /// As [`Self::without_window`], but none that is a program on the processor.
    pub fn hardware() -> Option<Self> {
        adapters(BACKENDS[0]).iter().find(|adapter| is_hardware(adapter.get_info().device_type)).and_then(Self::open)
    }

    /// The first device whose name contains `name`, in whatever case, without a window.
    ///
    /// # Errors
    /// The names of the devices that there are.
    pub fn named(name: &str) -> Result<Self, Vec<String>> {
        let mut names = Vec::new();
        for backends in BACKENDS {
            let adapters = adapters(backends);
            let mut found = adapters.iter().filter(|adapter| contains(&adapter.get_info().name, name));
            if let Some(gpu) = found.find_map(Self::open) {
                return Ok(gpu);
            }
            names.extend(adapters.iter().map(|adapter| adapter.get_info().name));
        }
        names.sort();
        names.dedup();
        Err(names)
    }

    fn open(adapter: &wgpu::Adapter) -> Option<Self> {
        let wanted = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            required_features: adapter.features() & wanted,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(adapter.request_device(&descriptor))?.ok()?;
        // Without this wgpu ends the program.
        device.on_uncaptured_error(Arc::new(|error| log::error!("graphics device: {error}")));
        Some(Self::new(device, queue))
    }

    /// What its driver calls it.
    pub fn name(&self) -> String {
        self.device.adapter_info().name
    }

    /// Whether it has that text in its name, in whatever case.
    pub fn is_named(&self, name: &str) -> bool {
        contains(&self.name(), name)
    }

    /// Whether it is more than a program on the processor.
    pub fn is_hardware(&self) -> bool {
        is_hardware(self.device.adapter_info().device_type)
    }

    /// Does `work`, which puts `what` on the device, and catches the errors that it causes.
    pub(crate) fn guarded<T>(&self, what: &'static str, bytes: u64, work: impl FnOnce() -> T) -> Result<T, GpuError> {
        let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let out_of_memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = work();
        let errors = [ready(out_of_memory.pop()).flatten(), ready(invalid.pop()).flatten()];
        match errors.into_iter().flatten().next() {
            Some(wgpu::Error::OutOfMemory { .. }) => Err(GpuError::OutOfMemory { what, bytes }),
            Some(error) => Err(GpuError::DoesNotFit { what, bytes, reason: reason(&error) }),
            None => Ok(made),
        }
    }
}

/// OpenGL has the fewest features, and its libraries complain on stderr where there is no desktop: it comes last.
const BACKENDS: [wgpu::Backends; 2] = [wgpu::Backends::PRIMARY, wgpu::Backends::GL];

/// Adapters that compute, the fastest kind first.
fn adapters(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let search = wgpu::Instance::new(descriptor).enumerate_adapters(backends);
    let mut adapters = ready(search).unwrap_or_default();
    adapters.retain(computes);
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

fn is_hardware(device_type: wgpu::DeviceType) -> bool {
    use wgpu::DeviceType::{DiscreteGpu, IntegratedGpu, VirtualGpu};
    matches!(device_type, DiscreteGpu | IntegratedGpu | VirtualGpu)
}

fn computes(adapter: &wgpu::Adapter) -> bool {
    let needed = wgpu::DownlevelFlags::COMPUTE_SHADERS | wgpu::DownlevelFlags::SHADER_F16_IN_F32;
    adapter.get_downlevel_capabilities().flags.contains(needed)
}

fn contains(name: &str, part: &str) -> bool {
    name.to_lowercase().contains(&part.to_lowercase())
}

/// wgpu's messages are trees over many lines; the root says what is wrong.
fn reason(error: &wgpu::Error) -> String {
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// Outside of a browser wgpu's answers are there at once.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
