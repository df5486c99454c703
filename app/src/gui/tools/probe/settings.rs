//! What the tool remembers.

use dinoscope_engine::draw::Colormap;
use dinoscope_engine::probe::apply::ApplyOptions;
use serde::{Deserialize, Serialize};

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
