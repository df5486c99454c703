//! What a result was computed from, so that it is asked for again exactly when that changes.

use std::sync::{Arc, Weak};

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::{Outcome, PictureId, RequestId};

/// One picture of a request.
#[derive(Clone, Debug)]
pub struct PictureInput {
    /// The picture.
    pub picture: PictureId,
    features: Weak<CachedFeatures>,
    foreground: Option<Arc<PatchMask>>,
}

impl PictureInput {
    /// Features and masks count by identity; features are not kept alive.
    pub fn new(picture: PictureId, features: &Arc<CachedFeatures>, foreground: Option<Arc<PatchMask>>) -> Self {
        Self { picture, features: Arc::downgrade(features), foreground }
    }
}

impl PartialEq for PictureInput {
    fn eq(&self, other: &Self) -> bool {
        let same_mask = match (&self.foreground, &other.foreground) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        self.picture == other.picture && self.features.ptr_eq(&other.features) && same_mask
    }
}

/// Everything that a result depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs<H> {
    /// The pictures that are worked on together.
    pub pictures: Vec<PictureInput>,
    /// How.
    pub how: H,
}

/// What was not answered with a result is not asked again by itself; so many are remembered.
const MOST_FAILED: usize = 64;

/// Requests of one kind, one at a time.
#[derive(Debug)]
pub struct Requests<H> {
    running: Option<(RequestId, Inputs<H>)>,
    /// What was asked, and why there is no result.
    failed: Vec<(Inputs<H>, String)>,
}

impl<H> Default for Requests<H> {
    fn default() -> Self {
        Self { running: None, failed: Vec::new() }
    }
}

impl<H: PartialEq> Requests<H> {
    /// Whether an answer is under way.
    pub fn is_running(&self, inputs: &Inputs<H>) -> bool {
        self.running.as_ref().is_some_and(|(_, running)| running == inputs)
    }

    /// Whether there was an answer, but no result.
    pub fn has_failed(&self, inputs: &Inputs<H>) -> bool {
        self.failed.iter().any(|(failed, _)| failed == inputs)
    }

    /// Why there is no result of a picture as it was asked about last.
    pub fn problem(&self, picture: PictureId) -> Option<&str> {
        let concerns = |inputs: &Inputs<H>| inputs.pictures.iter().any(|input| input.picture == picture);
        if self.running.as_ref().is_some_and(|(_, running)| concerns(running)) {
            return None;
        }
        self.failed.iter().rev().find(|(failed, _)| concerns(failed)).map(|(_, why)| why.as_str())
    }

    /// Does not wait any more for what runs, which is to be stopped.
    pub fn abandon(&mut self) -> Option<RequestId> {
        self.running.take().map(|(id, _)| id)
    }

    /// Lets everything be asked again.
    pub fn retry(&mut self) {
        self.failed.clear();
    }

    /// Notes what was sent; it takes the place of what ran before.
    pub fn sent(&mut self, id: RequestId, inputs: Inputs<H>) {
        self.running = Some((id, inputs));
    }

    /// What the request was about, where it is the one that runs and has now ended with a result.
    pub fn answered(&mut self, id: RequestId, outcome: &Outcome) -> Option<Inputs<H>> {
        let (_, inputs) = self.running.take_if(|(running, _)| *running == id)?;
        let why = match outcome {
            Outcome::Failed(failure) => failure.message.clone(),
            Outcome::Cancelled => "This was stopped".to_owned(),
            _ => {
                // Older problems of these pictures are settled.
                let concerns = |failed: &Inputs<H>| {
                    failed.pictures.iter().any(|old| inputs.pictures.iter().any(|new| new.picture == old.picture))
                };
                self.failed.retain(|(failed, _)| !concerns(failed));
                return Some(inputs);
            }
        };
        self.failed.push((inputs, why));
        if self.failed.len() > MOST_FAILED {
            self.failed.remove(0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(picture: u64, mask: Option<&Arc<PatchMask>>, how: u8) -> Inputs<u8> {
        let picture = PictureId(picture);
        Inputs { pictures: vec![PictureInput { picture, features: Weak::new(), foreground: mask.cloned() }], how }
    }

    #[test]
    fn masks_count_by_identity() {
        let mask = Arc::new(PatchMask::from_elem((2, 2), true));
        let other = Arc::new(PatchMask::from_elem((2, 2), true));
        assert_eq!(inputs(1, Some(&mask), 0), inputs(1, Some(&mask), 0));
        assert_ne!(inputs(1, Some(&mask), 0), inputs(1, Some(&other), 0));
        assert_ne!(inputs(1, Some(&mask), 0), inputs(1, None, 0));
        assert_ne!(inputs(1, None, 0), inputs(1, None, 1));
    }

    #[test]
    fn only_the_newest_request_counts_and_failures_stay() {
        let mut requests = Requests::default();
        requests.sent(RequestId(1), inputs(1, None, 0));
        requests.sent(RequestId(2), inputs(1, None, 1));
        assert!(requests.answered(RequestId(1), &Outcome::Cancelled).is_none());
        assert!(requests.is_running(&inputs(1, None, 1)) && !requests.has_failed(&inputs(1, None, 0)));
        assert!(requests.answered(RequestId(2), &Outcome::Cancelled).is_none());
        assert!(requests.has_failed(&inputs(1, None, 1)) && !requests.is_running(&inputs(1, None, 1)));
        requests.sent(RequestId(3), inputs(2, None, 0));
        assert_eq!(requests.answered(RequestId(3), &Outcome::Finished), Some(inputs(2, None, 0)));
    }

    #[test]
    fn a_problem_is_told_until_it_is_settled_or_tried_again() {
        let mut requests = Requests::default();
        let stop = |requests: &mut Requests<u8>, id| {
            requests.sent(RequestId(id), inputs(1, None, 0));
            assert_eq!(requests.problem(PictureId(1)), None, "on its way");
            requests.answered(RequestId(id), &Outcome::Cancelled);
        };
        stop(&mut requests, 1);
        assert_eq!((requests.problem(PictureId(1)), requests.problem(PictureId(2))), (Some("This was stopped"), None));
        requests.sent(RequestId(7), inputs(3, None, 0));
        assert_eq!(requests.abandon(), Some(RequestId(7)));
        assert!(requests.answered(RequestId(7), &Outcome::Cancelled).is_none());
        assert!(!requests.has_failed(&inputs(3, None, 0)), "it is asked again when it is needed");
        requests.retry();
        assert!(requests.problem(PictureId(1)).is_none() && !requests.has_failed(&inputs(1, None, 0)));
        stop(&mut requests, 2);
        requests.sent(RequestId(3), inputs(1, None, 5));
        assert!(requests.answered(RequestId(3), &Outcome::Finished).is_some());
        assert_eq!(requests.problem(PictureId(1)), None);
    }
}
