//! The tool's inspector.

use std::ops::RangeInclusive;

use dinoscope_engine::text::phrases;
use egui::{ScrollArea, TextEdit, Ui};
use egui_material_icons::icons;

use super::settings::{Coverage, SIZES, Settings, TemplateSet};
use super::{Words, missing};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// Points that the field for phrases takes at most, so that what is below stays in reach.
const FIELD_HEIGHT: f32 = 76.0;

/// Scores that a background may need.
const COSINES: RangeInclusive<f32> = -0.2..=0.5;

/// Names of the bundled lists of classes, for people.
const PRESETS: [(&str, &str); 5] = [
    ("ade20k", "ADE20K, 150 things and stuff"),
    ("cityscapes", "Cityscapes, 19 of streets"),
    ("coco-stuff", "COCO-Stuff, 171"),
    ("voc", "PASCAL VOC, 21"),
    ("imagenet", "ImageNet, 1000"),
];

impl Words {
    pub(super) fn show_inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        if missing::show(ui, shared) {
            return;
        }
        self.field(ui);
        let Some(picture) = shared.documents.active_id() else {
            ui.weak("Open a picture to divide it among phrases.");
            return;
        };
        if self.typed.1.is_empty() {
            ui.weak("Type what may be in the picture: every place gets the phrase that describes it best.");
        } else if self.typed.1.len() == 1 && !self.settings.has_background {
            ui.weak("One phrase alone fills the picture: add others, or a background.");
        }
        if self.asking.problem().is_some_and(|problem| controls::problem(ui, problem)) {
            self.asking.retry();
        }
        self.how(ui);
        if let Some(known) = self.asking.of(picture) {
            ui.separator();
            self.shown.legend(ui, &known.division, &mut self.settings.look);
        }
        controls::section(ui, "More", |ui| self.more(ui, shared));
    }

    fn field(&mut self, ui: &mut Ui) {
        ScrollArea::vertical().id_salt("phrases").max_height(FIELD_HEIGHT).show(ui, |ui| {
            let field = TextEdit::multiline(&mut self.settings.text)
                .hint_text("goose, water, path")
                .desired_rows(3)
                .desired_width(f32::INFINITY);
            let field = ui.add(field);
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Phrases"));
            field.on_hover_text("Phrases, separated by commas or one a line");
        });
        ui.horizontal(|ui| {
            let list = format!("{}  Class lists", icons::ICON_LIST.codepoint);
            let menu = ui.menu_button(list, |ui| {
                for (preset, name) in PRESETS {
                    if ui.button(name).clicked() {
                        self.settings.text = phrases::preset(preset).unwrap_or_default().join("\n");
                        self.shown.selected = None;
                    }
                }
            });
            menu.response.on_hover_text("Takes the class names of a data set instead of what is typed");
            let count = self.typed.1.len();
            if count > 0 {
                ui.weak(if count == 1 { "1 phrase".to_owned() } else { format!("{count} phrases") });
            }
        });
    }

    fn how(&mut self, ui: &mut Ui) {
        let settings = &mut self.settings;
        let usual = Settings::default();
        let hint = "The whole picture at once (cosines), or windows that overlap (shares of 1): finer and slower";
        let coverages = [(Coverage::Whole, "Whole"), (Coverage::Windows, "Windows")];
        controls::choice(ui, "Picture", hint, &mut settings.coverage, &coverages);
        controls::toggle(
            ui,
            "Background",
            "Places that no phrase describes well belong to none",
            &mut settings.has_background,
        );
        if settings.has_background {
            let (least, range, usual) = match settings.coverage {
                Coverage::Whole => (&mut settings.least_cosine, COSINES, usual.least_cosine),
                Coverage::Windows => (&mut settings.least_share, 0.0..=1.0, usual.least_share),
            };
            controls::slider(ui, "Least score", "Below it a place is background", least, range, usual);
        }
        let usual = Settings::default().look.opacity;
        controls::slider(ui, "Opacity", "0 shows the picture alone", &mut settings.look.opacity, 0.0..=1.0, usual);
    }

    fn more(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let settings = &mut self.settings;
        let hint = "Sentences around each phrase, whose vectors are averaged: CLIP's 80, or the phrase as it is";
        let sets = [(TemplateSet::ImageNet, "80"), (TemplateSet::Alone, "None")];
        controls::choice(ui, "Templates", hint, &mut settings.templates, &sets);
        let mut size = settings.size as f32;
        let usual = Settings::default().size as f32;
        let hint = "Short side of the model's input, in pixels: larger is finer and slower";
        controls::slider(ui, "Input size", hint, &mut size, SIZES, usual);
        settings.size = (size / 16.0).round() as usize * 16;
        let button = ui.button("Other weights…");
        if button.on_hover_text("Another file of dino.txt's vision head and text encoder").clicked() {
            shared.ask_for_dinotxt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_list_is_offered() {
        let mut offered: Vec<&str> = PRESETS.iter().map(|(preset, _)| *preset).collect();
        offered.sort_unstable();
        assert_eq!(offered, phrases::presets().collect::<Vec<_>>());
    }
}
