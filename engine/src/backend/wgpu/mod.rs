//! Backbones in WGSL: on every GPU that wgpu reaches, the window's own device above all.
//!
//! Kernels are in `shaders/backbone`. A forward pass is handed to the device block by block, at most two of which wait
//! there, so that a request to stop takes effect within a block and the window's frames come between.

mod blocks;
mod buffers;
mod check;
mod convnext;
mod dinotxt;
mod kernels;
mod pipelines;
mod place;
mod probe;
mod readback;
mod recording;
#[cfg(test)]
mod tests;
mod tune;
mod vit;
mod weights;

use std::sync::Arc;

pub use self::dinotxt::{WgpuHead, WgpuTower};
pub use self::probe::{Part, Probe};

use self::buffers::Limits;
use self::convnext::ConvNext;
use self::kernels::attention::{WIDEST_HEAD, WORKGROUP_BYTES};
use self::kernels::gemm::BUFFERS;
use self::pipelines::Input;
use self::place::{Output, Place};
use self::recording::{Recording, Tools};
use self::vit::Vit;
use super::{Backbone, Dtype, Placement, Residency, Run, Trial};
use crate::checkpoint::Weights;
use crate::features::Encoded;
use crate::gpu::{Gpu, ResidentGrid};
use crate::image::Pixels;
use crate::model::{BlocksConfig, ModelConfig};
use crate::{Cancel, Error, Result};

/// A backbone on a graphics device.
pub struct WgpuBackbone {
    config: ModelConfig,
    place: Place,
    tools: Tools,
    network: Network,
    /// Of the last picture.
    features: Option<OnDevice>,
}

enum Network {
    Vit(Box<Vit>),
    ConvNext(Box<ConvNext>),
}

/// Patch features that are still on the device.
struct OnDevice {
    /// `[prefix + rows * cols, dim]` f32.
    tokens: buffers::Region,
    prefix: usize,
    grid: (usize, usize),
}

impl WgpuBackbone {
    /// Puts the weights on the device, or as many as it has room for.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where a tensor is missing or broken, [`Error::Gpu`] where not even two blocks fit,
    /// [`Error::Device`] where the device does not do the type or this architecture, and [`Error::Cancelled`] within one
    /// block of the request.
    pub fn load(gpu: &Gpu, weights: &Arc<Weights>, placement: Placement, run: &Run<'_>) -> Result<Self> {
        Self::load_within(gpu, weights, placement, Limits::of(gpu), run)
    }

    fn load_within(
        gpu: &Gpu,
        weights: &Arc<Weights>,
        placement: Placement,
        limits: Limits,
        run: &Run<'_>,
    ) -> Result<Self> {
        let config = weights.config().clone();
        let input = input(gpu, placement.dtype)?;
        check_device(gpu)?;
        check_architecture(gpu, &config)?;
        let mut tools = Tools::new(gpu, input);
        let place = Place::new(gpu, &mut tools, placement.budget, limits);
        let network = match &config {
            ModelConfig::Vit(vit) => Network::Vit(Box::new(Vit::load(vit, weights, &place, run)?)),
            ModelConfig::ConvNext(convnext) => {
                Network::ConvNext(Box::new(ConvNext::load(convnext, weights, &place, run)?))
            }
        };
        gpu.queue.submit([]);
        Ok(Self { config, place, tools, network, features: None })
    }

    /// The type that a device runs fastest.
    pub fn default_dtype(gpu: &Gpu) -> Dtype {
        if gpu.device.features().contains(wgpu::Features::SHADER_F16) { Dtype::F16 } else { Dtype::F32 }
    }

    fn run(&mut self, pixels: &Pixels, layers: &[usize], run: &Run<'_>) -> Result<Encoded> {
        let gpu = self.place.gpu.clone();
        let mut recording = Recording::new(&gpu, &mut self.tools, run);
        let Output { layers: taken, last, features } = match &self.network {
            Network::Vit(vit) => vit.forward(pixels, layers, &mut self.place, &mut recording, run)?,
            Network::ConvNext(convnext) => convnext.forward(pixels, layers, &mut self.place, &mut recording, run)?,
        };
        recording.finish()?;
        self.features = Some(OnDevice { tokens: features, prefix: last.prefix, grid: last.grid });
        let taken = taken.into_iter().map(|(layer, staged)| Ok((layer, staged.read(&gpu)?)));
        let taken: Vec<_> = taken.collect::<Result<_>>()?;
        let find = |layer: &usize| taken.iter().find(|(taken, _)| taken == layer).cloned();
        Ok(Encoded { output: last.read(&gpu)?, layers: layers.iter().filter_map(find).collect() })
    }
}

