//! How fast a download is, and how far.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dinoscope_engine::Progress;

/// Speed is the mean over so long.
const WINDOW: Duration = Duration::from_secs(5);

/// Before that, a speed would be a guess.
const SHORTEST: Duration = Duration::from_millis(500);

/// Ending of the files that count; the others are small.
const WEIGHTS: &str = ".safetensors";

/// Measures a download from its reports.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    stage: String,
    reports: VecDeque<(Instant, u64)>,
}

/// The file that is being downloaded, among those of its model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shard {
    /// Counted from 0.
    index: u64,
    count: u64,
}

impl Meter {
    /// Takes a report; the same one again says that time has passed.
    pub fn update(&mut self, now: Instant, progress: &Progress) {
        if self.stage != progress.stage {
            self.stage.clone_from(&progress.stage);
            self.reports.clear();
        }
        if self.reports.back().is_none_or(|&(_, done)| done != progress.done) {
            self.reports.push_back((now, progress.done));
        }
        while self.reports.len() > 2 && now.duration_since(self.reports[1].0) > WINDOW {
            self.reports.pop_front();
        }
    }

    /// Once enough was seen.
    pub fn bytes_per_sec(&self, now: Instant) -> Option<f64> {
        let (start, first) = *self.reports.front()?;
        let (_, last) = *self.reports.back()?;
        let passed = now.duration_since(start);
        (last > first && passed >= SHORTEST).then(|| (last - first) as f64 / passed.as_secs_f64())
    }

    /// Until all files are here, as far as can be told.
    pub fn time_left(&self, now: Instant, progress: &Progress) -> Option<Duration> {
        let total = progress.total?;
        let shard = shard(&progress.stage)?;
        let bytes = total.saturating_sub(progress.done) + (shard.count - 1 - shard.index) * total;
        Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_sec(now)?).ok()
    }
}

/// Part of the whole model that is here, 0..=1; `None` before its weights have begun.
pub fn fraction(progress: &Progress) -> Option<f32> {
    let shard = shard(&progress.stage)?;
    let of_file = progress.done as f64 / progress.total.filter(|&total| total > 0)? as f64;
    Some(((shard.index as f64 + of_file.min(1.0)) / shard.count as f64) as f32)
}

/// "file 2 of 6", where a model has many.
pub fn file_text(progress: &Progress) -> Option<String> {
    let shard = shard(&progress.stage).filter(|shard| shard.count > 1)?;
    Some(format!("file {} of {}", shard.index + 1, shard.count))
}

/// From "downloading model-00002-of-00006.safetensors"; a single file is the first of one.
fn shard(stage: &str) -> Option<Shard> {
    let file = stage.split_whitespace().find_map(|word| word.strip_suffix(WEIGHTS))?;
    let numbers = || {
        let (head, count) = file.rsplit_once("-of-")?;
        let (_, index) = head.rsplit_once('-')?;
        let (index, count) = (index.parse::<u64>().ok()?, count.parse::<u64>().ok()?);
        (1..=count).contains(&index).then_some(Shard { index: index - 1, count })
    };
    Some(numbers().unwrap_or(Shard { index: 0, count: 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(file: &str, done: u64, total: u64) -> Progress {
        Progress { stage: format!("downloading {file}"), done, total: Some(total) }
    }

    #[test]
    fn files_of_a_model() {
        assert_eq!(fraction(&report("config.json", 5, 10)), None);
        assert_eq!(fraction(&report("model.safetensors", 43, 100)), Some(0.43));
        assert_eq!(fraction(&report("model.safetensors", 0, 0)), None);
        let third = report("model-00003-of-00004.safetensors", 50, 100);
        assert_eq!(fraction(&third), Some(0.625));
        assert_eq!(file_text(&third).as_deref(), Some("file 3 of 4"));
        assert_eq!(file_text(&report("model.safetensors", 1, 2)), None);
        let checking = Progress {
            stage: "checking the part of model.safetensors that is there".to_owned(),
            done: 1,
            total: Some(4),
        };
        assert_eq!(fraction(&checking), Some(0.25));
    }

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
        let mut meter = Meter::default();
        meter.update(at(0), &report("model.safetensors", 1000, 9000));
        assert_eq!(meter.bytes_per_sec(at(0)), None);
        meter.update(at(10), &report("model.safetensors", 2000, 9000));
        assert_eq!(meter.bytes_per_sec(at(10)), Some(1000.0));
        let left = meter.time_left(at(10), &report("model.safetensors", 2000, 9000));
        assert_eq!(left, Some(Duration::from_secs(7)));
        for second in 2..=20 {
            meter.update(at(10 * second), &report("model.safetensors", 2000 + 100 * (second - 1), 9000));
        }
        let speed = meter.bytes_per_sec(at(200)).expect("many reports");
        assert!((speed - 100.0).abs() < 1.0, "{speed}");
        let stalled = meter.bytes_per_sec(at(400)).expect("as before");
        assert!(stalled < 30.0, "{stalled}");
        meter.update(at(401), &report("other.safetensors", 0, 9000));
        assert_eq!(meter.bytes_per_sec(at(402)), None);
    }
}
