//! Words: the picture is divided among phrases.

mod asking;
mod exports;
mod missing;
mod panel;
mod settings;

use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, PictureId};
use dinoscope_engine::text::phrases;
use egui::{Painter, Ui};

use self::asking::{Asking, Question};
use self::settings::{Coverage, Settings};
use super::division::Shown;
use super::{Exportable, Tool};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::shared::Shared;

/// The tool's state.
#[derive(Default)]
pub struct Words {
    settings: Settings,
    /// The phrases of [`Settings::text`], as they were when it was that text.
    typed: (String, Arc<Vec<String>>),
    asking: Asking,
    shown: Shown,
}

impl Tool for Words {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn needs_features(&self) -> bool {
        false
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        self.asking.receive(event);
        self.shown.receive(shared, event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        shared.want_dinotxt();
        self.asking.keep_only(|picture| shared.documents.get(picture).is_some_and(|document| document.id == picture));
        if self.typed.0 != self.settings.text {
            self.typed = (self.settings.text.clone(), Arc::new(phrases::typed(&self.settings.text)));
        }
        self.shown.selected.take_if(|phrase| !self.typed.1.contains(phrase));
        if self.typed.1.is_empty() {
            self.asking.stop(shared);
        }
        let Some(view) = views.first() else { return };
        let is_playing = shared.player_mut(view.picture).is_some_and(|player| player.is_playing());
        if let Some(question) = self.question(shared, view.picture).filter(|_| !is_playing) {
            self.asking.ask(ui, shared, question, self.settings.background());
        }
        match self.asking.of(view.picture) {
            Some(known) => self.shown.update(ui, shared, view, &known.division, &self.settings.look),
            None => self.shown.clear(),
        }
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.asking.rest(shared);
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        self.shown.layer(&self.asking.of(view.picture)?.division, &self.settings.look)
    }

    fn paint(&self, painter: &Painter, _shared: &Shared, view: &View) {
        if let Some(known) = self.asking.of(view.picture) {
            self.shown.paint(painter, view, &known.division, &self.settings.look);
        }
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        self.shown.readout(&self.asking.of(view.picture)?.division)
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.show_inspector(ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.offered(shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.settings = Settings::from_json(settings);
    }
}

impl Words {
    /// Shows the map of a phrase, which is added to the others where it is not among them. Shares of a single phrase
    /// would be 1 everywhere, so that its cosines are taken.
    pub fn show_map_of(&mut self, phrase: &str) {
        let Some(phrase) = phrases::typed(phrase).into_iter().next() else { return };
        if !phrases::typed(&self.settings.text).contains(&phrase) {
            let separator = if self.settings.text.trim().is_empty() { "" } else { "\n" };
            self.settings.text = format!("{}{separator}{phrase}", self.settings.text.trim_end());
            self.typed = (self.settings.text.clone(), Arc::new(phrases::typed(&self.settings.text)));
        }
        self.settings.coverage = Coverage::Whole;
        self.shown.selected = Some(phrase);
    }

    /// What is to be asked now, once there is something to ask and somebody who answers.
    fn question(&self, shared: &Shared, picture: PictureId) -> Option<Question> {
        let phrases = Arc::clone(&self.typed.1);
        let Settings { templates, coverage, size, .. } = self.settings;
        let words = shared.words().filter(|_| !phrases.is_empty())?;
        Some(Question { picture, words, phrases, templates, coverage, size })
    }
}
