//! Asking the worker to read pictures with a head, and what came back.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::dispatch::{
    Command, Event, HeadOptions, HeadReading, HeadRequest, ModelChoice, Outcome, PictureId, RequestId,
};
use egui::Ui;

use crate::gui::shared::Shared;
use crate::gui::tools::settling::Settling;

/// How long a question must stay the same before it is asked.
const DELAY_SECS: f64 = 0.3;

/// Pictures whose answer is kept.
const MOST_KEPT: usize = 6;

/// What an answer depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The picture.
    pub picture: PictureId,
    /// The backbone.
    pub model: Arc<ModelChoice>,
    /// The head's file; `None`: where torch.hub stores Meta's.
    pub weights: Option<PathBuf>,
    /// What is asked.
    pub options: HeadOptions,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// No file was chosen, and none lies in this folder, where torch.hub would store it.
    Missing(PathBuf),
    /// One sentence.
    Failed(String),
}

/// Questions and answers.
#[derive(Default)]
pub struct Asking {
    waiting: Settling<Question>,
    running: Option<(RequestId, Question)>,
    failed: Option<(Question, Problem)>,
    known: VecDeque<(Question, Arc<HeadReading>)>,
}

impl Asking {
    /// The newest answer about a picture; it stays until the next one is there.
    pub fn of(&self, picture: PictureId) -> Option<&Arc<HeadReading>> {
        self.known.iter().find(|(question, _)| question.picture == picture).map(|(_, reading)| reading)
    }

    /// Why there is no answer to what was asked last.
    pub fn problem(&self) -> Option<&Problem> {
        self.failed.as_ref().map(|(_, problem)| problem)
    }

    /// Asks again.
    pub fn retry(&mut self) {
        self.failed = None;
    }

    /// Lets go of pictures that are closed.
    pub fn keep_only(&mut self, is_open: impl Fn(PictureId) -> bool) {
        self.known.retain(|(question, _)| is_open(question.picture));
    }

    /// Stops what runs; it is asked again when the tool is used, and a file that was missing is looked for again.
    pub fn stop(&mut self, shared: &Shared) {
        self.halt(shared);
        self.failed.take_if(|(_, problem)| matches!(problem, Problem::Missing(_)));
    }

    fn halt(&mut self, shared: &Shared) {
        self.waiting.clear();
        if let Some((id, _)) = self.running.take() {
            shared.cancel(id);
        }
    }

    /// Asks what is not known yet, once it has stayed the same for a moment.
    pub fn ask(&mut self, ui: &Ui, shared: &mut Shared, question: Question) {
        let is = |asked: &Question| *asked == question;
        if self.known.iter().any(|(asked, _)| is(asked)) {
            self.failed = None;
            // What was asked in between is not wanted any more.
            self.halt(shared);
            return;
        }
        // A missing file is missing for every picture and size.
        let is_same_file = |asked: &Question| asked.weights == question.weights;
        if self.running.as_ref().is_some_and(|(_, asked)| is(asked))
            || self.failed.as_ref().is_some_and(|(asked, problem)| match problem {
                Problem::Missing(_) => is_same_file(asked),
                Problem::Failed(_) => is(asked),
            })
        {
            return;
        }
        if !self.waiting.is_settled(ui, &question, DELAY_SECS) {
            return;
        }
        let Some(pixels) = shared.pixels(question.picture) else { return };
        let request = HeadRequest {
            picture: question.picture,
            pixels,
            model: Arc::clone(&question.model),
            weights: question.weights.clone(),
            options: question.options.clone(),
        };
        let label = format!("reading {}", question.options.task().name());
        let id = shared.send(Command::ReadHead(Box::new(request)), label);
        self.waiting.clear();
        self.failed = None;
        self.running = Some((id, question));
    }

    /// Takes an answer.
    pub fn receive(&mut self, event: &Event) {
        let Some((_, question)) = self.running.take_if(|(id, _)| *id == event.id) else {
            return;
        };
        match &event.outcome {
            Outcome::HeadRead(reading) => {
                self.known.retain(|(known, _)| known.picture != question.picture);
                self.known.push_back((question, Arc::clone(reading)));
                if self.known.len() > MOST_KEPT {
                    self.known.pop_front();
                }
            }
            Outcome::NoHead { folder } => self.failed = Some((question, Problem::Missing(folder.clone()))),
            Outcome::Failed(failure) => self.failed = Some((question, Problem::Failed(failure.message.clone()))),
            _ => self.failed = Some((question, Problem::Failed("This was stopped".to_owned()))),
        }
    }
}
