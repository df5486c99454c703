//! Other containers and codecs, by an `ffmpeg` on the path.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{FrameSink, RecordingFormat};
use crate::image::Picture;
use crate::video::VideoError;
use crate::{Error, Result};

pub struct FfmpegSink {
    target: PathBuf,
    partial: PathBuf,
    /// `None` once it has ended.
    child: Option<Child>,
}

impl FfmpegSink {
    pub fn create(path: &Path, format: &RecordingFormat) -> Result<Self> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!("{stem}.partial.{ending}"));
        let size = format!("{}x{}", format.width, format.height);
        let rate = format!("{:.6}", format.timeline.mean_fps());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
        command.args(["-s", &size, "-r", &rate, "-i", "pipe:0"]);
        if let Some(sound) = &format.sound_from {
            command.arg("-i").arg(sound).args(["-map", "0:v:0", "-map", "1:a:0?"]);
        }
        command.arg(&partial).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VideoError::Recording {
                path: path.to_path_buf(),
                reason: format!(".{ending} needs ffmpeg, which is not on the PATH: install it, or name the file .mp4"),
            },
            _ => VideoError::Recording { path: path.to_path_buf(), reason: error.to_string() },
        })?;
        Ok(Self { target: path.to_path_buf(), partial, child: Some(child) })
    }

    /// Waits for ffmpeg; what it said, where it has failed.
    fn end(&mut self) -> Result<()> {
        let Some(child) = self.child.take() else { return Ok(()) };
        let output = child.wait_with_output().map_err(Error::io("write", &self.target))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = format!("ffmpeg: {}", said.lines().last().unwrap_or("it has failed"));
        Err(VideoError::Recording { path: self.target.clone(), reason }.into())
    }
}

impl FrameSink for FfmpegSink {
    fn push(&mut self, frame: &Picture) -> Result<()> {
        let input = self.child.as_mut().and_then(|child| child.stdin.as_mut());
        let written = input.map_or(Err(io::ErrorKind::BrokenPipe.into()), |input| input.write_all(&frame.rgb));
        match written {
            Ok(()) => Ok(()),
            // Its own words say more than that it is gone.
            Err(error) => self.end().and(Err(Error::io("write", &self.target)(error))),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        drop(self.child.as_mut().and_then(|child| child.stdin.take()));
        self.end()?;
        fs::rename(&self.partial, &self.target).map_err(Error::io("write", &self.target))
    }
}

impl Drop for FfmpegSink {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_file(&self.partial);
    }
}
