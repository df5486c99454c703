//! Layers of both architectures: on the processor each is one fused kernel, elsewhere candle's own operations.

use std::cell::RefCell;

use candle_core::{DType, Device, Result as TensorResult, Tensor};

use super::fused::{FusedAttention, FusedLinear};
use crate::Result;
use crate::backend::cpu::attention::{AttentionShape, Rope};
use crate::backend::cpu::depthwise::Depthwise;
use crate::backend::cpu::linear::{Epilogue, Norm};
use crate::backend::cpu::{self, Kernels, Scratch};
use crate::backend::{Dtype, Run};
use crate::checkpoint::{CheckpointError, QuantisedMatrix, TensorSource};

/// Scores that are held at once by attention on a GPU: 256 MB of f32.
const SCORES: usize = 64 << 20;

/// Where layers live.
pub struct Place {
    /// Of every tensor.
    pub device: Device,
    /// Type of weights and matrix inputs on a GPU.
    dtype: DType,
    /// Fused kernels; `None` on a GPU.
    kernels: Option<Box<dyn Kernels>>,
}

impl Place {
    /// Fused kernels on the processor, candle's operations elsewhere.
    pub fn new(device: Device, dtype: Dtype) -> Self {
        let kernels = device.is_cpu().then(|| cpu::kernels(dtype));
        Self { device, dtype: candle_dtype(dtype), kernels }
    }

    /// Candle's own operations whatever the device: what GPUs run, in a form that any machine can test.
    #[cfg(test)]
    pub fn plain(device: Device, dtype: Dtype) -> Self {
        Self { device, dtype: candle_dtype(dtype), kernels: None }
    }

    /// Ends a forward pass on request. A GPU only queues what it is given: without waiting for it here, all blocks
    /// would be queued before the first one has run, and a request would come too late for each of them.
    pub fn enter_block(&self, run: &Run<'_>, done: usize) -> Result<()> {
        self.device.synchronize()?;
        run.enter_block(done)
    }

    /// Whether layers can do with weights as a file holds them.
    pub fn has_kernels(&self) -> bool {
        self.kernels.is_some()
    }

    /// A tensor of f32.
    pub fn tensor(&self, numbers: Vec<f32>, shape: &[usize]) -> TensorResult<Tensor> {
        Tensor::from_vec(numbers, shape, &self.device)
    }
}

fn candle_dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
}

/// Reads a layer norm over `dim` numbers.
pub fn load_norm(weights: &dyn TensorSource, name: &str, dim: usize, eps: f64) -> Result<Norm, CheckpointError> {
    Ok(Norm {
        weight: weights.load(&format!("{name}.weight"), &[dim])?,
        bias: weights.load(&format!("{name}.bias"), &[dim])?,
        eps: eps as f32,
    })
}

/// Memory for one layer's output, kept from one block to the next.
#[derive(Default)]
pub struct Buffer(Option<Tensor>);

impl Buffer {
    /// An f32 tensor on the processor with whatever it held before.
    fn get(&mut self, shape: &[usize]) -> TensorResult<Tensor> {
        match &self.0 {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            _ => {
                let tensor = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
                self.0 = Some(tensor.clone());
                Ok(tensor)
            }
        }
    }
}

/// A layer norm that stands alone.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Puts `norm` on the device.
    pub fn new(norm: Norm, place: &Place) -> TensorResult<Self> {
        let dim = norm.weight.len();
        Ok(Self { weight: place.tensor(norm.weight, &[dim])?, bias: place.tensor(norm.bias, &[dim])?, eps: norm.eps })
    }

    /// x: `[.., dim]` f32, contiguous.
    pub fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        candle_nn::ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// A weight on its way to a layer, `[outputs, inputs]`.
pub enum Matrix {
    /// Row-major.
    Numbers(Vec<f32>),
    /// As the file holds it.
    Quantised(QuantisedMatrix),
}

impl Matrix {
    /// The rows of `other` below these.
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Quantised(mut first), Self::Quantised(second)) if first.element == second.element => {
                first.bytes.extend(second.bytes);
                Self::Quantised(first)
            }
            (first, second) => {
                let mut numbers = first.into_f32();
                numbers.extend(second.into_f32());
                Self::Numbers(numbers)
            }
        }
    }

    /// Row-major.
    fn into_f32(self) -> Vec<f32> {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Quantised(matrix) => matrix.to_f32(),
        }
    }
}

