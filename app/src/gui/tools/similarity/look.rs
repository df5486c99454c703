//! How maps look and what is asked: everything that is remembered from one start to the next.

use dinoscope_engine::analysis::similarity::Combine;
use dinoscope_engine::draw::Colormap;
use serde::{Deserialize, Serialize};

use super::keys::BRUSH_RADII;
use crate::gui::overlay::MapStyle;

/// Most patches that are outlined.
pub const MOST_BEST: f32 = 50.0;

/// Largest neighbourhood that is left out, in patches.
pub const MOST_EXCLUDED: f32 = 16.0;

/// Which pictures are on the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pictures {
    /// The active one.
    #[default]
    One,
    /// The active one and its partner.
    Pair,
    /// All that are open.
    All,
}

/// What the left button does on a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeftButton {
    /// A click places a point, a drag a box.
    #[default]
    PointOrBox,
    /// A drag paints a region.
    Brush,
}

/// How several queries become one map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combination {
    /// What is like the mean of them.
    #[default]
    Mean,
    /// What is like any one of them.
    Any,
}

impl From<Combination> for Combine {
    fn from(combination: Combination) -> Self {
        match combination {
            Combination::Mean => Self::Mean,
            Combination::Any => Self::Max,
        }
    }
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Which pictures are on the canvas.
    pub pictures: Pictures,
    /// What the left button does.
    pub left_button: LeftButton,
    /// Radius of the brush in patches.
    pub brush_radius: f32,
    /// How several queries become one map.
    pub combination: Combination,
    /// The map is that of the patch under the pointer, even where queries are pinned.
    pub follows_pointer: bool,
    /// 0: the picture alone; 1: the map alone.
    pub opacity: f32,
    /// Colours.
    pub colormap: Colormap,
    /// Whether colours go from the map's least to its greatest value.
    pub is_stretched: bool,
    /// Else they go from the first of these values to the second.
    pub ends: [f32; 2],
    /// The same where there are negative queries, which make values negative.
    pub signed_ends: [f32; 2],
    /// Bilinear from patch to patch.
    pub is_smooth: bool,
    /// Values below show the picture alone; 0: off.
    pub threshold: f32,
    /// So many of the most similar patches are outlined.
    pub best: f32,
    /// Patches this near to a query are left out, in patches; 0: none.
    pub excluded_radius: f32,
    /// Whether there is a line where the map crosses `contour`.
    pub has_contour: bool,
    /// A value of the map.
    pub contour: f32,
    /// The picture below is grey.
    pub is_grey_below: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            pictures: Pictures::One,
            left_button: LeftButton::PointOrBox,
            brush_radius: 2.0,
            combination: Combination::Mean,
            follows_pointer: false,
            opacity: 0.75,
            colormap: Colormap::default(),
            is_stretched: false,
            ends: [0.0, 1.0],
            signed_ends: [-1.0, 1.0],
            is_smooth: true,
            threshold: 0.0,
            best: 0.0,
            excluded_radius: 0.0,
            has_contour: false,
            contour: 0.6,
            is_grey_below: true,
        }
    }
}

impl Look {
    /// Settings as they were saved, within their ranges; what cannot be read keeps its default.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let saved: Self = serde_json::from_value(value.clone()).unwrap_or_default();
        let within = |value: f32, least: f32, most: f32| value.clamp(least, most);
        Self {
            brush_radius: within(saved.brush_radius, *BRUSH_RADII.start(), *BRUSH_RADII.end()),
            opacity: within(saved.opacity, 0.0, 1.0),
            threshold: within(saved.threshold, 0.0, 1.0),
            best: within(saved.best, 0.0, MOST_BEST),
            excluded_radius: within(saved.excluded_radius, 0.0, MOST_EXCLUDED),
            contour: within(saved.contour, -1.0, 1.0),
            ends: saved.ends.map(|end| within(end, -1.0, 1.0)),
            signed_ends: saved.signed_ends.map(|end| within(end, -1.0, 1.0)),
            ..saved
        }
    }

    /// Values of the first and the last colour; `None`: the map's own. Never an empty range.
    pub fn range(&self, has_negative: bool) -> Option<(f32, f32)> {
        let [low, high] = if has_negative { self.signed_ends } else { self.ends };
        (!self.is_stretched).then(|| (low, high.max(low + 0.01)))
    }

    /// Values below are not drawn.
    pub fn shown_from(&self) -> Option<f32> {
        (self.threshold > 0.0).then_some(self.threshold)
    }

    /// Where the contour line is.
    pub fn contour_at(&self) -> Option<f32> {
        self.has_contour.then_some(self.contour)
    }

    /// How many patches are outlined.
    pub fn best_count(&self) -> usize {
        self.best.round().max(0.0) as usize
    }

    /// For the layer over a picture.
    pub fn map_style(&self, has_negative: bool) -> MapStyle {
        MapStyle {
            colormap: self.colormap,
            range: self.range(has_negative),
            threshold: self.shown_from(),
            contour: self.contour_at(),
            is_grey_below: self.is_grey_below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_suits_the_queries_and_is_never_empty() {
        let mut look = Look::default();
        assert_eq!(look.range(false), Some((0.0, 1.0)));
        assert_eq!(look.range(true), Some((-1.0, 1.0)));
        look.ends = [0.8, 0.2];
        assert!(look.range(false).is_some_and(|(low, high)| high > low));
        look.is_stretched = true;
        assert_eq!(look.range(false), None);
    }

    #[test]
    fn settings_of_an_older_version_are_taken_as_far_as_they_are_known() {
        let older = serde_json::json!({"opacity": 0.5, "colormap": "Viridis", "unknown": 1});
        let expected = Look { opacity: 0.5, colormap: Colormap::Viridis, ..Look::default() };
        assert_eq!(Look::from_json(&older), expected);
        let edited = serde_json::json!({"opacity": 7, "best": -3, "brush_radius": 1e9, "ends": [-9, 9]});
        let look = Look::from_json(&edited);
        assert_eq!((look.opacity, look.best, look.brush_radius, look.ends), (1.0, 0.0, 9.75, [-1.0, 1.0]));
        assert_eq!(Look::from_json(&serde_json::json!({"opacity": "much"})), Look::default());
    }
}
