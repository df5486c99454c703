//! The first stage: boxes of four sizes at every place, of which the likeliest become queries (reference:
//! `TransformerReParam` of `dinov3/eval/detection/models/transformer.py`).

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::NORM_EPS;
use super::boxes::{CentredBox, refine};
use super::output::{BoxEmbed, to_host};
use super::sizes::Sizes;
use crate::image::PictureError;
use crate::probe::knn::nearest;
use crate::{Cancel, Result};

/// Boxes and what they lie on.
pub struct FirstStage {
    finer: Finer,
    coarse: Coarser,
    coarser: Coarser,
    coarser_norm: LayerNorm,
    coarsest: Coarser,
    enc_output: Linear,
    enc_output_norm: LayerNorm,
    /// The class that stands for any object.
    objectness: Linear,
    bbox_embed: BoxEmbed,
}

/// What the first stage gives.
pub struct Proposals {
    /// Of every box, before the sigmoid: those of half a patch, one, two and four patches' stride, row by row.
    pub objectness: Vec<f32>,
    /// The likeliest ones, moved.
    pub boxes: Vec<CentredBox>,
}

impl FirstStage {
    /// Reads it.
    pub fn load(sizes: &Sizes, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let (width, transformer) = (sizes.width, vb.pp("transformer"));
        let levels = transformer.pp("enc_output_proj");
        // Behind those of the decoder's layers.
        let class_embed = linear(width, sizes.classes, vb.pp("class_embed").pp(sizes.decoder_layers))?;
        let first = |tensor: &Tensor| tensor.narrow(0, 0, 1);
        let bias = class_embed.bias().map(first).transpose()?;
        Ok(Self {
            finer: Finer::load(width, &levels.pp("0.0"))?,
            coarse: Coarser::load(width, &levels.pp("2.0"))?,
            coarser: Coarser::load(width, &levels.pp("3.0"))?,
            coarser_norm: layer_norm(width, NORM_EPS, levels.pp("3.1.ln"))?,
            coarsest: Coarser::load(width, &levels.pp("3.3"))?,
            enc_output: linear(width, width, transformer.pp("enc_output"))?,
            enc_output_norm: layer_norm(width, NORM_EPS, transformer.pp("enc_output_norm"))?,
            objectness: Linear::new(first(class_embed.weight())?, bias),
            bbox_embed: BoxEmbed::load(width, &vb.pp("bbox_embed").pp(sizes.decoder_layers))?,
        })
    }

    /// The `count` likeliest boxes, the likeliest first. `memory` is `[rows, cols, width]`; sides of the smallest boxes
    /// are `smallest` pixels.
    ///
    /// # Errors
    /// [`PictureError::Size`] where there are not as many places; [`crate::Error::Tensor`], [`crate::Error::Cancelled`].
    pub fn forward(
        &self,
        memory: &Tensor,
        patch: usize,
        smallest: f32,
        count: usize,
        cancel: &Cancel,
    ) -> Result<Proposals> {
        let (rows, cols, width) = memory.dims3()?;
        let input = ((cols * patch) as f32, (rows * patch) as f32);
        let places =
            |level: usize| if level == 0 { 4 * rows * cols } else { (rows >> (level - 1)) * (cols >> (level - 1)) };
        let all: usize = (0..4).map(places).sum();
        if places(3) == 0 || all < count {
            let message = format!(
                "{}x{} pixels are too few for the detector, which looks at boxes every {} pixels and for {count} of them: \
                 choose a larger --size",
                cols * patch,
                rows * patch,
                4 * patch
            );
            return Err(PictureError::Size(message).into());
        }
        let halved = self.coarser_norm.forward(&self.coarser.forward(memory)?)?.gelu_erf()?;
        let levels = [
            self.finer.forward(memory)?,
            memory.clone(),
            self.coarse.forward(memory)?,
            self.coarsest.forward(&halved)?,
        ];
        cancel.check()?;

        let (mut anchors, mut masked) = (Vec::new(), Vec::new());
        for (level, tokens) in levels.iter().enumerate() {
            let (rows, cols, _) = tokens.dims3()?;
            let scale = (1 << level) as f32;
            let found = anchors_of(rows, cols, patch as f32 / 2.0 * scale, smallest * scale, input);
            let mask: Vec<f32> = found.iter().map(|anchor| f32::from(u8::from(anchor.is_some()))).collect();
            let mask = Tensor::from_vec(mask, (rows * cols, 1), tokens.device())?;
            masked.push(tokens.reshape((rows * cols, width))?.broadcast_mul(&mask)?);
            anchors.extend(found);
        }
        let tokens = self.enc_output_norm.forward(&self.enc_output.forward(&Tensor::cat(&masked, 0)?)?)?;
        let objectness: Vec<f32> = self.objectness.forward(&tokens)?.flatten_all()?.to_vec1()?;
        let chosen: Vec<usize> = nearest(&objectness, count).into_iter().map(|(_, index)| index).collect();

        let indices = Tensor::from_vec(chosen.iter().map(|&index| index as u32).collect(), count, tokens.device())?;
        let deltas = to_host(&self.bbox_embed.forward(&tokens.index_select(&indices, 0)?)?)?;
        // As the reference fills the boxes in that do not count.
        let nowhere = [input.0.max(input.1); 4];
        let boxes = chosen.iter().zip(deltas);
        let boxes = boxes.map(|(&index, delta)| refine(anchors[index].unwrap_or(nowhere), delta, input)).collect();
        Ok(Proposals { objectness, boxes })
    }
}

