//! Pictures that are to be read: a few at a time, those on the canvas first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::{PictureId, PictureSource, RequestId};

/// Enough to keep the worker busy; the others wait here, where their order can still change.
const MOST_AT_ONCE: usize = 2;

/// What is being read and what waits for it.
#[derive(Debug, Default)]
pub struct Openings {
    waiting: Vec<(PictureId, PictureSource)>,
    running: BTreeMap<RequestId, PictureId>,
    /// Since nothing was left to read.
    batch: Option<Batch>,
}

#[derive(Debug)]
struct Batch {
    since: Instant,
    total: usize,
}

impl Openings {
    /// Puts a picture at the end of the queue.
    pub fn add(&mut self, picture: PictureId, source: PictureSource) {
        if self.is_empty() {
            self.batch = None;
        }
        self.batch.get_or_insert_with(|| Batch { since: Instant::now(), total: 0 }).total += 1;
        self.waiting.push((picture, source));
    }

    /// The next one that may be read: one of `first`, else the one that has waited for longest.
    pub fn next(&mut self, first: &[PictureId]) -> Option<(PictureId, PictureSource)> {
        if self.waiting.is_empty() || self.running.len() >= MOST_AT_ONCE {
            return None;
        }
        let wanted = |id: &PictureId| self.waiting.iter().position(|(picture, _)| picture == id);
        let place = first.iter().find_map(wanted).unwrap_or(0);
        Some(self.waiting.remove(place))
    }

    /// The command that reads a picture.
    pub fn started(&mut self, id: RequestId, picture: PictureId) {
        self.running.insert(id, picture);
    }

    /// The picture whose command has ended.
    pub fn ended(&mut self, id: RequestId) -> Option<PictureId> {
        self.running.remove(&id)
    }

    /// The command that reads a picture, which no longer waits.
    pub fn forget(&mut self, picture: PictureId) -> Option<RequestId> {
        self.waiting.retain(|(waiting, _)| *waiting != picture);
        self.running.iter().find(|(_, running)| **running == picture).map(|(&id, _)| id)
    }

    /// Whether a command reads a picture.
    pub fn contains(&self, id: RequestId) -> bool {
        self.running.contains_key(&id)
    }

    /// Pictures whose turn has not come.
    pub fn waiting(&self) -> impl Iterator<Item = PictureId> {
        self.waiting.iter().map(|(picture, _)| *picture)
    }

    /// How many are not read yet.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// Whether all are read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of those that were to be read at once: the share that is, and since when.
    pub fn progress(&self) -> Option<(f32, Duration)> {
        let batch = self.batch.as_ref()?;
        let done = batch.total.saturating_sub(self.len());
        Some((done as f32 / batch.total as f32, batch.since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_is_read_first() {
        let mut openings = Openings::default();
        let source = |number: u64| PictureSource::File(number.to_string().into());
        (0..5).for_each(|number| openings.add(PictureId(number), source(number)));
        let next = |openings: &mut Openings, first: &[PictureId]| {
            let (picture, _) = openings.next(first)?;
            openings.started(RequestId(100 + picture.0), picture);
            Some(picture.0)
        };
        assert_eq!(next(&mut openings, &[PictureId(77), PictureId(3)]), Some(3));
        assert_eq!(next(&mut openings, &[PictureId(3)]), Some(0));
        assert_eq!(next(&mut openings, &[]), None, "enough at once");
        assert_eq!(openings.ended(RequestId(103)), Some(PictureId(3)));
        assert_eq!(openings.progress().map(|(share, _)| share), Some(0.2));
        assert_eq!(openings.forget(PictureId(0)), Some(RequestId(100)));
        assert_eq!(openings.forget(PictureId(1)), None);
        assert_eq!(next(&mut openings, &[]), Some(2));
        assert_eq!((openings.len(), openings.waiting().collect::<Vec<_>>()), (3, vec![PictureId(4)]));
    }
}
