//! DINOv3 ConvNeXt on wgpu, channels last throughout; the twin of `backend/candle/convnext.rs`.

use super::buffers::{Region, upload};
use super::kernels::depthwise::Depthwise;
use super::kernels::gemm::Epilogue;
use super::kernels::norm::Out;
use super::kernels::{depthwise, gemm, mean, norm, unfold};
use super::place::{Output, Place};
use super::readback::{Staged, StagedFeatures};
use super::recording::Recording;
use super::weights::{HostLinear, HostNorm, Linear, Norm};
use crate::Result;
use crate::backend::{Run, channels_last};
use crate::checkpoint::Weights;
use crate::image::Pixels;
use crate::model::ConvNextConfig;

/// Pixels per side that the stem joins.
const STEM: usize = 4;

/// A ConvNeXt on the device.
pub struct ConvNext {
    dims: [usize; 4],
    stem: Linear,
    stem_norm: Norm,
    stages: Vec<Stage>,
    norm: Norm,
}

struct Stage {
    /// Norm and 2 × 2 convolution with stride 2; the first stage has the stem instead.
    downsample: Option<(Norm, Linear)>,
    blocks: Vec<Block>,
}

struct Block {
    depthwise: Depthwise,
    norm: Norm,
    expand: Linear,
    reduce: Linear,
}

impl ConvNext {
    /// Puts all weights on the device.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says, [`crate::Error::Gpu`],
    /// [`crate::Error::Cancelled`].
    pub fn load(config: &ConvNextConfig, weights: &Weights, place: &Place, run: &Run<'_>) -> Result<Self> {
        let dims = config.dims;
        let norm = |name: &str, dim: usize| -> Result<Norm> {
            Ok(Norm::upload(&place.gpu, &HostNorm::load(weights, name, dim, config.norm_eps)?)?)
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
                    let linear = place.linear(&HostLinear::new(place.input, &weight, bias, None))?;
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
            dims,
            stem: place.linear(&HostLinear::new(place.input, &stem, stem_bias, None))?,
            stem_norm: norm("downsample_layers.0.1", dims[0])?,
            stages,
            norm: norm("norm", dims[3])?,
        })
    }

    /// Records and submits all blocks: each of `layers`, then the last stage. Only the last stage is normalised.
    pub fn forward(
        &self,
        pixels: &Pixels,
        layers: &[usize],
        place: &mut Place,
        recording: &mut Recording<'_>,
        run: &Run<'_>,
    ) -> Result<Output> {
        let (mut rows, mut cols) = (pixels.height / STEM, pixels.width / STEM);
        let patches = place.patches(pixels, STEM)?;
        // The first stage has the most numbers.
        let largest = rows * cols * self.dims[0];
        let [x_memory, convolved_memory] =
            [place.arena.floats("the residual stream", largest, 1)?, place.arena.floats("the convolved", largest, 1)?];
        let normalised_memory = place.arena.inputs("the normalised positions", largest, 1)?;
        let floats = |memory: &Region, rows: usize, width: usize| memory.part(0, 4 * (rows * width) as u64);

        unfold::record(recording, &patches.pixels, (pixels.width, pixels.height), STEM, &patches.unfolded);
        let positions = rows * cols;
        let stem = floats(&convolved_memory, positions, self.dims[0]);
        let embed = Epilogue::Bias { first_row: 0 };
        gemm::record(recording, place.method, (&patches.unfolded, positions), &self.stem, embed, &stem);
        let mut x = floats(&x_memory, positions, self.dims[0]);
        norm::record(recording, &stem, 0..positions, &self.stem_norm, Out::Floats, &x);

        let mut done = 0;
        let mut taken = vec![];
        for (i, stage) in self.stages.iter().enumerate() {
            let dim = self.dims[i];
            if let Some((norm, linear)) = &stage.downsample {
                let joined = Out::Joined { grid_cols: cols };
                norm::record(recording, &x, 0..rows * cols, norm, joined, &normalised_memory);
                (rows, cols) = (rows / 2, cols / 2);
                x = floats(&x_memory, rows * cols, dim);
                gemm::record(recording, place.method, (&normalised_memory, rows * cols), linear, embed, &x);
            }
            let convolved = floats(&convolved_memory, rows * cols, dim);
            for block in &stage.blocks {
                recording.wait_for_room()?;
                run.enter_block(done)?;
                done += 1;
                block.record(recording, place, (&x, &convolved, &normalised_memory), (rows, cols))?;
                recording.submit();
            }
            if layers.contains(&i) {
                let is_last = i + 1 == self.stages.len();
                taken.push((i, self.level(recording, place, &x, (rows, cols), dim, is_last)?.0));
            }
        }
        let (last, features) = self.level(recording, place, &x, (rows, cols), self.dims[3], true)?;
        recording.submit();
        Ok(Output { layers: taken, last, features })
    }

    /// Mean over all positions, and the positions: both normalised in the last stage.
    fn level(
        &self,
        recording: &mut Recording<'_>,
        place: &mut Place,
        x: &Region,
        grid: (usize, usize),
        dim: usize,
        is_last: bool,
    ) -> Result<(StagedFeatures, Region)> {
        let positions = grid.0 * grid.1;
        let mut pooled = place.arena.floats("the mean", 1, dim)?;
        mean::record(recording, x, (positions, dim), &pooled);
        let mut tokens = x.clone();
        if is_last {
            let mean = pooled;
            pooled = place.arena.floats("the normalised mean", 1, dim)?;
            norm::record(recording, &mean, 0..1, &self.norm, Out::Floats, &pooled);
            tokens = place.arena.floats("the output", positions, dim)?;
            norm::record(recording, x, 0..positions, &self.norm, Out::Floats, &tokens);
        }
        let staged = StagedFeatures {
            tokens: Staged::record(recording, &place.gpu, &tokens)?,
            prefix: 0,
            pooled: Some(Staged::record(recording, &place.gpu, &pooled)?),
            grid,
        };
        Ok((staged, tokens))
    }
}

