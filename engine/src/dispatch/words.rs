//! Dividing pictures among phrases, with dino.txt beside the model that is loaded.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array2, s};

use super::lane::Job;
use super::{ModelChoice, Outcome, PictureId, PixelSource};
use crate::backend::{OpenDevice, VisionHead};
use crate::classes::{Labels, Scores};
use crate::encoder::{Encoder, Provenance};
use crate::features::Geometry;
use crate::gpu::Gpu;
use crate::image::{Filter, SizeRule};
use crate::text::segment::describe;
use crate::text::{Described, DinoTxt, Mode, SegmentOptions, Templates, TextCache, TextError, find_weights};
use crate::{Cancel, Error, Progress, Result};

/// Pictures whose patches are kept, so that other phrases need no second run of the model.
const MOST_DESCRIBED: usize = 3;

/// Pixels of labels for the screen.
const MOST_SHOWN_PIXELS: f64 = (1u32 << 20) as f64;

/// Longest side of what goes to the screen, which every graphics device takes.
const LONGEST_SHOWN: usize = 4096;

/// dino.txt's file beside a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordsRequest {
    /// The file; `None`: where torch.hub stores it.
    pub weights: Option<PathBuf>,
    /// The model; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
}

/// What a picture is to be divided among, and how.
#[derive(Clone, Debug)]
pub struct SegmentRequest {
    /// The picture.
    pub picture: PictureId,
    /// Its pixels.
    pub pixels: PixelSource,
    /// What describes it.
    pub words: WordsRequest,
    /// The classes.
    pub phrases: Vec<String>,
    /// Sentences around each.
    pub templates: Templates,
    /// Size of the model's input.
    pub size: SizeRule,
    /// The whole picture or windows.
    pub mode: Mode,
    /// Where no score passes this, it is background.
    pub background: Option<f32>,
    /// Of the labels.
    pub detail: Detail,
}

/// How fine labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// As the screen needs them: about a million pixels at most.
    Screen,
    /// Every pixel of the picture.
    Full,
}

/// Labels of scores that are there already.
#[derive(Clone, Debug)]
pub struct LabelRequest {
    /// The picture.
    pub picture: PictureId,
    /// Its scores.
    pub scores: Arc<Scores>,
    /// Where no score passes this, it is background.
    pub background: Option<f32>,
    /// Of the labels.
    pub detail: Detail,
}

/// The scores of one class everywhere.
#[derive(Clone, Debug)]
pub struct ClassMapRequest {
    /// The picture.
    pub picture: PictureId,
    /// Its scores.
    pub scores: Arc<Scores>,
    /// Which class.
    pub class: usize,
}

/// A picture divided among phrases.
#[derive(Debug)]
pub struct Segmented {
    /// The picture.
    pub picture: PictureId,
    /// Of every phrase.
    pub scores: Arc<Scores>,
    /// The phrase of every pixel.
    pub labelled: Arc<Labelled>,
    /// The model.
    pub provenance: Provenance,
    /// SHA-256 of dino.txt's file, hex.
    pub dinotxt: String,
}

/// The class of every pixel.
#[derive(Debug)]
pub struct Labelled {
    /// In the picture's size, or fewer for the screen.
    pub labels: Labels,
    /// Share of the picture of every class, 0..=1; the last is the background's.
    pub shares: Vec<f32>,
    /// What was background.
    pub background: Option<f32>,
}

/// The scores of one class.
#[derive(Debug)]
pub struct ClassMap {
    /// The picture.
    pub picture: PictureId,
    /// Which class.
    pub class: usize,
    /// `[rows, cols]`
    pub map: Array2<f32>,
    /// Where it lies.
    pub geometry: Geometry,
}

/// dino.txt, opened when it is first needed.
pub struct Words {
    gpu: Option<Gpu>,
    texts: TextCache,
    open: Option<Open>,
}

struct Open {
    request: WordsRequest,
    dinotxt: DinoTxt,
    head: Box<dyn VisionHead>,
    /// The last one was used last.
    described: VecDeque<(Description, Arc<Described>)>,
}

/// What the patches of a picture depend on.
#[derive(PartialEq)]
struct Description {
    picture: PictureId,
    size: SizeRule,
    mode: Mode,
}

impl Words {
    /// Nothing is opened yet; what is known about phrases goes into `texts`.
    pub fn new(gpu: Option<Gpu>, texts: TextCache) -> Self {
        Self { gpu, texts, open: None }
    }

    /// Lets everything go that belongs to the model.
    pub fn forget(&mut self) {
        self.open = None;
    }

