//! Events on their way to the window.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Wake};
use crate::Progress;

/// Where all lanes put their events.
pub struct Outbox {
    events: Mutex<Vec<Event>>,
    wake: Wake,
}

impl Outbox {
    /// Empty.
    pub fn new(wake: Wake) -> Self {
        Self { events: Mutex::default(), wake }
    }

    /// Adds events; [`Outbox::wake`] has to follow.
    pub fn put(&self, events: Vec<Event>) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    }

    /// Tells the window that there is something.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// Takes all events, in order.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Between the reports of a command.
const INTERVAL: Duration = Duration::from_millis(33);
/// How far ahead of that it may be for a moment, so that a change of stage is seen at once.
const BURST: Duration = Duration::from_millis(200);

/// Lets about thirty reports a second pass and keeps the newest of the others.
#[derive(Default)]
pub struct Throttle {
    /// When the next report would be due at a steady rate.
    due: Option<Instant>,
    held: Option<Progress>,
}

impl Throttle {
    /// The report, where it may pass now.
    pub fn pass(&mut self, progress: Progress, now: Instant) -> Option<Progress> {
        let due = self.due.map_or(now, |due| due.max(now));
        if due > now + BURST {
            self.held = Some(progress);
            return None;
        }
        self.due = Some(due + INTERVAL);
        self.held = None;
        Some(progress)
    }

    /// The newest report that did not pass.
    pub fn take_held(&mut self) -> Option<Progress> {
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_thirty_reports_a_second_pass_and_the_last_is_kept() {
        let report = |done| Progress { stage: "counting".to_owned(), done, total: None };
        let mut throttle = Throttle::default();
        let start = Instant::now();
        let second = (0..1000).filter(|&ms| throttle.pass(report(ms), start + Duration::from_millis(ms)).is_some());
        let passed: Vec<u64> = second.collect();
        assert!((30..=38).contains(&passed.len()) && passed[..5] == [0, 1, 2, 3, 4], "{passed:?}");
        assert_eq!(throttle.take_held(), Some(report(999)));
        assert_eq!(throttle.take_held(), None);
    }
}
