//! The published heads: what a picture shows, how far away everything is, which class each pixel belongs to, boxes.
//!
//! One tool for each, all of them a [`HeadTool`] with what is its own in a [`Head`].

mod asking;
mod classify;
mod depth;
mod detect;
mod missing;
mod segment;

use std::ops::RangeInclusive;
use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, HeadOptions, HeadReading, PictureId};
use dinoscope_engine::heads::Task;
use egui::{Painter, TextEdit, Ui};

use self::asking::{Asking, Problem, Question};
use super::{Exportable, Tool};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::panels::controls;
use crate::gui::shared::{ModelState, Shared};
use crate::metadata;

/// Short sides of the model's input, in pixels.
const SIZES: RangeInclusive<f32> = 224.0..=1536.0;

/// How far away everything is.
pub type Depth = HeadTool<depth::Depth>;
/// Which class each pixel belongs to.
pub type Segment = HeadTool<segment::Segment>;
/// Boxes around objects.
pub type Detect = HeadTool<detect::Detect>;
/// Which class a picture shows.
pub type Classify = HeadTool<classify::Classify>;

/// What is a head's own.
pub trait Head: Default {
    /// What it is for.
    const TASK: Task;

    /// What it is asked for; another answer is asked for when this changes.
    fn options(&self) -> HeadOptions;

    /// What to do with the picture while there is no answer, for people.
    fn invitation(&self) -> &'static str;

    /// An event that may be an answer to something that it has asked for itself.
    fn receive(&mut self, _shared: &Shared, _event: &Event) {}

    /// Clicks, and whatever has to be uploaded before drawing.
    fn update(&mut self, ui: &Ui, shared: &mut Shared, view: &View, reading: &Arc<HeadReading>);

    /// What lies over the picture.
    fn layer(&self, reading: &HeadReading) -> Option<Layer>;

    /// Drawn over picture and layer.
    fn paint(&self, painter: &Painter, view: &View, reading: &HeadReading);

    /// What the status line says about the place under the pointer.
    fn readout(&self, view: &View, reading: &HeadReading) -> Option<String>;

    /// How it is asked and drawn, most used first, and what it found.
    fn panel(&mut self, ui: &mut Ui, reading: Option<&HeadReading>);

    /// What is changed seldom.
    fn more(&mut self, _ui: &mut Ui) {}

    /// What can be written to files; `stem` is the picture's name without its ending.
    fn exports(&self, shared: &Shared, stem: &str, reading: &Arc<HeadReading>) -> Vec<Exportable>;

    /// For the workspace and the next start.
    fn settings(&self) -> serde_json::Value;

    /// Takes them back; what is missing or unknown keeps its default.
    fn restore(&mut self, settings: &serde_json::Value);
}

/// A tool that shows what a head says about the active picture.
#[derive(Default)]
pub struct HeadTool<H> {
    head: H,
    asking: Asking,
}

impl<H: Head> Tool for HeadTool<H> {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn needs_features(&self) -> bool {
        false
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        self.asking.receive(event);
        self.head.receive(shared, event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        self.asking.keep_only(|picture| shared.documents.get(picture).is_some_and(|document| document.id == picture));
        let Some(view) = views.first() else { return };
        let is_playing = shared.player_mut(view.picture).is_some_and(|player| player.is_playing());
        if !is_playing && let Some(question) = self.question(shared, view.picture) {
            self.asking.ask(ui, shared, question);
        }
        if let Some(reading) = self.asking.of(view.picture) {
            self.head.update(ui, shared, view, reading);
        }
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.asking.stop(shared);
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        self.head.layer(self.asking.of(view.picture)?)
    }

    fn paint(&self, painter: &Painter, _shared: &Shared, view: &View) {
        if let Some(reading) = self.asking.of(view.picture) {
            self.head.paint(painter, view, reading);
        }
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        self.head.readout(view, self.asking.of(view.picture)?)
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        if let ModelState::Failed(_) = shared.model.state {
            ui.weak("A head needs its model: choose one in the bar at the top.");
            return;
        }
        let problem = self.asking.problem().cloned();
        if let Some(Problem::Missing(folder)) = &problem {
            missing::show(ui, shared, H::TASK, folder);
            return;
        }
        // In a part of its own, so that what comes later keeps its identity, and the keyboard, when this changes.
        ui.vertical(|ui| {
            if let Some(Problem::Failed(sentence)) = &problem {
                if controls::problem(ui, sentence) {
                    self.asking.retry();
                }
                missing::offer_model(ui, shared, H::TASK);
                return;
            }
            let reading = shared.documents.active_id().and_then(|picture| self.asking.of(picture)).cloned();
            if reading.is_none() {
                ui.weak(self.head.invitation());
            }
            self.head.panel(ui, reading.as_deref());
        });
        // What is folded may mend what has failed.
        controls::section(ui, "More", |ui| {
            self.head.more(ui);
            missing::choose(ui, shared, H::TASK);
        });
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let Some(reading) = self.asking.of(document.id) else { return Vec::new() };
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        self.head.exports(shared, stem, reading)
    }

    fn settings(&self) -> serde_json::Value {
        self.head.settings()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.head.restore(settings);
    }
}

impl<H: Head> HeadTool<H> {
    /// What is to be asked now, once the model is ready.
    fn question(&self, shared: &Shared, picture: PictureId) -> Option<Question> {
        let model = Arc::clone(&shared.model.choice);
        let is_ready = matches!(&shared.model.state, ModelState::Ready(info) if info.choice == *model);
        let weights = shared.head_file(H::TASK).cloned();
        is_ready.then(|| Question { picture, model, weights, options: self.head.options() })
    }
}

/// What is written into files.
fn metadata_of(reading: &HeadReading) -> Vec<(String, String)> {
    let mut pairs = metadata::of_model(&reading.provenance);
    pairs.push(("head", reading.head.clone()));
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A slider for the short side of the model's input, in pixels.
fn input_size(ui: &mut Ui, size: &mut usize) {
    let mut side = *size as f32;
    let hint = "Short side of the model's input, in pixels: larger is finer and slower";
    controls::slider(ui, "Input size", hint, &mut side, SIZES, 768.0);
    *size = (side / 16.0).round() as usize * 16;
}

/// A field for the blocks of the backbone that a head reads.
fn layers_field(ui: &mut Ui, typed: &mut String) {
    let hint = "Blocks of the backbone that the head reads, from 0, separated by commas: for heads that were trained on others \
                than the published ones";
    controls::row(ui, "Layers", hint, |ui, label| {
        let field = TextEdit::singleline(typed).hint_text("as published").desired_width(f32::INFINITY);
        ui.add(field).labelled_by(label.id).on_hover_text(hint);
    });
}

/// What was typed into [`layers_field`]; nothing where it is no list of numbers.
fn typed_layers(typed: &str) -> Option<Vec<usize>> {
    typed.split(',').map(|number| number.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_numbers_with_commas_between_them() {
        assert_eq!(typed_layers("9, 19,29 ,39"), Some(vec![9, 19, 29, 39]));
        assert_eq!(typed_layers("7"), Some(vec![7]));
        assert!(["", " ", "1,", "a", "-1"].into_iter().all(|typed| typed_layers(typed).is_none()));
    }
}
