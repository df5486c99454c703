//! The graphics device that the window draws with: what is asked of it, and what happens when it fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dinoscope_engine::gpu::device_descriptor;
use eframe::egui_wgpu::{WgpuSetup, WgpuSetupCreateNew};

/// The graphics device of the window: the adapter's own limits, and the features that make features small and kernels
/// fast; egui's default asks for WebGL2's limits on GL, with which compute pipelines panic.
pub fn wgpu_setup() -> WgpuSetup {
    WgpuSetup::CreateNew(WgpuSetupCreateNew {
        device_descriptor: Arc::new(device_descriptor),
        ..WgpuSetupCreateNew::without_display_handle()
    })
}

/// A sentence where the adapter cannot run the kernels of the window: they unpack half precision.
pub fn missing(adapter: &wgpu::Adapter) -> Option<String> {
    let needed = wgpu::DownlevelFlags::COMPUTE_SHADERS | wgpu::DownlevelFlags::SHADER_F16_IN_F32;
    let name = adapter.get_info().name;
    (!adapter.get_downlevel_capabilities().flags.contains(needed)).then(|| {
        format!("{name} cannot compute similarity maps: update its driver, or set WGPU_BACKEND to vulkan or gl")
    })
}

/// What the device has reported, from whatever thread.
#[derive(Clone, Debug, Default)]
pub struct DeviceHealth(Arc<Reports>);

#[derive(Debug, Default)]
struct Reports {
    is_lost: AtomicBool,
    errors: Mutex<Vec<String>>,
}

impl DeviceHealth {
    /// Listens to a device; without this wgpu ends the program at the first error.
    pub fn listen(device: &wgpu::Device, wake: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        let health = Self::default();
        let (reports, notify) = (Arc::clone(&health.0), wake.clone());
        device.on_uncaptured_error(Arc::new(move |error| {
            log::error!("graphics device: {error}");
            // The device is busy; the window asks for its surface again with the next frame.
            if error.to_string().contains("before reconfiguring the Surface") {
                return;
            }
            let mut errors = reports.errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push(one_line(&error));
            notify();
        }));
        let reports = Arc::clone(&health.0);
        device.set_device_lost_callback(move |reason, message| {
            log::error!("graphics device lost ({reason:?}): {message}");
            reports.is_lost.store(true, Ordering::Release);
            wake();
        });
        health
    }

    /// Whether the device is gone: nothing can be drawn any more.
    pub fn is_lost(&self) -> bool {
        self.0.is_lost.load(Ordering::Acquire)
    }

    /// Errors since the last call.
    pub fn take_errors(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// wgpu's messages are trees over many lines; people get the first and the last, the log has all.
fn one_line(error: &wgpu::Error) -> String {
    if let wgpu::Error::OutOfMemory { .. } = error {
        return "The graphics device is out of memory: close pictures, or lower the memory for features".to_owned();
    }
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines[..] {
        [] => "The graphics device reported an error".to_owned(),
        [only] => format!("The graphics device reported an error: {only}"),
        [first, .., last] => format!("The graphics device reported an error: {first} {last}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use dinoscope_engine::gpu::Gpu;

    use super::*;

    #[test]
    fn errors_and_a_loss_are_told_and_survived() {
        // Its queue has to stay: a loss is told when the queue's work is looked at.
        let Some(gpu) = Gpu::without_window() else { panic!("a graphics adapter is needed") };
        let device = &gpu.device;
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let wake = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let health = DeviceHealth::listen(device, wake);
        // A buffer for nothing is against the rules.
        let _ = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("useless"),
            size: 16,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        });
        let errors = health.take_errors();
        assert_eq!((errors.len(), woken.load(Ordering::Relaxed)), (1, 1), "{errors:?}");
        assert!(errors[0].starts_with("The graphics device") && !errors[0].contains('\n'), "{errors:?}");
        assert!(!health.is_lost() && health.take_errors().is_empty());
        device.destroy();
        // The window looks at its device in every frame.
        let start = std::time::Instant::now();
        while !health.is_lost() {
            assert!(start.elapsed().as_secs() < 20, "a loss is told");
            let _ = device.poll(wgpu::PollType::Poll);
            std::thread::yield_now();
        }
    }
}
