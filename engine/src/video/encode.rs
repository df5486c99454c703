//! Features of a clip's frames: decoding runs beside the model.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use super::{Video, VideoError};
use crate::encoder::Encoder;
use crate::features::FeatureGrid;
use crate::image::{Picture, Pixels, Preprocessing};
use crate::tracking::FrameFeatures;
use crate::{Cancel, Error, Result};

/// Frames that are decoded ahead of the model.
const AHEAD: usize = 2;

/// A frame with its features.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// Its place in the clip.
    pub frame: usize,
    /// Its pixels, where it had to be decoded.
    pub picture: Option<Arc<Picture>>,
    /// As `prepare` has made them.
    pub features: Arc<FeatureGrid>,
}

/// How frames are encoded.
pub struct FrameEncoder<'a> {
    /// The model.
    pub encoder: &'a mut Encoder,
    /// Of every frame.
    pub preprocessing: Preprocessing,
    /// What was encoded before, and takes what is encoded now.
    pub store: &'a mut FrameFeatures,
    /// Last step before features are stored: [`crate::analysis::unit`], or nothing.
    pub prepare: fn(FeatureGrid) -> Result<FeatureGrid>,
}

/// What the decoding thread brings.
type Decoded = Result<(usize, Arc<Picture>, Pixels)>;

impl FrameEncoder<'_> {
    /// Gives the features of `frames`, in that order, to `take`. Those in the store are not encoded again; `video` is
    /// read on a thread of its own, a few frames ahead.
    ///
    /// # Errors
    /// Those of [`Video::frame`], [`Preprocessing::apply`], [`Encoder::forward`] and `take`;
    /// [`crate::analysis::AnalysisError::NotFinite`] for features that are no numbers.
    pub fn run(
        &mut self,
        video: &mut Video,
        frames: &[usize],
        cancel: &Cancel,
        take: &mut dyn FnMut(EncodedFrame) -> Result<()>,
    ) -> Result<()> {
        let (preprocessing, stride) = (self.preprocessing, self.encoder.config().stride());
        let path = video.info().path.clone();
        thread::scope(|scope| {
            let (ask, questions) = channel();
            let (give, decoded) = sync_channel(AHEAD);
            scope.spawn(move || decode(video, &preprocessing, stride, cancel, &questions, &give));
            // Answers come in the order of the questions.
            let mut asked: VecDeque<usize> = VecDeque::new();
            for (place, &frame) in frames.iter().enumerate() {
                cancel.check()?;
                let is_asked = asked.front() == Some(&frame);
                let stored = if is_asked { None } else { self.store.get(frame)? };
                let missing = (stored.is_none() && !is_asked).then_some(frame);
                let soon = frames[place + 1..].iter().take(AHEAD).copied().filter(|&next| !self.store.contains(next));
                for next in missing.into_iter().chain(soon) {
                    if !asked.contains(&next) && ask.send(next).is_ok() {
                        asked.push_back(next);
                    }
                }
                take(match stored {
                    Some(features) => EncodedFrame { frame, picture: None, features },
                    None => {
                        asked.pop_front();
                        let ended = || Error::from(VideoError::frame(&path, frame, "its decoder has ended"));
                        self.encode(decoded.recv().map_err(|_| ended())??, cancel)?
                    }
                })?;
            }
            Ok(())
        })
    }

    fn encode(
        &mut self,
        (frame, picture, pixels): (usize, Arc<Picture>, Pixels),
        cancel: &Cancel,
    ) -> Result<EncodedFrame> {
        let encoded = self.encoder.forward(&pixels, &[], cancel)?;
        let features = Arc::new((self.prepare)(encoded.output.patch)?);
        self.store.insert(frame, Arc::clone(&features));
        Ok(EncodedFrame { frame, picture: Some(picture), features })
    }
}

fn decode(
    video: &mut Video,
    preprocessing: &Preprocessing,
    stride: usize,
    cancel: &Cancel,
    questions: &Receiver<usize>,
    answers: &SyncSender<Decoded>,
) {
    for frame in questions {
        let decoded = video.frame(frame, cancel).and_then(|picture| {
            let (pixels, _) = preprocessing.apply(&picture, stride)?;
            Ok((frame, picture, pixels))
        });
        // Nobody waits any more once the other side has failed.
        if answers.send(decoded).is_err() {
            return;
        }
    }
}
