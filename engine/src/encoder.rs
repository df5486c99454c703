//! A model ready to use: weights, their normalisation and device in one value.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::candle::CandleBackbone;
use crate::backend::wgpu::{WgpuBackbone, device_name};
use crate::backend::{Backbone, DeviceChoice, Dtype, OpenDevice, PlacementChoice, Residency, Run, Trial};
use crate::checkpoint::Weights;
use crate::features::{Encoded, Geometry};
use crate::gpu::{Gpu, ResidentGrid};
use crate::hub::{Hub, HubError, HubModel};
use crate::image::{Normalisation, Picture, Pixels, Preprocessing};
use crate::model::{ModelConfig, zoo};
use crate::recovery::{Recovered, Recovery};
use crate::{Cancel, Progress, Result, Watch};

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

/// A model that is on no device yet.
pub struct OpenModel {
    /// Of the zoo, or the file's stem.
    pub name: String,
    /// Tensors and architecture.
    pub weights: Weights,
    /// Mean and deviation that these weights expect.
    pub normalisation: Normalisation,
}

impl ModelSource {
    /// Finds and opens the weights.
    ///
    /// # Errors
    /// [`HubError::UnknownModel`] and [`HubError::NotPresent`] for names, [`crate::checkpoint::CheckpointError`] for
    /// files.
    pub fn open(&self, hub: &Hub) -> Result<OpenModel> {
        let known = |name: &str| zoo::find(name).ok_or_else(|| HubError::UnknownModel { name: name.to_owned() });
        match self {
            Self::Named(name) if name == DEMO => {
                let weights = Weights::demo()?;
                Ok(OpenModel { name: name.clone(), normalisation: weights.normalisation(), weights })
            }
            Self::Named(name) => {
                let model = known(name)?;
                let not_present = || HubError::NotPresent { name: name.clone() };
                let folder = HubModel::from_zoo(model).and_then(|model| hub.locate(&model));
                let folder = folder.ok_or_else(not_present)?;
                log::info!("{name} is in {}", folder.display());
                let weights = Weights::open(&folder)?;
                Ok(OpenModel { name: name.clone(), weights, normalisation: model.normalisation() })
            }
            Self::Path(path) => {
                let weights = Weights::open(path)?;
                Ok(OpenModel { name: stem(path), normalisation: weights.normalisation(), weights })
            }
            Self::Random { name, seed } => {
                let model = known(name)?;
                let weights = Weights::random(&model.config(), *seed);
                Ok(OpenModel { name: name.clone(), weights, normalisation: model.normalisation() })
            }
        }
    }
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
    /// For a model on a graphics device of wgpu.
    recovery: Option<Recovery>,
    gpu: Option<Gpu>,
    moved: Option<String>,
}

impl Encoder {
    /// Loads a model. Without a `dtype` it is f32 on the processor and f16 on a GPU; the weights of transformer blocks
    /// stay in their file where there is no room for them.
    ///
    /// # Errors
    /// [`HubError::UnknownModel`] and [`HubError::NotPresent`] for names, [`crate::checkpoint::CheckpointError`] for
    /// files, [`crate::Error::Device`] and [`crate::Error::Tensor`] for devices.
    pub fn load(source: &ModelSource, device: &DeviceChoice, placement: impl Into<PlacementChoice>) -> Result<Self> {
        let watch = Watch { progress: &|_| (), cancel: &Cancel::default() };
        Self::load_watched(source, device, placement, None, &Hub::from_env(), watch)
    }

