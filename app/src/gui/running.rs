//! What runs, as people see it: commands of one kind as one.

use std::time::Duration;

use dinoscope_engine::dispatch::RequestId;

use super::openings::Openings;
use super::shared::{Running, Shared};

/// Work shorter than this is not shown: it would only flicker.
pub const LEAST_SHOWN: Duration = Duration::from_millis(300);

/// Time left is guessed from what has passed, once that is long enough.
const GUESSED_AFTER: Duration = Duration::from_secs(2);

/// One or several commands as one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What is done: "opening 37 pictures".
    pub label: String,
    /// 0..=1, where it is known.
    pub fraction: Option<f32>,
    /// Roughly, where it can be guessed.
    pub left: Option<Duration>,
    /// How long it has run.
    pub elapsed: Duration,
    /// The commands, to stop them.
    pub ids: Vec<RequestId>,
}

/// What runs now, longest first; commands that open pictures are one.
pub fn works(shared: &Shared) -> Vec<Work> {
    let is_one = shared.openings.len() <= 1;
    let shown = shared.running.iter().filter(|(id, _)| is_one || !shared.openings.contains(**id));
    let mut works: Vec<Work> = shown.map(|(&id, running)| single(id, running)).collect();
    if !is_one {
        let ids = shared.running.keys().copied().filter(|&id| shared.openings.contains(id)).collect();
        works.extend(opening(&shared.openings, ids));
    }
    works.sort_by_key(|work| std::cmp::Reverse(work.elapsed));
    works
}

fn opening(openings: &Openings, ids: Vec<RequestId>) -> Option<Work> {
    let (fraction, elapsed) = openings.progress()?;
    let label = format!("opening {} pictures", openings.len());
    Some(Work { label, fraction: Some(fraction), left: left(elapsed, fraction), elapsed, ids })
}

fn single(id: RequestId, running: &Running) -> Work {
    let elapsed = running.since.elapsed();
    let progress = running.progress.as_ref();
    let fraction = progress.and_then(|progress| {
        let total = progress.total.filter(|&total| total > 0)?;
        Some((progress.done as f32 / total as f32).clamp(0.0, 1.0))
    });
    let stage = progress.map(|progress| progress.stage.clone()).filter(|stage| !stage.is_empty());
    Work {
        label: stage.unwrap_or_else(|| running.label.clone()),
        fraction,
        left: fraction.and_then(|fraction| left(elapsed, fraction)),
        elapsed,
        ids: vec![id],
    }
}

fn left(elapsed: Duration, fraction: f32) -> Option<Duration> {
    let can_be_guessed = elapsed >= GUESSED_AFTER && fraction > 0.02;
    can_be_guessed.then(|| elapsed.mul_f32((1.0 - fraction) / fraction))
}

/// "3 s left", "2 min left".
pub fn left_text(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=90 => format!("{} s left", seconds.max(1)),
        seconds @ 91..=5400 => format!("{} min left", (seconds + 30) / 60),
        seconds => format!("{} h left", (seconds + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use dinoscope_engine::Progress;
    use dinoscope_engine::dispatch::{PictureId, PictureSource};

    use super::*;

    fn running(label: &str, seconds_ago: u64, progress: Option<Progress>) -> Running {
        let since = Instant::now().checked_sub(Duration::from_secs(seconds_ago)).expect("the clock is older");
        Running { label: label.to_owned(), since, progress }
    }

    #[test]
    fn many_pictures_are_one_line() {
        let mut openings = Openings::default();
        (0..4).for_each(|number| openings.add(PictureId(number), PictureSource::File("x".into())));
        let (picture, _) = openings.next(&[]).expect("one waits");
        openings.started(RequestId(9), picture);
        openings.ended(RequestId(9));
        let work = opening(&openings, vec![RequestId(1)]).expect("work");
        assert_eq!((work.label.as_str(), work.fraction), ("opening 3 pictures", Some(0.25)));
        assert_eq!(opening(&Openings::default(), Vec::new()), None);
    }

    #[test]
    fn time_left_is_guessed_from_the_share_that_is_done() {
        let progress = Progress { stage: "encoding 3/12".to_owned(), done: 1, total: Some(4) };
        let work = single(RequestId(1), &running("encoding", 10, Some(progress)));
        assert_eq!((work.label.as_str(), work.fraction), ("encoding 3/12", Some(0.25)));
        let left = work.left.expect("a guess").as_secs();
        assert!((30..=31).contains(&left), "{left}");
        assert_eq!(super::left(Duration::from_secs(1), 0.5), None, "too early");
        assert_eq!(left_text(Duration::from_millis(200)), "1 s left");
        assert_eq!(left_text(Duration::from_secs(130)), "2 min left");
    }
}
