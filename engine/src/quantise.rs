//! Backbones in 8 or 4 bits a weight, as GGUF files.
//!
//! Matrices are quantised in ggml's blocks, row by row; convolutions are f16, and vectors and tokens f32: together a few
//! percent of a model. A draft lies beside its target until it was measured, then it is renamed.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::checkpoint::gguf::{self, Entry, Facts};
use crate::checkpoint::{Accuracy, ElementType, Quantisation, Weights};
use crate::image::Normalisation;
use crate::model::ModelConfig;
use crate::{Error, Progress, Result, Watch, output};

/// Numbers that one thread quantises at a time.
const NUMBERS_AT_ONCE: usize = 1 << 20;

/// How many bits a weight takes; with the scales of its block it is half a bit more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// q8_0.
    Eight,
    /// q4_K, or q4_0 where a row is no multiple of 256.
    Four,
}

impl Bits {
    fn count(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Four => 4,
        }
    }

    /// Of a tensor of that shape.
    fn element(self, shape: &[usize]) -> ElementType {
        match shape {
            [_, width] if !width.is_multiple_of(32) => ElementType::F16,
            [_, _] if self == Self::Eight => ElementType::Q8_0,
            [_, width] if width.is_multiple_of(256) => ElementType::Q4K,
            [_, _] => ElementType::Q4_0,
            [_, _, _, _] => ElementType::F16,
            _ => ElementType::F32,
        }
    }
}

/// What a file was written of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantised {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What the same numbers take in f32.
    pub bytes_f32: u64,
    /// What it says about itself.
    #[serde(flatten)]
    pub quantisation: Quantisation,
}

/// A quantised file that has no name yet.
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
    entries: Vec<Entry>,
    facts: Facts,
    bytes_f32: u64,
}

impl Draft {
    /// Writes `weights` beside `target`, which stays as it is. `name` and `normalisation` are those of the model.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where a tensor is broken, [`Error::Io`] naming `target`, [`Error::Cancelled`].
    pub fn write(
        weights: &Weights,
        (name, normalisation): (&str, Normalisation),
        bits: Bits,
        target: &Path,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let (file, target) = output::beside(target).map_err(Error::io("write", target))?;
        let config = weights.config();
        let mut tensors = config.tensors();
        let norm_eps = match config {
            ModelConfig::Vit(vit) => {
                // They say how wide a head is.
                tensors.push(("rope_embed.periods".to_owned(), vec![vit.head_dim() / 4]));
                vit.norm_eps
            }
            ModelConfig::ConvNext(convnext) => convnext.norm_eps,
        };
        let entry = |(name, shape): (String, Vec<usize>)| Entry { element: bits.element(&shape), name, shape };
        let quantisation = Quantisation {
            bits: bits.count(),
            source: name.to_owned(),
            source_sha256: weights.sha256(watch.cancel)?,
            accuracy: None,
        };
        let facts = Facts { quantisation, norm_eps, key_bias: weights.key_bias(), normalisation };
        let draft = Self {
            file,
            target,
            entries: tensors.into_iter().map(entry).collect(),
            facts,
            bytes_f32: 4 * config.parameters() as u64,
        };
        draft.fill(weights, watch)?;
        Ok(draft)
    }

    fn fill(&self, weights: &Weights, watch: Watch<'_>) -> Result<()> {
        let mut writer = BufWriter::new(self.file.as_file());
        let mut put = |bytes: &[u8]| writer.write_all(bytes).map_err(Error::io("write", &self.target));
        put(&self.header())?;
        let total = self.entries.iter().map(|entry| entry.bytes() as u64).sum();
        let mut done = 0;
        for entry in &self.entries {
            watch.cancel.check()?;
            (watch.progress)(Progress { stage: "quantising".to_owned(), done, total: Some(total) });
            let numbers = weights.load(&entry.name, &entry.shape)?;
            for piece in pieces(&numbers, entry.element)? {
                put(&piece)?;
            }
            put(&vec![0; gguf::padding(entry.bytes())])?;
            done += entry.bytes() as u64;
        }
        writer.flush().map_err(Error::io("write", &self.target))
    }

    fn header(&self) -> Vec<u8> {
        gguf::header(&self.facts.metadata(), &self.entries)
    }

    /// Where it can be opened, to be measured.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes down what was measured, and gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self, accuracy: Accuracy) -> Result<Quantised> {
        self.facts.quantisation.accuracy = Some(accuracy);
        let header = self.header();
        let Self { file, target, facts, bytes_f32, .. } = self;
        let finish = || -> io::Result<u64> {
            let mut open = file.as_file();
            open.seek(SeekFrom::Start(0))?;
            open.write_all(&header)?;
            open.sync_all()?;
            let bytes = open.metadata()?.len();
            file.persist(&target)?;
            Ok(bytes)
        };
        let bytes = finish().map_err(Error::io("write", &target))?;
        Ok(Quantised { path: target, bytes, bytes_f32, quantisation: facts.quantisation })
    }
}

/// The numbers' bytes in that type, in order.
fn pieces(numbers: &[f32], element: ElementType) -> Result<Vec<Vec<u8>>> {
    // A piece is whole blocks.
    numbers.par_chunks(NUMBERS_AT_ONCE).map(|numbers| encode(numbers, element)).collect()
}

