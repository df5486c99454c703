//! Frames with their objects coloured, as a video.

use std::path::Path;

use super::{RecordFrame, RecordedClip, Recorder};
use crate::Result;
use crate::draw::labels::{LabelStyle, beside, labels_over_picture};
use crate::video::record::{FrameSink, RecordingFormat, SoundSource, create};

pub struct Overlay {
    sink: Box<dyn FrameSink>,
    style: LabelStyle,
    is_beside: bool,
}

impl Overlay {
    pub fn create(path: &Path, clip: &RecordedClip, style: &LabelStyle, is_beside: bool) -> Result<Self> {
        let width = clip.info.width * if is_beside { 2 } else { 1 };
        let format = RecordingFormat {
            sound: Some(SoundSource::of(&clip.info, clip.span)),
            ..RecordingFormat::new(width, clip.info.height, clip.timeline())
        };
        Ok(Self { sink: create(path, format)?, style: style.clone(), is_beside })
    }
}

impl Recorder for Overlay {
    fn add(&mut self, frame: &RecordFrame<'_>) -> Result<()> {
        let drawn = labels_over_picture(frame.picture, frame.labels, &self.style);
        let shown = if self.is_beside { beside(frame.picture, &drawn) } else { drawn };
        self.sink.push(&shown, None)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sink.finish()
    }

    fn abandon(self: Box<Self>) {
        self.sink.abandon();
    }
}
