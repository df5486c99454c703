//! How much work a device is given at a time: so much that frames of the window come between, and that no driver takes
//! it for hung.

use std::ops::Range;
use std::time::Duration;

/// What one submission should take; two of them are half a frame at 30 frames a second.
const TARGET: Duration = Duration::from_millis(8);
/// Multiplications with addition of the first submission: milliseconds on a slow GPU.
const FIRST: u64 = 250_000_000;
/// Of any submission; below, submitting takes longer than computing.
const LEAST: u64 = 10_000_000;
/// A second's work for the fastest GPUs.
const MOST: u64 = 1 << 44;

/// Work that fits one submission, learnt from those before. Work is counted in multiplications with addition.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    work: u64,
    target: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { work: FIRST, target: TARGET }
    }
}

impl Pace {
    /// Always the same, for tests.
    #[cfg(test)]
    pub fn fixed(work: u64) -> Self {
        Self { work, target: Duration::ZERO }
    }

    /// For one submission.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Takes note of how long a submission of `work` took. What takes far less than it may says little, so that the
    /// pace rises slowly.
    pub fn learn(&mut self, work: u64, time: Duration) {
        if self.target.is_zero() {
            return;
        }
        let speed = work as f64 / time.as_secs_f64().max(1e-6);
        let wanted = (speed * self.target.as_secs_f64()) as u64;
        // A submission that was cut short by the end of a block does not tell that more would fit.
        let most = if 2 * work >= self.work { 2 * self.work } else { self.work };
        self.work = wanted.min(most).clamp(LEAST, MOST);
    }

    /// Cuts `rows` of `work_per_row` each into bands for a submission each; all but the last are multiples of `step`.
    pub fn bands(&self, rows: usize, step: usize, work_per_row: u64) -> impl Iterator<Item = Range<usize>> + use<> {
        let fitting = usize::try_from(self.work / work_per_row.max(1)).unwrap_or(usize::MAX);
        let band = (fitting / step * step).max(step);
        (0..rows).step_by(band).map(move |first| first..rows.min(first.saturating_add(band)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn slow_devices_get_less_at_once_and_fast_ones_more() {
        let mut pace = Pace::default();
        pace.learn(FIRST, 80 * MILLISECOND);
        assert_eq!(pace.work(), FIRST / 10);
        for _ in 0..20 {
            let work = pace.work();
            pace.learn(work, MILLISECOND);
            assert!(pace.work() <= 2 * work, "not all at once");
        }
        assert!(pace.work() > 100 * FIRST);
        pace.learn(pace.work(), Duration::from_secs(60));
        assert!(pace.work() >= LEAST);
        for _ in 0..100 {
            pace.learn(pace.work(), Duration::ZERO);
        }
        assert_eq!(pace.work(), MOST);
    }

    #[test]
    fn small_submissions_do_not_raise_it() {
        let mut pace = Pace::default();
        pace.learn(FIRST / 100, MILLISECOND / 1000);
        assert_eq!(pace.work(), FIRST);
    }

    #[test]
    fn bands_cover_all_rows_once() {
        let pace = Pace::fixed(1_000);
        let bands = |rows, step, per_row| pace.bands(rows, step, per_row).collect::<Vec<_>>();
        assert_eq!(bands(100, 16, 30), [0..32, 32..64, 64..96, 96..100]);
        assert_eq!(bands(5, 64, 1)[0], 0..5);
        assert_eq!(bands(130, 64, 1_000_000), [0..64, 64..128, 128..130]);
        assert!(bands(0, 64, 1).is_empty());
    }
}