    /// Opens the file, so that a person hears at once what is wrong with it.
    pub fn load(&mut self, request: &WordsRequest, encoder: &Encoder, job: &Job<'_>) -> Result<Outcome> {
        match self.opened(request, encoder, job) {
            Ok(open) => Ok(Outcome::WordsReady { request: request.clone(), path: open.dinotxt.path().to_path_buf() }),
            Err(Error::Text(TextError::NoWeights { folder })) => Ok(Outcome::NoWords { folder }),
            Err(error) => Err(error),
        }
    }

    /// Works a request off.
    pub fn segment(&mut self, request: &SegmentRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<Outcome> {
        let open = self.opened(&request.words, encoder, job)?;
        let progress = |progress| job.progress(progress);
        let Open { dinotxt, .. } = open;
        let classes = dinotxt.class_vectors(&request.phrases, &request.templates, job.cancel(), &progress)?;
        let described = open.described(request, encoder, job)?;
        let scores = Arc::new(described.scores(&classes)?);
        let labelled = label(&scores, request.background, request.detail, job.cancel())?;
        Ok(Outcome::Segmented(Arc::new(Segmented {
            picture: request.picture,
            scores,
            labelled: Arc::new(labelled),
            provenance: encoder.provenance().clone(),
            dinotxt: open.dinotxt.weights_sha256()?,
        })))
    }

    fn opened(&mut self, request: &WordsRequest, encoder: &Encoder, job: &Job<'_>) -> Result<&mut Open> {
        if self.open.as_ref().is_none_or(|open| open.request != *request) {
            self.open = None;
            job.progress(Progress { stage: "reading dino.txt".to_owned(), done: 0, total: None });
            let path = request.weights.clone().map_or_else(find_weights, Ok)?;
            let ModelChoice { device, dtype, .. } = &*request.model;
            let device = OpenDevice::open(device, *dtype, self.gpu.as_ref())?;
            let dinotxt = DinoTxt::open(&path, None, device, *dtype, self.texts.clone())?;
            let head = dinotxt.head(encoder.config())?;
            self.open = Some(Open { request: request.clone(), dinotxt, head, described: VecDeque::new() });
        }
        Ok(self.open.as_mut().expect("it was opened"))
    }
}

impl Open {
    fn described(&mut self, request: &SegmentRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<Arc<Described>> {
        let &SegmentRequest { picture, size, mode, .. } = request;
        let description = Description { picture, size, mode };
        if let Some(place) = self.described.iter().position(|(known, _)| *known == description) {
            let known = self.described.remove(place).expect("it is there");
            self.described.push_back(known);
        } else {
            let pixels = request.pixels.read(picture, job.cancel())?;
            let normalisation = encoder.normalisation();
            let options = SegmentOptions { size, mode, filter: Filter::Bicubic, ..SegmentOptions::new(normalisation) };
            let progress = |progress| job.progress(progress);
            let described = describe(encoder, self.head.as_mut(), &pixels, &options, job.cancel(), &progress)?;
            self.described.push_back((description, Arc::new(described)));
            if self.described.len() > MOST_DESCRIBED {
                self.described.pop_front();
            }
        }
        let (_, described) = self.described.back().expect("it is there");
        Ok(Arc::clone(described))
    }
}

/// The class of every pixel.
pub fn label(scores: &Scores, background: Option<f32>, detail: Detail, cancel: &Cancel) -> Result<Labelled> {
    let size = match detail {
        Detail::Screen => size_on_screen(scores.picture()),
        Detail::Full => scores.picture(),
    };
    let labels = scores.labels_of_size(size, background, cancel)?;
    let pixels = labels.data.len().max(1) as f32;
    let shares = labels.areas(scores.classes() + 1).into_iter().map(|area| area as f32 / pixels).collect();
    Ok(Labelled { labels, shares, background })
}

/// The scores of one class, thinned where they are more than any screen has.
pub fn class_map(request: &ClassMapRequest) -> ClassMap {
    let scores = &request.scores;
    let map = scores.class_map(request.class);
    let step = map.nrows().max(map.ncols()).div_ceil(LONGEST_SHOWN);
    let map = map.slice(s![..;step, ..;step]).to_owned();
    let geometry = Geometry { picture: scores.picture(), covered: scores.covered(), grid: map.dim() };
    ClassMap { picture: request.picture, class: request.class, map, geometry }
}

fn size_on_screen((width, height): (usize, usize)) -> (usize, usize) {
    let by_area = (MOST_SHOWN_PIXELS / (width * height) as f64).sqrt();
    let by_side = LONGEST_SHOWN as f64 / width.max(height) as f64;
    let scale = by_area.min(by_side).min(1.0);
    let scaled = |side: usize| ((side as f64 * scale).round() as usize).max(1);
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_gets_no_more_than_it_shows() {
        assert_eq!(size_on_screen((640, 480)), (640, 480));
        assert_eq!(size_on_screen((4096, 4096)), (1024, 1024));
        assert_eq!(size_on_screen((100_000, 3)), (4096, 1));
    }
}
