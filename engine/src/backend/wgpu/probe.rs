//! Single kernels, for measurements.

use std::fmt;

use half::f16;

use super::buffers::{Limits, Region, allocate, upload};
use super::kernels::attention::{self, Sequences};
use super::kernels::gemm::{self, Epilogue};
use super::kernels::method::Method;
use super::kernels::peak;
use super::pipelines::Input;
use super::recording::{Recording, Tools};
use super::weights::{HostLinear, Linear};
use super::{check, tune};
use crate::backend::{Dtype, Run};
use crate::gpu::Gpu;
use crate::model::{Ffn, VitConfig};
use crate::{Cancel, Result};

/// What takes the time of a vision transformer, one by one, in the sizes that the model has for a picture.
pub struct Probe {
    gpu: Gpu,
    tools: Tools,
    method: Method,
    tokens: usize,
    heads: usize,
    head: usize,
    linear: Linear,
    /// `[tokens, dim]` Input.
    a: Region,
    /// `[tokens, hidden]` f32.
    product: Region,
    /// `[tokens, 3 * dim]` Input.
    qkv: Region,
    /// `[tokens, dim]` Input.
    mixed: Region,
    /// See [`peak::record`].
    peak: Region,
}

/// What [`Probe::run`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Fused multiply-adds from registers: what the device can do at most without matrix units.
    Peak,
    /// The first layer of the feed-forward network, tokens × dim × hidden, with its bias.
    Gemm,
    /// One block's attention.
    Attention,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Peak, Self::Gemm, Self::Attention];

    /// "gemm"
    pub fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Gemm => "gemm",
            Self::Attention => "attention",
        }
    }
}

impl Probe {
    /// Makes room for the kernels' numbers, which are random. `grid`: rows and columns of patches.
    ///
    /// # Errors
    /// As [`super::WgpuBackbone::load`].
    pub fn new(gpu: &Gpu, dtype: Dtype, config: &VitConfig, grid: (usize, usize)) -> Result<Self> {
        let input = super::input(gpu, dtype)?;
        super::check_device(gpu)?;
        let mut tools = Tools::new(gpu, input);
        let method = check::method(gpu, &mut tools, tune::file().as_deref());
        let (dim, tokens) = (config.dim, config.prefix() + grid.0 * grid.1);
        let (Ffn::Mlp { hidden } | Ffn::SwiGlu { hidden }) = config.ffn;
        let room = |what, bytes: u64, numbers: usize| allocate(gpu, what, bytes * numbers as u64);
        let host = HostLinear::new(input, &noise(hidden * dim), noise(hidden), None);
        Ok(Self {
            tokens,
            heads: config.heads,
            head: config.head_dim(),
            linear: Linear::upload(gpu, Limits::of(gpu), &host)?,
            a: inputs(gpu, input, &noise(tokens * dim))?,
            product: room("a product", 4, tokens * hidden)?,
            qkv: inputs(gpu, input, &noise(3 * tokens * dim))?,
            mixed: room("mixed values", input.bytes(), tokens * dim)?,
            peak: room("numbers", 16, peak::THREADS)?,
            gpu: gpu.clone(),
            tools,
            method,
        })
    }

    /// Runs a part so many times, one after the other, and waits until all are done.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`], [`crate::Error::Device`] where the device is lost.
    pub fn run(&mut self, part: Part, times: u32, cancel: &Cancel) -> Result<()> {
        let gpu = self.gpu.clone();
        let run = Run::from(cancel);
        let mut recording = Recording::new(&gpu, &mut self.tools, &run);
        for _ in 0..times {
            match part {
                Part::Peak => peak::record(&mut recording, &self.peak),
                Part::Gemm => {
                    let (a, epilogue) = ((&self.a, self.tokens), Epilogue::Bias { first_row: 0 });
                    gemm::record(&mut recording, self.method, a, &self.linear, epilogue, &self.product);
                }
                Part::Attention => {
                    let sequences = Sequences { count: 1, tokens: self.tokens, is_causal: false };
                    attention::record(&mut recording, &self.qkv, sequences, (self.heads, self.head), &self.mixed);
                }
            }
        }
        recording.submit();
        recording.finish().map(drop)
    }

    /// Floating-point operations of a part, two for each multiplication with addition.
    pub fn flops(&self, part: Part) -> u64 {
        2 * match part {
            Part::Peak => peak::WORK,
            Part::Gemm => (self.tokens * self.linear.inputs * self.linear.outputs) as u64,
            Part::Attention => (2 * self.tokens * self.tokens * self.heads * self.head) as u64,
        }
    }

    /// Sizes of a part, for people: "1029×384×1536", "6 heads × 1029 × 64".
    pub fn shape(&self, part: Part) -> String {
        match part {
            Part::Peak => format!("{} threads", peak::THREADS),
            Part::Gemm => format!("{}×{}×{}", self.tokens, self.linear.inputs, self.linear.outputs),
            Part::Attention => format!("{} heads × {} × {}", self.heads, self.tokens, self.head),
        }
    }

    /// How products are computed, for people.
    pub fn method(&self) -> impl fmt::Display + use<> {
        self.method
    }
}

/// In [-1, 1), without structure.
fn noise(count: usize) -> Vec<f32> {
    let number = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (0..count).map(|i| number(i) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

fn inputs(gpu: &Gpu, input: Input, numbers: &[f32]) -> Result<Region> {
    Ok(match input {
        Input::F32 => upload(gpu, "numbers", numbers)?,
        Input::F16 => upload(gpu, "numbers", &numbers.iter().copied().map(f16::from_f32).collect::<Vec<_>>())?,
    })
}
