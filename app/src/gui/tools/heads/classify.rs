//! Which class a picture shows.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, HeadAnswer, HeadOptions, HeadReading};
use dinoscope_engine::heads::Task;
use egui::{Painter, ProgressBar, RichText, Ui};
use serde::{Deserialize, Serialize};

use super::{Exportable, Head};
use crate::gui::canvas::View;
use crate::gui::canvas::caption::paint_title;
use crate::gui::overlay::Layer;
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Classes that are listed.
    top: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { top: 10 }
    }
}

/// The tool's own state.
#[derive(Default)]
pub struct Classify {
    settings: Settings,
}

impl Head for Classify {
    const TASK: Task = Task::Classification;

    fn options(&self) -> HeadOptions {
        HeadOptions::Classify
    }

    fn invitation(&self) -> &'static str {
        "What the middle of the picture shows, among the head's classes."
    }

    fn update(&mut self, _ui: &Ui, _shared: &mut Shared, _view: &View, _reading: &Arc<HeadReading>) {}

    fn layer(&self, _reading: &HeadReading) -> Option<Layer> {
        None
    }

    fn paint(&self, painter: &Painter, view: &View, reading: &HeadReading) {
        let HeadAnswer::Classes(classes) = &reading.answer else { return };
        if let Some((name, probability)) = classes.first() {
            let text = format!("{name}  {}", percent(*probability));
            paint_title(painter, view.transform.rect, &text);
        }
    }

    fn readout(&self, _view: &View, _reading: &HeadReading) -> Option<String> {
        None
    }

    fn panel(&mut self, ui: &mut Ui, reading: Option<&HeadReading>) {
        let mut top = self.settings.top as f32;
        let hint = "How many classes are listed";
        controls::slider(ui, "Listed", hint, &mut top, 1.0..=50.0, Settings::default().top as f32);
        self.settings.top = top.round() as usize;
        let Some(HeadAnswer::Classes(classes)) = reading.map(|reading| &reading.answer) else { return };
        ui.separator();
        for (place, (name, probability)) in classes.iter().take(self.settings.top).enumerate() {
            let text = RichText::new(name);
            ui.horizontal(|ui| {
                ui.add(egui::Label::new(if place == 0 { text.strong() } else { text }).truncate());
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.monospace(percent(*probability));
                });
            });
            ui.add(ProgressBar::new(*probability).desired_height(4.0));
        }
    }

    fn exports(&self, _shared: &Shared, stem: &str, reading: &Arc<HeadReading>) -> Vec<Exportable> {
        let HeadAnswer::Classes(classes) = &reading.answer else { return Vec::new() };
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let line = |(name, probability): &(String, f32)| format!("{},{probability}\n", quoted(name));
        let text = format!("class,probability\n{}", classes.iter().map(line).collect::<String>());
        let file_name = format!("{stem}.classes.csv");
        vec![Exportable { name: "All classes (CSV)", file_name, what: Export::Text(text), is_picture: false }]
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.settings = serde_json::from_value(settings.clone()).unwrap_or_default();
        self.settings.top = self.settings.top.clamp(1, 50);
    }
}

/// "97.3 %", "0.04 %".
fn percent(share: f32) -> String {
    if share < 0.0995 { format!("{:.2} %", 100.0 * share) } else { format!("{:.1} %", 100.0 * share) }
}
