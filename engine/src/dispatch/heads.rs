//! Reading pictures with published heads, beside the model that is loaded.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array2, s};

use super::lane::Job;
use super::words::{Detail, Labelled, label};
use super::{ModelChoice, Outcome, PictureId, PixelSource};
use crate::backend::{Dtype, OpenDevice};
use crate::classes::Scores;
use crate::encoder::{Encoder, Provenance};
use crate::features::Geometry;
use crate::gpu::Gpu;
use crate::heads::classifier::{ClassifierHead, ClassifyOptions, classify};
use crate::heads::depth::{self, DepthChoice, DepthHead, DepthMap, DepthOptions, DepthSummary};
use crate::heads::detector::{self, DetectOptions, Detections, Detector, DetectorConfig};
use crate::heads::eomt::Eomt;
use crate::heads::segmentor::{self, Preset, Segmentor, SegmentorOptions};
use crate::heads::{HeadError, HeadWeights, Task, head_device};
use crate::image::{Filter, Preprocessing, SizeRule};
use crate::text::phrases;
use crate::{Cancel, Error, Progress, Result, Watch};

/// Numbers of a map for the screen, along each side.
const LONGEST_SHOWN: usize = 1536;

/// A picture and the head that is to read it.
#[derive(Clone, Debug)]
pub struct HeadRequest {
    /// The picture.
    pub picture: PictureId,
    /// Its pixels.
    pub pixels: PixelSource,
    /// The backbone; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
    /// The head's file; `None`: where torch.hub stores Meta's.
    pub weights: Option<PathBuf>,
    /// What is asked.
    pub options: HeadOptions,
}

/// What a head is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum HeadOptions {
    /// Which classes the picture shows.
    Classify,
    /// How far away everything is.
    Depth {
        /// What the head's tensors do not tell.
        choice: DepthChoice,
        /// Size of the model's input; `None`: as published.
        size: Option<SizeRule>,
    },
    /// Which class each pixel belongs to.
    Segment {
        /// The whole picture at once; else windows that overlap, as published.
        is_whole: bool,
        /// Blocks of the backbone that the head reads, from 0; `None`: as published.
        layers: Option<Vec<usize>>,
    },
    /// Boxes around objects.
    Detect {
        /// Size of the model's input.
        size: SizeRule,
        /// What the head's tensors do not tell.
        choice: DetectorChoice,
    },
}

/// What a person says about a detector; the rest is as published.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetectorChoice {
    /// Blocks of the backbone that it reads, from 0.
    pub layers: Option<Vec<usize>>,
    /// Windows along each side of a picture.
    pub windows: Option<usize>,
}

impl HeadOptions {
    /// What the head is for.
    pub fn task(&self) -> Task {
        match self {
            Self::Classify => Task::Classification,
            Self::Depth { .. } => Task::Depth,
            Self::Segment { .. } => Task::Segmentation,
            Self::Detect { .. } => Task::Detection,
        }
    }
}

/// What a head says about a picture.
#[derive(Debug)]
pub struct HeadReading {
    /// The picture.
    pub picture: PictureId,
    /// What it says.
    pub answer: HeadAnswer,
    /// The backbone.
    pub provenance: Provenance,
    /// SHA-256 of the head's file, hex.
    pub head: String,
}

/// What a head says.
#[derive(Debug)]
pub enum HeadAnswer {
    /// Names and probabilities of all classes, the most probable first.
    Classes(Vec<(String, f32)>),
    /// Metres everywhere.
    Depth(Box<DepthReading>),
    /// The picture divided among classes.
    Segmentation {
        /// Of every class.
        scores: Arc<Scores>,
        /// The class of every pixel, as the screen needs it.
        labelled: Arc<Labelled>,
        /// Of the classes, in the order of the scores.
        names: Arc<Vec<String>>,
    },
    /// Boxes around objects.
    Detections {
        /// Down to a low score.
        found: Detections,
        /// Of the classes.
        names: Vec<String>,
    },
}

/// Metres everywhere.
#[derive(Debug)]
pub struct DepthReading {
    /// Of every pixel.
    pub map: DepthMap,
    /// In numbers.
    pub summary: DepthSummary,
    /// The head's last bin, in metres.
    pub greatest: f32,
    /// The map for the screen: every so many pixels, `[rows, cols]`.
    pub shown: Array2<f32>,
    /// Where that lies.
    pub geometry: Geometry,
}

