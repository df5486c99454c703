//! What is remembered of the tool.

use serde::{Deserialize, Serialize};

/// What is drawn over the two pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Display {
    /// Every patch in its colour.
    Dense,
    /// Some of the pairs.
    Lines,
    /// Both.
    #[default]
    Both,
    /// Nothing.
    Pictures,
}

impl Display {
    /// In the order of the panel.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Dense, "Dense"), (Self::Lines, "Lines"), (Self::Both, "Both"), (Self::Pictures, "None")];

    /// Whether patches are coloured.
    pub fn has_colours(self) -> bool {
        matches!(self, Self::Dense | Self::Both)
    }

    /// Whether pairs are lines.
    pub fn has_lines(self) -> bool {
        matches!(self, Self::Lines | Self::Both)
    }
}

/// Everything that a person can set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is drawn.
    pub display: Display,
    /// Only pairs that are each other's nearest.
    pub is_mutual: bool,
    /// Only pairs of at least this cosine; 0: all.
    pub least_score: f32,
    /// Between the left ends of lines, in pixels of the left picture; `None`: what suits the pictures' size.
    pub line_distance: Option<f32>,
    /// Of the colours.
    pub opacity: f32,
    /// Colours from patch to patch instead of one for each.
    pub is_smooth: bool,
    /// Whether the other side shows what is like the patch that is pointed at.
    pub has_map: bool,
    /// Whether that map's colours span its own least and greatest cosine instead of 0 to 1.
    pub is_map_stretched: bool,
}

/// See [`Settings::opacity`].
pub const USUAL_OPACITY: f32 = 0.7;

impl Default for Settings {
    fn default() -> Self {
        Self {
            display: Display::default(),
            is_mutual: true,
            least_score: 0.0,
            line_distance: None,
            opacity: USUAL_OPACITY,
            is_smooth: false,
            has_map: true,
            is_map_stretched: false,
        }
    }
}

impl Settings {
    /// Settings as they were saved, within their ranges; what cannot be read keeps its default.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let saved: Self = serde_json::from_value(value.clone()).unwrap_or_default();
        Self {
            least_score: saved.least_score.clamp(0.0, 1.0),
            line_distance: saved.line_distance.filter(|distance| distance.is_finite() && *distance >= 0.0),
            opacity: saved.opacity.clamp(0.0, 1.0),
            ..saved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_unknown_keeps_its_default() {
        let saved =
            serde_json::json!({"least_score": 0.5, "display": "Lines", "opacity": 9, "colour_of_the_sky": "blue"});
        let expected = Settings { least_score: 0.5, display: Display::Lines, opacity: 1.0, ..Settings::default() };
        assert_eq!(Settings::from_json(&saved), expected);
        assert_eq!(Settings::from_json(&serde_json::json!({"line_distance": -3.0})), Settings::default());
    }
}
