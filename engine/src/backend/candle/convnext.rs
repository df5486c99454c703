//! DINOv3 ConvNeXt (reference: `dinov3/models/convnext.py`), channels last throughout.

use candle_core::{DType, Result as TensorResult, Tensor};

use super::layers::{Buffer, DepthwiseConv, LayerNorm, Linear, Place, load_norm};
use super::patches;
use crate::Result;
use crate::backend::cpu::linear::Epilogue;
use crate::backend::{Run, channels_last};
use crate::checkpoint::Weights;
use crate::image::Pixels;
use crate::model::ConvNextConfig;

/// Pixels per side that the stem joins.
const STEM: usize = 4;

/// A ConvNeXt with its weights on a device.
pub struct ConvNext {
    stem: Linear,
    stem_norm: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
}

struct Stage {
    /// Norm and 2 × 2 convolution with stride 2; the first stage has the stem instead.
    downsample: Option<(LayerNorm, Linear)>,
    blocks: Vec<Block>,
}

struct Block {
    depthwise: DepthwiseConv,
    /// Norm, first pointwise layer, GELU.
    expand: Linear,
    /// Second pointwise layer and LayerScale.
    reduce: Linear,
}

/// One layer's output: mean over all positions `[1, channels]`, positions `[rows * cols, channels]`, and the grid.
pub struct Level {
    /// `[1, channels]`
    pub pooled: Tensor,
    /// `[rows * cols, channels]`
    pub positions: Tensor,
    /// Rows and columns.
    pub grid: (usize, usize),
}

impl ConvNext {
    /// Reads all weights.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says;
    /// [`crate::Error::Cancelled`].
    pub fn load(config: &ConvNextConfig, weights: &Weights, place: &Place, run: &Run<'_>) -> Result<Self> {
        let dims = config.dims;
        let norm = |name: &str, dim: usize| -> Result<LayerNorm> {
            Ok(LayerNorm::new(load_norm(weights, name, dim, config.norm_eps)?, place)?)
        };
        let stem = weights.load("downsample_layers.0.0.weight", &[dims[0], 3, STEM, STEM])?;
        let stem_bias = weights.load("downsample_layers.0.0.bias", &[dims[0]])?;
        let mut stages = Vec::new();
        let mut done = 0;
        for (stage, (&dim, &depth)) in dims.iter().zip(&config.depths).enumerate() {
            let downsample = match stage.checked_sub(1) {
                None => None,
                Some(before) => {
                    let name = format!("downsample_layers.{stage}");
                    let weight = weights.load(&format!("{name}.1.weight"), &[dim, dims[before], 2, 2])?;
                    let bias = weights.load(&format!("{name}.1.bias"), &[dim])?;
                    let weight = channels_last(&weight, dims[before], 4);
                    let linear = Linear::new(place, weight, bias, None, Epilogue::Bias)?;
                    Some((norm(&format!("{name}.0"), dims[before])?, linear))
                }
            };
            let block = |index| {
                run.enter_block(done + index)?;
                Block::load(weights, place, &format!("stages.{stage}.{index}"), dim, config.norm_eps)
            };
            let blocks = (0..depth).map(block).collect::<Result<_>>()?;
            done += depth;
            stages.push(Stage { downsample, blocks });
        }
        Ok(Self {
            stem: Linear::new(place, stem, stem_bias, None, Epilogue::Bias)?,
            stem_norm: norm("downsample_layers.0.1", dims[0])?,
            stages,
            norm: norm("norm", dims[3])?,
        })
    }

