//! A model ready to use: weights, their normalisation and device in one value.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::candle::CandleBackbone;
use crate::backend::wgpu::{Placement, WgpuBackbone, device_name};
use crate::backend::{Backbone, DeviceChoice, Dtype, OpenDevice, Run};
use crate::checkpoint::Weights;
use crate::features::{Encoded, Geometry};
use crate::gpu::{Gpu, ResidentGrid};
use crate::hub::{Hub, HubError, HubModel};
use crate::image::{Normalisation, Picture, Pixels, Preprocessing};
use crate::model::{ModelConfig, zoo};
use crate::{Progress, Result};

/// Name of the bundled model.
pub const DEMO: &str = "demo";

/// Which weights to load.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ModelSource {
    /// A name of the zoo; `demo` is embedded, others are looked up in the Hugging Face cache.
    Named(String),
    /// A checkpoint file or a hub-style folder.
    Path(PathBuf),
    /// The named architecture with random weights.
    Random {
        /// A name of the zoo.
        name: String,
        /// The same seed gives the same weights.
        seed: u64,
    },
}

/// Where features come from; written into every export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Name of the model, or the file's stem.
    pub model: String,
    /// SHA-256 of the weights file (hex), or `random:SEED`.
    pub weights: String,
    /// "cpu", "cuda:0", "wgpu:" and the name of the graphics device.
    pub device: String,
    /// "f32".
    pub dtype: String,
}

/// A loaded model.
pub struct Encoder {
    backbone: Box<dyn Backbone>,
    normalisation: Normalisation,
    provenance: Provenance,
}

impl Encoder {
    /// Loads a model. Without a `dtype` it is f32 on the processor and f16 on a GPU.
    ///
    /// # Errors
    /// [`HubError::UnknownModel`] and [`HubError::NotPresent`] for names, [`crate::checkpoint::CheckpointError`] for
    /// files, [`crate::Error::Device`] and [`crate::Error::Tensor`] for devices.
    pub fn load(source: &ModelSource, device: &DeviceChoice, dtype: Option<Dtype>) -> Result<Self> {
        Self::load_watched(source, device, dtype, None, &Hub::from_env(), &|_| ())
    }

    /// As [`Encoder::load`] with the cache of `hub`, telling each stage when it begins. `window` is the device that
    /// draws: a model that runs through wgpu shares it where the choice allows.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load_watched(
        source: &ModelSource,
        device: &DeviceChoice,
        dtype: Option<Dtype>,
        window: Option<&Gpu>,
        hub: &Hub,
        progress: &dyn Fn(Progress),
    ) -> Result<Self> {
        let begin = |stage: &str| progress(Progress { stage: stage.to_owned(), done: 0, total: None });
        begin("opening the device");
        let device = OpenDevice::open(device, dtype, window)?;
        begin("opening the weights");
        let (name, weights, normalisation) = open_weights(source, hub)?;
        let weights = Arc::new(weights);
        begin("reading the weights");
        let (backbone, device, dtype) = load_backbone(&weights, device, dtype)?;
        begin("checking the weights");
        let provenance = Provenance { model: name, weights: weights.sha256()?, device, dtype: dtype.name().to_owned() };
        Ok(Self::new(backbone, normalisation, provenance))
    }

    /// A model that is loaded already; `provenance` goes into every export.
    pub fn new(backbone: Box<dyn Backbone>, normalisation: Normalisation, provenance: Provenance) -> Self {
        Self { backbone, normalisation, provenance }
    }

    /// Architecture.
    pub fn config(&self) -> &ModelConfig {
        self.backbone.config()
    }

    /// Mean and deviation that these weights expect.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// For exports.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Preprocesses and runs one picture.
    ///
    /// # Errors
    /// As [`Preprocessing::apply`] and [`Backbone::forward`].
    pub fn encode<'a>(
        &mut self,
        picture: &Picture,
        preprocessing: &Preprocessing,
        layers: &[usize],
        run: impl Into<Run<'a>>,
    ) -> Result<(Encoded, Geometry)> {
        let (pixels, geometry) = preprocessing.apply(picture, self.config().stride())?;
        Ok((self.forward(&pixels, layers, run)?, geometry))
    }

    /// Runs pixels that are already prepared; a [`crate::Cancel`] is enough of a [`Run`].
    ///
    /// # Errors
    /// As [`Backbone::forward`].
    pub fn forward<'a>(&mut self, pixels: &Pixels, layers: &[usize], run: impl Into<Run<'a>>) -> Result<Encoded> {
        self.backbone.forward(pixels, layers, &run.into())
    }

    /// See [`Backbone::resident`].
    pub fn resident(&mut self, gpu: &Gpu) -> Option<ResidentGrid> {
        self.backbone.resident(gpu)
    }
}

/// The backbone, the device's name, and the type of weights.
fn load_backbone(
    weights: &Arc<Weights>,
    device: OpenDevice,
    dtype: Option<Dtype>,
) -> Result<(Box<dyn Backbone>, String, Dtype)> {
    match device {
        OpenDevice::Candle { device, name } => {
            let dtype = dtype.unwrap_or(if device.is_cpu() { Dtype::F32 } else { Dtype::F16 });
            Ok((Box::new(CandleBackbone::load(weights, device, dtype)?), name, dtype))
        }
        OpenDevice::Wgpu(gpu) => {
            let dtype = dtype.unwrap_or_else(|| WgpuBackbone::default_dtype(&gpu));
            let backbone = WgpuBackbone::load(&gpu, weights, Placement { dtype, budget: u64::MAX })?;
            Ok((Box::new(backbone), device_name(&gpu), dtype))
        }
    }
}

fn open_weights(source: &ModelSource, hub: &Hub) -> Result<(String, Weights, Normalisation)> {
    let known = |name: &str| zoo::find(name).ok_or_else(|| HubError::UnknownModel { name: name.to_owned() });
    match source {
        ModelSource::Named(name) if name == DEMO => {
            let weights = Weights::demo()?;
            let normalisation = weights.normalisation();
            Ok((name.clone(), weights, normalisation))
        }
        ModelSource::Named(name) => {
            let model = known(name)?;
            let not_present = || HubError::NotPresent { name: name.clone() };
            let folder = HubModel::from_zoo(model).and_then(|model| hub.locate(&model));
            let folder = folder.ok_or_else(not_present)?;
            log::info!("{name} is in {}", folder.display());
            let weights = Weights::open(&folder)?;
            Ok((name.clone(), weights, model.normalisation()))
        }
        ModelSource::Path(path) => {
            let weights = Weights::open(path)?;
            let normalisation = weights.normalisation();
            Ok((stem(path), weights, normalisation))
        }
        ModelSource::Random { name, seed } => {
            let model = known(name)?;
            Ok((name.clone(), Weights::random(&model.config(), *seed), model.normalisation()))
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
