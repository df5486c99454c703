//! What is remembered from one start to the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dinoscope_engine::dispatch::ModelChoice;
use dinoscope_engine::image::SizeRule;
use serde::{Deserialize, Serialize};

use super::heads::HeadFiles;
use super::tools::ToolKind;

/// Memory for features where nothing else was chosen.
const DEFAULT_CACHE_MB: usize = 2048;

/// Files remembered.
const MOST_RECENT: usize = 12;

/// Name of the file in the folder of settings.
pub const FILE: &str = "settings.json";

/// Where a file goes that could not be understood.
const BROKEN_FILE: &str = "settings.broken.json";

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
    /// Checkpoints on this machine that were used last, newest first.
    pub checkpoints: Vec<PathBuf>,
    /// dino.txt's weights that were used last.
    pub dinotxt: Option<PathBuf>,
    /// Weights of published heads that were used last.
    pub heads: HeadFiles,
    /// Memory for features, in MB.
    pub cache_mb: usize,
    /// Magnification of the whole window.
    pub zoom: f32,
    /// Width and height of the window, in points.
    pub window: [f32; 2],
    /// Whether it fills the screen.
    pub is_maximized: bool,
    /// Folder that was written to last.
    pub folder: Option<PathBuf>,
    /// The model used last.
    pub model: Option<ModelChoice>,
    /// Size of its input.
    pub size: Option<SizeRule>,
    /// The tool used last.
    pub tool: ToolKind,
    /// Settings of each tool.
    pub tools: BTreeMap<String, serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::Dark,
            recent: Vec::new(),
            checkpoints: Vec::new(),
            dinotxt: None,
            heads: HeadFiles::new(),
            cache_mb: DEFAULT_CACHE_MB,
            zoom: 1.0,
            window: [1280.0, 800.0],
            is_maximized: false,
            folder: None,
            model: None,
            size: None,
            tool: ToolKind::default(),
            tools: BTreeMap::new(),
        }
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

    /// Puts a checkpoint in front of the recent ones.
    pub fn remember_checkpoint(&mut self, path: &Path) {
        self.checkpoints.retain(|known| known != path);
        self.checkpoints.insert(0, path.to_path_buf());
        self.checkpoints.truncate(MOST_RECENT);
    }

    /// What was remembered in a folder, or the defaults; the second is one sentence where the file is damaged.
    pub fn read(folder: &Path) -> (Self, Option<String>) {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => {
                let sentence = format!("The settings in {} cannot be read: {error}", path.display());
                return (Self::default(), Some(sentence));
            }
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(settings) => (settings.sane(), None),
            Err(error) => {
                log::warn!("{}: {error}", path.display());
                let kept = folder.join(BROKEN_FILE);
                let sentence = match std::fs::rename(&path, &kept) {
                    Ok(()) => {
                        format!("The settings were damaged and start afresh; {} keeps the old file", kept.display())
                    }
                    Err(_) => "The settings were damaged and start afresh".to_owned(),
                };
                (Self::default(), Some(sentence))
            }
        }
    }

    /// Numbers that somebody has edited by hand, within bounds.
    fn sane(mut self) -> Self {
        let within = |value: f32, least: f32, most: f32, default: f32| {
            if value.is_finite() { value.clamp(least, most) } else { default }
        };
        self.zoom = within(self.zoom, 0.5, 3.0, 1.0);
        self.window = [within(self.window[0], 880.0, 8192.0, 1280.0), within(self.window[1], 560.0, 8192.0, 800.0)];
        self.cache_mb = self.cache_mb.clamp(64, 1 << 20);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Settings::read(folder.path()), (Settings::default(), None), "the first start is no failure");
        let mut settings = Settings { zoom: 1.5, size: Some(SizeRule::ShortSide(512)), ..Settings::default() };
        settings.remember(Path::new("/a.png"));
        settings.remember(Path::new("/b.png"));
        settings.remember(Path::new("/a.png"));
        assert_eq!(settings.recent, [Path::new("/a.png"), Path::new("/b.png")]);
        std::fs::write(folder.path().join(FILE), serde_json::to_string(&settings).expect("JSON")).expect("written");
        assert_eq!(Settings::read(folder.path()), (settings, None));
    }

    #[test]
    fn a_damaged_file_is_kept_and_told() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "{\"zoom\": \"big\"").expect("written");
        let (settings, sentence) = Settings::read(folder.path());
        assert_eq!(settings, Settings::default());
        assert!(sentence.expect("a sentence").contains(BROKEN_FILE));
        assert!(folder.path().join(BROKEN_FILE).exists());
    }

    #[test]
    fn what_is_missing_or_mad_gets_its_default() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), r#"{"zoom": 900, "window": [1, 1], "future": true}"#)
            .expect("written");
        let (settings, sentence) = Settings::read(folder.path());
        assert_eq!((settings.zoom, settings.window, sentence), (3.0, [880.0, 560.0], None));
    }
}
