//! DPT: features of four layers become a map in steps, each twice as fine as the one before (R. Ranftl et al., 2021,
//! <https://arxiv.org/abs/2103.13413>; reference: `dinov3/eval/depth/models/dpt_head.py`).

use candle_core::{Device, Result as TensorResult, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT, VarBuilder, batch_norm, conv2d, linear};

use crate::Result;
use crate::backend::Run;
use crate::features::Features;
use crate::heads::conv::{Conv3, Pointwise};
use crate::heads::layers::{Upsampling, interpolate, map_from_tokens, twice};
use crate::heads::{HeadError, HeadWeights, Task};

/// Layers of a backbone that are read.
pub(super) const STAGES: usize = 4;

/// Parts of a pass that [`Run::enter_block`] is called before.
pub(super) const STEPS: usize = 2 * STAGES + 1;

/// A tensor that every DPT has.
pub(super) const MARKER: &str = "reassemble_blocks.projects.0.conv.weight";

const BATCH_NORM_EPS: f64 = 1e-5;

/// Sizes of a network, as its tensors tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DptConfig {
    /// Numbers per patch of each layer.
    pub(super) dims: [usize; STAGES],
    /// Channels of each layer's map.
    maps: [usize; STAGES],
    /// Channels where maps are added.
    channels: usize,
    /// Channels before the last layer.
    hidden: usize,
    /// Logits of a pixel.
    pub(super) outputs: usize,
    /// Whether patches are read with the CLS token beside them.
    pub(super) has_readouts: bool,
    /// Whether layers are normalised by the training pictures' statistics.
    has_batch_norm: bool,
    /// Whether convolutions of residual units have a bias.
    has_unit_bias: bool,
    /// Whether there is a convolution behind the last fusion.
    has_projection: bool,
}

impl DptConfig {
    /// # Errors
    /// [`HeadError::NotThisHead`] where a convolution is missing that every DPT has.
    pub(super) fn infer(weights: &HeadWeights) -> Result<Self, HeadError> {
        let path = || weights.path().to_path_buf();
        let wrong = |reason: String| HeadError::NotThisHead { path: path(), task: Task::Depth, reason };
        let kernel = |name: &str| -> Result<[usize; 4], HeadError> {
            let kernel = weights.shape(name).and_then(|shape| shape.try_into().ok());
            kernel
                .filter(|shape: &[usize; 4]| !shape.contains(&0))
                .ok_or_else(|| wrong(format!("a DPT has a convolution `{name}`, and this file has none")))
        };
        let has = |name: &str| weights.shape(name).is_some();
        let (mut dims, mut maps) = ([0; STAGES], [0; STAGES]);
        for stage in 0..STAGES {
            [maps[stage], dims[stage], ..] = kernel(&format!("reassemble_blocks.projects.{stage}.conv.weight"))?;
        }
        let [channels, ..] = kernel("convs.0.conv.weight")?;
        if channels < 2 {
            return Err(wrong("its maps have one channel, and the last layers take half as many".to_owned()));
        }
        let [hidden, ..] = kernel("conv_depth.head.2.weight")?;
        let [outputs, ..] = kernel("conv_depth.head.4.weight")?;
        Ok(Self {
            dims,
            maps,
            channels,
            hidden,
            outputs,
            has_readouts: has("reassemble_blocks.readout_projects.0.0.weight"),
            has_batch_norm: has("reassemble_blocks.batchnorm_layers.0.running_mean"),
            has_unit_bias: has("fusion_blocks.1.res_conv_unit1.conv1.conv.bias"),
            has_projection: has("project.conv.weight"),
        })
    }
}

/// A network on its device.
pub(super) struct Dpt {
    device: Device,
    reassemble: Vec<Reassemble>,
    /// One for each layer, to as many channels.
    convs: Vec<Conv3>,
    fusion: Vec<Fusion>,
    project: Option<Conv3>,
    depth: DepthLayers,
}

