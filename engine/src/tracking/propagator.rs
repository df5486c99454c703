//! Where labels are propagated: on the graphics device where it is a real one, else on the processor.

use std::panic::catch_unwind;
use std::sync::Arc;

use ndarray::Array2;

use crate::analysis::propagation::{ContextFrame, PropagationOptions, propagate};
use crate::encoder::Encoder;
use crate::features::FeatureGrid;
use crate::gpu::{Gpu, PropagationPipeline, ResidentContext, ResidentGrid};
use crate::{Cancel, Error, Result};

/// Propagates labels, keeping on the graphics device what the next frame needs again. Where the device fails, the
/// processor goes on.
#[derive(Default)]
pub struct Propagator {
    device: Option<OnDevice>,
    moved: Option<String>,
}

struct OnDevice {
    gpu: Gpu,
    pipeline: PropagationPipeline,
    /// Of the last target and its context.
    resident: Vec<(Arc<FeatureGrid>, ResidentGrid)>,
}

/// A frame whose labels are known, with features that are shared.
#[derive(Clone, Debug)]
pub struct SharedContext<'a> {
    /// Of length 1, as [`crate::analysis::unit`] makes them.
    pub features: Arc<FeatureGrid>,
    /// `[patches, classes]`, rows of which sum to 1.
    pub probabilities: &'a Array2<f32>,
}

impl Propagator {
    /// On that device; a program on the processor that plays a graphics device is slower than the processor itself.
    pub fn new(gpu: Option<Gpu>) -> Self {
        Self::on(gpu.filter(Gpu::is_hardware))
    }

    /// On the processor.
    pub fn on_processor() -> Self {
        Self::default()
    }

    /// Beside that model: on the graphics device that it runs on or, where another program runs it there, on the
    /// machine's fastest one; on the processor where the model is.
    pub fn beside(encoder: &Encoder) -> Self {
        // Drivers have been seen to panic.
        let fastest = || catch_unwind(Gpu::hardware).ok().flatten();
        let is_on_processor = encoder.provenance().device == "cpu";
        Self::new(encoder.gpu().cloned().or_else(|| if is_on_processor { None } else { fastest() }))
    }

    /// On that device, whatever it is.
    pub(crate) fn on(gpu: Option<Gpu>) -> Self {
        let device = gpu.map(|gpu| OnDevice { pipeline: PropagationPipeline::new(&gpu), gpu, resident: Vec::new() });
        Self { device, moved: None }
    }

    /// As [`propagate`]; on a graphics device features are read in half precision.
    ///
    /// # Errors
    /// As [`propagate`].
    pub fn run(
        &mut self,
        target: &Arc<FeatureGrid>,
        context: &[SharedContext<'_>],
        options: &PropagationOptions,
        cancel: &Cancel,
    ) -> Result<Array2<f32>> {
        match self.device.as_mut().map(|device| device.run(target, context, options, cancel)) {
            Some(Ok(propagated)) => return Ok(propagated),
            Some(Err(Error::Cancelled)) => return Err(Error::Cancelled),
            Some(Err(Error::Gpu(error))) => {
                let message = format!("Labels are propagated on the processor from here on, since {error}");
                log::warn!("{message}");
                (self.device, self.moved) = (None, Some(message));
            }
            // What only the processor takes, and what neither does.
            Some(Err(error)) => log::debug!("the processor propagates: {error}"),
            None => {}
        }
        let context: Vec<ContextFrame<'_>> = context
            .iter()
            .map(|SharedContext { features, probabilities }| ContextFrame { features, probabilities })
            .collect();
        propagate(target, &context, options, cancel)
    }

    /// Lets go of all features, until they are needed again.
    pub fn rest(&mut self) {
        if let Some(device) = &mut self.device {
            device.resident.clear();
        }
    }

    /// That the processor has taken over, once: one sentence.
    pub fn take_moved(&mut self) -> Option<String> {
        self.moved.take()
    }

    /// Whether it is on a graphics device.
    #[cfg(test)]
    pub(crate) fn is_on_device(&self) -> bool {
        self.device.is_some()
    }
}

impl OnDevice {
    fn run(
        &mut self,
        target: &Arc<FeatureGrid>,
        context: &[SharedContext<'_>],
        options: &PropagationOptions,
        cancel: &Cancel,
    ) -> Result<Array2<f32>> {
        let Self { gpu, pipeline, resident } = self;
        let needed = || context.iter().map(|frame| &frame.features).chain([target]);
        resident.retain(|(known, _)| needed().any(|grid| Arc::ptr_eq(grid, known)));
        for grid in needed() {
            if !resident.iter().any(|(known, _)| Arc::ptr_eq(grid, known)) {
                resident.push((Arc::clone(grid), ResidentGrid::upload(gpu, grid)?));
            }
        }
        let of = |grid: &Arc<FeatureGrid>| {
            let found = resident.iter().find(|(known, _)| Arc::ptr_eq(grid, known));
            found.map(|(_, resident)| resident).expect("it was uploaded just now")
        };
        let context: Vec<ResidentContext<'_>> = context
            .iter()
            .map(|frame| ResidentContext { features: of(&frame.features), probabilities: frame.probabilities })
            .collect();
        pipeline.run(gpu, of(target), &context, options, cancel)
    }
}
