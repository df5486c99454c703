//! What the worker has sent, and what becomes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use dinoscope_engine::dispatch::{Event, Failure, Outcome, PictureId, RequestId};
use dinoscope_engine::encoder::ModelSource;

use super::{LastEncode, ModelState, Shared, clips};
use crate::gui::documents::{Content, Loaded};
use crate::gui::player::Player;
use crate::gui::words;

/// Memory for decoded pictures, in bytes, those on the canvas aside.
const PIXEL_BUDGET: usize = 1 << 30;

impl Shared {
    /// Takes what the worker has sent. Events that belong to a tool are returned.
    pub fn receive(&mut self, context: &egui::Context, protected: &[PictureId]) -> Vec<Event> {
        let mut for_tools = Vec::new();
        for event in self.dispatcher.events() {
            let Event { id, outcome } = event;
            match outcome {
                Outcome::Progress(progress) => {
                    if let Some(running) = self.running.get_mut(&id) {
                        running.progress = Some(progress);
                    }
                    continue;
                }
                Outcome::ModelMoved { info, message } => {
                    self.notices.error(&message, None);
                    if info.choice == *self.model.choice {
                        self.model.state = ModelState::Ready(info);
                    }
                    continue;
                }
                Outcome::TrackingMoved { message } => {
                    self.notices.error(&message, None);
                    continue;
                }
                Outcome::Encoded { key, features, time } => {
                    let grid = features.geometry.grid;
                    self.last_encode = Some(LastEncode { model: Arc::clone(&key.model), grid, time });
                    self.wanted.retain(|wanted| *wanted != key);
                    self.cache.insert(key, features, protected);
                    continue;
                }
                outcome @ (Outcome::TrackingBegins { .. } | Outcome::Tracked { .. } | Outcome::Thumbnail { .. }) => {
                    for_tools.push(Event { id, outcome });
                    continue;
                }
                Outcome::Preview { picture, thumbnail } => {
                    self.take_preview(context, picture, &thumbnail);
                    continue;
                }
                Outcome::EncodeFailed { key, message } => {
                    self.wanted.retain(|wanted| *wanted != key);
                    log::error!("{message}");
                    // On the canvas it stands where the picture is.
                    if !protected.contains(&key.picture) {
                        self.notices.error(&message, None);
                    }
                    self.failed.push((key, message));
                    continue;
                }
                outcome => {
                    self.running.remove(&id);
                    if self.take_dinotxt(id, &outcome) {
                        continue;
                    }
                    if let Some(picture) = self.openings.ended(id) {
                        match &outcome {
                            Outcome::Failed(failure) => {
                                if let Some(document) = self.documents.get_mut(picture) {
                                    document.content = Content::Failed(failure.message.clone());
                                }
                                continue;
                            }
                            Outcome::Cancelled => {
                                self.close(picture);
                                continue;
                            }
                            _ => {}
                        }
                    }
                    if self.encoding == Some(id) {
                        self.encoding = None;
                        self.encoding_ended(&outcome);
                    }
                    self.finish(context, id, outcome, &mut for_tools);
                }
            }
        }
        self.documents.welcome();
        for_tools
    }

    /// What was stopped is not asked for again by itself: the person would have to stop it for ever.
    fn encoding_ended(&mut self, outcome: &Outcome) {
        let rest = std::mem::take(&mut self.wanted);
        let why = match outcome {
            Outcome::Cancelled => "Encoding was stopped",
            Outcome::Failed(failure) => &failure.message,
            _ => return,
        };
        self.failed.extend(rest.into_iter().map(|key| (key, why.to_owned())));
    }

    /// Goes back to the model before, so that the window never stays without one where it had one.
    fn model_failed(&mut self, failure: Failure) {
        let failed = Arc::clone(&self.model.choice);
        match self.model.previous.take().filter(|previous| *previous != failed) {
            Some(previous) => {
                let used = words::model(&previous.source);
                let end = if failure.message.ends_with(['.', '!', '?']) { "" } else { "." };
                let sentence = format!("{}{end} {used} is used again.", failure.message);
                self.notices.error(&sentence, failure.remedy);
                self.load_model((*previous).clone());
            }
            None => {
                self.notices.error(&failure.message, failure.remedy.clone());
                self.model.state = ModelState::Failed(failure);
            }
        }
    }

    fn finish(&mut self, context: &egui::Context, id: RequestId, outcome: Outcome, for_tools: &mut Vec<Event>) {
        match outcome {
            Outcome::Opened { picture, pixels, texture, thumbnail, clip } => {
                let Some(document) = self.documents.get_mut(picture) else { return };
                if let Some(clip) = clip {
                    let player = document.player.take().filter(|player| player.clip.info == clip.info);
                    document.player = Some(player.unwrap_or_else(|| Player::new(clip, picture.frame(), document.span)));
                }
                let Some(texture) = texture else {
                    document.content = Content::Failed("The graphics device could not take this picture".to_owned());
                    return;
                };
                let thumbnail = clips::small_texture(context, picture, &thumbnail);
                let seen = Instant::now();
                document.content = Content::Ready(Loaded { pixels, texture, thumbnail, seen });
                let needed: HashSet<PictureId> = self.wanted.iter().map(|key| key.picture).collect();
                let active = [self.documents.active_id(), self.documents.partner_id(), Some(picture)];
                self.documents.rest(PIXEL_BUDGET, &|id| active.contains(&Some(id)) || needed.contains(&id));
            }
            Outcome::Frame { picture, pixels, texture } => self.take_frame(id, picture, pixels, texture),
            Outcome::ModelReady(info) if info.choice == *self.model.choice => {
                if let ModelSource::Path(path) = &info.choice.source {
                    self.settings.remember_checkpoint(path);
                }
                self.model.state = ModelState::Ready(info);
            }
            Outcome::Failed(failure) if self.model.loading == Some(id) => self.model_failed(failure),
            Outcome::Failed(failure) if self.frame_failed(id) => self.notices.error(&failure.message, None),
            Outcome::Cancelled if self.model.loading == Some(id) => {
                self.model_failed(Failure { message: "Loading the model was stopped".to_owned(), remedy: None });
            }
            outcome => for_tools.push(Event { id, outcome }),
        }
    }
}
