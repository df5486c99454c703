//! From logits to metres: bins along the range of depths, weighted by what the network says of each (AdaBins, S. F.
//! Bhat et al., 2021, <https://arxiv.org/abs/2011.14141>; reference: `FeaturesToDepth` of
//! `dinov3/eval/depth/models/__init__.py`, `dinov3/eval/depth/utils.py`).

use candle_core::{Result as TensorResult, Tensor};

use super::preset::{DepthPreset, DepthSettings};

/// How logits become metres.
pub(super) enum Bins {
    /// One logit, which is the value above this one.
    Regression { least: f32 },
    /// The mean of the bins' centres, weighted by their logits where these are positive.
    Weighted {
        /// In metres.
        centres: Vec<f32>,
        /// Added to every weight, so that they never vanish all at once.
        shift: f64,
    },
}

impl Bins {
    pub(super) fn new(count: usize, settings: &DepthSettings) -> Self {
        let (least, greatest) = (f64::from(settings.least), f64::from(settings.greatest));
        if count == 1 {
            return Self::Regression { least: settings.least };
        }
        let shares = (0..count).map(|bin| bin as f64 / (count - 1) as f64);
        match settings.preset {
            DepthPreset::Synthmix => {
                let centres = shares.map(|share| (least + share * (greatest - least)) as f32).collect();
                Self::Weighted { centres, shift: 0.1 }
            }
            // Spaced by logarithms near the ground and evenly high above it. The network was trained on eighths of
            // metres.
            DepthPreset::Chmv2 => {
                let greatest = greatest / 8.0;
                let centre = |share: f64| {
                    let (log, linear) = (least * (greatest / least).powf(share), least + share * (greatest - least));
                    (8.0 * ((1.0 - share) * log + share * linear)) as f32
                };
                Self::Weighted { centres: shares.map(centre).collect(), shift: 1e-8 }
            }
        }
    }

    /// Of logits `[1, bins, rows, cols]`, row by row.
    pub(super) fn metres(&self, logits: &Tensor) -> TensorResult<Vec<f32>> {
        let (_, bins, rows, cols) = logits.dims4()?;
        let positive = logits.relu()?.reshape((bins, rows * cols))?;
        match self {
            Self::Regression { least } => (positive + f64::from(*least))?.flatten_all()?.to_vec1(),
            Self::Weighted { centres, shift } => {
                // The sum of the weights and that of the weighted centres are one product.
                let sums = [vec![1.0; bins], centres.clone()].concat();
                let sums = Tensor::from_vec(sums, (2, bins), logits.device())?.matmul(&(positive + *shift)?)?;
                (sums.get(1)? / sums.get(0)?)?.to_vec1()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn bins(preset: DepthPreset, count: usize, least: f32, greatest: f32) -> Bins {
        Bins::new(count, &DepthSettings { preset, layers: Vec::new(), least, greatest })
    }

    fn metres(bins: &Bins, logits: &[f32]) -> f32 {
        let logits = Tensor::from_slice(logits, (1, logits.len(), 1, 1), &Device::Cpu).expect("it fits");
        bins.metres(&logits).expect("it runs")[0]
    }

    #[test]
    fn one_clear_bin_is_its_centre_and_none_at_all_the_mean() {
        let linear = bins(DepthPreset::Synthmix, 3, 1.0, 5.0);
        assert!((metres(&linear, &[-9.0, -2.0, 1e6]) - 5.0).abs() < 1e-4);
        assert!((metres(&linear, &[-1.0; 3]) - 3.0).abs() < 1e-6);
        let canopy = bins(DepthPreset::Chmv2, 3, 0.01, 8.0);
        // torch: create_chmv2_mixlog_bins(0.01, 8.0, 3, "cpu") is 0.01, 0.3025, 1; metres are 8 times as much.
        for (at, expected) in [0.08, 2.42, 8.0].into_iter().enumerate() {
            let mut logits = [0.0; 3];
            logits[at] = 1.0;
            assert!((metres(&canopy, &logits) - expected).abs() < 1e-5, "{at}");
        }
    }

    #[test]
    fn one_logit_is_a_depth() {
        let regression = bins(DepthPreset::Synthmix, 1, 0.5, 10.0);
        assert_eq!((metres(&regression, &[2.0]), metres(&regression, &[-2.0])), (2.5, 0.5));
    }
}
