//! What the tool remembers.

use std::ops::RangeInclusive;

use dinoscope_engine::text::segment::SHORT_SIDE;
use dinoscope_engine::text::{Mode, Templates};
use serde::{Deserialize, Serialize};

use crate::gui::tools::division::Look;

/// Short sides of the model's input, in pixels.
pub const SIZES: RangeInclusive<f32> = 224.0..=1536.0;

/// Sentences around each phrase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateSet {
    /// CLIP's 80 for ImageNet.
    #[default]
    ImageNet,
    /// The phrase alone.
    Alone,
}

impl From<TemplateSet> for Templates {
    fn from(set: TemplateSet) -> Self {
        match set {
            TemplateSet::ImageNet => Self::imagenet(),
            TemplateSet::Alone => Self::none(),
        }
    }
}

/// What is described at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// The whole picture; scores are cosines.
    #[default]
    Whole,
    /// Windows that overlap; scores are shares of 1.
    Windows,
}

impl From<Coverage> for Mode {
    fn from(coverage: Coverage) -> Self {
        match coverage {
            Coverage::Whole => Self::Whole,
            Coverage::Windows => Self::default(),
        }
    }
}

/// What the tool remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Phrases as they were typed.
    pub text: String,
    /// Sentences around each phrase.
    pub templates: TemplateSet,
    /// What is described at once.
    pub coverage: Coverage,
    /// Short side of the model's input, in pixels.
    pub size: usize,
    /// Whether places that no phrase describes belong to none.
    pub has_background: bool,
    /// Least cosine of a class with a background, for the whole picture.
    pub least_cosine: f32,
    /// Likewise the least share, for windows.
    pub least_share: f32,
    /// Of the classes.
    #[serde(flatten)]
    pub look: Look,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            text: String::new(),
            templates: TemplateSet::default(),
            coverage: Coverage::default(),
            size: SHORT_SIDE,
            has_background: false,
            least_cosine: 0.1,
            least_share: 0.5,
            look: Look::default(),
        }
    }
}

impl Settings {
    /// Settings as they were saved, within their ranges; what cannot be read keeps its default.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let mut settings: Self = serde_json::from_value(value.clone()).unwrap_or_default();
        settings.look = settings.look.bounded();
        settings.size = settings.size.clamp(*SIZES.start() as usize, *SIZES.end() as usize);
        settings
    }

    /// The score that a class needs not to be background.
    pub fn background(&self) -> Option<f32> {
        let least = match self.coverage {
            Coverage::Whole => self.least_cosine,
            Coverage::Windows => self.least_share,
        };
        self.has_background.then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_settings_are_kept_within_bounds() {
        let saved = serde_json::json!({"text": "cat", "opacity": 7, "size": 9, "opacities": {"cat": -1}, "later": 1});
        let settings = Settings::from_json(&saved);
        assert_eq!((settings.text.as_str(), settings.look.opacity, settings.size), ("cat", 1.0, 224));
        assert_eq!((settings.look.opacity_of("cat"), settings.look.opacity_of("dog")), (0.0, 1.0));
        assert_eq!(Settings::from_json(&serde_json::json!({"size": "large"})), Settings::default());
    }

    #[test]
    fn each_coverage_has_its_own_background() {
        let mut settings = Settings::default();
        assert_eq!(settings.background(), None);
        settings.has_background = true;
        assert_eq!(settings.background(), Some(settings.least_cosine));
        settings.coverage = Coverage::Windows;
        assert_eq!(settings.background(), Some(settings.least_share));
    }
}
