//! Labels moving from eight frames to the next, on the processor.

use anyhow::Result;
use dinoscope_engine::Cancel;
use dinoscope_engine::analysis::propagation::{ContextFrame, PropagationOptions, propagate};
use dinoscope_engine::analysis::unit;
use dinoscope_engine::features::FeatureGrid;
use ndarray::Array2;

use super::random;

/// Frames of the context: the first and the last seven.
const CONTEXT: usize = 8;
/// Background and three objects.
const CLASSES: usize = 4;

/// A frame and those before it. The features are random: how long it takes does not depend on them.
pub struct Propagation {
    target: FeatureGrid,
    context: Vec<(FeatureGrid, Array2<f32>)>,
}

impl Propagation {
    /// Of `rows` × `cols` patches of `dim` numbers.
    ///
    /// # Errors
    /// None for finite features.
    pub fn new(rows: usize, cols: usize, dim: usize) -> Result<Self> {
        let mut numbers = random().map(|bits| bits as i32 as f32);
        let mut features = || {
            let data = Array2::from_shape_simple_fn((rows * cols, dim), || numbers.next().unwrap_or_default());
            unit(FeatureGrid { rows, cols, data })
        };
        let stripes = Array2::from_shape_fn((rows * cols, CLASSES), |(patch, class)| {
            if patch % cols * CLASSES / cols == class { 1.0 } else { 0.0 }
        });
        let target = features()?;
        let context = (0..CONTEXT).map(|_| Ok((features()?, stripes.clone()))).collect::<Result<_>>()?;
        Ok(Self { target, context })
    }

    /// One frame's labels.
    ///
    /// # Errors
    /// Interrupted.
    pub fn run(&self, cancel: &Cancel) -> Result<()> {
        let context: Vec<ContextFrame<'_>> =
            self.context.iter().map(|(features, probabilities)| ContextFrame { features, probabilities }).collect();
        propagate(&self.target, &context, &PropagationOptions::default(), cancel)?;
        Ok(())
    }
}