/// Heads that were read before, the last one of each task. They go with the model.
pub struct Heads {
    gpu: Option<Gpu>,
    classifier: Slot<ClassifierHead, ()>,
    depth: Slot<DepthHead, DepthChoice>,
    divider: Slot<Divider, ()>,
    detector: Slot<Detector, DetectorChoice>,
}

/// A head that divides a picture among classes.
enum Divider {
    /// Reads the backbone that is loaded.
    Segmentor { segmentor: Box<Segmentor>, names: Arc<Vec<String>>, sha256: String },
    /// Brings a backbone of its own.
    Eomt { eomt: Box<Eomt>, names: Arc<Vec<String>> },
}

/// A head and what it was made of: its file, and what a person says about it.
struct Slot<H, Choice>(Option<(Option<PathBuf>, Choice, H)>);

impl<H, Choice: PartialEq> Slot<H, Choice> {
    /// The head that is there already, or the one that `load` makes.
    fn get(&mut self, file: &Option<PathBuf>, choice: Choice, load: impl FnOnce(&Choice) -> Result<H>) -> Result<&H> {
        if self.0.as_ref().is_none_or(|(known, chosen, _)| known != file || *chosen != choice) {
            // Two heads may be more than the memory holds.
            self.0 = None;
            let head = load(&choice)?;
            self.0 = Some((file.clone(), choice, head));
        }
        let (_, _, head) = self.0.as_ref().expect("it was made");
        Ok(head)
    }
}

impl Heads {
    /// None is read yet. `gpu` is the device that draws.
    pub fn new(gpu: Option<Gpu>) -> Self {
        Self { gpu, classifier: Slot(None), depth: Slot(None), divider: Slot(None), detector: Slot(None) }
    }

    /// Lets all of them go.
    pub fn forget(&mut self) {
        *self = Self::new(self.gpu.take());
    }

