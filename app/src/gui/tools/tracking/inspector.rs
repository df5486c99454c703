//! The panel at the right.

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::tracking::{Direction, TrackingOptions};
use egui::{Button, RichText, Ui};
use egui_material_icons::icons;

use super::Tracking;
use super::settings::{BRUSHES, Behind, Mode, Settings, USUAL_SIZE};
use super::track::Follow;
use crate::gui::dialogs::{Purpose, Question, QuestionKind};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

impl Tracking {
    pub(super) fn show_inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let picture =
            shared.documents.active().filter(|document| document.player.is_some()).map(|document| document.id);
        let Some(picture) = picture else {
            ui.weak("Objects are followed through videos: drop one on the window, or a folder of numbered frames.");
            return;
        };
        // Each in a part of its own, so that what comes later keeps its identity when a row is added.
        ui.vertical(|ui| self.object_list(ui, shared, picture));
        ui.add_space(8.0);
        ui.vertical(|ui| self.painting(ui, shared, picture));
        ui.vertical(|ui| self.probe(ui, shared, picture));
        controls::section(ui, "From words", |ui| self.words(ui, shared, picture));
        ui.add_space(8.0);
        ui.vertical(|ui| self.following(ui, shared, picture));
        ui.add_space(8.0);
        controls::slider(ui, "Opacity", "Of objects over the frame", &mut self.settings.opacity, 0.0..=1.0, 0.55);
        controls::section(ui, "Out of sight", |ui| self.absences(ui, shared, picture));
        controls::section(ui, "How to follow", |ui| self.options(ui));
        controls::section(ui, "Recording", |ui| self.recording(ui));
    }

    fn painting(&mut self, ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
        let hint = "What the left button does (B, P, C); the right button of the brush erases";
        let modes = [(Mode::Brush, "Brush"), (Mode::Polygon, "Polygon"), (Mode::Click, "Click")];
        controls::segments(ui, hint, &mut self.settings.mode, &modes);
        match self.settings.mode {
            Mode::Brush => {
                let mut percent = self.settings.brush * 100.0;
                let (start, end) = (BRUSHES.start() * 100.0, BRUSHES.end() * 100.0);
                let usual = Settings::default().brush * 100.0;
                let hint = "Diameter in percent of the frame's shorter side ([ and ])";
                controls::slider(ui, "Brush", hint, &mut percent, start..=end, usual);
                self.settings.brush = percent / 100.0;
            }
            Mode::Polygon => {
                ui.weak("Click corners; a double click, Enter or the first corner closes. Backspace takes one back.");
            }
            Mode::Click => {
                let hint = "Least cosine of the region with a clicked patch: lower grows further";
                let slider = controls::slider(
                    ui,
                    "Threshold",
                    hint,
                    &mut self.settings.threshold,
                    0.0..=1.0,
                    Settings::default().threshold,
                );
                if slider.changed() {
                    self.pending.region = None;
                }
                ui.weak("Click the object; Shift or the right button marks what it is not.");
            }
        }
        if self.pending.is_in(picture) {
            if let Some((_, region)) = &self.pending.region {
                ui.weak(format!("A region of {} patches", region.iter().filter(|&&inside| inside).count()));
            }
            ui.horizontal(|ui| {
                let add = ui.add_enabled(self.pending.is_ready(), Button::new("Add to object"));
                if add.on_hover_text("Enter").clicked() {
                    self.apply(shared, picture);
                }
                if ui.button("Discard").on_hover_text("Escape").clicked() {
                    self.pending = super::Pending::default();
                }
            });
        }
        ui.horizontal(|ui| {
            if ui.button("Import mask…").on_hover_text("An indexed or grey PNG of the frame's size").clicked() {
                ask_for_mask(shared, picture);
            }
            let masks = shared.placed.now().clips.get(&picture.document());
            let is_painted = masks.is_some_and(|masks| masks.painted.contains_key(&picture.frame()));
            let clear = ui.add_enabled(is_painted, Button::new("Clear frame"));
            if clear.on_hover_text("Takes away what was painted in this frame").clicked() {
                shared.placed.edit("clear frame", |placed| {
                    let masks = placed.clips.get_mut(&picture.document());
                    masks.into_iter().for_each(|masks| drop(masks.painted.remove(&picture.frame())));
                });
            }
        });
    }

    fn following(&mut self, ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
        if let Some(running) = self.running.as_mut().filter(|running| running.clip == picture.document()) {
            ui.checkbox(&mut running.is_watched, "Watch").on_hover_text("Shows every frame as soon as it is tracked");
            let label = format!("{}  Stop", icons::ICON_STOP.codepoint);
            if ui.add_sized([ui.available_width(), 32.0], Button::new(label)).clicked() {
                self.stop(shared);
            }
            return;
        }
        let accent = ui.visuals().selection.bg_fill;
        let label = RichText::new("Follow through the clip").strong();
        let button = ui.add_sized([ui.available_width(), 32.0], Button::new(label).fill(accent));
        let hint = "Tracks every frame that is not tracked yet, from what is painted (T)";
        if button.on_hover_text(hint).clicked() {
            self.follow(shared, Follow::All);
        }
        ui.horizontal(|ui| {
            let half = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
            let mut button = |ui: &mut Ui, text: &str, hint: &str, direction| {
                if ui.add_sized([half, 24.0], Button::new(text)).on_hover_text(hint).clicked() {
                    self.follow(shared, Follow::From(direction));
                }
            };
            let (back, forth) = (icons::ICON_ARROW_BACK.codepoint, icons::ICON_ARROW_FORWARD.codepoint);
            let hint = "From this frame to the first one that is played";
            button(ui, &format!("{back}  Backward"), hint, Direction::Backward);
            let hint = "From this frame to the last one that is played";
            button(ui, &format!("Forward  {forth}"), hint, Direction::Forward);
        });
    }

    fn recording(&mut self, ui: &mut Ui) {
        let settings = &mut self.settings;
        let behind =
            [(Behind::Frame, "Video"), (Behind::Black, "Black"), (Behind::White, "White"), (Behind::Green, "Green")];
        let hint = "What is seen where no object is";
        controls::choice(ui, "Background", hint, &mut settings.background, &behind);
        controls::toggle(ui, "Outline", "A line around every object", &mut settings.has_outline);
        controls::toggle(ui, "Side by side", "The video as it is at the left", &mut settings.is_beside);
        ui.weak("Record with R, or choose what is written in the Export menu. Opacity and colours are those above.");
    }

    fn options(&mut self, ui: &mut Ui) {
        let usual = TrackingOptions::default();
        let options = &mut self.settings.options;
        let mut context = options.context as f32;
        let hint = "The last frames that are looked at, beside those that are painted";
        controls::slider(ui, "Context", hint, &mut context, 0.0..=15.0, usual.context as f32);
        options.context = context.round() as usize;
        let propagation = &mut options.propagation;
        let hint = "How far things may move from frame to frame, in patches";
        controls::slider(ui, "Radius", hint, &mut propagation.radius, 1.0..=40.0, usual.propagation.radius);
        let mut topk = propagation.topk as f32;
        let hint = "Most similar patches that decide";
        controls::slider(ui, "Top-k", hint, &mut topk, 1.0..=20.0, usual.propagation.topk as f32);
        propagation.topk = topk.round().max(1.0) as usize;
        let hint = "Lower: the most similar patch decides more";
        let temperature = &mut propagation.temperature;
        controls::slider(ui, "Temperature", hint, temperature, 0.02..=1.0, usual.propagation.temperature);
        let mut size = self.settings.size as f32;
        let hint = "Short side of the model's input, in pixels: larger is finer and slower";
        controls::slider(ui, "Input size", hint, &mut size, 224.0..=1536.0, USUAL_SIZE as f32);
        self.settings.size = (size / 16.0).round() as usize * 16;
    }
}

fn ask_for_mask(shared: &mut Shared, picture: PictureId) {
    let question = Question {
        kind: QuestionKind::OpenOne,
        title: "Import a mask",
        filter: Some(("Masks", vec!["png".to_owned()])),
        folder: None,
        file_name: String::new(),
    };
    shared.questions.push((Purpose::Labels(picture), question));
}