/// A square at each place of a grid, row by row; none where it is as large as the input or its centre lies on the border.
fn anchors_of(rows: usize, cols: usize, stride: f32, side: f32, input: (f32, f32)) -> Vec<Option<CentredBox>> {
    let place = |index: usize| {
        let [x, y] = [index % cols, index / cols].map(|index| (index as f32 + 0.5) * stride);
        let fits = |number: f32, len: f32| number > 0.01 * len && number < 0.99 * len;
        let all_fit = [x, side].into_iter().all(|number| fits(number, input.0))
            && [y, side].into_iter().all(|number| fits(number, input.1));
        all_fit.then_some([x, y, side, side])
    };
    (0..rows * cols).map(place).collect()
}

/// torch's `ConvTranspose2d` of kernel 2 and stride 2, as the product that it is.
struct Finer {
    /// `[width, 2 * 2 * width]`
    weight: Tensor,
    bias: Tensor,
}

impl Finer {
    fn load(width: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let weight = vb.get((width, width, 2, 2), "weight")?.permute((0, 2, 3, 1))?.reshape((width, 4 * width))?;
        Ok(Self { weight, bias: vb.get(width, "bias")? })
    }

    /// `[rows, cols, width]` to `[2 * rows, 2 * cols, width]`
    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        let (rows, cols, width) = tokens.dims3()?;
        let squares = tokens.reshape((rows * cols, width))?.matmul(&self.weight)?;
        let lines = squares.reshape((rows, cols, 2, 2, width))?.permute((0, 2, 1, 3, 4))?;
        lines.reshape((2 * rows, 2 * cols, width))?.broadcast_add(&self.bias)
    }
}

/// torch's `Conv2d` of kernel 2 and stride 2, as the product that it is.
struct Coarser {
    /// `[2 * 2 * width, width]`
    weight: Tensor,
    bias: Tensor,
}

impl Coarser {
    fn load(width: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let weight = vb.get((width, width, 2, 2), "weight")?.permute((2, 3, 1, 0))?.reshape((4 * width, width))?;
        Ok(Self { weight, bias: vb.get(width, "bias")? })
    }

    /// `[rows, cols, width]` to `[rows / 2, cols / 2, width]`; an odd last row or column is left out.
    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        let (rows, cols, width) = tokens.dims3()?;
        let (rows, cols) = (rows / 2, cols / 2);
        let even = tokens.narrow(0, 0, 2 * rows)?.narrow(1, 0, 2 * cols)?.contiguous()?;
        let squares = even.reshape((rows, 2, cols, 2, width))?.permute((0, 2, 1, 3, 4))?;
        let squares = squares.reshape((rows * cols, 4 * width))?;
        squares.matmul(&self.weight)?.broadcast_add(&self.bias)?.reshape((rows, cols, width))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn pictures_with_too_few_places_are_named() {
        let sizes = Sizes {
            channels: 8,
            width: 32,
            heads: 2,
            bias_hidden: 4,
            encoder_layers: 0,
            encoder_hidden: 0,
            decoder_layers: 1,
            decoder_hidden: 4,
            classes: 3,
            queries: 200,
        };
        let stage = FirstStage::load(&sizes, &VarBuilder::zeros(DType::F32, &Device::Cpu)).expect("it has no file");
        let run = |rows: usize, count: usize| {
            let memory = Tensor::zeros((rows, 5, 32), DType::F32, &Device::Cpu).expect("it is small");
            stage.forward(&memory, 16, 12.0, count, &Cancel::default()).map(|proposals| proposals.boxes.len())
        };
        // Places of 4 × 5 patches: 80, 20, 4 and 1.
        assert_eq!(run(4, 105).expect("there are as many"), 105);
        for (rows, count) in [(4, 106), (3, 10)] {
            let message = run(rows, count).expect_err("there are too few").to_string();
            assert!(message.contains("64 pixels") && message.contains(&count.to_string()), "{message}");
        }
    }

    #[test]
    fn boxes_that_do_not_fit_do_not_count() {
        let anchors = anchors_of(2, 3, 8.0, 12.0, (24.0, 16.0));
        assert_eq!((anchors.len(), anchors[4]), (6, Some([12.0, 12.0, 12.0, 12.0])));
        assert_eq!(anchors_of(2, 3, 8.0, 16.0, (24.0, 16.0)), [None; 6], "as high as the input");
        let wide = anchors_of(1, 100, 8.0, 12.0, (800.0, 40.0));
        assert_eq!((wide[0], wide[1].is_some(), wide[99]), (None, true, None), "at the border");
    }
}