    /// Works a request off.
    pub fn read(&mut self, request: &HeadRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<Outcome> {
        match self.answer(request, encoder, job) {
            Ok(reading) => Ok(Outcome::HeadRead(Arc::new(reading))),
            Err(Error::Head(HeadError::NoWeights { folder, .. })) => Ok(Outcome::NoHead { folder }),
            Err(error) => Err(error),
        }
    }

    fn answer(&mut self, request: &HeadRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<HeadReading> {
        let &HeadRequest { picture, ref pixels, ref model, weights: ref file, ref options } = request;
        let ModelChoice { device, dtype, .. } = &**model;
        let (gpu, dtype) = (self.gpu.clone(), *dtype);
        let open_device = || OpenDevice::open(device, dtype, gpu.as_ref());
        let open = || -> Result<HeadWeights> {
            job.progress(Progress { stage: "reading the head".to_owned(), done: 0, total: None });
            let path = file.clone().map_or_else(|| options.task().published().locate(), Ok)?;
            HeadWeights::open(&path)
        };
        let (cancel, progress) = (job.cancel(), |progress| job.progress(progress));
        // Of a head that brings its backbone.
        let mut own = None;
        let normalisation = encoder.normalisation();
        let (answer, head) = match options {
            HeadOptions::Classify => {
                let load = |(): &()| ClassifierHead::load(open()?, encoder.config(), None, cancel);
                let head = self.classifier.get(file, (), load)?;
                let options = ClassifyOptions::new(normalisation);
                let probabilities = classify(encoder, head, &*pixels.read(picture, cancel)?, &options, cancel)?;
                let mut classes: Vec<(String, f32)> = head.classes().iter().cloned().zip(probabilities).collect();
                classes.sort_by(|a, b| b.1.total_cmp(&a.1));
                (HeadAnswer::Classes(classes), head.sha256().to_owned())
            }
            HeadOptions::Depth { choice, size } => {
                let load =
                    |choice: &DepthChoice| DepthHead::load(open()?, encoder.config(), choice, &open_device()?, cancel);
                let head = self.depth.get(file, choice.clone(), load)?;
                let published = DepthOptions::new(head.settings().preset, normalisation);
                let options = DepthOptions { size: size.unwrap_or(published.size), ..published };
                let map = depth::predict(encoder, head, &*pixels.read(picture, cancel)?, &options, cancel, &progress)?;
                let reading = DepthReading::new(map, head.settings().greatest);
                (HeadAnswer::Depth(Box::new(reading)), head.sha256().to_owned())
            }
            HeadOptions::Segment { is_whole, layers } => {
                let load = |(): &()| Divider::load(open()?, &open_device()?, dtype, cancel);
                let divider = self.divider.get(file, (), load)?;
                let pixels = pixels.read(picture, cancel)?;
                let (scores, names, head) = match divider {
                    Divider::Segmentor { segmentor, names, sha256 } => {
                        let published = SegmentorOptions::new(normalisation);
                        let mode = if *is_whole { segmentor::Mode::WHOLE } else { published.mode };
                        let options = SegmentorOptions { mode, layers: layers.clone(), ..published };
                        let scores = segmentor::predict(encoder, segmentor, &pixels, &options, cancel, &progress)?;
                        (scores, names, sha256.clone())
                    }
                    Divider::Eomt { eomt, names } => {
                        own = Some(eomt.provenance().clone());
                        (eomt.predict(&pixels, cancel, &progress)?, names, eomt.provenance().weights.clone())
                    }
                };
                let labelled = Arc::new(label(&scores, None, Detail::Screen, cancel)?);
                let (scores, names) = (Arc::new(scores), Arc::clone(names));
                (HeadAnswer::Segmentation { scores, labelled, names }, head)
            }
            HeadOptions::Detect { size, choice } => {
                let load = |choice: &DetectorChoice| {
                    let published = DetectorConfig::published(encoder.config());
                    let windows = choice.windows.unwrap_or(published.windows);
                    let layers = choice.layers.clone().unwrap_or_else(|| published.layers.clone());
                    let config = DetectorConfig { windows, layers, ..published };
                    Detector::open(open()?, encoder.config(), config, None, &head_device(&open_device()?), cancel)
                };
                let detector = self.detector.get(file, choice.clone(), load)?;
                let preprocessing = Preprocessing { size: *size, filter: Filter::Bilinear, normalisation };
                let options = DetectOptions::new(preprocessing);
                let watch = Watch { progress: &progress, cancel };
                let found = detector::predict(encoder, detector, &*pixels.read(picture, cancel)?, &options, watch)?;
                let names = detector.class_names().to_vec();
                (HeadAnswer::Detections { found, names }, detector.sha256().to_owned())
            }
        };
        // A device may have failed on the way.
        let provenance = own.unwrap_or_else(|| encoder.provenance().clone());
        Ok(HeadReading { picture, answer, provenance, head })
    }
}

impl Divider {
    fn load(weights: HeadWeights, device: &OpenDevice, dtype: Option<Dtype>, cancel: &Cancel) -> Result<Self> {
        if Eomt::is_in(&weights) {
            let eomt = Box::new(Eomt::load(weights.path(), device, dtype, cancel)?);
            let names = Arc::new(eomt.config().names.clone());
            return Ok(Self::Eomt { eomt, names });
        }
        let sha256 = weights.sha256(cancel)?;
        let segmentor = Box::new(Segmentor::load(weights, Preset::default(), &head_device(device))?);
        let ade20k = phrases::preset("ade20k").filter(|names| names.len() == segmentor.classes());
        let numbers = || (0..segmentor.classes()).map(|class| format!("class {class}")).collect();
        let names = Arc::new(ade20k.unwrap_or_else(numbers));
        Ok(Self::Segmentor { segmentor, names, sha256 })
    }
}

impl DepthReading {
    fn new(map: DepthMap, greatest: f32) -> Self {
        let (height, width) = map.metres.dim();
        let step = width.max(height).div_ceil(LONGEST_SHOWN).max(1);
        let shown = map.metres.slice(s![..;step, ..;step]).to_owned();
        let geometry = Geometry { picture: (width, height), covered: (width, height), grid: shown.dim() };
        Self { summary: map.summary(), map, greatest, shown, geometry }
    }
}
