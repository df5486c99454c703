//! Names of output files, and what is written into them about their origin.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use dinoscope_engine::encoder::{Encoder, Provenance};
use dinoscope_engine::features::Geometry;

use super::exit;
use crate::metadata;

/// Endings of names that are meant as files, where a folder is asked for.
const FILE_ENDINGS: [&str; 11] =
    ["png", "jpg", "jpeg", "npy", "npz", "parquet", "ply", "safetensors", "json", "mp4", "webm"];
/// Endings of picture formats that are not written.
const OTHER_PICTURES: [&str; 8] = ["jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif"];

/// Makes the folder that outputs go to.
pub fn create_folder(folder: &Path) -> Result<()> {
    ensure!(
        !folder.exists() || folder.is_dir(),
        "cannot write into {}: it is a file; -o takes a folder here",
        folder.display()
    );
    if !folder.exists() && FILE_ENDINGS.contains(&ending(folder).as_str()) {
        return Err(exit::usage(format!("-o takes a folder here, and {} is the name of a file", folder.display())));
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))
}

/// Refuses pictures that would not be PNG, output files of one name, and what [`check_file`] refuses.
pub fn check_files(picture: Option<&Path>, other: Option<&Path>, inputs: &[&Path]) -> Result<()> {
    if let Some(picture) = picture.filter(|picture| OTHER_PICTURES.contains(&ending(picture).as_str())) {
        return Err(exit::usage(format!("{}: pictures are written as PNG; name it .png", picture.display())));
    }
    if let (Some(picture), Some(other)) = (picture, other)
        && picture == other
        && (picture.is_file() || !picture.exists())
    {
        return Err(exit::usage(format!("{} is named for two outputs: choose another name", other.display())));
    }
    [picture, other].into_iter().flatten().try_for_each(|output| check_file(output, inputs))
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Refuses an output file whose folder is missing, that is a folder, or that is one of the inputs: before any work.
pub fn check_file(output: &Path, inputs: &[&Path]) -> Result<()> {
    if let Some(parent) = output.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        ensure!(
            parent.is_dir(),
            "cannot write {}: there is no folder {}; create it first",
            output.display(),
            parent.display()
        );
    }
    ensure!(!output.is_dir(), "cannot write {}: it is a folder; name a file", output.display());
    refuse_input(output, inputs)
}

/// Refuses to write over an input.
pub fn refuse_input(output: &Path, inputs: &[&Path]) -> Result<()> {
    let Ok(target) = output.canonicalize() else { return Ok(()) };
    if inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == target)) {
        bail!("cannot write {}: it is one of the inputs; choose another name", output.display());
    }
    Ok(())
}

/// A name for the outputs of each input: its stem; `STEM-2` and so on where that is taken, whatever the case of
/// the letters, since some file systems ignore it.
pub fn stems(inputs: &[PathBuf]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut unique = |input: &PathBuf| {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        std::iter::once(stem.clone())
            .chain(numbered)
            .find(|name| taken.insert(name.to_lowercase()))
            .expect("numbers do not run out")
    };
    inputs.iter().map(&mut unique).collect()
}

/// Where an output comes from, for its metadata.
pub struct Origin {
    provenance: Provenance,
    stride: usize,
}

impl Origin {
    /// Of outputs made with this model.
    pub fn of(encoder: &Encoder) -> Self {
        Self { provenance: encoder.provenance().clone(), stride: encoder.config().stride() }
    }

    /// Model, weights hash, device and dtype.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Width and height of the model's input, "1024x768".
    pub fn size(&self, geometry: &Geometry) -> String {
        metadata::input_size(self.stride, geometry)
    }

    /// The pairs that go into a file made from one picture in several parts.
    pub fn metadata_without_size(&self) -> Vec<(&'static str, String)> {
        metadata::of_model(&self.provenance)
    }

    /// The pairs that go into a file made from one picture.
    pub fn metadata(&self, geometry: &Geometry) -> Vec<(&'static str, String)> {
        metadata::of(&self.provenance, self.stride, geometry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_stay_apart() {
        let inputs = ["a/x.png", "b/x.jpg", "c/X.png", "d/x-2.png", "y.tar.gz"].map(PathBuf::from);
        assert_eq!(stems(&inputs), ["x", "x-2", "X-3", "x-2-2", "y.tar"]);
    }

    #[test]
    fn an_input_is_no_output() {
        let message =
            |output: &str| check_file(Path::new(output), &[Path::new("Cargo.toml")]).expect_err("refused").to_string();
        assert!(message("./Cargo.toml").contains("one of the inputs"));
        assert!(message("src").contains("folder"));
        assert!(message("nowhere/out.png").contains("no folder nowhere"));
        check_file(Path::new("out.png"), &[Path::new("Cargo.toml")]).expect("accepted");
    }
}
