//! Asking the worker to follow objects, and taking what it finds.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Command, Event, Outcome, PictureId, RequestId, TrackGoal, TrackRequest};
use dinoscope_engine::image::{Filter, SizeRule};
use dinoscope_engine::tracking::Direction;

use super::Tracking;
use crate::gui::masks::ClipMasks;
use crate::gui::shared::Shared;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Everything that is not tracked yet, between the first and the last frame that are played.
    All,
    /// From the shown frame to the last one, or to the first one.
    From(Direction),
}

/// A request that runs.
#[derive(Clone, Copy, Debug)]
pub struct RunningTrack {
    /// The request.
    pub id: RequestId,
    /// Its clip.
    pub clip: PictureId,
    /// Whether the frame that is shown is the one that was tracked last.
    pub is_watched: bool,
}

impl Tracking {
    /// Asks the worker.
    pub fn follow(&mut self, shared: &mut Shared, what: Follow) {
        let Some(picture) = shared.documents.active_id() else { return };
        // Whoever follows a region means it.
        self.apply(shared, picture);
        let Some(player) = shared.player_mut(picture) else { return };
        let (clip, span) = (player.clip.clone(), player.span());
        player.seek(picture.frame());
        let masks = shared.placed.now().clips.get(&picture.document()).cloned().unwrap_or_default();
        if masks.painted.is_empty() {
            shared.notices.info("Paint an object in one frame first, then it can be followed through the others");
            return;
        }
        let goal = match what {
            Follow::All => TrackGoal::Span(span),
            Follow::From(direction) => {
                let last = match direction {
                    Direction::Forward => *span.end(),
                    Direction::Backward => *span.start(),
                };
                TrackGoal::From { frame: picture.frame(), direction, last }
            }
        };
        let request = TrackRequest {
            picture: picture.document(),
            clip,
            model: Arc::clone(&shared.model.choice),
            size: SizeRule::ShortSide(self.settings.size),
            filter: Filter::Bicubic,
            masks: masks.painted.iter().map(|(&frame, map)| (frame, Arc::clone(&map.0))).collect(),
            absent: absences(&masks),
            options: self.settings.options,
            goal,
        };
        let id = shared.send(Command::Track(request), "tracking");
        self.running = Some(RunningTrack { id, clip: picture.document(), is_watched: true });
    }

    /// Stops following; what was tracked stays.
    pub fn stop(&mut self, shared: &Shared) {
        if let Some(running) = self.running {
            shared.cancel(running.id);
        }
    }

    /// Takes what the worker has found.
    pub fn take(&mut self, shared: &mut Shared, event: &Event) {
        match &event.outcome {
            Outcome::TrackingBegins { picture, kept } => self.results.keep(*picture, kept),
            Outcome::Tracked { picture, tracked } => {
                self.results.insert(*picture, Arc::clone(tracked));
                let is_watched = self.running.is_some_and(|running| running.id == event.id && running.is_watched);
                let is_active = shared.documents.active_id().is_some_and(|id| id.document() == picture.document());
                if is_watched && is_active {
                    shared.player_mut(*picture).into_iter().for_each(|player| player.seek(picture.frame()));
                }
            }
            _ if self.running.is_some_and(|running| running.id == event.id) => self.running = None,
            _ => {}
        }
    }
}

fn absences(masks: &ClipMasks) -> Vec<(u8, Vec<std::ops::RangeInclusive<usize>>)> {
    let ranges = |absent: &[(usize, usize)]| absent.iter().map(|&(start, end)| start..=end).collect();
    masks.objects.iter().map(|object| (object.id, ranges(&object.absent))).collect()
}
