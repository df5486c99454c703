//! What all parts of the window share: pictures, features, what is placed, what runs, what went wrong.

mod cameras;
mod clips;
mod events;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::Progress;
use dinoscope_engine::cache::{CachedFeatures, FeatureCache, FeatureKey};
use dinoscope_engine::dispatch::{
    Command, Dispatcher, EncodeJob, Failure, ModelChoice, ModelInfo, PictureId, PictureSource, RequestId,
};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::image::{Filter, SizeRule};
use dinoscope_engine::probe::Probe;

use super::canvas::Canvas;
use super::dialogs::{Purpose, Question};
use super::dinotxt::Dinotxt;
use super::documents::{Content, Documents, Origin};
use super::live::CameraPort;
use super::notices::Notices;
use super::openings::Openings;
use super::overlay::PicturePainter;
use super::placed::History;
use super::samples::{self, SAMPLES};
use super::settings::Settings;
use super::tools::Handover;
use super::tools::foreground::Foregrounds;

/// Resting pictures that are read at once for their features.
const MOST_WOKEN: usize = 4;

/// What all parts of the window share.
pub struct Shared {
    /// Open pictures.
    pub documents: Documents,
    /// What a person has placed on them.
    pub placed: History,
    /// Which patches of each picture count.
    pub foregrounds: Foregrounds,
    /// The probe that was taught or opened last: it can say which patches count.
    pub probe: Option<Arc<Probe>>,
    /// Dialogs for files that tools ask for; the window opens them in their own folders.
    pub questions: Vec<(Purpose, Question)>,
    /// Features at hand.
    pub cache: FeatureCache,
    /// The model.
    pub model: Model,
    /// What compares phrases with pictures.
    pub dinotxt: Dinotxt,
    /// What one tool asks of another.
    pub handover: Option<Handover>,
    /// Size of the model's input.
    pub size: SizeRule,
    /// How pictures are resized to it.
    pub filter: Filter,
    /// Pan, zoom and how pictures are laid out.
    pub canvas: Canvas,
    /// Sentences for the person.
    pub notices: Notices,
    /// What is remembered from one start to the next.
    pub settings: Settings,
    /// How cameras are reached; `None` where this build or system has no way to.
    pub cameras: Option<CameraPort>,
    /// Draws pictures.
    pub painter: PicturePainter,
    /// Whether a text field had the focus when the frame before ended: keys are for it, that which ends typing too.
    pub is_typing: bool,
    /// What runs.
    pub running: BTreeMap<RequestId, Running>,
    dispatcher: Dispatcher,
    /// Keys that could not be encoded or were stopped, and why; they are not tried again by themselves.
    failed: Vec<(FeatureKey, String)>,
    /// What the worker was last asked to encode.
    wanted: Vec<FeatureKey>,
    encoding: Option<RequestId>,
    /// Pictures that are to be read.
    pub openings: Openings,
    last_encode: Option<LastEncode>,
}

/// The model that is chosen and how far it is.
pub struct Model {
    /// What is chosen.
    pub choice: Arc<ModelChoice>,
    /// How far it is.
    pub state: ModelState,
    /// The choice that was ready last; it is loaded again where this one fails.
    pub previous: Option<Arc<ModelChoice>>,
    /// The request that loads it.
    loading: Option<RequestId>,
}

/// What the model took for the last picture.
#[derive(Clone, Debug)]
pub struct LastEncode {
    /// The model.
    pub model: Arc<ModelChoice>,
    /// Patch rows and columns.
    pub grid: (usize, usize),
    /// How long it ran.
    pub time: Duration,
}

/// How far the model is.
pub enum ModelState {
    /// Its weights are being read.
    Loading,
    /// Ready to encode.
    Ready(ModelInfo),
    /// Could not be loaded: one sentence, and what would help.
    Failed(Failure),
}

/// A command that has not ended.
pub struct Running {
    /// What it does, for people: "exporting cat.png".
    pub label: String,
    /// Since when.
    pub since: Instant,
    /// Its last report.
    pub progress: Option<Progress>,
}

impl Shared {
    /// Nothing open yet; the model begins to load.
    pub fn new(
        dispatcher: Dispatcher,
        painter: PicturePainter,
        choice: ModelChoice,
        size: SizeRule,
        settings: Settings,
    ) -> Self {
        let mut shared = Self {
            documents: Documents::default(),
            placed: History::default(),
            foregrounds: Foregrounds::default(),
            probe: None,
            questions: Vec::new(),
            cache: FeatureCache::new(settings.cache_bytes()),
            model: Model {
                choice: Arc::new(choice.clone()),
                state: ModelState::Loading,
                previous: None,
                loading: None,
            },
            dinotxt: Dinotxt::new(settings.dinotxt.clone()),
            handover: None,
            size,
            filter: Filter::Bilinear,
            canvas: Canvas::default(),
            notices: Notices::default(),
            settings,
            cameras: None,
            painter,
            is_typing: false,
            running: BTreeMap::new(),
            dispatcher,
            failed: Vec::new(),
            wanted: Vec::new(),
            encoding: None,
            openings: Openings::default(),
            last_encode: None,
        };
        shared.load_model(choice);
        shared
    }

