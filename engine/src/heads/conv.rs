//! The convolutions that heads spend their time in. Maps are `[1, channels, rows, cols]`.

use candle_core::{Device, Result as TensorResult, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder, conv2d, conv2d_no_bias};
use rayon::prelude::*;

use crate::backend::Dtype;
use crate::backend::candle::layers::{Buffer, Linear, Place};
use crate::backend::cpu::linear::Epilogue;

/// Numbers that are gathered for one product on the processor: 16 MB, which the allocator keeps from band to band.
const GATHERED: usize = 1 << 22;

/// Channels of a band that one task writes, so that a line of its cache is read once.
const CHANNELS: usize = 16;

/// A convolution with a 1 × 1 kernel: one product.
pub(super) struct Pointwise {
    /// `[outputs, inputs]`
    weight: Tensor,
    /// `[outputs, 1]`
    bias: Tensor,
}

impl Pointwise {
    pub(super) fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> TensorResult<Self> {
        let weight = vb.get((outputs, inputs, 1, 1), "weight")?.reshape((outputs, inputs))?;
        Ok(Self { weight, bias: vb.get(outputs, "bias")?.reshape((outputs, 1))? })
    }
}

impl Module for Pointwise {
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let (_, inputs, rows, cols) = x.dims4()?;
        let sums = self.weight.matmul(&x.reshape((inputs, rows * cols))?)?.broadcast_add(&self.bias)?;
        sums.reshape((1, self.weight.dim(0)?, rows, cols))
    }
}

/// A convolution with a 3 × 3 kernel and a margin of zeros, which leaves the size as it is.
///
/// candle's own on the processor gathers the neighbours of each place number by number. Here the channels of a place lie
/// together, so that three neighbours are one copy, and a band of rows is one product of the processor's kernels.
pub(super) enum Conv3 {
    /// On a graphics device.
    Whole(Conv2d),
    /// On the processor: from `[places, 9 * inputs]`, the neighbours row by row and all inputs of each.
    Bands(Linear),
}

impl Conv3 {
    pub(super) fn new(inputs: usize, outputs: usize, has_bias: bool, vb: VarBuilder<'_>) -> TensorResult<Self> {
        let is_on_processor = vb.device().is_cpu();
        let make = if has_bias { conv2d } else { conv2d_no_bias };
        let conv = make(inputs, outputs, 3, Conv2dConfig { padding: 1, ..Conv2dConfig::default() }, vb)?;
        if !is_on_processor {
            return Ok(Self::Whole(conv));
        }
        let weight = conv.weight().permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?;
        let bias = conv.bias().map_or(Ok(vec![0.0; outputs]), |bias| bias.to_vec1())?;
        let place = Place::new(Device::Cpu, Dtype::F32);
        Ok(Self::Bands(Linear::new(&place, weight, bias, None, Epilogue::Bias)?))
    }
}

impl Module for Conv3 {
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        match self {
            Self::Whole(conv) => conv.forward(x),
            Self::Bands(layer) => in_bands(x, layer, GATHERED),
        }
    }
}

/// Gathers about `gathered` numbers at once.
fn in_bands(x: &Tensor, layer: &Linear, gathered: usize) -> TensorResult<Tensor> {
    let (_, inputs, rows, cols) = x.dims4()?;
    let framed = framed(&x.flatten_all()?.to_vec1()?, inputs, rows, cols);
    let height = (gathered / (9 * inputs * cols)).clamp(1, rows);
    let mut buffer = Buffer::default();
    let mut map = Vec::new();
    for first in (0..rows).step_by(height) {
        let count = height.min(rows - first);
        let neighbours = neighbours(&framed, inputs, cols, first..first + count);
        let neighbours = Tensor::from_vec(neighbours, (count * cols, 9 * inputs), &Device::Cpu)?;
        let band = layer.forward(&neighbours, &mut buffer)?;
        let outputs = band.dim(1)?;
        map.resize(outputs * rows * cols, 0.0);
        scatter(&band.flatten_all()?.to_vec1()?, outputs, &mut map, first * cols);
    }
    let outputs = map.len() / (rows * cols);
    Tensor::from_vec(map, (1, outputs, rows, cols), &Device::Cpu)
}

