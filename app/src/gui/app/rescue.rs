//! What outlives the graphics device. When the device is lost, the window closes and opens again on a new one, with
//! everything that was open and placed; features are computed anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use dinoscope_engine::dispatch::{ModelChoice, PictureSource};
use dinoscope_engine::image::SizeRule;
use egui::{Context, ViewportCommand};

use super::App;
use crate::gui::canvas::Canvas;
use crate::gui::documents::{Content, Documents};
use crate::gui::placed::History;
use crate::gui::tools::ToolKind;

/// What outlives the graphics device.
pub struct Rescue {
    documents: Documents,
    placed: History,
    canvas: Canvas,
    tool: ToolKind,
    tools: BTreeMap<String, serde_json::Value>,
    model: ModelChoice,
    size: SizeRule,
}

/// Where a window leaves its [`Rescue`] for the next one.
#[derive(Clone, Default)]
pub struct RescueSlot(Arc<Mutex<Option<Rescue>>>);

impl RescueSlot {
    /// Whether something waits for the next window.
    pub fn is_filled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn put(&self, rescue: Rescue) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(rescue);
    }

    pub(super) fn take(&self) -> Option<Rescue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for RescueSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RescueSlot").field(&self.is_filled()).finish()
    }
}

impl App {
    /// Closes the window where its device is lost, after putting aside what the next window needs. True then: nothing
    /// more can be done here.
    pub(super) fn leave_lost_device(&mut self, context: &Context) -> bool {
        // A loss is told when the device is looked at.
        let _ = self.shared.gpu().device.poll(wgpu::PollType::Poll);
        if !self.health.is_lost() {
            return false;
        }
        if !self.has_left {
            self.has_left = true;
            self.keep_now();
            let shared = &mut self.shared;
            self.rescue.put(Rescue {
                tools: self.tools.settings(),
                documents: std::mem::take(&mut shared.documents),
                placed: std::mem::take(&mut shared.placed),
                canvas: std::mem::take(&mut shared.canvas),
                tool: self.tools.active,
                model: (*shared.model.choice).clone(),
                size: shared.size,
            });
        }
        context.send_viewport_cmd(ViewportCommand::Close);
        true
    }

    /// Opens what the window before had to leave.
    pub(super) fn take_over(&mut self, rescue: Rescue) {
        let Rescue { mut documents, placed, canvas, tool, tools, model, size } = rescue;
        let (mut again, mut cameras) = (Vec::new(), Vec::new());
        for document in documents.iter_mut() {
            if let Some(live) = document.live.as_mut().filter(|live| live.is_on()) {
                live.switch_off();
                cameras.push(document.id);
            }
            if let Some(player) = &mut document.player {
                player.move_to_another_window();
            }
            if let Content::Ready(loaded) = &document.content {
                again.push((document.id, PictureSource::Pixels(Arc::clone(&loaded.pixels))));
                document.content = Content::Loading;
            }
            if let Content::Resting(_) = &document.content {
                document.content = Content::Loading;
            }
        }
        let unread: Vec<_> = documents.iter().filter(|document| matches!(document.content, Content::Loading)).collect();
        let unread: Vec<_> = unread.into_iter().map(|document| document.id).collect();
        let is_pixels = |id| again.iter().any(|(known, _)| *known == id);
        let files: Vec<_> = unread.into_iter().filter(|&id| !is_pixels(id)).collect();
        let shared = &mut self.shared;
        shared.documents = documents;
        shared.placed = placed;
        shared.canvas = canvas;
        again.into_iter().for_each(|(id, source)| shared.decode(id, source));
        files.into_iter().for_each(|id| shared.reopen(id));
        cameras.into_iter().for_each(|id| shared.switch_camera(id, true));
        shared.set_size(size);
        if model != *shared.model.choice {
            shared.load_model(model);
        }
        self.tools.active = tool;
        self.tools.restore(&tools);
        let sentence = "The graphics device was lost; the window has been opened again with everything that was in it";
        self.shared.notices.error(sentence, None);
    }
}
