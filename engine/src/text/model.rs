//! dino.txt, ready to use: tokenizer, text tower and vision head.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::{Templates, TextCache, TextError, Tokenizer, Tokens, WEIGHTS_FILE, phrases};
use crate::analysis::AnalysisError;
use crate::backend::candle::{CandleHead, CandleTower};
use crate::backend::wgpu::{WgpuHead, WgpuTower};
use crate::backend::{Dtype, OpenDevice, Placement, Run, TextTower, VisionHead};
use crate::checkpoint::{DinotxtWeights, hash};
use crate::hub::torch_hub_folder;
use crate::model::ModelConfig;
use crate::{Cancel, Progress, Result};

/// Tokens that the tower reads at once.
const TOKENS_AT_ONCE: usize = 2048;
/// Prompts whose vectors are held at once.
const PROMPTS_AT_ONCE: usize = 4096;

/// dino.txt's networks and what belongs to them. The text tower is loaded with the first text that is not known yet.
pub struct DinoTxt {
    weights: Arc<DinotxtWeights>,
    tokenizer: Tokenizer,
    device: OpenDevice,
    dtype: Dtype,
    tower: Option<Box<dyn TextTower>>,
    cache: TextCache,
}

/// Unit vectors of classes, each the mean over its prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassVectors {
    /// For whole pictures, `[classes, dim]`.
    pub picture: Array2<f32>,
    /// For patches, `[classes, dim / 2]`: of the second half of each text's vector.
    pub patch: Array2<f32>,
}

/// The published file where the reference stores what it downloads.
///
/// # Errors
/// [`TextError::NoWeights`] where it is not there.
pub fn find_weights() -> Result<PathBuf, TextError> {
    let folder = torch_hub_folder();
    let file = folder.join(WEIGHTS_FILE);
    if file.is_file() { Ok(file) } else { Err(TextError::NoWeights { folder }) }
}

impl DinoTxt {
    /// Opens `weights` to be put on `device`; a vocabulary other than the published one may be given.
    ///
    /// # Errors
    /// [`TextError::NotDinotxt`], [`crate::Error::Checkpoint`]; [`TextError::Vocabulary`].
    pub fn open(
        weights: &Path,
        vocabulary: Option<&Path>,
        device: OpenDevice,
        dtype: Option<Dtype>,
        cache: TextCache,
    ) -> Result<Self> {
        let tokenizer = vocabulary.map_or_else(Tokenizer::bundled, Tokenizer::open)?;
        let weights = Arc::new(DinotxtWeights::open(weights)?);
        let dtype = device.dtype(dtype);
        Ok(Self { weights, tokenizer, device, dtype, tower: None, cache })
    }

    /// The weights file.
    pub fn path(&self) -> &Path {
        self.weights.path()
    }

    /// SHA-256 of the weights file, hex.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] where the file went away.
    pub fn weights_sha256(&self) -> Result<String> {
        self.weights.sha256()
    }

    /// Type of weights and matrix inputs.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Makes texts into tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The vision head for that backbone, put on the device.
    ///
    /// # Errors
    /// [`TextError::Head`] and [`TextError::NoTransformer`] where it does not fit the backbone, [`TextError::Vectors`]
    /// where texts have vectors of another length, [`crate::Error::Checkpoint`] where a tensor is missing or broken,
    /// [`crate::Error::Tensor`] and [`crate::Error::Gpu`] where the device has no room.
    pub fn head(&self, backbone: &ModelConfig) -> Result<Box<dyn VisionHead>> {
        let config = self.weights.head(backbone)?;
        let text = self.weights.tower()?.outputs();
        let picture = 2 * config.outputs();
        if text != picture {
            let path = self.weights.path().to_path_buf();
            return Err(TextError::Vectors { path, text, picture }.into());
        }
        let weights = self.weights.head_part();
        Ok(match &self.device {
            OpenDevice::Candle { device, .. } => {
                Box::new(CandleHead::load(config, &weights, device.clone(), self.dtype)?)
            }
            OpenDevice::Wgpu(gpu) => Box::new(WgpuHead::load(gpu, config, Arc::new(weights), self.placement())?),
        })
    }