impl Dpt {
    /// # Errors
    /// As [`HeadWeights::build`].
    pub(super) fn load(weights: &HeadWeights, config: &DptConfig, device: &Device) -> Result<Self> {
        weights.build(device, |vb| Self::new(config, &vb))
    }

    fn new(config: &DptConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &DptConfig { maps, channels, hidden, outputs, .. } = config;
        let head = vb.pp("conv_depth.head");
        Ok(Self {
            device: vb.device().clone(),
            reassemble: (0..STAGES)
                .map(|stage| Reassemble::new(stage, config, &vb.pp("reassemble_blocks")))
                .collect::<TensorResult<_>>()?,
            convs: (0..STAGES)
                .map(|stage| Conv3::new(maps[stage], channels, false, vb.pp(format!("convs.{stage}.conv"))))
                .collect::<TensorResult<_>>()?,
            fusion: (0..STAGES)
                .map(|stage| Fusion::new(stage > 0, config, &vb.pp(format!("fusion_blocks.{stage}"))))
                .collect::<TensorResult<_>>()?,
            project: config
                .has_projection
                .then(|| Conv3::new(channels, channels, true, vb.pp("project.conv")))
                .transpose()?,
            depth: DepthLayers {
                coarse: Conv3::new(channels, channels / 2, true, head.pp("0"))?,
                fine: Conv3::new(channels / 2, hidden, true, head.pp("2"))?,
                logits: Pointwise::new(hidden, outputs, head.pp("4"))?,
            },
        })
    }

    /// A map of each layer, `[1, channels, rows, cols]`: four times as fine as the patches, twice, as they are, and
    /// half.
    pub(super) fn reassemble(&self, layers: &[&Features], run: &Run<'_>) -> Result<Vec<Tensor>> {
        let mut maps = Vec::with_capacity(STAGES);
        for (stage, (block, features)) in self.reassemble.iter().zip(layers).enumerate() {
            run.enter_block(stage)?;
            maps.push(block.forward(features, &self.device)?);
        }
        Ok(maps)
    }

    /// All maps in one, `[1, channels, rows, cols]`, eight times as fine as the patches where their numbers are even.
    pub(super) fn fuse(&self, maps: &[Tensor], run: &Run<'_>) -> Result<Tensor> {
        let mut fused: Option<Tensor> = None;
        let layers = self.convs.iter().zip(maps).rev();
        for (stage, (fusion, (conv, map))) in self.fusion.iter().zip(layers).enumerate() {
            run.enter_block(STAGES + stage)?;
            fused = Some(fusion.forward(fused.as_ref(), &conv.forward(map)?)?);
        }
        let fused = fused.expect("there are four stages");
        Ok(match &self.project {
            Some(project) => project.forward(&fused)?.relu()?,
            None => fused,
        })
    }

    /// What [`Dpt::logits`] reads, `[1, hidden, rows, cols]`, twice as fine.
    pub(super) fn hidden(&self, fused: &Tensor, run: &Run<'_>) -> Result<Tensor> {
        run.enter_block(2 * STAGES)?;
        let DepthLayers { coarse, fine, .. } = &self.depth;
        Ok(fine.forward(&twice(&coarse.forward(fused)?)?)?.relu()?)
    }

    /// `[1, outputs, rows, cols]`, each pixel by itself.
    pub(super) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(self.depth.logits.forward(hidden)?)
    }
}

/// From the fused map to logits.
struct DepthLayers {
    coarse: Conv3,
    /// After the map was enlarged.
    fine: Conv3,
    logits: Pointwise,
}

/// Features of one layer become a map.
struct Reassemble {
    readout: Option<Linear>,
    norm: Option<BatchNorm>,
    project: Pointwise,
    resize: Resize,
}

/// What follows the projection, from the first layer to the last.
enum Resize {
    Enlarge(Upsampling),
    Keep,
    Halve(Conv2d),
}

