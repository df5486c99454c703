//! Cameras that are open: which frame is shown, and which comes next.
//!
//! A frame stays on the canvas until the next one is encoded and the tool is done with it, so that what lies over a
//! picture always belongs to it. One frame is encoded at a time, the newest; none waits behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::camera::{CameraInfo, LiveFrame};
use dinoscope_engine::dispatch::{PictureId, PictureSource};
use egui::Context;

use super::clips::small_texture;
use super::{ModelState, Shared};
use crate::gui::documents::{Content, Loaded, Origin};
use crate::gui::live::{Coming, LiveView};
use crate::gui::tools::Tool;

impl Shared {
    /// Looks through a camera; one that is open already goes on.
    pub fn open_camera(&mut self, camera: CameraInfo) -> PictureId {
        let is_known = |live: &LiveView| live.camera.id == camera.id;
        let known = self.documents.iter().find(|document| document.live.as_ref().is_some_and(is_known));
        let id = known.map(|document| document.id).unwrap_or_else(|| {
            let id = self.documents.add(format!("Camera {}", camera.name), Origin::Camera);
            if let Some(document) = self.documents.get_mut(id) {
                document.live = Some(LiveView::new(camera));
            }
            id
        });
        self.switch_camera(id, true);
        id
    }

    /// Switches a camera on or off; its last frame stays.
    pub fn switch_camera(&mut self, picture: PictureId, on: bool) {
        let gpu = self.gpu().clone();
        let Some(live) = self.documents.get_mut(picture).and_then(|document| document.live.as_mut()) else { return };
        match &self.cameras {
            Some(port) if on && !live.is_on() => live.switch_on(port, gpu),
            Some(_) if on => {}
            _ => live.switch_off(),
        }
    }

    /// Switches the camera that is worked on on or off; whether there is one.
    pub fn toggle_camera(&mut self) -> bool {
        let active = self.documents.active();
        let Some((id, is_on)) = active.and_then(|it| Some((it.id, it.live.as_ref()?.is_on()))) else { return false };
        self.switch_camera(id, !is_on);
        true
    }

    /// Opens the frame of a camera that is on the canvas as a picture of its own.
    pub fn keep_frame(&mut self, picture: PictureId) {
        let Some(document) = self.documents.get(picture) else { return };
        let Some(loaded) = document.loaded() else { return };
        let (name, pixels) = (format!("{}, frame {}", document.name, document.id.frame()), Arc::clone(&loaded.pixels));
        self.open(name, Origin::Clipboard, PictureSource::Pixels(pixels));
    }

    /// Frames of the cameras among `shown` that are to be encoded, to be shown then.
    pub fn coming_frames(&self, shown: &[PictureId]) -> Vec<PictureId> {
        let live = shown.iter().filter_map(|&id| self.documents.get(id)?.live.as_ref());
        live.filter_map(|live| Some(live.coming()?.picture)).collect()
    }

    /// Shows the newest frames of the cameras among `shown` that are ready to be, and takes the next ones; of others
    /// their first frame. When to look again, where no event tells.
    pub fn follow_cameras(&mut self, context: &Context, shown: &[PictureId], tool: &dyn Tool) -> Option<Duration> {
        let mut again: Option<Duration> = None;
        let is_shown = |id: PictureId| shown.iter().any(|shown| shown.document() == id.document());
        let live = self.documents.iter().filter(|document| document.live.is_some());
        let followed = live.filter(|document| is_shown(document.id) || matches!(document.content, Content::Loading));
        let followed: Vec<PictureId> = followed.map(|document| document.id).collect();
        for id in followed {
            let coming = self.documents.get(id).and_then(|document| document.live.as_ref()?.coming());
            if let Some((picture, patience)) = coming.map(|coming| (coming.picture, coming.patience())) {
                let is_encoding = tool.needs_features() && self.is_awaited(picture);
                if is_encoding || (tool.is_behind(self, picture) && !patience.is_zero()) {
                    again = again.into_iter().chain((!is_encoding).then_some(patience)).min();
                    continue;
                }
                let released = self.documents.get_mut(id).and_then(|document| document.live.as_mut()?.release());
                released.into_iter().for_each(|coming| self.show_frame(coming));
            }
            match self.documents.get(id).and_then(|document| document.live.as_ref()?.take()) {
                Some(Ok(frame)) => self.take_live(context, id, frame, tool),
                Some(Err(error)) => self.camera_failed(id, &error.to_string()),
                None => {}
            }
        }
        self.documents.welcome();
        again
    }

    fn take_live(&mut self, context: &Context, id: PictureId, frame: LiveFrame, tool: &dyn Tool) {
        let LiveFrame { pixels, texture, thumbnail } = frame;
        let Some(texture) = texture else {
            self.camera_failed(id, "The graphics device could not take this picture");
            return;
        };
        let Some(document) = self.documents.get_mut(id) else { return };
        let is_first = document.loaded().is_none();
        let Some(live) = &mut document.live else { return };
        if let Some(thumbnail) = thumbnail {
            live.thumbnail = Some(small_texture(context, id, &thumbnail));
        }
        let coming = live.next(document.id, pixels, texture);
        // At first there is something to see before there is something to know.
        if is_first || !tool.needs_features() || !self.is_awaited(coming.picture) {
            self.show_frame(coming);
        } else if let Some(live) = self.documents.get_mut(id).and_then(|document| document.live.as_mut()) {
            live.hold(coming);
        }
    }

    /// Puts a frame on the canvas; nothing is kept of the one before.
    fn show_frame(&mut self, frame: Coming) {
        let Coming { picture, pixels, texture, .. } = frame;
        let Some(document) = self.documents.get_mut(picture) else { return };
        let Some(thumbnail) = document.live.as_ref().and_then(|live| live.thumbnail.clone()) else { return };
        let before = std::mem::replace(&mut document.id, picture);
        document.content = Content::Ready(Loaded { pixels, texture, thumbnail, seen: Instant::now() });
        self.cache.forget_frame(before);
        self.foregrounds.forget_frame(before);
        self.failed.retain(|(key, _)| key.picture != before);
    }

    /// The picture stays where there is one.
    fn camera_failed(&mut self, id: PictureId, sentence: &str) {
        let Some(document) = self.documents.get_mut(id) else { return };
        document.live.iter_mut().for_each(LiveView::switch_off);
        if document.loaded().is_some() {
            self.notices.error(sentence, None);
        } else {
            document.content = Content::Failed(sentence.to_owned());
        }
    }

    /// Whether features of a picture are still to come.
    fn is_awaited(&self, picture: PictureId) -> bool {
        let has_model = matches!(self.model.state, ModelState::Ready(_));
        has_model && !self.has_features(picture) && self.encode_failure(picture).is_none()
    }
}
