//! Asks for correspondences whenever what they depend on changes; the old ones stay until the new ones are there.

use dinoscope_engine::analysis::matching::MatchOptions;
use dinoscope_engine::dispatch::{Command, Event, MatchRequest, Outcome, PictureId, RequestId};

use super::found::{Found, Inputs, Side};
use crate::gui::shared::Shared;

/// What was asked, and what came.
#[derive(Default)]
pub struct Matcher {
    asked: Option<(RequestId, Inputs)>,
    failed: Option<(Inputs, String)>,
    found: Option<Found>,
}

impl Matcher {
    /// Asks the worker unless it was asked already.
    pub fn want(&mut self, shared: &mut Shared, inputs: Inputs) {
        let is_asked = self.asked.as_ref().is_some_and(|(_, asked)| asked.are_same(&inputs));
        let has_failed = self.failed.as_ref().is_some_and(|(failed, _)| failed.are_same(&inputs));
        let is_found = self.found.as_ref().is_some_and(|found| found.inputs.are_same(&inputs));
        if is_found {
            if let Some((id, _)) = self.asked.take() {
                shared.cancel(id);
            }
        } else if !is_asked && !has_failed {
            let [left, right] = inputs.sides.clone();
            let options = MatchOptions { mutual: inputs.is_mutual, min_score: None };
            let id = shared.send(Command::Match(MatchRequest { left, right, options }), "matching");
            self.asked = Some((id, inputs));
            self.failed = None;
        }
    }

    /// Stops what runs; it is asked for again when it is needed.
    pub fn rest(&mut self, shared: &Shared) {
        self.asked.take().into_iter().for_each(|(id, _)| shared.cancel(id));
    }

    /// Takes the answer to what was asked last.
    pub fn receive(&mut self, shared: &Shared, event: &Event) {
        let Some((_, inputs)) = self.asked.take_if(|(id, _)| *id == event.id) else { return };
        match &event.outcome {
            Outcome::Matches(result) => self.found = Some(Found::new(shared.gpu(), inputs, result.clone())),
            Outcome::Failed(failure) => self.failed = Some((inputs, failure.message.clone())),
            _ => self.failed = Some((inputs, "Matching was stopped.".to_owned())),
        }
    }

    /// Correspondences of these two pictures; also while newer ones are on their way.
    pub fn found(&self, left: PictureId, right: PictureId) -> Option<&Found> {
        let is_of_both = |found: &&Found| {
            found.inputs.side(Side::Left).picture == left && found.inputs.side(Side::Right).picture == right
        };
        self.found.as_ref().filter(is_of_both)
    }

    /// Whether the worker is at it.
    pub fn is_running(&self) -> bool {
        self.asked.is_some()
    }

    /// Why there is nothing: one sentence.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, message)| message.as_str())
    }

    /// Asks again, whatever failed.
    pub fn retry(&mut self) {
        self.failed = None;
    }
}
