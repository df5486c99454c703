//! Which frame of a clip is looked at, and whether it plays.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::{Clip, RequestId};
use egui::TextureHandle;

use super::actions::Action;

/// A clip on the canvas.
pub struct Player {
    /// The clip.
    pub clip: Clip,
    /// The frame that is to be shown.
    target: usize,
    /// The request for a frame that is being decoded; the next one is asked for when it has come.
    asked: Option<RequestId>,
    playing: Option<Playing>,
    span: RangeInclusive<usize>,
    /// Small pictures of some frames.
    pub thumbnails: BTreeMap<usize, TextureHandle>,
    /// Whether thumbnails were asked for.
    pub has_previews: bool,
}

/// From when on which time of the clip is played.
struct Playing {
    since: Instant,
    /// In seconds of the clip.
    from: f64,
}

impl Player {
    /// At the given frame, not playing; `span` of it is played, or all.
    pub fn new(clip: Clip, frame: usize, span: Option<(usize, usize)>) -> Self {
        let last = clip.info.timeline.len().saturating_sub(1);
        let mut player = Self {
            clip,
            target: frame.min(last),
            asked: None,
            playing: None,
            span: 0..=last,
            thumbnails: BTreeMap::new(),
            has_previews: false,
        };
        if let Some((start, end)) = span {
            player.set_span(start..=end);
        }
        player
    }

    /// Frames of the clip.
    pub fn len(&self) -> usize {
        self.clip.info.timeline.len()
    }

    /// The frame that is to be shown; the one that is shown may lag behind.
    pub fn target(&self) -> usize {
        self.target
    }

    /// First and last frame that are played, tracked and recorded.
    pub fn span(&self) -> RangeInclusive<usize> {
        self.span.clone()
    }

    /// Whether [`Player::span`] leaves frames out.
    pub fn is_cut(&self) -> bool {
        self.span != (0..=self.len().saturating_sub(1))
    }

    /// Another first or last frame; they never cross.
    pub fn set_span(&mut self, span: RangeInclusive<usize>) {
        let last = self.len().saturating_sub(1);
        let (start, end) = span.into_inner();
        let start = start.min(last);
        self.span = start..=end.clamp(start, last);
    }

    /// Whether it plays.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Shows another frame, and stops.
    pub fn seek(&mut self, frame: usize) {
        self.playing = None;
        self.target = frame.min(self.len().saturating_sub(1));
    }

    /// Shows the frame `step` further, within the clip, and stops.
    pub fn step(&mut self, step: isize) {
        self.seek(self.target.saturating_add_signed(step));
    }

    /// Plays or stops; from the start again where the end was reached.
    pub fn toggle(&mut self, now: Instant) {
        if self.playing.take().is_none() {
            if !self.span.contains(&self.target) || self.target == *self.span.end() {
                self.target = *self.span.start();
            }
            self.playing = Some(Playing { since: now, from: self.start(self.target) });
        }
    }

    /// What a key or a button asks for; other actions are none of a clip's.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Play => self.toggle(Instant::now()),
            Action::NextFrame => self.step(1),
            Action::PreviousFrame => self.step(-1),
            Action::FirstFrame => self.seek(*self.span.start()),
            Action::LastFrame => self.seek(*self.span.end()),
            Action::SetIn => self.set_span(self.target..=(*self.span.end()).max(self.target)),
            Action::SetOut => self.set_span((*self.span.start()).min(self.target)..=self.target),
            _ => {}
        }
    }

    /// Moves on while it plays. `shown` is the frame on the canvas; while `is_waited_for` (its features are missing),
    /// the clip waits too, so that the map is always that of the picture. When to look again.
    pub fn advance(&mut self, now: Instant, shown: usize, is_waited_for: bool) -> Option<Duration> {
        let from = self.playing.as_ref()?.from;
        if shown != self.target || is_waited_for {
            // Time begins to count when there is something to see.
            self.playing = Some(Playing { since: now, from: self.start(self.target) });
            return Some(Duration::from_millis(10));
        }
        let time = from + now.duration_since(self.playing.as_ref()?.since).as_secs_f64();
        let due = self.clip.info.timeline.frame_at(time).max(self.target);
        if due > *self.span.end() || (due == self.target && self.is_over(time)) {
            self.playing = None;
            self.target = (*self.span.end()).max(self.target);
            return None;
        }
        self.target = due;
        Some(Duration::from_secs_f64((self.end(due) - time).clamp(0.001, 0.1)))
    }

    /// The frame that is to be decoded next, where nothing is being decoded.
    pub fn wanted(&self, shown: usize) -> Option<usize> {
        (self.asked.is_none() && self.target != shown).then_some(self.target)
    }

    /// The request that decodes it.
    pub fn asked(&mut self, id: RequestId) {
        self.asked = Some(id);
    }

    /// Lets go of what belongs to a window that is gone: thumbnails, and requests that nobody answers any more.
    pub fn move_to_another_window(&mut self) {
        self.thumbnails.clear();
        (self.has_previews, self.asked, self.playing) = (false, None, None);
    }

    /// A request has ended; whether it was this clip's. Where it failed, the clip stays at the frame that is `shown`.
    pub fn ended(&mut self, id: RequestId, shown: Option<usize>) -> bool {
        let is_own = self.asked == Some(id);
        if is_own {
            self.asked = None;
            if let Some(shown) = shown {
                self.seek(shown);
            }
        }
        is_own
    }

    fn start(&self, frame: usize) -> f64 {
        self.clip.info.timeline.start_secs(frame)
    }

    fn end(&self, frame: usize) -> f64 {
        self.start(frame) + self.clip.info.timeline.duration_secs(frame)
    }

    fn is_over(&self, time: f64) -> bool {
        self.target >= *self.span.end() && time >= self.end(self.target)
    }
}
