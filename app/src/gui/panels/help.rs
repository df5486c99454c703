//! The list of keys, made from the table of actions.

use egui::{Context, Grid, Window};

use crate::gui::actions;

/// Shows the list while it is open.
pub fn show(context: &Context, is_open: &mut bool) {
    Window::new("Keyboard shortcuts").open(is_open).collapsible(false).resizable(false).show(context, |ui| {
        Grid::new("shortcuts").num_columns(2).spacing([32.0, 6.0]).show(ui, |ui| {
            for entry in actions::TABLE.iter().filter(|entry| entry.shortcut.is_some()) {
                ui.label(entry.name);
                ui.monospace(actions::shortcut_text(context, entry.action));
                ui.end_row();
            }
            for (what, how) in actions::GESTURES {
                ui.label(*what);
                ui.monospace(*how);
                ui.end_row();
            }
        });
    });
}
