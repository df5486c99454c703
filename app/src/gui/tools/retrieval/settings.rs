//! What the tool remembers.

use std::path::{Path, PathBuf};

use dinoscope_engine::dispatch::IndexedPictures;
use dinoscope_engine::image::SizeRule;
use dinoscope_engine::probe::vectors::folder_for;
use serde::{Deserialize, Serialize};

/// Results at most.
pub const MOST: std::ops::RangeInclusive<f32> = 10.0..=200.0;

/// Heights of results, in points.
pub const HEIGHTS: std::ops::RangeInclusive<f32> = 64.0..=256.0;

/// Short sides of the model's input, in pixels.
pub const SIZES: std::ops::RangeInclusive<f32> = 128.0..=1024.0;

/// Pictures that are searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Which.
    pub pictures: IndexedPictures,
    /// Folder of their index.
    pub index: PathBuf,
}

/// What the tool remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Pictures that are searched.
    pub collection: Option<Collection>,
    /// Results at most.
    pub most: f32,
    /// Of a result, in points.
    pub height: f32,
    /// Short side of the model's input for a new index, in pixels.
    pub size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { collection: None, most: 60.0, height: 116.0, size: 384 }
    }
}

impl Settings {
    /// Settings as they were saved, within their ranges; what cannot be read keeps its default.
    pub fn from_json(value: &serde_json::Value) -> Self {
        let mut settings: Self = serde_json::from_value(value.clone()).unwrap_or_default();
        settings.most = settings.most.clamp(*MOST.start(), *MOST.end());
        settings.height = settings.height.clamp(*HEIGHTS.start(), *HEIGHTS.end());
        settings.size = settings.size.clamp(*SIZES.start() as usize, *SIZES.end() as usize);
        settings
    }

    /// Of a new index.
    pub fn size_rule(&self) -> SizeRule {
        SizeRule::ShortSide(self.size)
    }
}

impl Collection {
    /// All pictures of a folder; their index lies beside it.
    pub fn of_folder(folder: &Path) -> Self {
        let index = folder.file_name().map(|name| {
            let mut name = name.to_os_string();
            name.push(".index");
            folder.with_file_name(name)
        });
        let index = index.unwrap_or_else(|| folder_for(&kept(), &folder.to_string_lossy()));
        Self { pictures: IndexedPictures::Below(folder.to_path_buf()), index }
    }

    /// Some files; their index is among what the program keeps.
    pub fn of_files(files: Vec<PathBuf>) -> Self {
        let names: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
        let index = folder_for(&kept(), &names.join("\n"));
        Self { pictures: IndexedPictures::Files(files), index }
    }

    /// What is in an index.
    pub fn of_index(index: &Path) -> Self {
        Self { pictures: IndexedPictures::OfIndex(index.to_path_buf()), index: index.to_path_buf() }
    }

    /// For people.
    pub fn name(&self) -> String {
        let last = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match &self.pictures {
            IndexedPictures::Below(folder) => last(folder),
            IndexedPictures::Files(files) if files.len() == 1 => "1 open picture".to_owned(),
            IndexedPictures::Files(files) => format!("{} open pictures", files.len()),
            IndexedPictures::OfIndex(index) => last(index),
        }
    }

    /// The same pictures with an index of their own for a model and a size: "holiday.vits16.384.index".
    #[must_use]
    pub fn anew(&self, model: &str, size: SizeRule) -> Self {
        let stem = match &self.pictures {
            IndexedPictures::Below(_) | IndexedPictures::OfIndex(_) => self.name(),
            IndexedPictures::Files(_) => {
                self.index.file_stem().unwrap_or(self.index.as_os_str()).to_string_lossy().into_owned()
            }
        };
        let stem = stem.strip_suffix(".index").unwrap_or(&stem);
        let model = model.replace(['/', '\\', ':'], "_");
        let index = self.index.with_file_name(format!("{stem}.{model}.{size}.index"));
        Self { pictures: self.pictures.clone(), index }
    }
}

/// Where indexes are kept that belong beside no folder.
fn kept() -> PathBuf {
    dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("dinoscope").join("indexes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lies_beside_its_folder_as_the_command_line_names_it() {
        let of_folder = Collection::of_folder(Path::new("/home/me/holiday"));
        assert_eq!(
            (of_folder.name().as_str(), of_folder.index.as_path()),
            ("holiday", Path::new("/home/me/holiday.index"))
        );
        let other = of_folder.anew("a/b", SizeRule::ShortSide(512));
        assert_eq!(
            (other.index.as_path(), &other.pictures),
            (Path::new("/home/me/holiday.a_b.512.index"), &of_folder.pictures)
        );
        let of_index = Collection::of_index(Path::new("/data/x.index")).anew("demo", SizeRule::ShortSide(384));
        assert_eq!(of_index.index, Path::new("/data/x.demo.384.index"));
        assert_eq!(of_index.pictures, IndexedPictures::OfIndex("/data/x.index".into()));
        assert!(Collection::of_folder(Path::new("/")).index.starts_with(kept()));
        let files = |names: &[&str]| Collection::of_files(names.iter().map(PathBuf::from).collect());
        assert_ne!(files(&["a", "b"]).index, files(&["a"]).index);
        assert_eq!(files(&["a", "b"]).name(), "2 open pictures");
    }

    #[test]
    fn saved_settings_are_kept_within_bounds() {
        let saved = serde_json::json!({"most": 1e9, "height": 1, "size": 7, "later": 1});
        let expected = Settings { most: 200.0, height: 64.0, size: 128, ..Settings::default() };
        assert_eq!(Settings::from_json(&saved), expected);
        let with = Settings { collection: Some(Collection::of_index(Path::new("x"))), ..Settings::default() };
        assert_eq!(Settings::from_json(&serde_json::to_value(&with).expect("plain data")), with);
    }
}
