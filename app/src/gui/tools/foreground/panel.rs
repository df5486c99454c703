//! The foreground in the inspector.

use dinoscope_engine::dispatch::PictureId;
use egui::Ui;

use super::{BrushMode, ForegroundKind, brush};
use crate::gui::actions::{self, ToolAction};
use crate::gui::dialogs::{Purpose, Question, QuestionKind};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// The choice for one picture, and what belongs to it.
pub fn inspector(ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
    let before = shared.placed.now().choices.kind(picture);
    let mut kind = before;
    let has_probe = shared.probe.is_some() || kind == ForegroundKind::Probe;
    let mut kinds = vec![
        (ForegroundKind::All, "All"),
        // Five are a tight fit.
        (ForegroundKind::Automatic, if has_probe { "Auto" } else { "Automatic" }),
        (ForegroundKind::Painted, "Painted"),
        (ForegroundKind::File, "File"),
    ];
    kinds.extend(has_probe.then_some((ForegroundKind::Probe, "Probe")));
    controls::segments(ui, "Which patches count: all, or only the foreground", &mut kind, &kinds);
    if kind != before {
        choose(shared, picture, kind);
    }
    match kind {
        ForegroundKind::All => {}
        ForegroundKind::Automatic => answer(ui, shared, picture, "What stands out from the picture's border"),
        ForegroundKind::Probe if shared.probe.is_none() => {
            ui.weak("All patches count until the Probe tool is taught");
        }
        ForegroundKind::Probe => answer(ui, shared, picture, "What the probe takes for another than its first class"),
        ForegroundKind::Painted => painted(ui, shared, picture),
        ForegroundKind::File => file(ui, shared, picture),
    }
}

fn choose(shared: &mut Shared, picture: PictureId, kind: ForegroundKind) {
    if kind == ForegroundKind::File && shared.placed.now().choices.file(picture).is_none() {
        // Chosen with the file, and not at all where the dialog is cancelled.
        pick_file(shared, picture);
        return;
    }
    shared.placed.edit("choose foreground", |placed| placed.choices.choose(picture, kind));
    shared.foregrounds.brush = (kind == ForegroundKind::Painted).then_some(BrushMode::Paint);
}

fn painted(ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
    let foregrounds = &mut shared.foregrounds;
    let modes = [(Some(BrushMode::Paint), "Brush"), (Some(BrushMode::Erase), "Eraser"), (None, "Off")];
    let hint = "Drag over the picture; the right button erases";
    controls::segments(ui, hint, &mut foregrounds.brush, &modes);
    let hint = actions::with_keys("Diameter in patches", &[ToolAction::SmallerBrush, ToolAction::LargerBrush]);
    controls::slider(ui, "Brush size", &hint, &mut foregrounds.brush_size, brush::SIZES, brush::USUAL_SIZE);
    let is_empty = shared.placed.now().foregrounds.get(&picture).is_none_or(|painting| painting.dabs.is_empty());
    ui.horizontal(|ui| {
        let clear = ui.add_enabled(!is_empty, egui::Button::new("Clear"));
        let hint = "Removes what is painted on this picture";
        if clear.on_hover_text(hint).on_disabled_hover_text(hint).clicked() {
            shared.placed.edit("clear foreground", |placed| {
                placed.foregrounds.remove(&picture);
            });
        }
        if is_empty {
            ui.weak("Nothing painted yet: all count");
        } else {
            count(ui, shared, picture);
        }
    });
}

fn file(ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
    let path = shared.placed.now().choices.file(picture).cloned();
    let label = if path.is_some() { "Another…" } else { "Choose a mask…" };
    ui.horizontal(|ui| {
        let button = ui.button(label).on_hover_text("A PNG of the picture's size: all but black, or what is not clear");
        if button.clicked() {
            pick_file(shared, picture);
        }
        if let Some(name) = path.as_deref().and_then(|path| path.file_name()) {
            let name = name.to_string_lossy();
            ui.add(egui::Label::new(&*name).truncate())
                .on_hover_text(path.as_deref().map_or_else(String::new, |path| path.display().to_string()));
        }
    });
    if path.is_some() {
        answer(ui, shared, picture, "");
    }
}

/// What the worker says of the mask.
fn answer(ui: &mut Ui, shared: &mut Shared, picture: PictureId, hint: &str) {
    let Some(answer) = shared.foregrounds.answers.get(&picture) else { return };
    if let Some(failure) = answer.failure() {
        if controls::problem(ui, &format!("All patches count: {failure}")) {
            shared.foregrounds.answers.remove(&picture);
        }
    } else if answer.is_pending() {
        ui.weak("Looking…");
    } else {
        let shown = count(ui, shared, picture);
        if !hint.is_empty() {
            shown.on_hover_text(hint);
        }
    }
}

fn count(ui: &mut Ui, shared: &Shared, picture: PictureId) -> egui::Response {
    let text = super::drawn(shared, picture).map_or_else(String::new, |mask| {
        let inside = mask.iter().filter(|&&inside| inside).count();
        format!("{inside} of {} patches", mask.len())
    });
    ui.weak(text)
}

/// Asks for a mask file.
fn pick_file(shared: &mut Shared, picture: PictureId) {
    let question = Question {
        kind: QuestionKind::OpenOne,
        title: "Mask of the foreground",
        filter: Some(("Masks (PNG)", vec!["png".to_owned()])),
        folder: None,
        file_name: String::new(),
    };
    shared.questions.push((Purpose::Mask(picture), question));
}