/// `[channels, rows, cols]` as `[rows + 2, cols + 2, channels]` with zeros around it.
fn framed(map: &[f32], channels: usize, rows: usize, cols: usize) -> Vec<f32> {
    let mut framed = vec![0.0; (rows + 2) * (cols + 2) * channels];
    let lines = framed.par_chunks_exact_mut((cols + 2) * channels).skip(1).take(rows).enumerate();
    lines.for_each(|(y, line)| {
        for channel in 0..channels {
            let values = &map[(channel * rows + y) * cols..][..cols];
            for (x, value) in values.iter().enumerate() {
                line[(x + 1) * channels + channel] = *value;
            }
        }
    });
    framed
}

/// The neighbours of every place of some rows, `[places, 9 * channels]`.
fn neighbours(framed: &[f32], channels: usize, cols: usize, rows: std::ops::Range<usize>) -> Vec<f32> {
    let mut gathered = vec![0.0; rows.len() * cols * 9 * channels];
    gathered.par_chunks_exact_mut(cols * 9 * channels).zip(rows).for_each(|(line, y)| {
        for (x, place) in line.chunks_exact_mut(9 * channels).enumerate() {
            for (down, three) in place.chunks_exact_mut(3 * channels).enumerate() {
                three.copy_from_slice(&framed[((y + down) * (cols + 2) + x) * channels..][..3 * channels]);
            }
        }
    });
    gathered
}

/// Writes `[places, channels]` into `[channels, all places]` from place `first` on.
fn scatter(band: &[f32], channels: usize, map: &mut [f32], first: usize) {
    let plane = map.len() / channels;
    map.par_chunks_mut(CHANNELS * plane).enumerate().for_each(|(index, planes)| {
        for (place, values) in band.chunks_exact(channels).enumerate() {
            let values = &values[index * CHANNELS..];
            for (plane, value) in planes.chunks_exact_mut(plane).zip(values) {
                plane[first + place] = *value;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};

    use super::*;

    #[test]
    fn bands_give_what_candle_gives() {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let x = Tensor::randn(0f32, 1.0, (1, 5, 7, 4), &Device::Cpu).expect("it fits");
        let config = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        for has_bias in [true, false] {
            let make = if has_bias { conv2d } else { conv2d_no_bias };
            let expected = make(5, 6, 3, config, vb.pp("conv")).and_then(|conv| conv.forward(&x)).expect("it runs");
            let conv = Conv3::new(5, 6, has_bias, vb.pp("conv")).expect("it is there");
            let near = |got: &Tensor, expected: &Tensor| {
                assert_eq!(got.dims(), expected.dims());
                let off = (got - expected).and_then(|off| off.abs()?.max_all()?.to_scalar::<f32>()).expect("numbers");
                assert!(off < 1e-5, "{off}");
            };
            near(&conv.forward(&x).expect("it runs"), &expected);
            let Conv3::Bands(layer) = &conv else { panic!("it is on the processor") };
            // Bands of one row, of two with one left over, and all at once.
            for gathered in [0, 2 * 9 * 5 * 4, usize::MAX] {
                near(&in_bands(&x, layer, gathered).expect("it runs"), &expected);
            }
        }
    }

    #[test]
    fn one_product_is_what_candle_gives() {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let x = Tensor::randn(0f32, 1.0, (1, 5, 7, 4), &Device::Cpu).expect("it fits");
        let expected = conv2d(5, 6, 1, Conv2dConfig::default(), vb.clone()).and_then(|conv| conv.forward(&x));
        let got = Pointwise::new(5, 6, vb).and_then(|conv| conv.forward(&x)).expect("it runs");
        let off = (got - expected.expect("it runs")).and_then(|off| off.abs()?.max_all()?.to_scalar::<f32>());
        assert!(off.expect("numbers") < 1e-5);
    }
}