impl From<Vec<f32>> for Matrix {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Numbers(numbers)
    }
}

/// `epilogue(norm(x) Wᵀ + b)`; see [`Epilogue`].
pub enum Linear {
    /// One kernel, f32 in and out.
    Fused(Box<FusedLinear>),
    /// Candle's operations.
    Plain(PlainLinear),
}

/// A linear layer of candle's operations.
pub struct PlainLinear {
    /// `[inputs, outputs]`
    weight: Tensor,
    /// `[outputs]`
    bias: Tensor,
    norm: Option<LayerNorm>,
    epilogue: Epilogue,
    /// LayerScale of [`Epilogue::AddScaled`], f32 `[outputs]`.
    scale: Option<Tensor>,
}

impl Linear {
    /// `weight` is `[outputs, inputs]` row-major, `bias` `[outputs]`.
    pub fn new(
        place: &Place,
        weight: impl Into<Matrix>,
        bias: Vec<f32>,
        norm: Option<Norm>,
        epilogue: Epilogue,
    ) -> TensorResult<Self> {
        let outputs = bias.len();
        let weight = weight.into();
        if let Some(kernels) = &place.kernels {
            let width = if matches!(epilogue, Epilogue::SwiGlu) { outputs / 2 } else { outputs };
            let weight = match weight {
                Matrix::Numbers(numbers) => kernels.pack(&numbers, numbers.len() / outputs, &epilogue),
                Matrix::Quantised(matrix) => kernels.pack_quantised(&matrix, matrix.numbers() / outputs, &epilogue),
            };
            return Ok(Self::Fused(Box::new(FusedLinear { weight, bias, norm, epilogue, width })));
        }
        let weight = weight.into_f32();
        let inputs = weight.len() / outputs;
        let scale = match &epilogue {
            Epilogue::AddScaled(scale) => Some(place.tensor(scale.clone(), &[outputs])?),
            _ => None,
        };
        Ok(Self::Plain(PlainLinear {
            weight: place.tensor(weight, &[outputs, inputs])?.to_dtype(place.dtype)?.t()?.contiguous()?,
            bias: place.tensor(bias, &[outputs])?.to_dtype(place.dtype)?,
            norm: norm.map(|norm| LayerNorm::new(norm, place)).transpose()?,
            epilogue,
            scale,
        }))
    }

    /// Bytes of its weight on the device.
    pub fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Fused(layer) => layer.weight.bytes(),
            Self::Plain(layer) => layer.weight.elem_count() * layer.weight.dtype().size_in_bytes(),
        };
        bytes as u64
    }

    /// x: `[rows, inputs]`. Not for [`Epilogue::AddScaled`].
    ///
    /// The result may live in `buffer`: it is overwritten by the next call with the same one.
    pub fn forward(&self, x: &Tensor, buffer: &mut Buffer) -> TensorResult<Tensor> {
        match self {
            Self::Fused(layer) => {
                let out = buffer.get(&[x.dim(0)?, layer.width])?;
                out.inplace_op2(x, layer.as_ref())?;
                Ok(out)
            }
            Self::Plain(layer) => layer.forward(x),
        }
    }

    /// `residual + scale · (x Wᵀ + b)`, `[rows, outputs]` f32, for [`Epilogue::AddScaled`].
    pub fn add_to(&self, residual: Tensor, x: &Tensor) -> TensorResult<Tensor> {
        match self {
            Self::Fused(layer) => {
                residual.inplace_op2(x, layer.as_ref())?;
                Ok(residual)
            }
            Self::Plain(layer) => {
                let y = layer.forward(x)?.to_dtype(DType::F32)?;
                residual
                    + match &layer.scale {
                        Some(scale) => y.broadcast_mul(scale)?,
                        None => y,
                    }
            }
        }
    }
}

