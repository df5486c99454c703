//! The list of keys, made from the table of actions.

use egui::{Context, Grid, RichText, ScrollArea, Ui, Window};

use crate::gui::actions;

/// Groups of the left and of the right column; the mouse stands below the left ones.
const COLUMNS: [&[&str]; 2] =
    [&["Tools", "Files", "Edit"], &["View", "Video", "Canvas", "Similarity", "Tracking", "Help"]];

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
    for group in COLUMNS[index] {
        rows(ui, group, keys(ui.ctx(), group));
    }
    if index == 0 {
        rows(ui, "Mouse", actions::GESTURES.iter().map(|(what, how)| (*what, (*how).to_owned())).collect());
    }
}

/// Names and keys of a group, in the order of the tables.
fn keys(context: &Context, group: &str) -> Vec<(&'static str, String)> {
    let entries = actions::TABLE.iter().filter(|entry| entry.group == group && entry.shortcut.is_some());
    let mut rows: Vec<_> = entries.map(|entry| (entry.name, actions::shortcut_text(context, entry.action))).collect();
    if group == "View" {
        let held = actions::HELD.iter().map(|(_, name, key)| (*name, format!("Hold {}", actions::key_text(*key))));
        rows.extend(held);
    }
    for entry in actions::TOOL_TABLE.iter().filter(|entry| entry.group == group) {
        let key = actions::key_text(entry.key);
        match rows.last_mut().filter(|(name, _)| *name == entry.name) {
            Some((_, keys)) => *keys = format!("{keys} {key}"),
            None => rows.push((entry.name, key.to_owned())),
        }
    }
    rows
}

fn rows(ui: &mut Ui, title: &str, rows: Vec<(&'static str, String)>) {
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
