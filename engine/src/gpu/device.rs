//! The graphics device and what it refuses.

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A graphics device and its queue. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Makes buffers, textures and pipelines.
    pub device: wgpu::Device,
    /// Takes finished work.
    pub queue: wgpu::Queue,
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
    /// The fastest device of this machine that computes, without a window; `None` where there is none.
    pub fn without_window() -> Option<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..wgpu::RequestAdapterOptions::default()
        };
        let adapter = ready(instance.request_adapter(&options))?.ok()?;
        let needed = wgpu::DownlevelFlags::COMPUTE_SHADERS | wgpu::DownlevelFlags::SHADER_F16_IN_F32;
        if !adapter.get_downlevel_capabilities().flags.contains(needed) {
            return None;
        }
        let descriptor =
            wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..wgpu::DeviceDescriptor::default() };
        let (device, queue) = ready(adapter.request_device(&descriptor))?.ok()?;
        Some(Self { device, queue })
    }

    /// Does `work`, which puts `what` on the device, and catches the errors that it causes.
    pub(super) fn guarded<T>(&self, what: &'static str, bytes: u64, work: impl FnOnce() -> T) -> Result<T, GpuError> {
        let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let out_of_memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = work();
        let errors = [ready(out_of_memory.pop()).flatten(), ready(invalid.pop()).flatten()];
        match errors.into_iter().flatten().next() {
            Some(error) => Err(GpuError::DoesNotFit { what, bytes, reason: reason(&error) }),
            None => Ok(made),
        }
    }
}

/// wgpu's messages are trees over many lines; the root says what is wrong.
fn reason(error: &wgpu::Error) -> String {
    if let wgpu::Error::OutOfMemory { .. } = error {
        return "it is out of memory".to_owned();
    }
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