impl PlainLinear {
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let normalised;
        let x = match &self.norm {
            Some(norm) => {
                normalised = norm.forward(x)?;
                &normalised
            }
            None => x,
        };
        let y = x.to_dtype(self.weight.dtype())?.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        match self.epilogue {
            Epilogue::Bias | Epilogue::AddScaled(_) => Ok(y),
            Epilogue::Gelu => y.gelu_erf(),
            Epilogue::SwiGlu => {
                let halves = y.chunk(2, 1)?;
                halves[0].silu()? * &halves[1]
            }
        }
    }
}

/// Attention over the tokens of a picture, or of several texts of one length.
pub enum Attention<'a> {
    /// One kernel; the result lives in `out`.
    Fused {
        /// This processor's.
        kernels: &'a dyn Kernels,
        /// Sizes.
        shape: AttentionShape,
        /// Positions of the patches, where tokens have some.
        rope: Option<Rope>,
        /// Of this shape.
        scratch: Scratch,
        /// `[sequences * tokens, dim]`
        out: Buffer,
    },
    /// Candle's operations.
    Plain {
        /// Sizes.
        shape: AttentionShape,
        /// Positions of the patches, where tokens have some.
        rope: Option<PlainRope>,
        /// 0 where a query sees a key, else -inf, `[tokens, tokens]`; `None` where it sees all.
        mask: Option<Tensor>,
    },
}

/// Positions of the patches on a device.
pub struct PlainRope {
    /// Tokens before the patches.
    prefix: usize,
    /// `[patches, head_dim / 2]`
    cos: Tensor,
    /// `[patches, head_dim / 2]`
    sin: Tensor,
}

impl<'a> Attention<'a> {
    /// For sequences of that many tokens; the patches of a picture lie as `rope` says.
    pub fn new(shape: AttentionShape, rope: Option<Rope>, place: &'a Place) -> TensorResult<Self> {
        if let Some(kernels) = &place.kernels {
            let (scratch, out) = (Scratch::default(), Buffer::default());
            return Ok(Self::Fused { kernels: kernels.as_ref(), shape, rope, scratch, out });
        }
        let tokens = shape.tokens;
        let seen = |at: usize| if at % tokens <= at / tokens { 0.0 } else { f32::NEG_INFINITY };
        let mask = shape.is_causal.then(|| place.tensor((0..tokens * tokens).map(seen).collect(), &[tokens, tokens]));
        Self::masked(shape, rope, mask.transpose()?, place)
    }

    /// As [`Attention::new`] in candle's operations, whatever the device: `mask` says which query sees which key, as
    /// [`Attention::Plain`] has it.
    pub fn masked(
        shape: AttentionShape,
        rope: Option<Rope>,
        mask: Option<Tensor>,
        place: &Place,
    ) -> TensorResult<Self> {
        let half = shape.head_dim / 2;
        let table = |numbers: Vec<f32>| {
            let patches = numbers.len() / half;
            place.tensor(numbers, &[patches, half])
        };
        let rope = rope.map(|Rope { cos, sin, prefix }| -> TensorResult<PlainRope> {
            Ok(PlainRope { prefix, cos: table(cos)?, sin: table(sin)? })
        });
        Ok(Self::Plain { shape, rope: rope.transpose()?, mask })
    }

    /// `softmax(q kᵀ / √head_dim) v`, q and k being rotated where there is a RoPE; `qkv` is
    /// `[sequences * tokens, 3 * dim]`, the result `[sequences * tokens, dim]`, which the next call may overwrite.
    pub fn forward(&mut self, qkv: &Tensor) -> TensorResult<Tensor> {
        match self {
            Self::Fused { kernels, shape, rope, scratch, out } => {
                let out = out.get(&[qkv.dim(0)?, shape.dim()])?;
                let (rope, scratch) = (rope.as_ref(), RefCell::new(scratch));
                out.inplace_op2(qkv, &FusedAttention { kernels: *kernels, shape: *shape, rope, scratch })?;
                Ok(out)
            }
            Self::Plain { shape, rope, mask } => plain_attention(qkv, *shape, rope.as_ref(), mask.as_ref()),
        }
    }
}

