//! DINOv3 vision transformer on wgpu; the twin of `backend/candle/vit.rs`.

use std::f32::consts::TAU;
use std::sync::Arc;

use super::blocks::{Activations, Blocks};
use super::buffers::{Region, upload};
use super::kernels::attention::Sequences;
use super::kernels::gemm::{Epilogue, Rope};
use super::kernels::norm::Out;
use super::kernels::{gemm, norm, unfold};
use super::place::{Output, Place};
use super::readback::{Staged, StagedFeatures};
use super::recording::Recording;
use super::weights::{HostLinear, HostNorm, Linear, Norm};
use crate::Result;
use crate::backend::{Residency, Run};
use crate::checkpoint::{TensorSource, Weights};
use crate::image::Pixels;
use crate::model::VitConfig;

/// A vision transformer on the device.
pub struct Vit {
    config: VitConfig,
    patch_embed: Linear,
    /// CLS and registers, `[1 + registers, dim]` f32.
    prefix_tokens: Region,
    /// `[head_dim / 4]`
    rope_periods: Vec<f32>,
    blocks: Blocks,
    norm: Norm,
    /// Of CLS and registers, where they have one of their own.
    cls_norm: Option<Norm>,
}

impl Vit {
    /// Reads all weights; the blocks stay in the file where the device has no room for them.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where a tensor is missing or not as the configuration says, [`crate::Error::Gpu`],
    /// [`crate::Error::Cancelled`].
    pub fn load(config: &VitConfig, weights: &Arc<Weights>, place: &Place, run: &Run<'_>) -> Result<Self> {
        let dim = config.dim;
        let embed = weights.load("patch_embed.proj.weight", &[dim, 3, config.patch, config.patch])?;
        let embed_bias = weights.load("patch_embed.proj.bias", &[dim])?;
        let mut prefix = weights.load("cls_token", &[1, 1, dim])?;
        if config.registers > 0 {
            prefix.extend(weights.load("storage_tokens", &[1, config.registers, dim])?);
        }
        let norm = |name| -> Result<Norm> {
            Ok(Norm::upload(&place.gpu, &HostNorm::load(weights.as_ref(), name, dim, config.norm_eps)?)?)
        };
        Ok(Self {
            patch_embed: place.linear(&HostLinear::new(place.input, &embed, embed_bias, None))?,
            prefix_tokens: upload(&place.gpu, "the tokens before the patches", &prefix)?,
            rope_periods: weights.load("rope_embed.periods", &[config.head_dim() / 4])?,
            norm: norm("norm")?,
            cls_norm: config.untied_cls_norm.then(|| norm("cls_norm")).transpose()?,
            blocks: Blocks::load(&config.blocks(), Arc::clone(weights) as Arc<dyn TensorSource>, place, run)?,
            config: config.clone(),
        })
    }

    /// Whether the blocks are on the device or in the file.
    pub fn residency(&self) -> Residency {
        self.blocks.residency()
    }

    /// Records and submits all blocks: normalised tokens after each of `layers`, then after the last block.
    pub fn forward(
        &self,
        pixels: &Pixels,
        layers: &[usize],
        place: &mut Place,
        recording: &mut Recording<'_>,
        run: &Run<'_>,
    ) -> Result<Output> {
        let VitConfig { dim, patch, .. } = self.config;
        let config = self.config.blocks();
        let prefix = self.config.prefix();
        let grid @ (rows, cols) = (pixels.height / patch, pixels.width / patch);
        let tokens = prefix + rows * cols;
        let activations = Activations::new(&config, tokens, place)?;
        let x = &activations.x;
        let output = place.arena.floats("the output", tokens, dim)?;
        let rope = Rope { table: self.rope_table(grid, place)?, prefix, grid, head: self.config.head_dim() };

        let patches = place.patches(pixels, patch)?;
        unfold::record(recording, &patches.pixels, (pixels.width, pixels.height), patch, &patches.unfolded);
        recording.copy(&self.prefix_tokens, x);
        let embed = Epilogue::Bias { first_row: prefix };
        gemm::record(recording, place.method, (&patches.unfolded, rows * cols), &self.patch_embed, embed, x);

        let mut taken = vec![];
        for i in 0..self.config.depth {
            recording.wait_for_room()?;
            run.enter_block(i)?;
            let block = self.blocks.get(i, &config, place)?;
            let sequences = Sequences { count: 1, tokens, is_causal: false };
            block.record(recording, place, &config, sequences, &rope, &activations);
            if layers.contains(&i) {
                self.normalise(recording, x, tokens, &output);
                let tokens = Staged::record(recording, &place.gpu, &output)?;
                taken.push((i, StagedFeatures { tokens, prefix, pooled: None, grid }));
            }
            recording.submit();
        }
        self.normalise(recording, x, tokens, &output);
        let staged = Staged::record(recording, &place.gpu, &output)?;
        recording.submit();
        let last = StagedFeatures { tokens: staged, prefix, pooled: None, grid };
        Ok(Output { layers: taken, last, features: output })
    }

    /// The final norm, `[tokens, dim]`.
    fn normalise(&self, recording: &mut Recording<'_>, x: &Region, tokens: usize, out: &Region) {
        let prefix = self.config.prefix();
        match &self.cls_norm {
            None => norm::record(recording, x, 0..tokens, &self.norm, Out::Floats, out),
            Some(cls_norm) => {
                norm::record(recording, x, 0..prefix, cls_norm, Out::Floats, out);
                norm::record(recording, x, prefix..tokens, &self.norm, Out::Floats, out);
            }
        }
    }

    /// Cosine and sine of `2π · coordinate / period`, first of all rows, then of all columns, `[head_dim / 4]` each;
    /// coordinates are patch centres in [-1, 1] (reference: `dinov3/layers/rope_position_encoding.py`).
    fn rope_table(&self, (rows, cols): (usize, usize), place: &mut Place) -> Result<Region> {
        let angles = |i: usize, n: usize| {
            let coordinate = 2.0 * ((i as f32 + 0.5) / n as f32) - 1.0;
            self.rope_periods.iter().map(move |period| TAU * coordinate / period)
        };
        let all = (0..rows).flat_map(|i| angles(i, rows)).chain((0..cols).flat_map(|i| angles(i, cols)));
        let table: Vec<[f32; 2]> = all.map(|angle| [angle.cos(), angle.sin()]).collect();
        let region = place.arena.floats("the rotations", 2 * (rows + cols), self.rope_periods.len())?;
        place.gpu.queue.write_buffer(&region.buffer, 0, bytemuck::cast_slice(&table));
        Ok(region)
    }
}
