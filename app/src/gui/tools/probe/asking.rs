//! Asks for a probe whenever what it is taught changes; the old one stays until the new one is there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::{
    Command, Event, Outcome, PictureId, ProbeRequest, ProbeSource, Probed, ProbedPicture, RequestId,
};
use dinoscope_engine::probe::Probe;
use dinoscope_engine::probe::apply::{Applied, ApplyOptions};

use super::labels::Labels;
use super::settings::Settings;
use crate::gui::scribbles::Scribbles;
use crate::gui::shared::Shared;

/// A picture as it was described: another model or size makes other features.
type Seen = (PictureId, Weak<CachedFeatures>);

/// What an answer depends on.
#[derive(Clone)]
struct Question {
    /// Without scribbles that count: the probe of a file.
    taught: Taught,
    pictures: Vec<Seen>,
    options: ApplyOptions,
    c: f64,
}

#[derive(Clone)]
enum Taught {
    Scribbles(Arc<Scribbles>),
    File(Arc<Probe>),
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        let same_teacher = match (&self.taught, &other.taught) {
            (Taught::Scribbles(a), Taught::Scribbles(b)) => Arc::ptr_eq(a, b) || a == b,
            (Taught::File(a), Taught::File(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        let is_same = |(a, b): (&Seen, &Seen)| a.0 == b.0 && a.1.ptr_eq(&b.1);
        same_teacher
            && self.pictures.len() == other.pictures.len()
            && self.pictures.iter().zip(&other.pictures).all(is_same)
            && (self.options, self.c) == (other.options, other.c)
    }
}

/// What was asked, and what came.
#[derive(Default)]
pub struct Asking {
    /// A probe from a file, which counts while nothing is scribbled.
    pub file: Option<Arc<Probe>>,
    asked: Option<(RequestId, Question)>,
    answered: Option<(Question, Arc<Probed>)>,
    failed: Option<(Question, String)>,
    /// How long training took last.
    training: Option<Duration>,
    /// Labelled patches of each class, as they were when they were counted last.
    pub counts: Vec<usize>,
}

impl Asking {
    /// Asks for what is missing. `shown`: pictures that are to be described.
    pub fn update(&mut self, shared: &mut Shared, shown: &[PictureId], settings: &Settings, labels: &mut Labels) {
        let scribbles = labels.look_at(&shared.placed.now().scribbles);
        let taught = || scribbles.pictures.keys().copied();
        let mut labelled = Vec::new();
        self.counts = vec![0; scribbles.classes.len()];
        for picture in taught() {
            let Some(features) = shared.features(picture) else { continue };
            let labels = labels.of(picture, &features.geometry);
            labels.iter().for_each(|(_, class)| self.counts[*class] += 1);
            labelled.push((features, labels));
        }
        let has_classes = self.counts.iter().filter(|&&count| count > 0).count() > 1;
        let teacher = match (&self.file, has_classes) {
            (_, true) => Taught::Scribbles(Arc::clone(&scribbles)),
            (Some(probe), false) => Taught::File(Arc::clone(probe)),
            (None, false) => {
                self.forget(shared);
                return;
            }
        };
        let mut pictures = Vec::new();
        for &picture in shown {
            let (Some(features), Some(pixels)) = (shared.features(picture), shared.pixels_now(picture)) else {
                continue;
            };
            pictures.push(ProbedPicture { picture, features, pixels });
        }
        // What is scribbled elsewhere teaches once its features are there.
        let known = pictures.iter().map(|it| (it.picture, Arc::downgrade(&it.features)));
        let elsewhere = taught().filter(|id| !shown.contains(id));
        let elsewhere: Vec<_> = elsewhere.filter_map(|id| Some((id, Arc::downgrade(&shared.features(id)?)))).collect();
        let question = Question {
            taught: teacher,
            pictures: known.chain(elsewhere).collect(),
            options: settings.options(),
            c: settings.c(),
        };
        let is_settled = self.answered.as_ref().is_some_and(|(known, _)| *known == question)
            || self.asked.as_ref().is_some_and(|(_, asked)| *asked == question)
            || self.failed.as_ref().is_some_and(|(failed, _)| *failed == question);
        if is_settled || pictures.is_empty() {
            return;
        }
        let source = match &question.taught {
            Taught::File(probe) => ProbeSource::Known(Arc::clone(probe)),
            Taught::Scribbles(scribbles) => self.known_for(&question).unwrap_or_else(|| ProbeSource::Labels {
                classes: scribbles.classes.clone(),
                labelled,
                c: question.c,
                size: shared.size,
                start: self.answered.as_ref().map(|(_, probed)| Arc::clone(&probed.probe)),
            }),
        };
        let request = ProbeRequest { source, pictures, options: question.options };
        let id = shared.send(Command::Probe(Box::new(request)), "teaching the probe");
        self.asked = Some((id, question));
    }

    /// The probe that there is, where it was taught the same and only other pictures are shown.
    fn known_for(&self, question: &Question) -> Option<ProbeSource> {
        let (known, probed) = self.answered.as_ref()?;
        let (Taught::Scribbles(old), Taught::Scribbles(new)) = (&known.taught, &question.taught) else { return None };
        let of_taught = |question: &Question| -> Vec<(PictureId, *const CachedFeatures)> {
            let taught = question.pictures.iter().filter(|(id, _)| new.pictures.contains_key(id));
            let mut all: Vec<_> = taught.map(|(id, features)| (*id, features.as_ptr())).collect();
            all.sort_by_key(|(id, _)| *id);
            all
        };
        let is_same = old == new && known.c == question.c && of_taught(known) == of_taught(question);
        is_same.then(|| ProbeSource::Known(Arc::clone(&probed.probe)))
    }

    /// Stops, and forgets what was taught.
    fn forget(&mut self, shared: &Shared) {
        self.rest(shared);
        (self.answered, self.failed) = (None, None);
    }

    /// Stops what runs; it is asked for again when it is wanted.
    pub fn rest(&mut self, shared: &Shared) {
        self.asked.take().into_iter().for_each(|(id, _)| shared.cancel(id));
    }

    /// Takes an answer; whether it was one with a new probe.
    pub fn receive(&mut self, event: &Event) -> bool {
        let Some((_, question)) = self.asked.take_if(|(id, _)| *id == event.id) else { return false };
        match &event.outcome {
            Outcome::Probed(probed) => {
                if !probed.training.is_zero() {
                    self.training = Some(probed.training);
                }
                self.answered = Some((question, Arc::clone(probed)));
                self.failed = None;
                return true;
            }
            Outcome::Failed(failure) => self.failed = Some((question, failure.message.clone())),
            _ => self.failed = Some((question, "This was stopped".to_owned())),
        }
        false
    }

    /// The probe that counts.
    pub fn probe(&self) -> Option<&Arc<Probe>> {
        self.answered.as_ref().map(|(_, probed)| &probed.probe).or(self.file.as_ref())
    }

    /// What it says of a picture.
    pub fn of(&self, picture: PictureId) -> Option<&Arc<Applied>> {
        let (_, probed) = self.answered.as_ref()?;
        probed.pictures.iter().find(|(id, _)| *id == picture).map(|(_, applied)| applied)
    }

    /// How long training took last.
    pub fn training(&self) -> Option<Duration> {
        self.training.filter(|_| self.answered.is_some())
    }

    /// Why there is nothing newer.
    pub fn problem(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, message)| message.as_str())
    }

    /// Asks again for what has failed.
    pub fn retry(&mut self) {
        self.failed = None;
    }
}
