//! The processor's kernels ([`cpu`](crate::backend::cpu)) as candle operations on f32 tensors, written into tensors
//! that the caller keeps: fresh memory for every layer would cost a tenth of the time in page faults.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, bail};
use rayon::prelude::*;

use crate::backend::cpu::attention::{AttentionShape, Rope};
use crate::backend::cpu::depthwise::Depthwise;
use crate::backend::cpu::linear::{Epilogue, Norm, PackedWeight};
use crate::backend::cpu::{Kernels, Scratch};

/// A packed linear layer with what stands before and after it; see [`Epilogue`].
pub struct FusedLinear {
    /// `[outputs, inputs]`
    pub weight: Box<dyn PackedWeight>,
    /// `[outputs]`
    pub bias: Vec<f32>,
    /// Applied to the input.
    pub norm: Option<Norm>,
    /// Applied to the output.
    pub epilogue: Epilogue,
    /// Columns of the result.
    pub width: usize,
}

/// The numbers of a contiguous f32 tensor.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((start, end))) => Ok(&all[start..end]),
        _ => bail!("expected a contiguous f32 tensor, got {layout:?}"),
    }
}

/// The numbers of a contiguous f32 tensor, to be written.
fn numbers_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((start, end))) => Ok(&mut all[start..end]),
        _ => bail!("expected a contiguous f32 tensor, got {layout:?}"),
    }
}

impl InplaceOp2 for FusedLinear {
    fn name(&self) -> &'static str {
        "fused-linear"
    }

    /// out: `[rows, width]`, x: `[rows, inputs]`
    fn cpu_fwd(&self, out: &mut CpuStorage, to: &Layout, x: &CpuStorage, from: &Layout) -> Result<()> {
        let out = numbers_mut(out, to)?;
        self.weight.apply(numbers(x, from)?, self.norm.as_ref(), &self.bias, &self.epilogue, out);
        Ok(())
    }
}

/// Attention on a joint `[sequences * tokens, 3 * dim]`.
pub struct FusedAttention<'a> {
    /// This processor's.
    pub kernels: &'a dyn Kernels,
    /// Sizes.
    pub shape: AttentionShape,
    /// Positions of the patches, where tokens have some.
    pub rope: Option<&'a Rope>,
    /// Of this shape.
    pub scratch: RefCell<&'a mut Scratch>,
}

impl InplaceOp2 for FusedAttention<'_> {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    /// out: `[sequences * tokens, dim]`, qkv: `[sequences * tokens, 3 * dim]`
    fn cpu_fwd(&self, out: &mut CpuStorage, to: &Layout, qkv: &CpuStorage, from: &Layout) -> Result<()> {
        let (qkv, out) = (numbers(qkv, from)?, numbers_mut(out, to)?);
        let Self { kernels, shape, rope, .. } = *self;
        let len = shape.tokens * shape.dim();
        if out.len() == len {
            kernels.attention(qkv, shape, rope, &mut self.scratch.borrow_mut(), out);
        } else {
            // One short sequence does not keep all threads busy.
            let sequences = qkv.par_chunks(3 * len).zip(out.par_chunks_mut(len));
            sequences.for_each_init(Scratch::default, |scratch, (qkv, out)| {
                kernels.attention(qkv, shape, rope, scratch, out);
            });
        }
        Ok(())
    }
}

impl InplaceOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "fused-depthwise"
    }

    /// out and x: `[rows, cols, channels]`
    fn cpu_fwd(&self, out: &mut CpuStorage, to: &Layout, x: &CpuStorage, from: &Layout) -> Result<()> {
        let (rows, cols, _) = from.shape().dims3()?;
        self.apply(numbers(x, from)?, rows, cols, numbers_mut(out, to)?);
        Ok(())
    }
}
