//! Folders with a numbered PNG for each frame.

use std::fs;
use std::path::{Path, PathBuf};

use super::{RecordFrame, RecordedClip, Recorder};
use crate::draw::labels::{LabelStyle, cut_out};
use crate::image::write::{write_grey, write_rgba};
use crate::{Error, Result};

fn folder(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path).map_err(Error::io("create", path))?;
    Ok(path.to_path_buf())
}

fn numbered(folder: &Path, frame: usize) -> PathBuf {
    folder.join(format!("{frame:05}.png"))
}

pub struct Masks {
    folder: PathBuf,
}

impl Masks {
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self { folder: folder(path)? })
    }
}

impl Recorder for Masks {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        frame.labels.write(&numbered(&self.folder, frame.frame))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

pub struct CutOuts {
    folder: PathBuf,
    style: LabelStyle,
}

impl CutOuts {
    pub fn create(path: &Path, style: &LabelStyle) -> Result<Self> {
        Ok(Self { folder: folder(path)?, style: style.clone() })
    }
}

impl Recorder for CutOuts {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        let cut = cut_out(frame.picture, frame.labels, &self.style);
        write_rgba(&numbered(&self.folder, frame.frame), (cut.width, cut.height), &cut.rgba)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

pub struct SoftMasks {
    folder: PathBuf,
    objects: Vec<u8>,
}

impl SoftMasks {
    pub fn create(path: &Path, clip: &RecordedClip) -> Result<Self> {
        Ok(Self { folder: folder(path)?, objects: clip.names.iter().map(|(object, _)| *object).collect() })
    }
}

impl Recorder for SoftMasks {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        let labels = frame.labels;
        for &object in &self.objects {
            let soft = match frame.tracked {
                Some((patches, geometry)) => patches.soft_mask(geometry, object),
                None => Some(labels.ids.iter().map(|&id| if id == object { u8::MAX } else { 0 }).collect()),
            };
            let soft = soft.unwrap_or_else(|| vec![0; labels.ids.len()]);
            let folder = folder(&self.folder.join(object.to_string()))?;
            write_grey(&numbered(&folder, frame.frame), (labels.width, labels.height), &soft)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
