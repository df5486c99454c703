//! Metres everywhere in a picture.

use ndarray::Array2;

use super::DepthPreset;

/// How far away, or how high, everything in a picture is.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthMap {
    /// `[height, width]` of the original picture, in metres.
    pub metres: Array2<f32>,
    /// What the metres are.
    pub preset: DepthPreset,
    /// Width and height of what the backbone has read, padding included.
    pub input: (usize, usize),
}

/// A map in three numbers, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthSummary {
    /// The least.
    pub min: f32,
    /// The greatest.
    pub max: f32,
    /// As many pixels are below as above.
    pub median: f32,
}

impl DepthMap {
    /// Metres at a point, in pixels of the original picture; `None` outside of it.
    pub fn at(&self, x: f64, y: f64) -> Option<f32> {
        let index = |v: f64| (v >= 0.0).then_some(v as usize);
        self.metres.get([index(y)?, index(x)?]).copied()
    }

    /// The whole map in numbers.
    pub fn summary(&self) -> DepthSummary {
        let mut sorted: Vec<f32> = self.metres.iter().copied().collect();
        let middle = sorted.len() / 2;
        let (below, &mut median, above) = sorted.select_nth_unstable_by(middle, f32::total_cmp);
        let min = below.iter().copied().fold(median, f32::min);
        let max = above.iter().copied().fold(median, f32::max);
        DepthSummary { min, max, median }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_map() {
        let metres = ndarray::arr2(&[[3.0, 1.0, 9.0], [2.0, 5.0, 4.0]]);
        let map = DepthMap { metres, preset: DepthPreset::Synthmix, input: (16, 16) };
        assert_eq!(map.summary(), DepthSummary { min: 1.0, max: 9.0, median: 4.0 });
        assert_eq!((map.at(0.9, 1.2), map.at(2.0, 0.0)), (Some(2.0), Some(9.0)));
        assert_eq!((map.at(3.0, 0.0), map.at(-0.1, 0.0), map.at(0.0, f64::NAN)), (None, None, None));
    }
}