fn plain_attention(
    qkv: &Tensor,
    shape: AttentionShape,
    rope: Option<&PlainRope>,
    mask: Option<&Tensor>,
) -> TensorResult<Tensor> {
    let AttentionShape { tokens, heads, head_dim, .. } = shape;
    let dtype = qkv.dtype();
    let sequences = qkv.dim(0)? / tokens;
    // [3, sequences * heads, tokens, head_dim]
    let qkv = qkv.reshape((sequences, tokens, 3, heads, head_dim))?.permute((2, 0, 3, 1, 4))?.contiguous()?;
    let qkv = qkv.reshape((3, sequences * heads, tokens, head_dim))?;
    let rotate = |x: Tensor| -> TensorResult<Tensor> {
        let x = x.to_dtype(DType::F32)?;
        let Some(PlainRope { prefix, cos, sin }) = rope else { return Ok(x) };
        let patches = x.narrow(1, *prefix, tokens - prefix)?;
        let (first, second) = (patches.narrow(2, 0, head_dim / 2)?, patches.narrow(2, head_dim / 2, head_dim / 2)?);
        let turned_first = (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?;
        let turned_second = (second.broadcast_mul(cos)? + first.broadcast_mul(sin)?)?;
        let patches = Tensor::cat(&[turned_first, turned_second], 2)?;
        Tensor::cat(&[x.narrow(1, 0, *prefix)?, patches], 1)
    };
    let q = (rotate(qkv.get(0)?)? / (head_dim as f64).sqrt())?.to_dtype(dtype)?.contiguous()?;
    let keys = rotate(qkv.get(1)?)?.to_dtype(dtype)?.transpose(1, 2)?.contiguous()?;
    let values = qkv.get(2)?;
    let rows_at_once = (SCORES / (sequences * heads * tokens)).clamp(1, tokens);
    let mut parts = Vec::new();
    for first in (0..tokens).step_by(rows_at_once) {
        let rows = rows_at_once.min(tokens - first);
        let queries = q.narrow(1, first, rows)?.contiguous()?;
        let mut scores = queries.matmul(&keys)?.to_dtype(DType::F32)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(&mask.narrow(0, first, rows)?)?;
        }
        parts.push(candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(dtype)?.matmul(&values)?);
    }
    let mixed = Tensor::cat(&parts, 1)?.reshape((sequences, heads, tokens, head_dim))?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((sequences * tokens, heads * head_dim))
}

/// Depthwise 7 × 7 convolution on `[rows, cols, channels]`.
pub enum DepthwiseConv {
    /// One kernel.
    Fused(Depthwise),
    /// 49 shifted products; candle's grouped convolution runs one convolution a channel.
    Plain {
        /// `[49, channels]`
        weight: Tensor,
        /// `[channels]`
        bias: Tensor,
    },
}

impl DepthwiseConv {
    /// `weight` is `[channels, 1, 7, 7]`.
    pub fn new(place: &Place, weight: Vec<f32>, bias: Vec<f32>) -> TensorResult<Self> {
        if place.kernels.is_some() {
            return Ok(Self::Fused(Depthwise::new(&weight, bias)));
        }
        let channels = bias.len();
        Ok(Self::Plain {
            weight: place.tensor(weight, &[channels, 49])?.t()?.contiguous()?,
            bias: place.tensor(bias, &[channels])?,
        })
    }

    /// x: `[rows, cols, channels]` f32; the result may live in `buffer`.
    pub fn forward(&self, x: &Tensor, buffer: &mut Buffer) -> TensorResult<Tensor> {
        match self {
            Self::Fused(layer) => {
                let out = buffer.get(x.dims())?;
                out.inplace_op2(x, layer)?;
                Ok(out)
            }
            Self::Plain { weight, bias } => {
                let (rows, cols, _) = x.dims3()?;
                let padded = x.pad_with_zeros(0, 3, 3)?.pad_with_zeros(1, 3, 3)?;
                let mut sum = x.zeros_like()?.broadcast_add(bias)?;
                for tap in 0..49 {
                    let shifted = padded.narrow(0, tap / 7, rows)?.narrow(1, tap % 7, cols)?;
                    sum = (sum + shifted.broadcast_mul(&weight.get(tap)?)?)?;
                }
                Ok(sum)
            }
        }
    }
}
