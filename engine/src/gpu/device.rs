//! The graphics device and what it refuses.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How often a wait looks up.
const GLANCE: Duration = Duration::from_millis(20);

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
        let (device, queue) = ready(adapter.request_device(&device_descriptor(adapter)))?.ok()?;
        // Without this wgpu ends the program.
        device.on_uncaptured_error(Arc::new(|error| log::error!("graphics device: {error}")));
        Some(Self::new(device, queue))
    }

    /// Threads of a subgroup, where kernels may use them and they are always as many, at least 8.
    pub fn lanes(&self) -> Option<u32> {
        let info = self.device.adapter_info();
        let is_known = self.device.features().contains(wgpu::Features::SUBGROUP)
            && info.subgroup_min_size == info.subgroup_max_size
            && (8..=64).contains(&info.subgroup_min_size);
        is_known.then_some(info.subgroup_min_size)
    }

    /// Whether kernels may multiply matrices of 16 × 16 at once, f16 summed in f32, by subgroups of 32 threads.
    pub fn has_cooperative_matrices(&self) -> bool {
        // It is asked for only where it is so: see [`device_descriptor`].
        self.device.features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
    }

    /// The fastest device of this machine with these features alone.
    #[cfg(test)]
    pub(crate) fn with_features(features: wgpu::Features) -> Option<Self> {
        let adapters = adapters(BACKENDS[0]);
        let descriptor = wgpu::DeviceDescriptor {
            required_features: features,
            required_limits: adapters.first()?.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(adapters.first()?.request_device(&descriptor))?.ok()?;
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

    /// Waits for a submission, but not long, since other threads may want to change the device's resources meanwhile:
    /// whether it is done.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub(crate) fn is_done(&self, submission: &wgpu::SubmissionIndex) -> Result<bool, GpuError> {
        let poll = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(GLANCE) };
        // wgpu panics where the device is lost.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(poll))) {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(wgpu::PollError::Timeout)) => Ok(false),
            Ok(Err(wgpu::PollError::WrongSubmissionIndex(..))) | Err(_) => Err(GpuError::Lost),
        }
    }

    /// Waits for a submission.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub(crate) fn wait(&self, submission: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        while !self.is_done(submission)? {}
        Ok(())
    }

    /// Lets the device tell what is done.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub(crate) fn poll(&self) -> Result<(), GpuError> {
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(wgpu::PollType::Poll))) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(GpuError::Lost),
        }
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

/// What dinoscope asks of a graphics device: all that the adapter gives, and the features that make kernels fast where it
/// has them.
pub fn device_descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let wanted = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
    let plain = wgpu::DeviceDescriptor {
        label: Some("dinoscope"),
        required_limits: adapter.limits(),
        required_features: adapter.features() & wanted,
        ..wgpu::DeviceDescriptor::default()
    };
    if !is_cooperative(adapter.features(), &adapter.get_info(), &adapter.cooperative_matrix_properties()) {
        return plain;
    }
    let cooperative = wgpu::DeviceDescriptor {
        required_features: plain.required_features | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
        // SAFETY: wgpu wants to hear that experimental features may have bugs which safe code runs into. Only kernels
        // of shaders/backbone use this one, which are checked on every device before they are used.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..plain.clone()
    };
    // A driver that promises too much must not cost the device.
    let opened = ready(adapter.request_device(&cooperative));
    if opened.is_some_and(|opened| opened.is_ok()) { cooperative } else { plain }
}

/// Whether the device has the matrices that `shaders/backbone/gemm_cooperative.wgsl` is written for.
fn is_cooperative(
    features: wgpu::Features,
    info: &wgpu::AdapterInfo,
    properties: &[wgpu::CooperativeMatrixProperties],
) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    let needed = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    let has_size = properties.iter().any(|matrix| {
        let sizes = (matrix.m_size, matrix.n_size, matrix.k_size);
        sizes == (16, 16, 16) && (matrix.ab_type, matrix.cr_type) == (F16, F32)
    });
    features.contains(needed) && (info.subgroup_min_size, info.subgroup_max_size) == (32, 32) && has_size
}

/// OpenGL has the fewest features, and its libraries complain on stderr where there is no desktop: it comes last.
const BACKENDS: [wgpu::Backends; 2] = [wgpu::Backends::PRIMARY, wgpu::Backends::GL];

/// Adapters that compute, the fastest kind first; of those that `WGPU_BACKEND` names, where it is set.
fn adapters(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let backends = backends & wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all());
    if backends.is_empty() {
        return Vec::new();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_units_are_asked_for_only_where_they_fit() {
        use wgpu::CooperativeScalarType::{F16, F32};
        let matrix = |size, ab_type, cr_type| wgpu::CooperativeMatrixProperties {
            m_size: size,
            n_size: size,
            k_size: size,
            ab_type,
            cr_type,
            saturating_accumulation: false,
        };
        let info = |smallest, largest| {
            let mut info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan);
            (info.subgroup_min_size, info.subgroup_max_size) = (smallest, largest);
            info
        };
        let all = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
        let fitting = [matrix(8, F16, F32), matrix(16, F16, F16), matrix(16, F16, F32)];
        assert!(is_cooperative(all, &info(32, 32), &fitting));
        assert!(!is_cooperative(all, &info(32, 64), &fitting), "threads would be counted wrongly");
        assert!(!is_cooperative(all, &info(32, 32), &fitting[..2]), "sums must be f32");
        assert!(!is_cooperative(all - wgpu::Features::SHADER_F16, &info(32, 32), &fitting));
        assert!(!is_cooperative(wgpu::Features::SHADER_F16, &info(32, 32), &fitting));
    }
}
