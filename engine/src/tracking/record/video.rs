//! Frames with their objects coloured, as a video.

use std::path::Path;

use super::{RecordFrame, RecordedClip, Recorder};
use crate::Result;
use crate::draw::labels::{LabelStyle, beside, labels_over_picture};
use crate::video::{FrameSink, RecordingFormat, create};

pub struct Overlay {
    sink: Box<dyn FrameSink>,
    style: LabelStyle,
    is_beside: bool,
}

impl Overlay {
    pub fn create(path: &Path, clip: &RecordedClip, style: &LabelStyle, is_beside: bool) -> Result<Self> {
        let width = clip.info.width * if is_beside { 2 } else { 1 };
        let is_whole = clip.span == (0, clip.info.timeline.len().saturating_sub(1));
        let format = RecordingFormat {
            // Sound belongs to the whole clip.
            sound_from: is_whole.then(|| clip.info.path.clone()),
            ..RecordingFormat::new(width, clip.info.height, clip.timeline())
        };
        Ok(Self { sink: create(path, format)?, style: style.clone(), is_beside })
    }
}

impl Recorder for Overlay {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        let drawn = labels_over_picture(frame.picture, frame.labels, &self.style);
        let shown = if self.is_beside { beside(frame.picture, &drawn) } else { drawn };
        self.sink.push(&shown)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sink.finish()
    }
}
