//! How far a run is, and what it gave on the way.

use std::collections::BTreeMap;

use candle_core::Tensor;
use ndarray::ArrayD;

use crate::backend::Run;
use crate::{Cancel, Progress, Result, Watch};

/// What each stage of a run gives, to be compared with the reference; kept only where it is asked for.
///
/// `projected` `[rows, cols, width]`, `memory` `[rows * cols, width]`, `objectness` of all proposals, `proposals`
/// `[queries, 4]`, and of each layer of the decoder `decoder_0.logits` `[queries, classes]` and `decoder_0.boxes`
/// `[queries, 4]`. Boxes are centres and sizes in pixels of the model's input.
#[derive(Debug, Default)]
pub struct Stages(Option<BTreeMap<String, ArrayD<f32>>>);

impl Stages {
    /// Keeps them.
    pub fn kept() -> Self {
        Self(Some(BTreeMap::new()))
    }

    /// By name.
    pub fn into_tensors(self) -> BTreeMap<String, ArrayD<f32>> {
        self.0.unwrap_or_default()
    }

    pub(super) fn keep(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        if self.0.is_some() {
            let numbers = tensor.flatten_all()?.to_vec1()?;
            self.keep_numbers(name, numbers, tensor.dims());
        }
        Ok(())
    }

    pub(super) fn keep_numbers(&mut self, name: &str, numbers: Vec<f32>, shape: &[usize]) {
        if let Some(kept) = &mut self.0 {
            let array = ArrayD::from_shape_vec(shape, numbers).expect("a tensor has as many numbers as its shape says");
            kept.insert(name.to_owned(), array);
        }
    }
}

/// Blocks of the backbone and layers of the head, counted together.
pub struct Steps<'a> {
    watch: Watch<'a>,
    done: usize,
    total: usize,
    depth: usize,
}

impl<'a> Steps<'a> {
    /// Of `total` steps, `depth` of which are one run of the backbone.
    pub fn new(watch: Watch<'a>, total: usize, depth: usize) -> Self {
        Self { watch, done: 0, total, depth }
    }

    /// What stops the run.
    pub fn cancel(&self) -> &'a Cancel {
        self.watch.cancel
    }

    fn tell(&self, done: usize) {
        let (done, total) = (done as u64, Some(self.total as u64));
        (self.watch.progress)(Progress { stage: "detecting".to_owned(), done, total });
    }

    /// Runs the backbone once.
    pub fn backbone<T>(&mut self, run: impl FnOnce(&Run<'_>) -> Result<T>) -> Result<T> {
        let on_block = |done: usize| self.tell(self.done + done);
        let result = run(&Run::watched(self.watch.cancel, &on_block));
        self.done += self.depth;
        result
    }

    /// Begins a layer of the head.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`]
    pub fn enter_layer(&mut self) -> Result<()> {
        self.watch.cancel.check()?;
        self.tell(self.done);
        self.done += 1;
        Ok(())
    }
}