impl Reassemble {
    fn new(stage: usize, config: &DptConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let (dim, map) = (config.dims[stage], config.maps[stage]);
        let of_stage = |list: &str| vb.pp(format!("{list}.{stage}"));
        let resize = || of_stage("resize_layers");
        Ok(Self {
            readout: config
                .has_readouts
                .then(|| linear(2 * dim, dim, of_stage("readout_projects").pp("0")))
                .transpose()?,
            norm: config
                .has_batch_norm
                .then(|| batch_norm(dim, BATCH_NORM_EPS, of_stage("batchnorm_layers")))
                .transpose()?,
            project: Pointwise::new(dim, map, of_stage("projects").pp("conv"))?,
            resize: match stage {
                0 => Resize::Enlarge(Upsampling::load(map, map, 4, resize())?),
                1 => Resize::Enlarge(Upsampling::load(map, map, 2, resize())?),
                2 => Resize::Keep,
                _ => Resize::Halve(conv2d(
                    map,
                    map,
                    3,
                    Conv2dConfig { stride: 2, padding: 1, ..Conv2dConfig::default() },
                    resize(),
                )?),
            },
        })
    }

    fn forward(&self, features: &Features, device: &Device) -> TensorResult<Tensor> {
        let (rows, cols, dim) = (features.patch.rows, features.patch.cols, features.patch.dim());
        let patches = Tensor::from_iter(features.patch.data.iter().copied(), device)?.reshape((rows * cols, dim))?;
        let patches = match &self.readout {
            Some(readout) => {
                let cls = Tensor::from_slice(&features.cls, (1, dim), device)?.broadcast_as((rows * cols, dim))?;
                readout.forward(&Tensor::cat(&[&patches, &cls.contiguous()?], 1)?)?.gelu_erf()?
            }
            None => patches,
        };
        let patches = match &self.norm {
            Some(norm) => norm.forward_t(&patches, false)?,
            None => patches,
        };
        let map = self.project.forward(&map_from_tokens(&patches, (rows, cols))?)?;
        match &self.resize {
            Resize::Enlarge(upsampling) => upsampling.forward_map(&map),
            Resize::Keep => Ok(map),
            Resize::Halve(conv) => conv.forward(&map),
        }
    }
}

/// The maps so far and that of one more layer become one, twice as fine.
struct Fusion {
    unit1: Option<ResidualUnit>,
    unit2: ResidualUnit,
    project: Pointwise,
}

impl Fusion {
    fn new(has_maps_so_far: bool, config: &DptConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let unit = |name: &str| ResidualUnit::new(config, &vb.pp(name));
        Ok(Self {
            unit1: has_maps_so_far.then(|| unit("res_conv_unit1")).transpose()?,
            unit2: unit("res_conv_unit2")?,
            project: Pointwise::new(config.channels, config.channels, vb.pp("project.conv"))?,
        })
    }

    fn forward(&self, so_far: Option<&Tensor>, map: &Tensor) -> TensorResult<Tensor> {
        let sum = match (so_far, &self.unit1) {
            (Some(so_far), Some(unit)) => {
                // Half of an odd number of patches was rounded up.
                let (_, _, rows, cols) = so_far.dims4()?;
                let is_as_fine = map.dims() == so_far.dims();
                let map = if is_as_fine { map.clone() } else { interpolate(map, (rows, cols))? };
                (so_far + unit.forward(&map)?)?
            }
            _ => map.clone(),
        };
        // The same as afterwards, for a quarter of the places.
        twice(&self.project.forward(&self.unit2.forward(&sum)?)?)
    }
}

struct ResidualUnit {
    conv1: Conv3,
    conv2: Conv3,
}

impl ResidualUnit {
    fn new(config: &DptConfig, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let &DptConfig { channels, has_unit_bias, .. } = config;
        let conv = |name: &str| Conv3::new(channels, channels, has_unit_bias, vb.pp(name).pp("conv"));
        Ok(Self { conv1: conv("conv1")?, conv2: conv("conv2")? })
    }

    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        x + self.conv2.forward(&self.conv1.forward(&x.relu()?)?.relu()?)?
    }
}
