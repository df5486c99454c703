//! At the top of the panel: the model in use, where it runs and how fast.

use dinoscope_engine::dispatch::{ModelChoice, Remedy};
use dinoscope_engine::encoder::{DEMO, ModelSource};
use dinoscope_engine::model::zoo;
use egui::{RichText, Ui};

use super::{Asked, Models};
use crate::gui::panels::chips;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;
use crate::gui::words;

/// Shows the model in use; what would mend it, where that was asked for.
pub fn show(ui: &mut Ui, shared: &mut Shared, models: &Models) -> Option<Asked> {
    let choice = shared.model.choice.clone();
    ui.horizontal_wrapped(|ui| {
        ui.strong(words::model(&choice.source));
        if let ModelSource::Named(name) = &choice.source
            && let Some(note) = zoo::find(name).and_then(|model| model.note())
        {
            ui.weak(note);
        }
    });
    let mut asked = None;
    let state = match &shared.model.state {
        ModelState::Loading => "Loading…".to_owned(),
        ModelState::Ready(info) => {
            let speed = match shared.last_encode() {
                Some(last) => {
                    let (rows, cols) = last.grid;
                    let milliseconds = last.time.as_secs_f64() * 1000.0;
                    format!("{milliseconds:.0} ms per picture in the last run, {rows} × {cols} patches")
                }
                None => "no picture yet".to_owned(),
            };
            format!("{} · {speed}", words::runs_on(info))
        }
        ModelState::Failed(failure) => {
            let failure = failure.clone();
            ui.colored_label(theme::danger(ui.ctx().theme()), &failure.message);
            ui.horizontal(|ui| {
                if let Some(remedy) = failure.remedy
                    && ui.button(remedy_text(&remedy)).on_hover_text("What would help").clicked()
                {
                    asked = Some(Asked::Mend(remedy));
                }
                go_back(ui, shared, &choice);
            });
            String::new()
        }
    };
    if !state.is_empty() {
        ui.label(RichText::new(state).small());
    }
    chips::device_choices(ui, shared, models);
    asked
}

/// The model before, and the one that always works.
fn go_back(ui: &mut Ui, shared: &mut Shared, failed: &ModelChoice) {
    let previous = shared.model.previous.clone().filter(|previous| **previous != *failed);
    let demo = ModelSource::Named(DEMO.to_owned());
    let has_demo = previous.as_ref().is_some_and(|previous| previous.source == demo);
    let mut chosen = None;
    if let Some(previous) = previous
        && ui.button(format!("Use {} again", words::model(&previous.source))).on_hover_text("The one before").clicked()
    {
        chosen = Some((*previous).clone());
    }
    if !has_demo
        && failed.source != demo
        && ui.button("Use demo instead").on_hover_text("The one that is part of the program").clicked()
    {
        chosen = Some(ModelChoice { source: demo, ..failed.clone() });
    }
    if let Some(choice) = chosen {
        shared.load_model(choice);
    }
}

fn remedy_text(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Download(name) => format!("Download {name}…"),
        Remedy::UseCpu => "Use CPU".to_owned(),
        Remedy::GiveToken(_) => "Enter a token…".to_owned(),
    }
}
