//! What runs, as people see it: commands of one kind as one.

use std::time::Duration;

use dinoscope_engine::dispatch::RequestId;

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
    let (opening, others): (Vec<_>, Vec<_>) = shared.running.iter().partition(|(id, _)| shared.is_opening(**id));
    let mut works: Vec<Work> = others.into_iter().map(|(&id, running)| single(id, running)).collect();
    works.extend(folded(&opening));
    works.sort_by_key(|work| std::cmp::Reverse(work.elapsed));
    works
}

fn folded(opening: &[(&RequestId, &Running)]) -> Option<Work> {
    match opening {
        [] => None,
        [(id, running)] => Some(single(**id, running)),
        several => Some(Work {
            label: format!("opening {} pictures", several.len()),
            fraction: None,
            left: None,
            elapsed: several.iter().map(|(_, running)| running.since.elapsed()).max().unwrap_or_default(),
            ids: several.iter().map(|(id, _)| **id).collect(),
        }),
    }
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

    use super::*;

    fn running(label: &str, seconds_ago: u64, progress: Option<Progress>) -> Running {
        let since = Instant::now().checked_sub(Duration::from_secs(seconds_ago)).expect("the clock is older");
        Running { label: label.to_owned(), since, progress }
    }

    #[test]
    fn many_pictures_are_one_line() {
        let commands: Vec<(RequestId, Running)> =
            (0..37).map(|number| (RequestId(number), running("opening x", number, None))).collect();
        let commands: Vec<(&RequestId, &Running)> = commands.iter().map(|(id, running)| (id, running)).collect();
        let work = folded(&commands).expect("work");
        assert_eq!((work.label.as_str(), work.ids.len(), work.elapsed.as_secs()), ("opening 37 pictures", 37, 36));
        assert_eq!(folded(&commands[..1]).expect("work").label, "opening x");
        assert_eq!(folded(&[]), None);
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