    /// What the tower says about texts, `[texts, dim]`, not normalised.
    ///
    /// # Errors
    /// [`TextError::Tokens`] where the vocabulary is not the tower's, [`TextError::NotDinotxt`] where there is no tower;
    /// [`AnalysisError::NotFinite`]; else as [`DinoTxt::head`], and [`crate::Error::Cancelled`].
    pub fn encode(&mut self, tokens: &[Tokens], cancel: &Cancel, progress: &dyn Fn(Progress)) -> Result<Array2<f32>> {
        let told = |done: usize| {
            let total = Some(tokens.len() as u64);
            progress(Progress { stage: "encoding texts".to_owned(), done: done as u64, total });
        };
        told(0);
        let tower = self.tower()?;
        let mut vectors = Array2::zeros((tokens.len(), tower.config().outputs()));
        let mut by_len: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, tokens) in tokens.iter().enumerate() {
            by_len.entry(tokens.end() + 1).or_default().push(index);
        }
        let mut done = 0;
        for (len, indices) in by_len {
            for indices in indices.chunks((TOKENS_AT_ONCE / len).max(1)) {
                let ids: Vec<u32> = indices.iter().flat_map(|&index| &tokens[index].0[..len]).copied().collect();
                let found = tower.forward(&ids, len, &Run::from(cancel))?;
                if !found.iter().all(|number| number.is_finite()) {
                    return Err(AnalysisError::NotFinite.into());
                }
                for (&index, vector) in indices.iter().zip(found.rows()) {
                    vectors.row_mut(index).assign(&vector);
                }
                done += indices.len();
                told(done);
            }
        }
        Ok(vectors)
    }

    /// Vectors of classes, those of one phrase and one set of templates computed once.
    ///
    /// # Errors
    /// As [`phrases::check`] and [`DinoTxt::encode`].
    pub fn class_vectors(
        &mut self,
        phrases: &[String],
        templates: &Templates,
        cancel: &Cancel,
        progress: &dyn Fn(Progress),
    ) -> Result<ClassVectors> {
        phrases::check(phrases)?;
        let dim = self.weights.tower()?.outputs();
        // The first half of a vector goes with CLS, the second with patches.
        let half = dim / 2;
        let set = self.set(templates)?;
        let len = dim + (dim - half);
        let mut seen = HashSet::new();
        let distinct = phrases.iter().filter(|phrase| seen.insert(phrase.as_str()));
        let missing: Vec<&String> = distinct.filter(|phrase| self.cache.get(&set, phrase, len).is_none()).collect();
        let mut done = 0;
        for some in missing.chunks((PROMPTS_AT_ONCE / templates.count()).max(1)) {
            let prompts = some.iter().flat_map(|phrase| templates.fill(phrase));
            let tokens: Vec<Tokens> = prompts.map(|prompt| self.tokenizer.tokenize(&prompt)).collect();
            let vectors = self.encode(&tokens, cancel, &|inner| {
                let total = Some((missing.len() * templates.count()) as u64);
                progress(Progress { done: done + inner.done, total, ..inner });
            })?;
            done += tokens.len() as u64;
            for (phrase, vectors) in some.iter().zip(vectors.axis_chunks_iter(Axis(0), templates.count())) {
                let mean = |part: &dyn Fn(ArrayView1<'_, f32>) -> Array1<f32>| {
                    let sum = vectors.rows().into_iter().map(part).reduce(|sum, vector| sum + vector);
                    unit(sum.unwrap_or_default().view())
                };
                let picture = mean(&unit);
                let patch = mean(&|vector| unit(vector.slice(s![half..])));
                self.cache.put(&set, phrase, picture.into_iter().chain(patch).collect());
            }
        }
        let (picture, patch) = (Array2::zeros((phrases.len(), dim)), Array2::zeros((phrases.len(), dim - half)));
        let mut vectors = ClassVectors { picture, patch };
        for (index, phrase) in phrases.iter().enumerate() {
            let numbers = ArrayView1::from(self.cache.get(&set, phrase, len).expect("it was there or is new"));
            vectors.picture.row_mut(index).assign(&numbers.slice(s![..dim]));
            vectors.patch.row_mut(index).assign(&numbers.slice(s![dim..]));
        }
        Ok(vectors)
    }

    /// Name of everything that a phrase's vector depends on beside the phrase.
    fn set(&self, templates: &Templates) -> Result<String> {
        let parts =
            [&self.weights.sha256()?, self.tokenizer.sha256(), self.dtype.name(), &templates.sha256()].join("\n");
        Ok(hash::hex(&hash::of_bytes(parts.as_bytes())[..16]))
    }

    fn placement(&self) -> Placement {
        Placement { dtype: self.dtype, budget: u64::MAX }
    }

    fn tower(&mut self) -> Result<&mut Box<dyn TextTower>> {
        if self.tower.is_none() {
            let config = self.weights.tower()?;
            if self.tokenizer.size() > config.vocabulary {
                let (path, tokens) = (self.weights.path().to_path_buf(), self.tokenizer.size());
                return Err(TextError::Tokens { path, tokens, known: config.vocabulary }.into());
            }
            let weights = self.weights.tower_part();
            self.tower = Some(match &self.device {
                OpenDevice::Candle { device, .. } => {
                    Box::new(CandleTower::load(config, &weights, device.clone(), self.dtype)?)
                }
                OpenDevice::Wgpu(gpu) => Box::new(WgpuTower::load(gpu, config, Arc::new(weights), self.placement())?),
            });
        }
        Ok(self.tower.as_mut().expect("it was loaded"))
    }
}

/// A vector of length one; zeros stay zeros.
pub(super) fn unit(vector: ArrayView1<'_, f32>) -> Array1<f32> {
    let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    let length = square.sqrt().max(1e-12);
    vector.mapv(|number| (f64::from(number) / length) as f32)
}
