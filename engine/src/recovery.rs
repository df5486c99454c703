//! What happens to a model whose graphics device fails: it goes on, on that device opened anew or on the processor.

use std::sync::Arc;

use candle_core::Device;

use crate::backend::candle::CandleBackbone;
use crate::backend::wgpu::{WgpuBackbone, device_name};
use crate::backend::{Backbone, Dtype, OpenDevice, Placement, PlacementChoice, Run};
use crate::checkpoint::Weights;
use crate::gpu::{Gpu, GpuError};
use crate::{Cancel, Error, Result};

/// What is kept of a model on a graphics device to load it once more.
pub struct Recovery {
    weights: Arc<Weights>,
    /// Of the model as it runs.
    placement: Placement,
    /// As it was asked for; the processor has its own defaults.
    choice: PlacementChoice,
    device: Reopening,
}

/// Whether a lost device is opened anew.
enum Reopening {
    /// Once, by its name.
    Once(String),
    /// It was, and was lost again.
    NoMore,
    /// It is the window's, which opens another one and loads the model there.
    ByWindow,
}

/// A model that goes on elsewhere.
pub struct Recovered {
    /// With the same weights.
    pub backbone: Box<dyn Backbone>,
    /// Name of the device.
    pub device: String,
    /// Type of weights and matrix inputs.
    pub dtype: Dtype,
    /// One sentence for the user.
    pub message: String,
}

impl Recovery {
    /// For a model that runs on `gpu` as `placement` says, which may be that of a window.
    pub fn new(
        weights: &Arc<Weights>,
        gpu: &Gpu,
        window: Option<&Gpu>,
        placement: Placement,
        choice: PlacementChoice,
    ) -> Self {
        let is_windows = window.is_some_and(|window| window.is_same(gpu));
        let device = if is_windows { Reopening::ByWindow } else { Reopening::Once(gpu.name()) };
        Self { weights: Arc::clone(weights), placement, choice, device }
    }

    /// Loads the model once more where `error` is the device's, and may not happen again; else gives it back.
    ///
    /// # Errors
    /// `error`, or what prevents the processor from running the model.
    pub fn recover(&mut self, error: Error) -> Result<Recovered> {
        let is_full = matches!(error, Error::Gpu(GpuError::OutOfMemory { .. }));
        match (&self.device, &error) {
            _ if is_full => {}
            (Reopening::ByWindow, _) => return Err(error),
            (_, Error::Device { .. }) => {}
            _ => return Err(error),
        }
        if !is_full && let Reopening::Once(name) = std::mem::replace(&mut self.device, Reopening::NoMore) {
            match self.reopen(&name) {
                Some(recovered) => return Ok(recovered),
                None => log::warn!("{name} cannot be opened again"),
            }
        }
        let placement = OpenDevice::cpu().placement(self.choice);
        let backbone = CandleBackbone::load(&self.weights, Device::Cpu, placement, &Run::from(&Cancel::default()))?;
        let why = if is_full { "The graphics device is out of memory" } else { "The graphics device was lost" };
        Ok(Recovered {
            backbone: Box::new(backbone),
            device: "cpu".to_owned(),
            dtype: placement.dtype,
            message: format!("{why}: the model runs on the processor now"),
        })
    }

    fn reopen(&self, name: &str) -> Option<Recovered> {
        let gpu = Gpu::named(name).ok()?;
        let backbone = WgpuBackbone::load(&gpu, &self.weights, self.placement, &Run::from(&Cancel::default()))
            .inspect_err(|error| log::warn!("the model cannot be put on {name} again: {error}"))
            .ok()?;
        Some(Recovered {
            backbone: Box::new(backbone),
            device: device_name(&gpu),
            dtype: self.placement.dtype,
            message: "The graphics device was lost and has been opened again".to_owned(),
        })
    }
}
