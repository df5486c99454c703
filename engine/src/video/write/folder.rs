//! Numbered pictures in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::FrameSink;
use crate::image::Picture;
use crate::image::write::write_picture;
use crate::{Error, Result};

pub struct Pictures {
    folder: PathBuf,
    next: usize,
}

impl Pictures {
    pub fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        Ok(Self { folder: path.to_path_buf(), next: 0 })
    }
}

impl FrameSink for Pictures {
    fn push(&mut self, frame: &Picture) -> Result<()> {
        write_picture(&self.folder.join(format!("{:05}.png", self.next)), frame, &[])?;
        self.next += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
