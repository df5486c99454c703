//! The list of keys, made from the table of actions.

use egui::{Context, Grid, RichText, Ui, Window};

use crate::gui::actions;

/// Groups of the left and of the right column.
const COLUMNS: [&[&str]; 2] = [&["Tools", "Files"], &["Edit", "View", "Help"]];

/// Shows the list while it is open.
pub fn show(context: &Context, is_open: &mut bool) {
    Window::new("Keyboard shortcuts")
        .open(is_open)
        .collapsible(false)
        .resizable(false)
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(context.content_rect().center())
        .show(context, |ui| {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 40.0;
                for (index, groups) in COLUMNS.into_iter().enumerate() {
                    ui.vertical(|ui| {
                        ui.set_width(280.0);
                        ui.spacing_mut().item_spacing.x = 16.0;
                        groups.iter().for_each(|group| keys(ui, group));
                        if index == 0 {
                            let keys = actions::SIMILARITY_KEYS.iter();
                            rows(ui, "Similarity", keys.map(|(what, how)| (*what, (*how).to_owned())));
                        }
                        if index == 1 {
                            rows(ui, "Mouse", actions::GESTURES.iter().map(|(what, how)| (*what, (*how).to_owned())));
                        }
                    });
                }
            });
        });
}

fn keys(ui: &mut Ui, group: &str) {
    let context = ui.ctx().clone();
    let entries = actions::TABLE.iter().filter(|entry| entry.group == group && entry.shortcut.is_some());
    rows(ui, group, entries.map(|entry| (entry.name, actions::shortcut_text(&context, entry.action))));
}

fn rows(ui: &mut Ui, title: &str, rows: impl Iterator<Item = (&'static str, String)>) {
    ui.label(RichText::new(title).strong());
    Grid::new(("shortcuts", title)).num_columns(2).min_col_width(132.0).spacing([12.0, 4.0]).show(ui, |ui| {
        for (what, how) in rows {
            ui.label(what);
            ui.label(RichText::new(how).monospace().weak());
            ui.end_row();
        }
    });
    ui.add_space(8.0);
}
