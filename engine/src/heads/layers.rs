//! Layers that candle has none of, or slow ones. Maps are `[1, channels, rows, cols]`, tokens `[rows * cols, channels]`.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use crate::classes::bilinear::Taps;

/// A map's positions as rows.
pub fn tokens_from_map(map: &Tensor) -> Result<Tensor> {
    let (_, channels, rows, cols) = map.dims4()?;
    map.reshape((channels, rows * cols))?.t()?.contiguous()
}

/// The other way round.
pub fn map_from_tokens(tokens: &Tensor, (rows, cols): (usize, usize)) -> Result<Tensor> {
    let channels = tokens.dim(1)?;
    tokens.t()?.contiguous()?.reshape((1, channels, rows, cols))
}

/// A map at another size, as torch's `interpolate(mode="bilinear", align_corners=False)` makes it.
pub fn interpolate(map: &Tensor, (rows, cols): (usize, usize)) -> Result<Tensor> {
    if !map.device().is_cpu() {
        return map.contiguous()?.upsample_bilinear2d(rows, cols, false);
    }
    let taps = |from, to| (0..to).map(|index| Taps::new(from, to).at(index)).collect();
    on_processor(map, (rows, cols), taps)
}

/// A map twice as fine whose corners stay where they are, as torch's `interpolate(align_corners=True)` makes it.
pub fn twice(map: &Tensor) -> Result<Tensor> {
    let (_, _, rows, cols) = map.dims4()?;
    if !map.device().is_cpu() {
        return map.contiguous()?.upsample_bilinear2d(2 * rows, 2 * cols, true);
    }
    let taps = |from: usize, to: usize| {
        let step = (from - 1) as f32 / (to - 1) as f32;
        let tap = |index: usize| {
            let position = step * index as f32;
            let first = (position as usize).min(from - 1);
            (first, (first + 1).min(from - 1), position - first as f32)
        };
        (0..to).map(tap).collect()
    };
    on_processor(map, (2 * rows, 2 * cols), taps)
}

/// Two values along an axis, and the share of the second.
type Tap = (usize, usize, f32);

/// candle's own resizes one plane after the other, on one core.
fn on_processor(map: &Tensor, (rows, cols): (usize, usize), taps: impl Fn(usize, usize) -> Vec<Tap>) -> Result<Tensor> {
    let (_, channels, from_rows, from_cols) = map.dims4()?;
    let (down, across) = (taps(from_rows, rows), taps(from_cols, cols));
    let values: Vec<f32> = map.flatten_all()?.to_vec1()?;
    let mut resized = vec![0.0; channels * rows * cols];
    let planes = resized.par_chunks_exact_mut(rows * cols).zip(values.par_chunks_exact(from_rows * from_cols));
    planes.for_each_init(
        || vec![0.0; from_cols],
        |line, (to, from)| {
            for (to, &(above, below, share)) in to.chunks_exact_mut(cols).zip(&down) {
                let (above, below) = (&from[above * from_cols..][..from_cols], &from[below * from_cols..][..from_cols]);
                for ((value, above), below) in line.iter_mut().zip(above).zip(below) {
                    *value = above * (1.0 - share) + below * share;
                }
                for (value, &(left, right, share)) in to.iter_mut().zip(&across) {
                    *value = line[left] * (1.0 - share) + line[right] * share;
                }
            }
        },
    );
    Tensor::from_vec(resized, (1, channels, rows, cols), map.device())
}

/// A transposed convolution whose stride is its size: every position becomes a square. candle's, which allows for squares
/// that overlap, takes one dot product after the other.
pub struct Upsampling {
    /// `[inputs, outputs * factor * factor]`
    weight: Tensor,
    /// `[outputs]`
    bias: Tensor,
    /// Positions along a side of the square.
    factor: usize,
}

impl Upsampling {
    /// Reads `weight` `[inputs, outputs, factor, factor]` and `bias`.
    pub fn load(inputs: usize, outputs: usize, factor: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get((inputs, outputs, factor, factor), "weight")?.flatten_from(1)?;
        Ok(Self { weight, bias: vb.get(outputs, "bias")?, factor })
    }

    /// Tokens of `(rows, cols)` to those of `factor` times as many of both.
    pub fn forward(&self, tokens: &Tensor, (rows, cols): (usize, usize)) -> Result<Tensor> {
        let (outputs, factor) = (self.bias.dim(0)?, self.factor);
        let squares = tokens.matmul(&self.weight)?.reshape((rows, cols, outputs, factor, factor))?;
        let tokens = squares.permute((0, 3, 1, 4, 2))?.contiguous()?;
        tokens.reshape((rows * cols * factor * factor, outputs))?.broadcast_add(&self.bias)
    }

    /// A map to one that is `factor` times as fine.
    pub fn forward_map(&self, map: &Tensor) -> Result<Tensor> {
        let (_, _, rows, cols) = map.dims4()?;
        let tokens = self.forward(&tokens_from_map(map)?, (rows, cols))?;
        map_from_tokens(&tokens, (rows * self.factor, cols * self.factor))
    }
}