    /// The last stage, and each of `layers` in that order. Only the last stage is normalised.
    pub fn forward(
        &self,
        pixels: &Pixels,
        layers: &[usize],
        place: &Place,
        run: &Run<'_>,
    ) -> Result<(Level, Vec<Level>)> {
        let (mut rows, mut cols) = (pixels.height / STEM, pixels.width / STEM);
        let patches = place.tensor(patches::from_pixels(pixels, STEM), &[rows * cols, 3 * STEM * STEM])?;
        let mut x =
            self.stem_norm.forward(&self.stem.forward(&patches, &mut Buffer::default())?.to_dtype(DType::F32)?)?;
        let mut done = 0;
        let mut levels: Vec<Option<Level>> = layers.iter().map(|_| None).collect();
        for (i, stage) in self.stages.iter().enumerate() {
            if let Some((norm, linear)) = &stage.downsample {
                let joined = join_2x2(&norm.forward(&x)?, rows, cols)?;
                (rows, cols) = (rows / 2, cols / 2);
                x = linear.forward(&joined, &mut Buffer::default())?.to_dtype(DType::F32)?;
            }
            let (mut convolved, mut hidden) = (Buffer::default(), Buffer::default());
            for block in &stage.blocks {
                place.enter_block(run, done)?;
                done += 1;
                x = block.forward(x, (rows, cols), &mut convolved, &mut hidden)?;
            }
            for (level, _) in levels.iter_mut().zip(layers).filter(|(_, layer)| **layer == i) {
                *level = Some(self.level(&x, (rows, cols), i)?);
            }
        }
        let last = self.level(&x, (rows, cols), self.stages.len() - 1)?;
        Ok((last, levels.into_iter().flatten().collect()))
    }

    fn level(&self, x: &Tensor, grid: (usize, usize), stage: usize) -> TensorResult<Level> {
        let pooled = x.mean_keepdim(0)?;
        if stage + 1 < self.stages.len() {
            // Blocks write into x, but the next stage begins with a new one: nothing writes into this x any more.
            return Ok(Level { pooled, positions: x.clone(), grid });
        }
        Ok(Level { pooled: self.norm.forward(&pooled)?, positions: self.norm.forward(x)?, grid })
    }
}

impl Block {
    fn load(weights: &Weights, place: &Place, name: &str, dim: usize, eps: f64) -> Result<Self> {
        let load = |part: &str, shape: &[usize]| weights.load(&format!("{name}.{part}"), shape);
        let norm = load_norm(weights, &format!("{name}.norm"), dim, eps)?;
        let scale = Epilogue::AddScaled(load("gamma", &[dim])?);
        Ok(Self {
            depthwise: DepthwiseConv::new(
                place,
                load("dwconv.weight", &[dim, 1, 7, 7])?,
                load("dwconv.bias", &[dim])?,
            )?,
            expand: Linear::new(
                place,
                load("pwconv1.weight", &[4 * dim, dim])?,
                load("pwconv1.bias", &[4 * dim])?,
                Some(norm),
                Epilogue::Gelu,
            )?,
            reduce: Linear::new(
                place,
                load("pwconv2.weight", &[dim, 4 * dim])?,
                load("pwconv2.bias", &[dim])?,
                None,
                scale,
            )?,
        })
    }

    /// x: `[rows * cols, channels]`
    fn forward(
        &self,
        x: Tensor,
        (rows, cols): (usize, usize),
        convolved: &mut Buffer,
        hidden: &mut Buffer,
    ) -> TensorResult<Tensor> {
        let channels = x.dim(1)?;
        let convolved = self.depthwise.forward(&x.reshape((rows, cols, channels))?, convolved)?;
        let hidden = self.expand.forward(&convolved.reshape((rows * cols, channels))?, hidden)?;
        self.reduce.add_to(x, &hidden)
    }
}

/// Neighbouring 2 × 2 positions side by side: `[rows * cols, channels]` to `[rows/2 * cols/2, 4 * channels]`.
fn join_2x2(x: &Tensor, rows: usize, cols: usize) -> TensorResult<Tensor> {
    let channels = x.dim(1)?;
    x.reshape((rows / 2, 2, cols / 2, 2, channels))?
        .permute((0, 2, 1, 3, 4))?
        .contiguous()?
        .reshape((rows / 2 * (cols / 2), 4 * channels))
}
