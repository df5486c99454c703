//! The list of keys, made from the table of actions.

use egui::{Context, Grid, RichText, ScrollArea, Ui, Window};

use crate::gui::actions;

/// Groups of the left and of the right column.
const COLUMNS: [&[&str]; 2] = [&["Tools", "Files"], &["Edit", "View", "Video", "Help"]];

/// Width of both columns, in points; one stands below the other where there is less.
const WIDTH: f32 = 600.0;

/// Shows the list while it is open.
pub fn show(context: &Context, is_open: &mut bool) {
    let screen = context.content_rect();
    let (width, height) = ((screen.width() - 64.0).min(WIDTH), screen.height() - 120.0);
    Window::new("Keyboard shortcuts")
        .open(is_open)
        .collapsible(false)
        .resizable(false)
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(screen.center())
        .constrain_to(screen)
        .default_size([width, height])
        .show(context, |ui| {
            ScrollArea::vertical().auto_shrink([false, true]).max_height(height).show(ui, |ui| {
                if width < WIDTH {
                    (0..COLUMNS.len()).for_each(|index| column(ui, index));
                } else {
                    ui.columns(COLUMNS.len(), |columns| {
                        columns.iter_mut().enumerate().for_each(|(index, ui)| column(ui, index));
                    });
                }
            });
        });
}

fn column(ui: &mut Ui, index: usize) {
    COLUMNS[index].iter().for_each(|group| keys(ui, group));
    let (title, more) =
        if index == 0 { ("Similarity", actions::SIMILARITY_KEYS) } else { ("Mouse", actions::GESTURES) };
    rows(ui, title, more.iter().map(|(what, how)| (*what, (*how).to_owned())));
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
