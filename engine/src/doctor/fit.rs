//! What the weights of models take in the processor's memory, and whether they fit.

use serde::Serialize;

use super::Memory;
use crate::backend::Residency;
use crate::model::ModelConfig;
use crate::model::zoo::zoo;

/// Weights in each of the forms that a model may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// 32 bits a weight.
    pub f32: Need,
    /// 16 bits: f16 and bf16, on processors with kernels for them.
    pub f16: Need,
    /// From a file of 8 bits that stays quantised.
    #[serde(rename = "8bit")]
    pub eight_bits: Need,
    /// From a file of 4 bits that stays quantised.
    #[serde(rename = "4bit")]
    pub four_bits: Need,
}

/// The weights in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Bytes in memory; pictures come on top.
    pub bytes: u64,
    /// Where they would be; `None` where it is not known how much memory there is.
    pub residency: Option<Residency>,
}

/// A model of the zoo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelFit {
    /// As `--model` takes it.
    pub name: &'static str,
    /// Its weights.
    #[serde(flatten)]
    pub fit: Fit,
}

impl Fit {
    /// For a model where weights may take `budget` bytes ([`Memory::for_weights`]).
    pub fn new(config: &ModelConfig, budget: Option<u64>) -> Self {
        let tensors = config.tensors();
        let is_vit = matches!(config, ModelConfig::Vit(_));
        let need = |bits: u64, is_quantised: bool| {
            let bits_of = |shape: &[usize]| match shape.len() {
                // What is quantised are the matrices of transformers.
                2 if is_vit || !is_quantised => bits,
                4 if !is_quantised => bits,
                _ => 32,
            };
            let numbers = |shape: &[usize]| shape.iter().product::<usize>() as u64;
            let bytes = tensors.iter().map(|(_, shape)| numbers(shape) * bits_of(shape)).sum::<u64>() / 8;
            // Convolutional networks are small enough.
            let is_resident = |budget: u64| bytes <= budget || !is_vit;
            let residency =
                budget.map(|budget| if is_resident(budget) { Residency::Resident } else { Residency::Streaming });
            Need { bytes, residency }
        };
        // A scale of 32 bits for 32 weights; in 4 bits a minimum too.
        Self { f32: need(32, false), f16: need(16, false), eight_bits: need(9, true), four_bits: need(6, true) }
    }

    /// With a name for each form.
    pub fn forms(&self) -> [(&'static str, Need); 4] {
        [("f32", self.f32), ("f16", self.f16), ("8 bits", self.eight_bits), ("4 bits", self.four_bits)]
    }
}

/// Every model of the zoo in this memory.
pub(super) fn models(memory: &Memory) -> Vec<ModelFit> {
    let fit = |config: &ModelConfig| Fit::new(config, memory.for_weights());
    zoo().iter().map(|model| ModelFit { name: model.name, fit: fit(&model.config()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::zoo::find;

    fn fit(name: &str, budget: Option<u64>) -> Fit {
        Fit::new(&find(name).unwrap().config(), budget)
    }

    #[test]
    fn the_largest_model_streams_where_it_must() {
        let gigabytes = |need: Need| (need.bytes as f64 / 1e8).round() / 10.0;
        let large = fit("vit7b16", Some(16_000_000_000));
        assert_eq!(large.forms().map(|(_, need)| gigabytes(need)), [26.9, 13.4, 7.6, 5.1]);
        let [f32, others @ ..] = large.forms().map(|(_, need)| need.residency);
        assert_eq!(f32, Some(Residency::Streaming));
        assert!(others.iter().all(|residency| *residency == Some(Residency::Resident)));
        assert_eq!(fit("vit7b16", None).f32.residency, None);
    }

    #[test]
    fn convolutional_networks_are_unpacked_and_stay() {
        let large = fit("convnext_large", Some(1));
        assert_eq!((large.f32.residency, large.eight_bits.bytes), (Some(Residency::Resident), large.f32.bytes));
    }
}
