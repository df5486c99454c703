//! Graphics processors as wgpu sees them.

use std::panic;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::Serialize;

/// What wgpu sees.
#[derive(Clone, Debug, Serialize)]
pub struct Gpus {
    /// Every adapter, software ones too.
    pub adapters: Vec<Gpu>,
    /// Why the search failed, where it did.
    pub problem: Option<String>,
}

/// One adapter; a processor shows up once for each interface.
#[derive(Clone, Debug, Serialize)]
pub struct Gpu {
    /// As the driver says.
    pub name: String,
    /// "vulkan", "metal", "dx12", "gl".
    pub backend: String,
    /// "discrete", "integrated", "virtual", "software" or "other".
    pub kind: &'static str,
    /// Driver and its version.
    pub driver: String,
    /// 16-bit floats in shaders.
    pub shader_f16: bool,
    /// Subgroup operations in shaders.
    pub subgroup: bool,
    /// GPU timers.
    pub timestamp_query: bool,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that a shader can see, in bytes.
    pub max_binding_bytes: u64,
}

impl Gpus {
    /// Asks every interface. A driver that panics or is missing gives a report, not an end.
    pub(super) fn find() -> Self {
        match panic::catch_unwind(enumerate) {
            Ok(adapters) => Self { adapters, problem: None },
            Err(payload) => {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("unknown reason");
                Self { adapters: Vec::new(), problem: Some(format!("the search for GPUs failed: {text}")) }
            }
        }
    }
}

fn enumerate() -> Vec<Gpu> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let search = pin!(instance.enumerate_adapters(wgpu::Backends::all()));
    // Outside of a browser the answer is there at once.
    match search.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(adapters) => adapters.iter().map(describe).collect(),
        Poll::Pending => Vec::new(),
    }
}

fn describe(adapter: &wgpu::Adapter) -> Gpu {
    let (info, features, limits) = (adapter.get_info(), adapter.features(), adapter.limits());
    Gpu {
        name: info.name,
        backend: info.backend.to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        shader_f16: features.contains(wgpu::Features::SHADER_F16),
        subgroup: features.contains(wgpu::Features::SUBGROUP),
        timestamp_query: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
    }
}
