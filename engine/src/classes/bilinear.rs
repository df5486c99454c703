//! Interpolation along one axis.

/// Neighbours along one axis, as torch's `interpolate(mode="bilinear", align_corners=False)` takes them.
pub(crate) struct Taps {
    from: usize,
    to: usize,
}

impl Taps {
    /// From so many values to so many.
    pub(crate) fn new(from: usize, to: usize) -> Self {
        Self { from, to }
    }

    /// Two values, and the share of the second; beyond the end as at the end.
    pub(crate) fn at(&self, index: usize) -> (usize, usize, f32) {
        let last = self.from - 1;
        let index = index.min(self.to - 1);
        if self.from == self.to {
            return (index, index, 0.0);
        }
        let position = (self.from as f32 / self.to as f32) * (index as f32 + 0.5) - 0.5;
        let position = position.max(0.0);
        let first = (position as usize).min(last);
        (first, (first + 1).min(last), (position - first as f32).min(1.0))
    }
}