    /// The graphics device.
    pub fn gpu(&self) -> &Gpu {
        self.painter.gpu()
    }

    /// Sends a command; `label` tells people what it does.
    pub fn send(&mut self, command: Command, label: impl Into<String>) -> RequestId {
        let id = self.dispatcher.send(command);
        self.running.insert(id, Running { label: label.into(), since: Instant::now(), progress: None });
        id
    }

    /// Opens a picture; it is not the active one by itself, unless it is the only one.
    pub fn open(&mut self, name: String, origin: Origin, source: PictureSource) -> PictureId {
        let picture = self.documents.add(name, origin);
        self.decode(picture, source);
        picture
    }

    /// Tries a picture again that could not be read.
    pub fn reopen(&mut self, picture: PictureId) {
        let Some(document) = self.documents.get_mut(picture) else { return };
        let id = document.id;
        let source = match &document.origin {
            Origin::File(path) => PictureSource::File(path.clone()),
            Origin::Clip(path) => PictureSource::Clip(path.clone()),
            Origin::Sample(name) => match samples::find(name) {
                Some(sample) => sample.source(),
                None => return,
            },
            Origin::Camera => {
                document.content = Content::Loading;
                self.switch_camera(id, true);
                return;
            }
            Origin::Clipboard => return,
        };
        document.content = Content::Loading;
        self.decode(id, source);
    }

    /// Reads the pixels of a picture that is open, once its turn comes.
    pub fn decode(&mut self, picture: PictureId, source: PictureSource) {
        self.openings.add(picture, source);
    }

    /// Closes a picture with everything that belongs to it.
    pub fn close(&mut self, picture: PictureId) {
        if let Some(id) = self.openings.forget(picture) {
            self.cancel(id);
        }
        self.documents.close(picture);
        self.cache.forget(picture);
        self.foregrounds.forget(picture);
        self.placed.purge(|placed| placed.forget(picture));
    }

    /// Whether the worker was asked for features of a picture.
    pub fn is_wanted(&self, picture: PictureId) -> bool {
        self.encoding.is_some() && self.wanted.iter().any(|key| key.picture == picture)
    }

