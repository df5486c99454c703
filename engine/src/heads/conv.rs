//! The convolution that heads spend their time in.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder, conv2d, conv2d_no_bias};

/// Numbers that are gathered for one product on the processor: 64 MB.
const GATHERED: usize = 1 << 24;

/// A convolution with a 3 × 3 kernel and a margin of zeros, which leaves the size as it is.
///
/// On the processor candle's own gathers the neighbours of each place number by number. Here whole rows are copied, and
/// a band of rows is one product.
pub(super) enum Conv3 {
    /// On a graphics device.
    Whole(Conv2d),
    /// On the processor.
    Bands {
        /// `[outputs, 9 * inputs]`, the neighbours row by row and all inputs of each.
        weight: Tensor,
        /// `[outputs, 1, 1]`
        bias: Option<Tensor>,
    },
}

impl Conv3 {
    pub(super) fn new(inputs: usize, outputs: usize, has_bias: bool, vb: VarBuilder<'_>) -> TensorResult<Self> {
        let is_on_processor = vb.device().is_cpu();
        let make = if has_bias { conv2d } else { conv2d_no_bias };
        let conv = make(inputs, outputs, 3, Conv2dConfig { padding: 1, ..Conv2dConfig::default() }, vb)?;
        if !is_on_processor {
            return Ok(Self::Whole(conv));
        }
        let weight = conv.weight().permute((0, 2, 3, 1))?.flatten_from(1)?.contiguous()?;
        let bias = conv.bias().map(|bias| bias.reshape((outputs, 1, 1))).transpose()?;
        Ok(Self::Bands { weight, bias })
    }
}

impl Module for Conv3 {
    /// `[1, inputs, rows, cols]` to `[1, outputs, rows, cols]`.
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        match self {
            Self::Whole(conv) => conv.forward(x),
            Self::Bands { weight, bias } => {
                let sums = in_bands(x, weight, GATHERED)?;
                match bias {
                    Some(bias) => sums.broadcast_add(bias),
                    None => Ok(sums),
                }
            }
        }
    }
}

/// Gathers about `gathered` numbers at once.
fn in_bands(x: &Tensor, weight: &Tensor, gathered: usize) -> TensorResult<Tensor> {
    let (_, inputs, rows, cols) = x.dims4()?;
    let outputs = weight.dim(0)?;
    let framed = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let height = (gathered / (9 * inputs * cols)).clamp(1, rows);
    let mut bands = Vec::with_capacity(rows.div_ceil(height));
    for first in (0..rows).step_by(height) {
        let count = height.min(rows - first);
        let neighbour = |place: usize| {
            framed.narrow(2, first + place / 3, count)?.narrow(3, place % 3, cols)?.reshape((inputs, count * cols))
        };
        let neighbours = (0..9).map(neighbour).collect::<TensorResult<Vec<_>>>()?;
        bands.push(weight.matmul(&Tensor::cat(&neighbours, 0)?)?.reshape((1, outputs, count, cols))?);
    }
    Tensor::cat(&bands, 2)
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
            let Conv3::Bands { weight, bias: None } = &conv else { continue };
            // Bands of one row, of two with one left over, and all at once.
            for gathered in [0, 2 * 9 * 5 * 4, usize::MAX] {
                near(&in_bands(&x, weight, gathered).expect("it runs"), &expected);
            }
        }
    }
}