impl Backbone for WgpuBackbone {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn residency(&self) -> Residency {
        match &self.network {
            Network::Vit(vit) => vit.residency(),
            Network::ConvNext(_) => Residency::Resident,
        }
    }

    fn forward(&mut self, pixels: &Pixels, layers: &[usize], run: &Run<'_>) -> Result<Encoded> {
        super::check_request(&self.config, pixels, layers)?;
        self.features = None;
        let gpu = self.place.gpu.clone();
        gpu.guarded("the picture's work", 4 * pixels.data.len() as u64, || self.run(pixels, layers, run))?
    }

    fn tune(&mut self, pixels: &Pixels, run: &Run<'_>) -> Result<Vec<Trial>> {
        self.tune_into(pixels, run, tune::file().as_deref())
    }

    fn resident(&mut self, gpu: &Gpu) -> Option<ResidentGrid> {
        let OnDevice { tokens, prefix, grid: (rows, cols) } = self.features.as_ref()?;
        if !gpu.is_same(&self.place.gpu) {
            return None;
        }
        let cancel = Cancel::default();
        let run = Run::from(&cancel);
        let mut recording = Recording::new(gpu, &mut self.tools, &run);
        let shape = (*rows, *cols, self.config.dim());
        let packed = gpu.guarded("the features", tokens.size, || {
            let grid = kernels::pack::record(&mut recording, gpu, tokens, *prefix, shape);
            recording.submit();
            grid
        });
        match packed.and_then(|grid| grid) {
            Ok(grid) => Some(grid),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        }
    }
}

/// As `--device` and exports name it.
pub fn device_name(gpu: &Gpu) -> String {
    format!("wgpu:{}", gpu.name())
}

fn refuse(gpu: &Gpu, reason: impl Into<String>) -> Error {
    Error::Device { device: device_name(gpu), reason: reason.into() }
}

fn input(gpu: &Gpu, dtype: Dtype) -> Result<Input> {
    match dtype {
        Dtype::F32 => Ok(Input::F32),
        Dtype::F16 if gpu.device.features().contains(wgpu::Features::SHADER_F16) => Ok(Input::F16),
        Dtype::F16 => Err(refuse(gpu, "it does not compute in f16; use `--dtype f32`")),
        Dtype::Bf16 => Err(refuse(gpu, "wgpu has no bf16; use `--dtype f16` or `--dtype f32`")),
    }
}

/// What the largest kernels ask of a device.
fn check_device(gpu: &Gpu) -> Result<()> {
    let limits = gpu.device.limits();
    let storage = limits.max_compute_workgroup_storage_size;
    if storage < WORKGROUP_BYTES {
        let reason = format!("its workgroups have {storage} bytes, kernels need {WORKGROUP_BYTES}; use `--device cpu`");
        return Err(refuse(gpu, reason));
    }
    let buffers = limits.max_storage_buffers_per_shader_stage;
    if buffers < BUFFERS {
        let reason = format!("its kernels take {buffers} buffers, {BUFFERS} are needed; use `--device cpu`");
        return Err(refuse(gpu, reason));
    }
    Ok(())
}

fn check_architecture(gpu: &Gpu, config: &ModelConfig) -> Result<()> {
    match config {
        ModelConfig::Vit(vit) => {
            check_blocks(gpu, &vit.blocks())?;
            check_widths(gpu, &[3 * vit.patch * vit.patch])
        }
        ModelConfig::ConvNext(convnext) => check_widths(gpu, &convnext.dims),
    }
}

fn check_blocks(gpu: &Gpu, blocks: &BlocksConfig) -> Result<()> {
    let head = blocks.head_dim();
    if head > WIDEST_HEAD {
        let reason = format!("its heads are {head} wide, at most {WIDEST_HEAD} run here; use `--device cpu`");
        return Err(refuse(gpu, reason));
    }
    check_widths(gpu, &[head, blocks.ffn.hidden()])
}

/// Kernels read four numbers at once.
fn check_widths(gpu: &Gpu, widths: &[usize]) -> Result<()> {
    match widths.iter().find(|width| !width.is_multiple_of(4)) {
        Some(width) => {
            Err(refuse(gpu, format!("only widths that are multiples of 4 run here, got {width}; use `--device cpu`")))
        }
        None => Ok(()),
    }
}
