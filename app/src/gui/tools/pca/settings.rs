//! What the tool remembers.

use serde::{Deserialize, Serialize};

/// Components or clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Display {
    /// Principal components.
    #[default]
    Components,
    /// K-means.
    Clusters,
}

/// How scores become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Colouring {
    /// Three components as red, green and blue.
    #[default]
    Rainbow,
    /// One component from blue through white to red.
    Single,
}

/// What lies outside of the foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Background {
    /// Black, as in the reference.
    #[default]
    Black,
    /// The picture.
    Picture,
}

/// Least and greatest number of clusters.
pub const CLUSTERS: (usize, usize) = (2, 20);

/// What the tool remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Components or clusters.
    pub display: Display,
    /// How scores become colours.
    pub colouring: Colouring,
    /// Components as red, green and blue, from 0.
    pub rainbow: [usize; 3],
    /// The component of [`Colouring::Single`], from 0.
    pub single: usize,
    /// What lies outside of the foreground.
    pub background: Background,
    /// 1: the colours alone.
    pub opacity: f32,
    /// From patch to patch without edges.
    pub is_smooth: bool,
    /// All open pictures side by side.
    pub shows_all: bool,
    /// One basis, or one set of clusters, for all open pictures.
    pub is_joint: bool,
    /// Signs of components stay from picture to picture.
    pub keeps_signs: bool,
    /// Number of clusters.
    pub clusters: usize,
    /// Clusters compare directions rather than positions.
    pub compares_directions: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            display: Display::default(),
            colouring: Colouring::default(),
            rainbow: [0, 1, 2],
            single: 0,
            background: Background::default(),
            opacity: 1.0,
            is_smooth: true,
            shows_all: false,
            is_joint: false,
            keeps_signs: true,
            clusters: 8,
            compares_directions: true,
        }
    }
}

impl Settings {
    /// Settings as [`super::Pca`] saved them, within their ranges.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        let mut settings: Self = serde_json::from_value(value.clone()).ok()?;
        settings.opacity = settings.opacity.clamp(0.0, 1.0);
        settings.clusters = settings.clusters.clamp(CLUSTERS.0, CLUSTERS.1);
        Some(settings)
    }

    /// Components that are shown, from 0: three, or one.
    pub fn shown(&self) -> &[usize] {
        match self.colouring {
            Colouring::Rainbow => &self.rainbow,
            Colouring::Single => std::slice::from_ref(&self.single),
        }
    }

    /// The same where only so many components are there.
    pub fn shown_of(&self, fitted: usize) -> Vec<usize> {
        self.shown().iter().map(|&index| index.min(fitted.saturating_sub(1))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_missing_settings_keep_the_rest() {
        let saved = serde_json::json!({"opacity": 7.0, "clusters": 1, "rainbow": [3, 4, 5], "later": true});
        let settings = Settings::from_json(&saved).unwrap();
        assert_eq!(settings, Settings { clusters: 2, rainbow: [3, 4, 5], ..Settings::default() });
        assert_eq!(settings.shown_of(5), [3, 4, 4]);
        assert_eq!(Settings::from_json(&serde_json::Value::Null), None);
    }
}
