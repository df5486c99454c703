//! What the tool remembers.

use std::ops::RangeInclusive;

use dinoscope_engine::draw::Colormap;
use dinoscope_engine::probe::apply::ApplyOptions;
use serde::{Deserialize, Serialize};

use super::brush::SIZES;

/// Decimal logarithms of C.
pub const STRENGTHS: RangeInclusive<f32> = -6.0..=4.0;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Display {
    /// How probable the class is that is painted; of several classes the likeliest, as strong as it is probable.
    #[default]
    Probability,
    /// The likeliest class.
    Classes,
    /// Where classes are nearly equal.
    Uncertainty,
}

/// What the tool remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is shown.
    pub display: Display,
    /// Of the layer.
    pub opacity: f32,
    /// Least probability that is drawn; 0: all are.
    pub threshold: f32,
    /// A median over 3×3 patches.
    pub has_median: bool,
    /// Brought to pixels along the picture's edges.
    pub follows_edges: bool,
    /// All open pictures side by side.
    pub shows_all: bool,
    /// Diameter of the brush in patches.
    pub brush: f32,
    /// The decimal logarithm of C.
    pub strength: f32,
    /// Of probabilities.
    pub colormap: Colormap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            display: Display::default(),
            opacity: 0.6,
            threshold: 0.0,
            has_median: false,
            follows_edges: false,
            shows_all: false,
            brush: 3.0,
            strength: 0.0,
            colormap: Colormap::default(),
        }
    }
}

impl Settings {
    /// Settings as they were saved, within their ranges; what cannot be read keeps its default.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let mut settings: Self = serde_json::from_value(value.clone()).unwrap_or_default();
        settings.opacity = settings.opacity.clamp(0.0, 1.0);
        settings.threshold = settings.threshold.clamp(0.0, 1.0);
        settings.brush = settings.brush.clamp(*SIZES.start(), *SIZES.end());
        settings.strength = settings.strength.clamp(*STRENGTHS.start(), *STRENGTHS.end());
        settings
    }

    /// What the worker does with probabilities.
    pub fn options(&self) -> ApplyOptions {
        ApplyOptions { has_median: self.has_median, follows_edges: self.follows_edges }
    }

    /// Probabilities below are not drawn.
    pub fn shown_from(&self) -> Option<f32> {
        (self.threshold > 0.0 && self.display != Display::Uncertainty).then_some(self.threshold)
    }

    /// Inverse of the strength of regularisation.
    pub fn c(&self) -> f64 {
        10f64.powf(f64::from(self.strength))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_settings_are_kept_within_bounds() {
        let saved = serde_json::json!({"strength": 900, "brush": -1, "opacity": 3, "threshold": 2, "later": 1});
        let Settings { strength, brush, opacity, threshold, .. } = Settings::from_json(&saved);
        assert_eq!((strength, brush, opacity, threshold), (4.0, 1.5, 1.0, 1.0));
        assert_eq!(Settings::from_json(&serde_json::json!({"brush": "large"})), Settings::default());
    }
}