    /// What is written into files made from the features of a picture; nothing before it is encoded.
    pub fn metadata(&mut self, picture: PictureId) -> Vec<(String, String)> {
        let Some(features) = self.features(picture) else { return Vec::new() };
        let ModelState::Ready(info) = &self.model.state else { return Vec::new() };
        let pairs = crate::metadata::of(&features.provenance, info.stride, &features.geometry);
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Opens a sample picture, unless it is open already; `None` where there is no such.
    pub fn open_sample(&mut self, index: usize) -> Option<PictureId> {
        let sample = SAMPLES.get(index)?;
        let origin = Origin::Sample(sample.name.to_owned());
        let known = self.documents.iter().find(|document| document.origin == origin).map(|known| known.id);
        Some(known.unwrap_or_else(|| self.open(sample.name.to_owned(), origin, sample.source())))
    }

    /// Stops works as people see them: with a command that opens a picture, those that wait behind it.
    pub fn stop(&mut self, ids: &[RequestId]) {
        if ids.iter().any(|&id| self.openings.contains(id)) {
            let waiting: Vec<PictureId> = self.openings.waiting().collect();
            waiting.into_iter().for_each(|picture| self.close(picture));
        }
        ids.iter().for_each(|&id| self.cancel(id));
    }

    /// Stops a command.
    pub fn cancel(&self, id: RequestId) {
        self.dispatcher.cancel(id);
    }

    /// Chooses another model; features of the one before stay in the cache.
    pub fn load_model(&mut self, choice: ModelChoice) {
        if matches!(self.model.state, ModelState::Ready(_)) {
            self.model.previous = Some(Arc::clone(&self.model.choice));
        }
        self.model.choice = Arc::new(choice.clone());
        self.model.state = ModelState::Loading;
        self.failed.clear();
        self.wanted.clear();
        self.model.loading = Some(self.send(Command::LoadModel(choice), "loading the model"));
    }

    /// Chooses other weights for the device and precision that are chosen.
    pub fn use_source(&mut self, source: ModelSource) {
        let choice = ModelChoice { source, ..(*self.model.choice).clone() };
        self.load_model(choice);
    }

    /// What loading the model last reported.
    pub fn loading(&self) -> Option<&Progress> {
        self.running.get(&self.model.loading?)?.progress.as_ref()
    }

    /// Chooses another size of the model's input.
    pub fn set_size(&mut self, size: SizeRule) {
        self.size = size;
        self.failed.clear();
    }

    /// What features of a picture are stored under, with the model and size chosen now.
    pub fn key(&self, picture: PictureId) -> FeatureKey {
        FeatureKey { picture, model: Arc::clone(&self.model.choice), size: self.size }
    }

    /// Features of a picture with the model and size chosen now, once they are there.
    pub fn features(&mut self, picture: PictureId) -> Option<Arc<CachedFeatures>> {
        let key = self.key(picture);
        self.cache.get(&key)
    }

    /// As [`Shared::features`], where nothing may change.
    pub fn features_now(&self, picture: PictureId) -> Option<Arc<CachedFeatures>> {
        self.cache.peek(&self.key(picture))
    }

    /// Whether [`Shared::features`] would give some.
    pub fn has_features(&self, picture: PictureId) -> bool {
        self.cache.contains(&self.key(picture))
    }

    /// Lets pictures be encoded that were stopped or have failed.
    pub fn encode_again(&mut self) {
        self.failed.clear();
    }

    /// Why a picture is not encoded.
    pub fn encode_failure(&self, picture: PictureId) -> Option<&str> {
        let key = self.key(picture);
        self.failed.iter().find(|(failed, _)| *failed == key).map(|(_, message)| message.as_str())
    }

    fn is_resting(&self, picture: PictureId) -> bool {
        self.documents.get(picture).is_some_and(|document| matches!(document.content, Content::Resting(_)))
    }

    /// What the model that is chosen took for its last picture.
    pub fn last_encode(&self) -> Option<&LastEncode> {
        self.last_encode.as_ref().filter(|last| last.model == self.model.choice)
    }

    /// The request that encodes, and what it last reported.
    pub fn encoding(&self) -> Option<(RequestId, &Running)> {
        let id = self.encoding?;
        self.running.get(&id).map(|running| (id, running))
    }

    /// Tells which pictures are on the canvas: they are read first, again where they were resting.
    pub fn show(&mut self, visible: &[PictureId]) {
        let now = Instant::now();
        for &id in visible {
            match self.documents.get_mut(id).map(|document| &mut document.content) {
                Some(Content::Ready(loaded)) => loaded.seen = now,
                Some(Content::Resting(_)) => self.reopen(id),
                _ => {}
            }
        }
        let mut first = visible.to_vec();
        first.extend(self.documents.active_id());
        first.extend(self.documents.coming_id());
        while let Some((picture, source)) = self.openings.next(&first) {
            let name = self.documents.get(picture).map(|document| document.name.clone()).unwrap_or_default();
            let id = self.send(Command::Open { picture, source }, format!("opening {name}"));
            self.openings.started(id, picture);
        }
    }

    /// Asks the worker for the features that are missing of these pictures, most urgent first. `visible` of them are on
    /// the canvas; the others are left out where the cache has no room left.
    pub fn want(&mut self, pictures: &[PictureId], visible: &[PictureId]) {
        if !matches!(self.model.state, ModelState::Ready(_)) {
            return;
        }
        let has_room = self.cache.used() < self.cache.budget();
        let mut seen = HashSet::new();
        let missing: Vec<PictureId> = pictures
            .iter()
            .copied()
            .filter(|id| seen.insert(*id))
            .filter(|id| !self.has_features(*id) && self.encode_failure(*id).is_none())
            .filter(|id| has_room || visible.contains(id))
            .filter(|id| self.pixels(*id).is_some())
            .collect();
        // A few at a time: what is read for its features rests again once they are there.
        let resting = pictures.iter().copied().filter(|id| self.is_resting(*id) && !self.has_features(*id));
        let room = MOST_WOKEN.saturating_sub(self.openings.len() + missing.len());
        let woken: Vec<PictureId> = resting.filter(|_| has_room).take(room).collect();
        woken.into_iter().for_each(|id| self.reopen(id));
        let keys: Vec<FeatureKey> = missing.iter().map(|&id| self.key(id)).collect();
        if keys == self.wanted {
            return;
        }
        let jobs = keys.iter().zip(&missing).filter_map(|(key, &id)| {
            Some(EncodeJob { key: key.clone(), pixels: self.pixels(id)?, filter: self.filter })
        });
        let jobs: Vec<EncodeJob> = jobs.collect();
        // What arrives shortens the list by itself; only another order or another picture is news to the worker.
        let is_rest = self.wanted.ends_with(&keys) && self.encoding.is_some();
        self.wanted = keys;
        if !is_rest {
            self.encoding = Some(self.send(Command::Encode(jobs), "encoding"));
        }
    }
}