fn encode(numbers: &[f32], element: ElementType) -> Result<Vec<u8>> {
    let quantise = |kind| -> Result<Vec<u8>> {
        let numbers = Tensor::from_slice(numbers, numbers.len(), &Device::Cpu)?;
        Ok(QTensor::quantize(&numbers, kind)?.data()?.into_owned())
    };
    match element {
        ElementType::Q8_0 => quantise(GgmlDType::Q8_0),
        ElementType::Q4_0 => quantise(GgmlDType::Q4_0),
        ElementType::Q4K => quantise(GgmlDType::Q4K),
        ElementType::F16 => {
            let mut halves = vec![f16::ZERO; numbers.len()];
            halves.convert_from_f32_slice(numbers);
            Ok(halves.iter().flat_map(|half| half.to_le_bytes()).collect())
        }
        _ => Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cancel;
    use crate::model::{ConvNextConfig, Ffn, VitConfig};

    const ACCURACY: Accuracy = Accuracy { relative_error: 0.5, patch_cosine: 0.25, least_patch_cosine: 0.125 };

    fn write(weights: &Weights, bits: Bits, target: &Path, cancel: &Cancel) -> Result<Draft> {
        Draft::write(weights, ("tiny", Normalisation::WEB), bits, target, Watch { progress: &|_| (), cancel })
    }

    fn vit() -> ModelConfig {
        ModelConfig::Vit(VitConfig {
            dim: 64,
            depth: 2,
            heads: 2,
            ffn: Ffn::Mlp { hidden: 256 },
            registers: 4,
            patch: 4,
            qkv_bias: true,
            untied_cls_norm: true,
            layer_scale: true,
            norm_eps: 1e-5,
        })
    }

    #[test]
    fn quantised_weights_are_close_and_everything_else_is_kept() {
        let convnext = ConvNextConfig { depths: [1, 1, 2, 1], dims: [24, 32, 64, 96], norm_eps: 1e-6 };
        let folder = tempfile::tempdir().expect("a folder");
        for config in [vit(), ModelConfig::ConvNext(convnext)] {
            let weights = Weights::random(&config, 3);
            // Of the largest of a block: half a step of 1 in 127, and a whole one of 1 in 8, since there is no +8.
            for (bits, most) in [(Bits::Eight, 0.5 / 127.0), (Bits::Four, 1.0 / 8.0)] {
                let target = folder.path().join(format!("{}-{bits:?}.gguf", config.dim()));
                let draft = write(&weights, bits, &target, &Cancel::default()).expect("room");
                assert!(!target.exists(), "it has no name before it is measured");
                let read = Weights::open(draft.path()).expect("a backbone");
                assert_eq!(read.config(), &config);
                for (name, shape) in config.tensors() {
                    let load = |weights: &Weights| weights.load(&name, &shape).expect("it is there");
                    let (got, expected) = (load(&read), load(&weights));
                    let greatest = expected.iter().fold(0f32, |most, number| most.max(number.abs()));
                    let allowed = match bits.element(&shape) {
                        ElementType::F32 => 0.0,
                        ElementType::F16 => 1e-3,
                        // The scale itself is rounded to half precision.
                        _ => most + f32::powi(2.0, -11),
                    };
                    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= allowed * greatest;
                    assert!(got.iter().zip(&expected).all(close), "{name} in {bits:?}");
                }
                let written = draft.finish(ACCURACY).expect("room");
                assert_eq!(written.bytes, target.metadata().expect("it is there").len());
                let read = Weights::open(&target).expect("a backbone");
                let quantisation = read.quantisation().expect("it is stated");
                assert_eq!((quantisation.bits, quantisation.accuracy), (bits.count(), Some(ACCURACY)));
                assert_eq!((quantisation.source.as_str(), quantisation.source_sha256.as_str()), ("tiny", "random:3"));
            }
        }
    }

    #[test]
    fn what_is_stopped_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("tiny.gguf");
        std::fs::write(&target, "older").expect("room");
        let cancel = Cancel::default();
        cancel.cancel();
        let stopped = write(&Weights::random(&vit(), 3), Bits::Eight, &target, &cancel).map(drop);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        let draft = write(&Weights::random(&vit(), 3), Bits::Eight, &target, &Cancel::default());
        drop(draft.expect("room"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert_eq!(std::fs::read_to_string(&target).expect("it is there"), "older");
    }

    #[test]
    fn four_bits_take_large_blocks_where_rows_allow_it() {
        assert_eq!(Bits::Four.element(&[3, 512]), ElementType::Q4K);
        assert_eq!(Bits::Four.element(&[3, 96]), ElementType::Q4_0);
        assert_eq!(Bits::Eight.element(&[3, 96]), ElementType::Q8_0);
        assert_eq!(Bits::Eight.element(&[3, 40]), ElementType::F16);
        assert_eq!(Bits::Four.element(&[8, 3, 16, 16]), ElementType::F16);
        assert_eq!(Bits::Four.element(&[1, 1, 64]), ElementType::F32);
    }
}
