//! The processor's kernels ([`cpu`](crate::backend::cpu)) as candle operations on f32 tensors.

use candle_core::{CpuStorage, CustomOp1, InplaceOp2, Layout, Result, Shape, bail};

use crate::backend::cpu::Kernels;
use crate::backend::cpu::attention::{AttentionShape, Rope};
use crate::backend::cpu::depthwise::Depthwise;
use crate::backend::cpu::linear::{Epilogue, Norm, PackedWeight};

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
        _ => bail!("expected a contiguous f32 tensor, got {:?} {layout:?}", storage.dtype()),
    }
}

trait HasDtype {
    fn dtype(&self) -> candle_core::DType;
}

impl HasDtype for CpuStorage {
    fn dtype(&self) -> candle_core::DType {
        candle_core::backend::BackendStorage::dtype(self)
    }
}

impl CustomOp1 for FusedLinear {
    fn name(&self) -> &'static str {
        "fused-linear"
    }

    /// x: `[rows, inputs]`
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let rows = layout.shape().dims2()?.0;
        let mut out = vec![0f32; rows * self.width];
        self.weight.apply(numbers(x, layout)?, self.norm.as_ref(), &self.bias, &self.epilogue, &mut out);
        Ok((CpuStorage::F32(out), Shape::from((rows, self.width))))
    }
}

impl InplaceOp2 for FusedLinear {
    fn name(&self) -> &'static str {
        "fused-linear-onto-residual"
    }

    /// residual: `[rows, width]`, x: `[rows, inputs]`; only for [`Epilogue::AddScaled`].
    fn cpu_fwd(&self, residual: &mut CpuStorage, to: &Layout, x: &CpuStorage, from: &Layout) -> Result<()> {
        let (CpuStorage::F32(all), Some((start, end))) = (residual, to.contiguous_offsets()) else {
            bail!("expected a contiguous f32 residual, got {to:?}");
        };
        self.weight.apply(numbers(x, from)?, self.norm.as_ref(), &self.bias, &self.epilogue, &mut all[start..end]);
        Ok(())
    }
}

/// Attention on a joint `[tokens, 3 * dim]`.
pub struct FusedAttention<'a> {
    /// This processor's.
    pub kernels: &'a dyn Kernels,
    /// Sizes.
    pub shape: AttentionShape,
    /// Positions of the patches.
    pub rope: &'a Rope,
}

impl CustomOp1 for FusedAttention<'_> {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let dim = self.shape.heads * self.shape.head_dim;
        let mut out = vec![0f32; self.shape.tokens * dim];
        self.kernels.attention(numbers(qkv, layout)?, self.shape, Some(self.rope), &mut out);
        Ok((CpuStorage::F32(out), Shape::from((self.shape.tokens, dim))))
    }
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "fused-depthwise"
    }

    /// x: `[rows, cols, channels]`
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, cols, channels) = layout.shape().dims3()?;
        let mut out = vec![0f32; rows * cols * channels];
        self.apply(numbers(x, layout)?, rows, cols, &mut out);
        Ok((CpuStorage::F32(out), Shape::from((rows, cols, channels))))
    }
}
