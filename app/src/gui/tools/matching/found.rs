//! Correspondences that have arrived, with what they were found in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::analysis::matching::Pair;
use dinoscope_engine::dispatch::{MatchResult, PictureId, Selected};
use dinoscope_engine::features::{Geometry, Patch};
use dinoscope_engine::gpu::{Gpu, upload_colours};

/// Results fade in for so long.
const FADE: Duration = Duration::from_millis(150);

/// Bars of the histogram, from cosine 0 to 1.
pub const BARS: usize = 40;

/// One of the two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The active picture.
    Left,
    /// Its partner.
    Right,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// The patch of a pair on this side.
    pub fn patch_of(self, pair: &Pair) -> Patch {
        match self {
            Self::Left => pair.left,
            Self::Right => pair.right,
        }
    }
}

/// What is to be matched.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Left and right.
    pub sides: [Selected; 2],
    /// Only pairs that are each other's nearest.
    pub is_mutual: bool,
}

impl Inputs {
    /// One of the two pictures.
    pub fn side(&self, side: Side) -> &Selected {
        &self.sides[side as usize]
    }

    /// Whether both would give the same; masks and features are compared by identity.
    pub fn are_same(&self, other: &Self) -> bool {
        let is_same_mask = |a: &Selected, b: &Selected| match (&a.foreground, &b.foreground) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let is_same = |(a, b): (&Selected, &Selected)| {
            a.picture == b.picture && Arc::ptr_eq(&a.features, &b.features) && is_same_mask(a, b)
        };
        self.is_mutual == other.is_mutual && self.sides.iter().zip(&other.sides).all(is_same)
    }
}

/// Correspondences that have arrived.
pub struct Found {
    /// What they were found in.
    pub inputs: Inputs,
    /// What came.
    pub result: Arc<MatchResult>,
    /// Colours of both sides on the graphics device.
    pub colours: Option<[wgpu::TextureView; 2]>,
    /// Pairs that the foregrounds alone would leave.
    pub candidates: usize,
    /// How many pairs have which score.
    pub histogram: [u32; BARS],
    born: Instant,
}

impl Found {
    /// Counts, and puts the colours on the device.
    pub fn new(gpu: &Gpu, inputs: Inputs, result: Arc<MatchResult>) -> Self {
        let colours = result.colours.as_ref();
        let colours = colours.map(|sides| sides.each_ref().map(|colours| upload_colours(gpu, colours)));
        let mut found =
            Self { inputs, colours, candidates: 0, histogram: histogram(&result.pairs), result, born: Instant::now() };
        let patches = 0..found.result.nearest.right_of_left.len();
        found.candidates = patches.filter(|&index| found.is_candidate(index)).count();
        found
    }

    /// Where the patches of a side lie.
    pub fn geometry(&self, side: Side) -> &Geometry {
        &self.inputs.side(side).features.geometry
    }

    /// Which side a picture is on.
    pub fn side_of(&self, picture: PictureId) -> Option<Side> {
        [Side::Left, Side::Right].into_iter().find(|&side| self.inputs.side(side).picture == picture)
    }

    /// A patch and the one of the other side most similar to it, kept or not.
    pub fn best(&self, side: Side, patch: Patch) -> Option<Pair> {
        let nearest = &self.result.nearest;
        let list = match side {
            Side::Left => &nearest.right_of_left,
            Side::Right => &nearest.left_of_right,
        };
        let &(other, score) = list.get(patch.row * self.geometry(side).grid.1 + patch.col)?;
        let other = self.patch(side.other(), other);
        let (left, right) = match side {
            Side::Left => (patch, other),
            Side::Right => (other, patch),
        };
        let left_pixel = self.geometry(Side::Left).pixel_from_patch(left);
        let right_pixel = self.geometry(Side::Right).pixel_from_patch(right);
        Some(Pair { left, right, left_pixel, right_pixel, score })
    }

    /// RGB in 0..=1 of a left patch.
    pub fn colour(&self, left: Patch) -> Option<[f32; 3]> {
        let [colours, _] = self.result.colours.as_ref()?;
        let channel = |channel| colours.get((left.row, left.col, channel)).copied();
        Some([channel(0)?, channel(1)?, channel(2)?])
    }

    /// 0 when they have just come, soon 1.
    pub fn fade(&self) -> f32 {
        fade_since(self.born)
    }

    fn patch(&self, side: Side, index: usize) -> Patch {
        let cols = self.geometry(side).grid.1;
        Patch { row: index / cols, col: index % cols }
    }

    fn is_candidate(&self, left: usize) -> bool {
        let is_foreground = |side, patch: Patch| {
            let mask = &self.inputs.side(side).foreground;
            mask.as_ref().is_none_or(|mask| mask.get((patch.row, patch.col)).copied().unwrap_or(false))
        };
        let right = self.result.nearest.right_of_left[left].0;
        is_foreground(Side::Left, self.patch(Side::Left, left))
            && is_foreground(Side::Right, self.patch(Side::Right, right))
    }
}

/// How far something that appeared at `born` has faded in, 0..=1.
pub fn fade_since(born: Instant) -> f32 {
    (born.elapsed().as_secs_f32() / FADE.as_secs_f32()).min(1.0)
}

/// How many scores lie in each of [`BARS`] equal parts of 0..=1; what lies outside counts with the nearest.
fn histogram(pairs: &[Pair]) -> [u32; BARS] {
    let mut bars = [0; BARS];
    for pair in pairs {
        bars[((pair.score.clamp(0.0, 1.0) * BARS as f32) as usize).min(BARS - 1)] += 1;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_has_a_bar() {
        let patch = Patch { row: 0, col: 0 };
        let pair = |score| Pair { left: patch, right: patch, left_pixel: (0.0, 0.0), right_pixel: (0.0, 0.0), score };
        let bars = histogram(&[-0.2, 0.0, 0.5, 0.999, 1.0].map(pair));
        assert_eq!((bars[0], bars[BARS / 2], bars[BARS - 1]), (2, 1, 2));
        assert_eq!(bars.iter().sum::<u32>(), 5);
    }
}
