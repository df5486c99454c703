//! What is remembered from one start to the next.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Memory for features where nothing else was chosen.
const DEFAULT_CACHE_MB: usize = 2048;

/// Files remembered.
const MOST_RECENT: usize = 12;

/// Dark, light or as the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThemeChoice {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
    /// As the system.
    System,
}

impl From<ThemeChoice> for egui::ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::System => Self::System,
        }
    }
}

/// What is remembered from one start to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark, light or as the system.
    pub theme: ThemeChoice,
    /// Files opened last, newest first.
    pub recent: Vec<PathBuf>,
    /// Memory for features, in MB.
    pub cache_mb: usize,
    /// Magnification of the whole window.
    pub zoom: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { theme: ThemeChoice::Dark, recent: Vec::new(), cache_mb: DEFAULT_CACHE_MB, zoom: 1.0 }
    }
}

impl Settings {
    /// Memory for features, in bytes.
    pub fn cache_bytes(&self) -> usize {
        self.cache_mb << 20
    }

    /// Puts a file in front of the recent ones.
    pub fn remember(&mut self, path: &Path) {
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_path_buf());
        self.recent.truncate(MOST_RECENT);
    }
}