/// A 3 × 3 convolution of each channel by itself, as nine shifted products: candle's runs channel by channel.
pub struct Depthwise {
    /// `[9, channels]`
    weight: Tensor,
    /// `[channels]`
    bias: Option<Tensor>,
}

impl Depthwise {
    /// Reads `weight` `[channels, 1, 3, 3]`, and `bias` where it has one.
    pub fn load(channels: usize, has_bias: bool, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: vb.get((channels, 1, 3, 3), "weight")?.reshape((channels, 9))?.t()?.contiguous()?,
            bias: has_bias.then(|| vb.get(channels, "bias")).transpose()?,
        })
    }

    /// Tokens of `(rows, cols)` to as many.
    pub fn forward(&self, tokens: &Tensor, (rows, cols): (usize, usize)) -> Result<Tensor> {
        let channels = tokens.dim(1)?;
        let padded = tokens.reshape((rows, cols, channels))?.pad_with_zeros(0, 1, 1)?.pad_with_zeros(1, 1, 1)?;
        let tap = |tap: usize| {
            let shifted = padded.narrow(0, tap / 3, rows)?.narrow(1, tap % 3, cols)?;
            shifted.broadcast_mul(&self.weight.get(tap)?)
        };
        let mut sum = tap(0)?;
        for index in 1..9 {
            sum = (sum + tap(index)?)?;
        }
        let sum = sum.reshape((rows * cols, channels))?;
        self.bias.as_ref().map_or(Ok(sum.clone()), |bias| sum.broadcast_add(bias))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, IndexOp};
    use candle_nn::{VarBuilder, VarMap};

    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|tensor| tensor.to_vec1()).expect("numbers")
    }

    fn random() -> (VarMap, Tensor) {
        let x = Tensor::randn(0f32, 1.0, (4 * 6, 5), &Device::Cpu).expect("random numbers");
        (VarMap::new(), x)
    }

    fn check_close(got: &Tensor, expected: &Tensor) {
        assert_eq!(got.dims(), expected.dims());
        let far = values(got).iter().zip(values(expected)).any(|(got, expected)| (got - expected).abs() > 1e-5);
        assert!(!far, "{got} instead of {expected}");
    }

    #[test]
    fn maps_of_other_sizes_are_candles() -> Result<()> {
        let map = map_from_tokens(&random().1, (4, 6))?;
        for (rows, cols) in [(4, 6), (9, 7), (3, 13), (1, 1)] {
            check_close(&interpolate(&map, (rows, cols))?, &map.upsample_bilinear2d(rows, cols, false)?);
        }
        check_close(&twice(&map)?, &map.upsample_bilinear2d(8, 12, true)?);
        Ok(())
    }

    #[test]
    fn upsampling_is_candles_transposed_convolution() -> Result<()> {
        let (vars, x) = random();
        let vb = VarBuilder::from_varmap(&vars, candle_core::DType::F32, &Device::Cpu);
        let map = map_from_tokens(&x, (4, 6))?;
        for (name, factor) in [("two", 2), ("four", 4)] {
            let config = candle_nn::ConvTranspose2dConfig { stride: factor, ..Default::default() };
            let layer = candle_nn::conv_transpose2d(5, 3, factor, config, vb.pp(name))?;
            let expected = candle_nn::Module::forward(&layer, &map)?;
            let upsampling = Upsampling::load(5, 3, factor, vb.pp(name))?;
            check_close(&upsampling.forward_map(&map)?, &expected);
            check_close(&upsampling.forward(&x, (4, 6))?, &tokens_from_map(&expected)?);
        }
        Ok(())
    }

    #[test]
    fn depthwise_is_candles_grouped_convolution() -> Result<()> {
        let (vars, x) = random();
        let vb = VarBuilder::from_varmap(&vars, candle_core::DType::F32, &Device::Cpu);
        let config = candle_nn::Conv2dConfig { padding: 1, groups: 5, ..Default::default() };
        let layer = candle_nn::conv2d(5, 5, 3, config, vb.clone())?;
        let expected = candle_nn::Module::forward(&layer, &map_from_tokens(&x, (4, 6))?)?;
        check_close(&Depthwise::load(5, true, vb)?.forward(&x, (4, 6))?, &tokens_from_map(&expected)?);
        Ok(())
    }

    #[test]
    fn tokens_and_maps_are_the_same_numbers() -> Result<()> {
        let (_, x) = random();
        let map = map_from_tokens(&x, (4, 6))?;
        assert_eq!(map.i((0, 3, 2, 1))?.to_scalar::<f32>()?, x.i((2 * 6 + 1, 3))?.to_scalar::<f32>()?);
        check_close(&tokens_from_map(&map)?, &x);
        Ok(())
    }
}
