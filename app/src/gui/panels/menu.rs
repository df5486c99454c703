//! The bar at the top: menus, and the chips for model, device and size.

use std::path::PathBuf;

use egui::{Button, MenuBar, Ui};
use egui_material_icons::icons;

use super::models::Models;
use super::{chips, export};
use crate::gui::actions::{self, Action};
use crate::gui::samples::SAMPLES;
use crate::gui::shared::Shared;
use crate::gui::tools::{Exportable, Tool};

/// Widest that names of files are shown, in points.
const WIDTH: f32 = 260.0;

/// What was asked for.
pub enum Asked {
    /// One of the table.
    Act(Action),
    /// A file opened before.
    OpenRecent(PathBuf),
    /// Forget those files.
    ForgetRecent,
    /// The sample of that place.
    OpenSample(usize),
    /// Look for cameras.
    Camera,
    /// Ask where to save this.
    Export(Exportable),
}

/// Shows the bar.
pub fn show(ui: &mut Ui, shared: &mut Shared, models: &mut Models, tool: &dyn Tool) -> Vec<Asked> {
    let mut asked = Vec::new();
    MenuBar::new().ui(ui, |ui| {
        ui.menu_button("Files", |ui| files(ui, shared, tool, &mut asked));
        ui.menu_button("Edit", |ui| edit(ui, shared, &mut asked));
        let is_clip = shared.active_player().is_some();
        let groups = ["View", "Video", "Help"].into_iter().filter(|group| is_clip || *group != "Video");
        for group in groups {
            ui.menu_button(group, |ui| {
                ui.set_min_width(200.0);
                for entry in actions::TABLE.iter().filter(|entry| entry.group == group) {
                    let is_on = entry.action == Action::PatchGrid && shared.canvas.has_patch_grid;
                    let check = icons::ICON_CHECK.codepoint;
                    let name = if is_on { format!("{check} {}", entry.name) } else { entry.name.to_owned() };
                    act(ui, entry.action, &name, true, &mut asked);
                }
            });
        }
        chips::show(ui, shared, models);
    });
    asked
}

fn files(ui: &mut Ui, shared: &mut Shared, tool: &dyn Tool, asked: &mut Vec<Asked>) {
    ui.set_min_width(220.0);
    let has_picture = shared.documents.active_id().is_some();
    named(ui, Action::Open, true, asked);
    ui.menu_button("Recent", |ui| recent(ui, shared, asked));
    ui.menu_button("Samples", |ui| {
        for (place, sample) in SAMPLES.iter().enumerate() {
            if ui.button(sample.title).on_hover_text(format!("Open {}", sample.name)).clicked() {
                asked.push(Asked::OpenSample(place));
            }
        }
    });
    if shared.cameras.is_some() && ui.button("Camera…").on_hover_text("Look through a camera").clicked() {
        asked.push(Asked::Camera);
    }
    ui.separator();
    named(ui, Action::OpenWorkspace, true, asked);
    named(ui, Action::SaveWorkspace, has_picture, asked);
    ui.menu_button("Export", |ui| {
        if let Some(what) = export::entries(ui, tool, shared) {
            asked.push(Asked::Export(what));
        }
    });
    ui.separator();
    named(ui, Action::Models, true, asked);
    ui.separator();
    let several = shared.documents.len() > 1;
    named(ui, Action::NextPicture, several, asked);
    named(ui, Action::PreviousPicture, several, asked);
    named(ui, Action::Close, has_picture, asked);
    named(ui, Action::CloseAll, has_picture, asked);
    ui.separator();
    named(ui, Action::Quit, true, asked);
}

fn recent(ui: &mut Ui, shared: &Shared, asked: &mut Vec<Asked>) {
    ui.set_max_width(WIDTH);
    if shared.settings.recent.is_empty() {
        ui.weak("No files yet");
        return;
    }
    for path in &shared.settings.recent {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        if ui.add(Button::new(name).truncate()).on_hover_text(path.display().to_string()).clicked() {
            asked.push(Asked::OpenRecent(path.clone()));
        }
    }
    ui.separator();
    if ui.button("Forget these").on_hover_text("Empties this list; files stay where they are").clicked() {
        asked.push(Asked::ForgetRecent);
    }
}

fn edit(ui: &mut Ui, shared: &Shared, asked: &mut Vec<Asked>) {
    ui.set_min_width(220.0);
    let step = |word: &str, label: Option<&str>| label.map_or(word.to_owned(), |label| format!("{word} {label}"));
    let (undo, redo) = (shared.placed.undo_label(), shared.placed.redo_label());
    act(ui, Action::Undo, &step("Undo", undo), undo.is_some(), asked);
    act(ui, Action::Redo, &step("Redo", redo), redo.is_some(), asked);
    ui.separator();
    named(ui, Action::Copy, shared.documents.active_id().is_some(), asked);
    named(ui, Action::Paste, true, asked);
}

/// An entry with its name from the table.
fn named(ui: &mut Ui, action: Action, is_enabled: bool, asked: &mut Vec<Asked>) {
    let name = actions::entry_of(action).map_or("", |entry| entry.name);
    act(ui, action, name, is_enabled, asked);
}

fn act(ui: &mut Ui, action: Action, name: &str, is_enabled: bool, asked: &mut Vec<Asked>) {
    let key = actions::shortcut_text(ui.ctx(), action);
    if ui.add_enabled(is_enabled, Button::new(name).shortcut_text(key)).clicked() {
        asked.push(Asked::Act(action));
    }
}
