//! The panel at the right.

use egui::{Align, Button, Color32, Layout, Rect, TextEdit, Ui, vec2};
use egui_material_icons::icons;

use super::settings::{Display, STRENGTHS, Settings};
use super::{Probing, brush, colours};
use crate::gui::actions::{self, ToolAction};
use crate::gui::dialogs::{Purpose, Question, QuestionKind};
use crate::gui::panels::controls;
use crate::gui::scribbles::Scribbles;
use crate::gui::shared::Shared;

/// Classes at most: their colours must be told apart.
const MOST_CLASSES: usize = 11;

impl Probing {
    pub(super) fn show_inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        // It stays, so that nothing below moves under the pointer at the first answer.
        ui.weak("Paint a few patches of two classes: what is like each shows at once. The right button erases.");
        // Each in a part of its own, so that what comes later keeps its identity when a row is added.
        ui.vertical(|ui| self.classes(ui, shared));
        let hint = actions::with_keys("Diameter in patches", &[ToolAction::SmallerBrush, ToolAction::LargerBrush]);
        let usual = Settings::default();
        controls::slider(ui, "Brush size", &hint, &mut self.settings.brush, brush::SIZES, usual.brush);
        ui.vertical(|ui| self.state(ui, shared));
        ui.separator();
        let displays = [
            (Display::Probability, "Probability"),
            (Display::Classes, "Classes"),
            (Display::Uncertainty, "Uncertainty"),
        ];
        controls::segments(ui, "What the colours say", &mut self.settings.display, &displays);
        controls::slider(ui, "Opacity", "Of the colours", &mut self.settings.opacity, 0.0..=1.0, usual.opacity);
        let settings = &mut self.settings;
        ui.add_enabled_ui(settings.display != Display::Uncertainty, |ui| {
            let hint = "Below this probability only the picture is shown; 0: off";
            controls::slider(ui, "Threshold", hint, &mut settings.threshold, 0.0..=1.0, usual.threshold);
        });
        controls::toggle(
            ui,
            "Follow edges",
            "Brings the patches to pixels along the picture's edges",
            &mut settings.follows_edges,
        );
        controls::toggle(
            ui,
            "Median",
            "Over 3×3 patches: lonely ones follow their neighbours",
            &mut settings.has_median,
        );
        ui.add_enabled_ui(shared.documents.len() > 1, |ui| {
            let hint = "All open pictures side by side, at most twelve";
            controls::toggle(ui, "Show all pictures", hint, &mut settings.shows_all);
        });
        controls::section(ui, "More", |ui| {
            let hint = "The power of ten of C: lower holds back more, higher follows the strokes more closely";
            controls::slider(ui, "C, 10 to the", hint, &mut settings.strength, STRENGTHS, usual.strength);
        });
    }

    fn classes(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let before = shared.placed.now().scribbles.clone();
        let mut after = before.clone();
        let mut removed = None;
        for class in 0..before.classes.len() {
            ui.horizontal(|ui| {
                let count = self.asking.counts.get(class).copied().unwrap_or_default();
                let name = &before.classes[class];
                let is_selected = self.selected == class;
                let radio = ui.radio(is_selected, "").on_hover_text("The left button paints this class");
                ui.ctx().accesskit_node_builder(radio.id, |node| node.set_label(format!("Paint {name}")));
                if radio.clicked() {
                    self.selected = class;
                }
                let [r, g, b] = colours::of_class(class, before.classes.len());
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 20.0), egui::Sense::hover());
                let swatch = Rect::from_center_size(rect.center(), vec2(14.0, 14.0));
                ui.painter().rect_filled(swatch, 3.0, Color32::from_rgb(r, g, b));
                let field = ui.add(TextEdit::singleline(&mut after.classes[class]).desired_width(96.0));
                ui.ctx()
                    .accesskit_node_builder(field.id, |node| node.set_label(format!("Name of class {}", class + 1)));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    // Two are the fewest that can be told apart.
                    ui.add_enabled_ui(before.classes.len() > 2, |ui| {
                        if controls::icon_button(ui, icons::ICON_DELETE, &format!("Remove {name}")).clicked() {
                            removed = Some(class);
                        }
                    });
                    ui.weak(count.to_string()).on_hover_text("Patches that are painted");
                });
            });
        }
        ui.horizontal(|ui| {
            let can_add = before.classes.len() < MOST_CLASSES;
            if ui.add_enabled(can_add, Button::new("Add class")).on_hover_text("One more to tell apart").clicked() {
                after.classes.push(format!("Class {}", before.classes.len() + 1));
                self.selected = before.classes.len();
            }
            let has_scribbles = !before.pictures.is_empty();
            let clear = ui.add_enabled(has_scribbles, Button::new("Clear"));
            if clear.on_hover_text("Takes all scribbles away").clicked() {
                after.pictures.clear();
            }
            if ui.button("Open…").on_hover_text("Use a probe that was saved").clicked() {
                shared.questions.push((Purpose::Probe, open_question()));
            }
        });
        if let Some(class) = removed {
            after.remove_class(class);
        }
        if after != before {
            let label = if after.pictures != before.pictures { "change scribbles" } else { "change classes" };
            shared.placed.edit(label, |placed| placed.scribbles = Scribbles { ..after });
        }
    }

    /// What it was taught, and how long that took.
    fn state(&mut self, ui: &mut Ui, shared: &Shared) {
        if self.asking.problem().is_some_and(|problem| controls::problem(ui, problem)) {
            self.asking.retry();
        }
        let patches: usize = self.asking.counts.iter().sum();
        let pictures = shared.placed.now().scribbles.pictures.len();
        match (self.asking.training(), &self.asking.file) {
            (Some(time), _) if patches > 0 => {
                let of = if pictures == 1 { "1 picture".to_owned() } else { format!("{pictures} pictures") };
                ui.weak(format!("{patches} patches of {of}, learned in {} ms", time.as_millis().max(1)));
            }
            (_, Some(probe)) if patches == 0 => {
                ui.weak(format!("From a file: {}", probe.classes.join(", ")));
            }
            _ if patches > 0 && self.asking.counts.contains(&0) => {
                ui.weak("Paint another class too");
            }
            _ => {}
        }
    }
}

fn open_question() -> Question {
    Question {
        kind: QuestionKind::OpenOne,
        title: "Open a probe",
        filter: Some(("Probes", vec!["safetensors".to_owned()])),
        folder: None,
        file_name: String::new(),
    }
}