    /// As [`Encoder::load`] with the cache of `hub`, telling each stage when it begins and each block that is read.
    /// `window` is the device that draws: a model that runs through wgpu shares it where the choice allows.
    ///
    /// # Errors
    /// As [`Encoder::load`], and [`crate::Error::Cancelled`] within one block of the request.
    pub fn load_watched(
        source: &ModelSource,
        device: &DeviceChoice,
        placement: impl Into<PlacementChoice>,
        window: Option<&Gpu>,
        hub: &Hub,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let begin = |stage: &str| (watch.progress)(Progress { stage: stage.to_owned(), done: 0, total: None });
        begin("opening the device");
        let choice = placement.into();
        let device = OpenDevice::open(device, choice.dtype, window)?;
        begin("opening the weights");
        let OpenModel { name, weights, normalisation } = source.open(hub)?;
        let weights = Arc::new(weights);
        watch.cancel.check()?;
        let depth = weights.config().depth() as u64;
        let on_block = |done: usize| {
            let stage = "reading the weights".to_owned();
            (watch.progress)(Progress { stage, done: done as u64, total: Some(depth) });
        };
        let run = Run::watched(watch.cancel, &on_block);
        let gpu = device.gpu().cloned();
        let Placed { backbone, device, dtype, recovery } = place(&weights, device, choice, window, &run)?;
        begin("checking the weights");
        let sha256 = weights.sha256(watch.cancel)?;
        let provenance = Provenance { model: name, weights: sha256, device, dtype: dtype.name().to_owned() };
        Ok(Self { recovery, gpu, ..Self::new(backbone, normalisation, provenance) })
    }

    /// A model that is loaded already; `provenance` goes into every export.
    pub fn new(backbone: Box<dyn Backbone>, normalisation: Normalisation, provenance: Provenance) -> Self {
        Self { backbone, normalisation, provenance, recovery: None, gpu: None, moved: None }
    }

    /// Architecture.
    pub fn config(&self) -> &ModelConfig {
        self.backbone.config()
    }

    /// Mean and deviation that these weights expect.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// Whether the weights are on the device, or are read from their file for every picture.
    pub fn residency(&self) -> Residency {
        self.backbone.residency()
    }

    /// For exports.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The graphics device of wgpu that the model was put on.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
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
    ///
    /// Where the graphics device fails, the model is loaded once more and the pixels run there: see
    /// [`Encoder::take_moved`].
    pub fn forward<'a>(&mut self, pixels: &Pixels, layers: &[usize], run: impl Into<Run<'a>>) -> Result<Encoded> {
        let run = run.into();
        loop {
            match (self.backbone.forward(pixels, layers, &run), &mut self.recovery) {
                (Err(error), Some(recovery)) => {
                    let Recovered { backbone, device, dtype, message } = recovery.recover(error)?;
                    log::warn!("{message}");
                    self.backbone = backbone;
                    if device == "cpu" {
                        self.recovery = None;
                    }
                    self.provenance = Provenance { device, dtype: dtype.name().to_owned(), ..self.provenance.clone() };
                    self.moved = Some(message);
                }
                (result, _) => return result,
            }
        }
    }

    /// That the model runs elsewhere than before, once after each time: one sentence. [`Encoder::provenance`] says where.
    pub fn take_moved(&mut self) -> Option<String> {
        self.moved.take()
    }

    /// See [`Backbone::tune`].
    ///
    /// # Errors
    /// As [`Backbone::tune`].
    pub fn tune<'a>(&mut self, pixels: &Pixels, run: impl Into<Run<'a>>) -> Result<Vec<Trial>> {
        self.backbone.tune(pixels, &run.into())
    }

    /// See [`Backbone::resident`].
    pub fn resident(&mut self, gpu: &Gpu) -> Option<ResidentGrid> {
        self.backbone.resident(gpu)
    }
}

/// A model on its device.
struct Placed {
    backbone: Box<dyn Backbone>,
    /// Its name.
    device: String,
    dtype: Dtype,
    recovery: Option<Recovery>,
}

fn place(
    weights: &Arc<Weights>,
    device: OpenDevice,
    choice: PlacementChoice,
    window: Option<&Gpu>,
    run: &Run<'_>,
) -> Result<Placed> {
    let placement = device.placement(choice);
    let dtype = placement.dtype;
    match device {
        OpenDevice::Candle { device, name } => {
            let backbone = Box::new(CandleBackbone::load(weights, device, placement, run)?);
            Ok(Placed { backbone, device: name, dtype, recovery: None })
        }
        OpenDevice::Wgpu(gpu) => {
            let backbone = Box::new(WgpuBackbone::load(&gpu, weights, placement, run)?);
            let recovery = Some(Recovery::new(weights, &gpu, window, placement, choice));
            Ok(Placed { backbone, device: device_name(&gpu), dtype, recovery })
        }
    }
}

