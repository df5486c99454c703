//! Recording to a folder of numbered PNG pictures, which may be transparent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::partial::free_name;
use super::{FrameSink, RecordingFormat, check_frame};
use crate::Result;
use crate::image::Picture;
use crate::output::write_atomically;
use crate::video::VideoError;

/// Writes `00000.png`, `00001.png` and so on into a new folder, which takes the place of an older recording at the end.
pub struct PictureSink {
    format: RecordingFormat,
    target: PathBuf,
    partial: PathBuf,
    pushed: usize,
    is_over: bool,
}

impl PictureSink {
    /// # Errors
    /// Where the folder cannot be created, or holds anything but an older recording.
    pub fn create(path: &Path, format: RecordingFormat) -> Result<Self> {
        let failed = |error: io::Error| VideoError::not_written_io(path, &error);
        if path.exists() && !is_recording(path).map_err(failed)? {
            let reason = "the folder holds other files; choose a new one";
            return Err(VideoError::not_written(path, reason).into());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let (partial, ()) = free_name(path, |path| fs::create_dir(path)).map_err(failed)?;
        Ok(Self { format, target: path.to_path_buf(), partial, pushed: 0, is_over: false })
    }

    fn try_finish(&self) -> io::Result<()> {
        if self.target.exists() {
            // Looked at again: it may have changed since.
            if !is_recording(&self.target)? {
                return Err(io::Error::other("the folder holds other files"));
            }
            fs::remove_dir_all(&self.target)?;
        }
        fs::rename(&self.partial, &self.target)
    }

    fn fail(&mut self, error: &io::Error) -> VideoError {
        self.is_over = true;
        let kept = if self.pushed > 0 {
            Some((self.partial.clone(), self.pushed))
        } else {
            _ = fs::remove_dir_all(&self.partial);
            None
        };
        VideoError::not_written_io(&self.target, error).keeping(kept)
    }
}

/// Whether a folder holds nothing but numbered PNG pictures.
fn is_recording(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".png"));
        if !number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl FrameSink for PictureSink {
    fn push(&mut self, frame: &Picture, alpha: Option<&[u8]>) -> Result<()> {
        check_frame(&self.target, &self.format, self.pushed, frame, None)?;
        if alpha.is_some_and(|alpha| alpha.len() != frame.width * frame.height) {
            return Err(VideoError::not_written(&self.target, "transparency has another size than its frame").into());
        }
        let path = self.partial.join(format!("{:05}.png", self.pushed));
        let written = write_atomically(&path, |writer| {
            let mut encoder = png::Encoder::new(writer, frame.width as u32, frame.height as u32);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_compression(png::Compression::Fast);
            encoder.set_color(if alpha.is_some() { png::ColorType::Rgba } else { png::ColorType::Rgb });
            let mut writer = encoder.write_header()?;
            match alpha {
                None => writer.write_image_data(&frame.rgb)?,
                Some(alpha) => writer.write_image_data(&with_alpha(&frame.rgb, alpha))?,
            }
            writer.finish()?;
            Ok(())
        });
        match written {
            Err(crate::Error::Io { source, .. }) => return Err(self.fail(&source).into()),
            written => written?,
        }
        self.pushed += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.try_finish().map_err(|error| self.fail(&error))?;
        self.is_over = true;
        Ok(())
    }

    fn abandon(mut self: Box<Self>) {
        self.is_over = true;
        // There is nobody left to tell.
        _ = fs::remove_dir_all(&self.partial);
    }
}

impl Drop for PictureSink {
    fn drop(&mut self) {
        if !self.is_over {
            self.fail(&io::Error::other("it was not finished"));
        }
    }
}

/// `[height, width, 4]`
fn with_alpha(rgb: &[u8], alpha: &[u8]) -> Vec<u8> {
    rgb.as_chunks().0.iter().zip(alpha).flat_map(|(&[r, g, b], &a)| [r, g, b, a]).collect()
}
