//! One file about all frames: COCO's JSON, and a CSV table.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{RecordFrame, RecordedClip, Recorder};
use crate::output::{persist, temporary_beside};
use crate::tracking::export::{CocoWriter, RegionTable};
use crate::{Error, Result};

pub struct Coco {
    path: PathBuf,
    names: Vec<(u8, String)>,
    writer: CocoWriter,
}

impl Coco {
    pub fn new(path: &Path, clip: &RecordedClip) -> Self {
        Self { path: path.to_path_buf(), names: clip.names.clone(), writer: CocoWriter::default() }
    }
}

impl Recorder for Coco {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        self.writer.add(frame.frame, &format!("{:05}.png", frame.frame), frame.labels);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.write(&self.path, &self.names)
    }
}