/// What a file or folder is called as a model.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::gpu::GpuError;

    fn on_gpu(gpu: &Gpu, window: Option<&Gpu>) -> Encoder {
        let weights = Arc::new(Weights::demo().expect("it is embedded"));
        let device = OpenDevice::Wgpu(gpu.clone());
        let Placed { backbone, device, dtype, recovery } =
            place(&weights, device, Some(Dtype::F32).into(), window, &Run::from(&Cancel::default())).expect("it fits");
        let dtype = dtype.name().to_owned();
        let provenance = Provenance { model: DEMO.to_owned(), weights: "demo".to_owned(), device, dtype };
        Encoder { recovery, ..Encoder::new(backbone, Normalisation::WEB, provenance) }
    }

    fn pixels() -> Pixels {
        let number = |i: usize| ((i * 7919) % 1009) as f32 / 500.0 - 1.0;
        Pixels { width: 64, height: 48, data: (0..3 * 64 * 48).map(number).collect() }
    }

    fn largest_difference(a: &Encoded, b: &Encoded) -> f32 {
        (&a.output.patch.data - &b.output.patch.data).iter().fold(0.0, |most, v| v.abs().max(most))
    }

    #[test]
    fn a_lost_device_is_opened_again_and_then_given_up() {
        let gpu = Gpu::without_window().expect("a graphics adapter, a software one (lavapipe) at least");
        let mut encoder = on_gpu(&gpu, None);
        let run = |encoder: &mut Encoder| encoder.forward(&pixels(), &[], &Cancel::default());
        let before = run(&mut encoder).expect("it runs");
        assert_eq!(encoder.take_moved(), None);

        gpu.device.destroy();
        let again = run(&mut encoder).expect("it runs on a new device");
        assert!(encoder.take_moved().is_some_and(|message| message.contains("opened again")));
        assert!(encoder.provenance().device.starts_with("wgpu:"));
        assert_eq!(largest_difference(&before, &again), 0.0);

        let lost = || Error::Device { device: "wgpu".to_owned(), reason: "lost".to_owned() };
        let recovered = encoder.recovery.as_mut().expect("it is still on a device").recover(lost());
        assert_eq!(recovered.map(|recovered| recovered.device).ok().as_deref(), Some("cpu"), "not a third time");
    }

    /// Between two blocks, with work on the device.
    #[test]
    fn a_device_lost_on_the_way_is_opened_again() {
        let gpu = Gpu::without_window().expect("a graphics adapter");
        let mut encoder = on_gpu(&gpu, None);
        let before = encoder.forward(&pixels(), &[], &Cancel::default()).expect("it runs");
        let (cancel, lost) = (Cancel::default(), gpu.clone());
        let lose = |block: usize| {
            if block == 3 {
                lost.device.destroy();
            }
        };
        let again = encoder.forward(&pixels(), &[], Run::watched(&cancel, &lose)).expect("it runs on a new device");
        assert!(encoder.take_moved().is_some_and(|message| message.contains("opened again")));
        assert_eq!(largest_difference(&before, &again), 0.0);
    }

    #[test]
    fn without_memory_the_processor_goes_on() {
        let gpu = Gpu::without_window().expect("a graphics adapter");
        let mut encoder = on_gpu(&gpu, Some(&gpu));
        let on_device = encoder.forward(&pixels(), &[], &Cancel::default()).expect("it runs");
        let full = Error::Gpu(GpuError::OutOfMemory { what: "the tokens", bytes: 1 });
        let recovery = encoder.recovery.as_mut().expect("it is on a device");
        let mut recovered = recovery.recover(full).expect("the processor has room");
        assert_eq!((recovered.device.as_str(), recovered.dtype), ("cpu", Dtype::F32));
        let on_host = recovered.backbone.forward(&pixels(), &[], &Run::from(&Cancel::default())).expect("it runs");
        assert!(largest_difference(&on_device, &on_host) < 1e-2);

        // What a device does not do is no reason to leave it.
        let too_large = GpuError::DoesNotFit { what: "the tokens", bytes: 1, reason: "too many".to_owned() };
        assert!(recovery.recover(too_large.into()).is_err());
        assert!(recovery.recover(Error::Cancelled).is_err());
        let lost = Error::Device { device: "wgpu".to_owned(), reason: "lost".to_owned() };
        assert!(recovery.recover(lost).is_err(), "the window opens its device itself");
    }
}