impl Block {
    fn load(weights: &Weights, place: &Place, name: &str, dim: usize, epsilon: f64) -> Result<Self> {
        let load = |part: &str, shape: &[usize]| weights.load(&format!("{name}.{part}"), shape);
        let taps = channels_last(&load("dwconv.weight", &[dim, 1, 7, 7])?, dim, 49);
        let linear = |weight: Vec<f32>, bias, scale| place.linear(&HostLinear::new(place.input, &weight, bias, scale));
        Ok(Self {
            depthwise: Depthwise {
                weight: upload(&place.gpu, "a convolution", &taps)?,
                bias: upload(&place.gpu, "a convolution", &load("dwconv.bias", &[dim])?)?,
                channels: dim,
            },
            norm: Norm::upload(&place.gpu, &HostNorm::load(weights, &format!("{name}.norm"), dim, epsilon)?)?,
            expand: linear(load("pwconv1.weight", &[4 * dim, dim])?, load("pwconv1.bias", &[4 * dim])?, None)?,
            reduce: linear(
                load("pwconv2.weight", &[dim, 4 * dim])?,
                load("pwconv2.bias", &[dim])?,
                Some(load("gamma", &[dim])?),
            )?,
        })
    }

    /// x, convolved: `[rows * cols, dim]` f32, normalised: as large, Input; x is changed.
    fn record(
        &self,
        recording: &mut Recording<'_>,
        place: &mut Place,
        (x, convolved, normalised): (&Region, &Region, &Region),
        grid: (usize, usize),
    ) -> Result<()> {
        let positions = grid.0 * grid.1;
        depthwise::record(recording, x, grid, &self.depthwise, convolved);
        norm::record(recording, convolved, 0..positions, &self.norm, Out::Inputs, normalised);
        let hidden = place.arena.inputs("the hidden numbers", positions, self.expand.outputs)?;
        gemm::record(recording, place.method, (normalised, positions), &self.expand, Epilogue::Gelu, &hidden);
        gemm::record(recording, place.method, (&hidden, positions), &self.reduce, Epilogue::AddScaled, x);
        Ok(())
    }
}
