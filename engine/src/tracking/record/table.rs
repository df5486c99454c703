//! One file about all frames: COCO's JSON, and a CSV table.

use std::path::{Path, PathBuf};

use super::{RecordFrame, RecordedClip, Recorder};
use crate::output::write_atomically;
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

pub struct Table {
    path: PathBuf,
    clip: RecordedClip,
    table: RegionTable<Vec<u8>>,
}

impl Table {
    pub fn new(path: &Path, clip: &RecordedClip) -> Result<Self> {
        let table = RegionTable::new(Vec::new()).map_err(Error::io("write", path))?;
        Ok(Self { path: path.to_path_buf(), clip: clip.clone(), table })
    }
}

impl Recorder for Table {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        let seconds = self.clip.info.timeline.start_secs(frame.frame);
        let name = |object| self.clip.name(object);
        self.table.add(frame.frame, seconds, frame.labels, name).map_err(Error::io("write", &self.path))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { path, table, .. } = *self;
        let text = table.into_writer().map_err(Error::io("write", &path))?;
        write_atomically(&path, |writer| writer.write_all(&text))
    }
}
