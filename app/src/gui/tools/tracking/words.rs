//! Masks of a frame out of phrases.

use dinoscope_engine::dispatch::{Command, Detail, Event, Outcome, PictureId, RequestId, SegmentRequest};
use dinoscope_engine::image::SizeRule;
use dinoscope_engine::text::segment::SHORT_SIDE;
use dinoscope_engine::text::{Mode, Templates, phrases};
use egui::{Button, TextEdit, Ui};

use super::Tracking;
use super::settings::Settings;
use crate::gui::dinotxt;
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// Masks that are being made.
pub struct AskedMask {
    id: RequestId,
    picture: PictureId,
    phrases: Vec<Phrase>,
}

/// One phrase of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    text: String,
    /// Whether it becomes an object; others only keep objects from growing.
    is_object: bool,
}

/// Phrases as they are typed: those behind a minus become no object.
fn parsed(text: &str) -> Vec<Phrase> {
    let parse = |typed: String| match typed.strip_prefix(['-', '−']) {
        Some(rest) => Phrase { text: rest.trim().to_owned(), is_object: false },
        None => Phrase { text: typed, is_object: true },
    };
    phrases::typed(text).into_iter().map(parse).filter(|phrase| !phrase.text.is_empty()).collect()
}

impl Tracking {
    pub(super) fn words(&mut self, ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
        if !dinotxt::is_ready(ui, shared) {
            return;
        }
        let field = TextEdit::singleline(&mut self.settings.words).hint_text("goose, -water");
        let field = ui.add(field.desired_width(f32::INFINITY));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Objects as phrases"));
        let hint = "An object for each phrase; with a minus before it, a phrase only keeps others from growing";
        let field = field.on_hover_text(hint);
        let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let hint = "Cosine with its phrase that a place needs: lower grows further";
        let least = &mut self.settings.least_score;
        controls::slider(ui, "Least score", hint, least, -0.2..=0.5, Settings::default().least_score);
        let phrases = parsed(&self.settings.words);
        let is_ready = phrases.iter().any(|phrase| phrase.is_object) && self.asked_mask.is_none();
        let button = ui.add_enabled(is_ready, Button::new("Mask from words"));
        let button = button.on_hover_text("Paints what the phrases say into this frame, as objects of their names");
        if is_ready && (button.clicked() || is_entered) {
            self.ask_mask(shared, picture, phrases);
        }
    }

    fn ask_mask(&mut self, shared: &mut Shared, picture: PictureId, phrases: Vec<Phrase>) {
        let (Some(words), Some(pixels)) = (shared.words(), shared.pixels(picture)) else { return };
        shared.player_mut(picture).into_iter().for_each(|player| player.seek(picture.frame()));
        let request = SegmentRequest {
            picture,
            pixels,
            words,
            phrases: phrases.iter().map(|phrase| phrase.text.clone()).collect(),
            templates: Templates::imagenet(),
            size: SizeRule::ShortSide(SHORT_SIDE),
            mode: Mode::Whole,
            background: Some(self.settings.least_score),
            detail: Detail::Full,
        };
        let id = shared.send(Command::Segment(Box::new(request)), "making masks from words");
        self.asked_mask = Some(AskedMask { id, picture, phrases });
    }

    /// Takes masks that were made.
    pub(super) fn take_mask(&mut self, shared: &mut Shared, event: &Event) {
        let Some(asked) = self.asked_mask.take_if(|asked| asked.id == event.id) else { return };
        if let Outcome::Segmented(segmented) = &event.outcome {
            let names = asked.phrases.into_iter().map(|phrase| phrase.is_object.then_some(phrase.text));
            let names: Vec<Option<String>> = names.collect();
            if !self.paint_classes(shared, asked.picture, &names, &segmented.labelled.labels, "mask from words") {
                let sentence = "No place of this frame reaches the least score for these phrases: lower it";
                shared.notices.info(sentence);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minus_makes_no_object() {
        let phrases = parsed("a goose, -water, − sky,-");
        let expected = [("a goose", true), ("water", false), ("sky", false)];
        let expected = expected.map(|(text, is_object)| Phrase { text: text.to_owned(), is_object });
        assert_eq!(phrases, expected);
    }
}
