//! When each frame of a clip is shown.

/// Presentation times of a clip's frames, exact: whole ticks of `1 / timescale` seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    timescale: u32,
    /// `[len + 1]`, ascending: where each frame starts, and where the last one ends.
    bounds: Vec<u64>,
}

impl Timeline {
    /// Frames that start at `starts`, strictly ascending, the last one shown for `last_duration` ticks.
    /// A frame that would not be shown at all is given one tick.
    pub fn new(timescale: u32, starts: &[u64], last_duration: u64) -> Self {
        let mut bounds = Vec::with_capacity(starts.len() + 1);
        let ends = starts.last().map(|&start| start.saturating_add(last_duration));
        for &bound in starts.iter().chain(&ends) {
            let least = bounds.last().map_or(0, |&previous: &u64| previous + 1);
            bounds.push(bound.max(least));
        }
        Self { timescale: timescale.max(1), bounds }
    }

    /// `len` frames of one duration, the first at 0. `fps` is kept to a thousandth of a frame; rates of broadcasting
    /// such as 29.97 are the fractions of 1001 that they stand for.
    pub fn constant(len: usize, fps: f64) -> Self {
        let (timescale, duration) = fraction(fps);
        let starts: Vec<u64> = (0..len as u64).map(|i| i * duration).collect();
        Self::new(timescale, &starts, duration)
    }

    /// Ticks a second.
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When frame `index` appears, in ticks.
    ///
    /// # Panics
    /// Where there is no such frame.
    pub fn start(&self, index: usize) -> u64 {
        assert!(index < self.len(), "frame {index} of {}", self.len());
        self.bounds[index]
    }

    /// How long frame `index` is shown, in ticks; at least one.
    ///
    /// # Panics
    /// Where there is no such frame.
    pub fn duration(&self, index: usize) -> u64 {
        self.bounds[index + 1] - self.bounds[index]
    }

    /// When frame `index` appears.
    ///
    /// # Panics
    /// Where there is no such frame.
    pub fn start_secs(&self, index: usize) -> f64 {
        self.start(index) as f64 / f64::from(self.timescale)
    }

    /// How long frame `index` is shown.
    ///
    /// # Panics
    /// Where there is no such frame.
    pub fn duration_secs(&self, index: usize) -> f64 {
        self.duration(index) as f64 / f64::from(self.timescale)
    }

    /// When the last frame ends; 0 without frames.
    pub fn end_secs(&self) -> f64 {
        self.bounds.last().map_or(0.0, |&end| end as f64 / f64::from(self.timescale))
    }

    /// The frame on the screen at that time: the first one before its start, the last one after its end.
    pub fn frame_at(&self, secs: f64) -> usize {
        // Half a tick forgives what the division by the timescale has rounded off.
        let tick = secs * f64::from(self.timescale) + 0.5;
        let last = self.len().saturating_sub(1);
        self.bounds[..self.len()].partition_point(|&start| start as f64 <= tick).saturating_sub(1).min(last)
    }

    /// Frames per second from the first frame's start to the last one's end; 0 without frames.
    pub fn mean_fps(&self) -> f64 {
        match (self.bounds.first(), self.bounds.last()) {
            (Some(first), Some(end)) => self.len() as f64 * f64::from(self.timescale) / (end - first) as f64,
            _ => 0.0,
        }
    }

    /// Whether durations differ by more than rounding to ticks explains. The last frame's does not count: containers
    /// often leave it open.
    pub fn is_variable(&self) -> bool {
        let durations = || (0..self.len().saturating_sub(1)).map(|i| self.duration(i));
        match (durations().min(), durations().max()) {
            (Some(least), Some(most)) => most - least > 1,
            _ => false,
        }
    }

    /// The frames of `range` alone, the first of them at 0: what a recording of a part of the clip needs.
    ///
    /// # Panics
    /// Where the range does not lie within the clip.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        if range.is_empty() {
            return Self::new(self.timescale, &[], 0);
        }
        let first = self.start(range.start);
        Self {
            timescale: self.timescale,
            bounds: self.bounds[range.start..=range.end].iter().map(|bound| bound - first).collect(),
        }
    }
}

/// Ticks a second and ticks a frame.
fn fraction(fps: f64) -> (u32, u64) {
    let fps = if fps.is_finite() { fps.clamp(0.001, 1_000_000.0) } else { 24.0 };
    for nominal in [24.0, 30.0, 48.0, 60.0, 120.0f64] {
        if (fps - nominal / 1.001).abs() < 0.005 {
            return (nominal as u32 * 1000, 1001);
        }
    }
    let thousandths = (fps * 1000.0).round() as u32;
    let divisor = gcd(u64::from(thousandths), 1000);
    (thousandths / divisor as u32, 1000 / divisor)
}

/// Greatest common divisor.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact_fractions() {
        for (fps, timescale, duration) in
            [(24.0, 24, 1), (29.97, 30_000, 1001), (30_000.0 / 1001.0, 30_000, 1001), (12.5, 25, 2), (0.5, 1, 2)]
        {
            let timeline = Timeline::constant(3, fps);
            assert_eq!((timeline.timescale(), timeline.duration(0)), (timescale, duration), "{fps}");
            assert!((timeline.mean_fps() - fps).abs() < 1e-3);
            assert!(!timeline.is_variable());
        }
    }

    #[test]
    fn the_frame_at_a_time_is_the_one_on_the_screen() {
        let timeline = Timeline::new(1000, &[500, 540, 700], 100);
        let at = [(0.0, 0), (0.5, 0), (0.539, 0), (0.54, 1), (0.6999, 2), (0.69, 1), (5.0, 2), (f64::NAN, 0)];
        for (secs, frame) in at {
            assert_eq!(timeline.frame_at(secs), frame, "{secs}");
        }
        let third = Timeline::constant(10, 3.0);
        for index in 0..10 {
            assert_eq!(third.frame_at(third.start_secs(index)), index);
        }
        assert!(timeline.is_variable());
        assert_eq!(timeline.end_secs(), 0.8);
        assert_eq!((timeline.start(1), timeline.duration(1), timeline.duration(2)), (540, 160, 100));
    }

    #[test]
    fn every_frame_is_shown() {
        let timeline = Timeline::new(0, &[5, 5, 3, 9], 0);
        assert_eq!((0..4).map(|i| timeline.start(i)).collect::<Vec<_>>(), [5, 6, 7, 9]);
        assert_eq!((timeline.duration(3), timeline.timescale()), (1, 1));
        let none = Timeline::new(24, &[], 1);
        assert_eq!((none.len(), none.frame_at(1.0), none.mean_fps(), none.end_secs()), (0, 0, 0.0, 0.0));
    }

    #[test]
    fn a_part_starts_at_zero() {
        let timeline = Timeline::new(1000, &[500, 540, 700], 100);
        assert_eq!(timeline.part(1..3), Timeline::new(1000, &[0, 160], 100));
        assert!(timeline.part(1..1).is_empty());
    }
}
