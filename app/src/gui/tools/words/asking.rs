//! Asking the worker to divide pictures, and what came back.

use std::collections::VecDeque;
use std::sync::Arc;

use dinoscope_engine::dispatch::{
    Command, Detail, Event, LabelRequest, Outcome, PictureId, RequestId, SegmentRequest, Segmented, WordsRequest,
};
use dinoscope_engine::encoder::Provenance;
use dinoscope_engine::image::SizeRule;
use dinoscope_engine::text::Scores;
use egui::Ui;

use super::settings::{Coverage, TemplateSet};
use crate::gui::shared::Shared;
use crate::gui::tools::division::Division;
use crate::gui::tools::settling::Settling;

/// How long a question must stay the same before it is asked.
const DELAY_SECS: f64 = 0.45;

/// Pictures whose division is kept.
const MOST_KEPT: usize = 4;

/// What a division depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The picture.
    pub picture: PictureId,
    /// What describes it.
    pub words: WordsRequest,
    /// The classes.
    pub phrases: Arc<Vec<String>>,
    /// Sentences around each.
    pub templates: TemplateSet,
    /// What is described at once.
    pub coverage: Coverage,
    /// Short side of the model's input, in pixels.
    pub size: usize,
}

/// What was asked, and the answer.
pub struct Known {
    /// What was asked.
    pub question: Question,
    /// The picture divided among the phrases.
    pub division: Division,
    /// The model.
    pub provenance: Provenance,
    /// SHA-256 of dino.txt's file, hex.
    pub dinotxt: String,
}

/// Questions and answers.
#[derive(Default)]
pub struct Asking {
    waiting: Settling<Question>,
    running: Option<(RequestId, Question)>,
    /// Labels of another background, and the scores they are made of.
    labelling: Option<(RequestId, Arc<Scores>)>,
    failed: Option<(Question, String)>,
    known: VecDeque<Known>,
}

impl Asking {
    /// The newest division of a picture; it stays until the next one is there.
    pub fn of(&self, picture: PictureId) -> Option<&Known> {
        self.known.iter().find(|known| known.question.picture == picture)
    }

    /// Why there is no answer to what was asked last.
    pub fn problem(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, why)| why.as_str())
    }

    /// Asks again.
    pub fn retry(&mut self) {
        self.failed = None;
    }

    /// Lets go of pictures that are closed.
    pub fn keep_only(&mut self, is_open: impl Fn(PictureId) -> bool) {
        self.known.retain(|known| is_open(known.question.picture));
    }

    /// Nothing is asked any more, and nothing is known.
    pub fn stop(&mut self, shared: &Shared) {
        self.rest(shared);
        self.failed = None;
        self.known.clear();
    }

    /// Stops what runs; it is asked again when the tool is used.
    pub fn rest(&mut self, shared: &Shared) {
        self.waiting.clear();
        if let Some((id, _)) = self.running.take() {
            shared.cancel(id);
        }
    }

    /// Asks what is not known yet, once it has stayed the same for a moment.
    pub fn ask(&mut self, ui: &Ui, shared: &mut Shared, question: Question, background: Option<f32>) {
        if let Some(known) = self.known.iter().find(|known| known.question == question) {
            if known.division.labelled.background != background && self.labelling.is_none() {
                let (picture, scores) = (question.picture, Arc::clone(&known.division.scores));
                let request = LabelRequest { picture, scores: Arc::clone(&scores), background, detail: Detail::Screen };
                self.labelling = Some((shared.send(Command::Label(request), "labelling"), scores));
            }
            self.failed = None;
            // What was asked in between is not wanted any more.
            self.rest(shared);
            return;
        }
        let is = |asked: &Question| *asked == question;
        if self.running.as_ref().is_some_and(|(_, asked)| is(asked))
            || self.failed.as_ref().is_some_and(|(asked, _)| is(asked))
        {
            return;
        }
        if !self.waiting.is_settled(ui, &question, DELAY_SECS) {
            return;
        }
        let Some(pixels) = shared.pixels(question.picture) else { return };
        let request = SegmentRequest {
            picture: question.picture,
            pixels,
            words: question.words.clone(),
            phrases: question.phrases.to_vec(),
            templates: question.templates.into(),
            size: SizeRule::ShortSide(question.size),
            mode: question.coverage.into(),
            background,
            detail: Detail::Screen,
        };
        let id = shared.send(Command::Segment(Box::new(request)), "dividing the picture");
        self.waiting.clear();
        self.failed = None;
        self.running = Some((id, question));
    }

    /// Takes an answer.
    pub fn receive(&mut self, event: &Event) {
        if let Some((_, scores)) = self.labelling.take_if(|(id, _)| *id == event.id) {
            // Other phrases may have come meanwhile, as many of them.
            let of_scores = |known: &&mut Known| Arc::ptr_eq(&known.division.scores, &scores);
            if let Outcome::Labelled(_, labelled) = &event.outcome
                && let Some(known) = self.known.iter_mut().find(of_scores)
            {
                known.division.relabel(Arc::clone(labelled));
            }
            return;
        }
        let Some((_, question)) = self.running.take_if(|(id, _)| *id == event.id) else { return };
        match &event.outcome {
            Outcome::Segmented(segmented) => {
                self.known.retain(|known| known.question.picture != question.picture);
                let Segmented { scores, labelled, provenance, dinotxt, .. } = &**segmented;
                let (phrases, picture) = (Arc::clone(&question.phrases), question.picture);
                self.known.push_back(Known {
                    question,
                    division: Division::new(picture, phrases, Arc::clone(scores), Arc::clone(labelled)),
                    provenance: provenance.clone(),
                    dinotxt: dinotxt.clone(),
                });
                if self.known.len() > MOST_KEPT {
                    self.known.pop_front();
                }
            }
            Outcome::Failed(failure) => self.failed = Some((question, failure.message.clone())),
            _ => self.failed = Some((question, "This was stopped".to_owned())),
        }
    }
}
