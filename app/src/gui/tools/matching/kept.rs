//! Which pairs count, and which of them are lines.

use std::sync::Arc;

use dinoscope_engine::analysis::matching::Pair;
use dinoscope_engine::dispatch::{Command, Event, MatchResult, Outcome, RequestId, ThinRequest};

use super::found::Found;
use crate::gui::shared::Shared;

/// Pairs that the score leaves, and those of them that are lines.
#[derive(Default)]
pub struct Kept {
    /// By left patch.
    pub pairs: Arc<Vec<Pair>>,
    /// By left patch.
    pub lines: Arc<Vec<Pair>>,
    of: Option<Choice>,
    thinning: Option<RequestId>,
}

/// What both depend on.
struct Choice {
    result: Arc<MatchResult>,
    least_score: f32,
    line_distance: f64,
}

impl Kept {
    /// Filters at once, and has lines thinned by the worker; the old ones stay until then.
    pub fn update(&mut self, shared: &mut Shared, found: &Found, least_score: f32, line_distance: f64) {
        let result = &found.result;
        let is_same_result = self.of.as_ref().is_some_and(|of| Arc::ptr_eq(&of.result, result));
        let is_same = |of: &Choice| of.least_score == least_score && of.line_distance == line_distance;
        if is_same_result && self.of.as_ref().is_some_and(is_same) {
            return;
        }
        let is_of_same_pictures =
            self.of.as_ref().is_some_and(|of| (of.result.left, of.result.right) == (result.left, result.right));
        if !is_of_same_pictures {
            self.lines = Arc::default();
        }
        self.pairs = Arc::new(above(&result.pairs, least_score));
        let request = ThinRequest { pairs: Arc::clone(&self.pairs), distance: line_distance };
        self.thinning = Some(shared.send(Command::Thin(request), "thinning lines"));
        self.of = Some(Choice { result: Arc::clone(result), least_score, line_distance });
    }

    /// Takes the thinned lines.
    pub fn receive(&mut self, event: &Event) {
        if self.thinning == Some(event.id) {
            self.thinning = None;
            if let Outcome::Thinned(lines) = &event.outcome {
                self.lines = Arc::new(lines.clone());
            }
        }
    }
}

/// Pairs of at least this score; all where it is 0.
fn above(pairs: &[Pair], least_score: f32) -> Vec<Pair> {
    pairs.iter().copied().filter(|pair| least_score <= 0.0 || pair.score >= least_score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinoscope_engine::features::Patch;

    #[test]
    fn zero_keeps_all_scores() {
        let patch = Patch { row: 0, col: 0 };
        let pair = |score| Pair { left: patch, right: patch, left_pixel: (0.0, 0.0), right_pixel: (0.0, 0.0), score };
        let pairs = [-0.1, 0.2, 0.7].map(pair);
        assert_eq!(above(&pairs, 0.0).len(), 3);
        assert_eq!(above(&pairs, 0.2), pairs[1..]);
    }
}
