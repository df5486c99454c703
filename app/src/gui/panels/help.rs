//! The list of keys, made from the tables of actions.

use egui::{Align, Context, Layout, RichText, ScrollArea, Ui, Window, vec2};

use crate::gui::actions;

/// Groups of each column; the mouse stands below the last ones.
const COLUMNS: [&[&str]; 3] =
    [&["Tools", "Files", "Help"], &["View", "Edit", "Video"], &["Canvas", "Similarity", "Tracking"]];

/// Width of a column, in points.
const WIDTH: f32 = 280.0;

/// Width of what is done, in points.
const NAME_WIDTH: f32 = 160.0;

/// Shows the list while it is open.
pub fn show(context: &Context, is_open: &mut bool) {
    let screen = context.content_rect();
    let columns = ((screen.width() - 64.0) / WIDTH).floor().clamp(1.0, COLUMNS.len() as f32) as usize;
    Window::new("Keyboard shortcuts")
        .open(is_open)
        .collapsible(false)
        .auto_sized()
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(screen.center())
        .constrain_to(screen)
        .show(context, |ui| {
            ui.set_width(columns as f32 * WIDTH);
            // Lines that are read stand closer than lines that are clicked.
            ui.spacing_mut().interact_size.y = 18.0;
            // As high as its content; lower windows scroll.
            let height = screen.height() - 120.0;
            let list = ScrollArea::vertical().auto_shrink([false, true]).max_height(height).min_scrolled_height(height);
            list.show(ui, |ui| {
                ui.columns(columns, |columns| {
                    for index in 0..COLUMNS.len() {
                        let place = index.min(columns.len() - 1);
                        column(&mut columns[place], index);
                    }
                });
            });
        });
}

fn column(ui: &mut Ui, index: usize) {
    ui.spacing_mut().item_spacing.y = 3.0;
    for group in COLUMNS[index] {
        rows(ui, group, keys(ui.ctx(), group));
    }
    if index == COLUMNS.len() - 1 {
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
    let mut last = None;
    for entry in actions::TOOL_TABLE.iter().filter(|entry| entry.group == group) {
        if last.replace(entry.action) == Some(entry.action) {
            continue;
        }
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
    for (what, how) in rows {
        ui.horizontal(|ui| {
            let size = vec2(NAME_WIDTH, ui.spacing().interact_size.y);
            ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(NAME_WIDTH);
                ui.label(what);
            });
            ui.label(RichText::new(how).monospace().weak());
        });
    }
    ui.add_space(12.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_of_the_tables_is_in_a_column() {
        let shown: Vec<&str> = COLUMNS.iter().flat_map(|groups| groups.iter().copied()).collect();
        let groups = actions::TABLE.iter().map(|entry| entry.group);
        for group in groups.chain(actions::TOOL_TABLE.iter().map(|entry| entry.group)) {
            assert!(shown.contains(&group), "{group}");
        }
        let canvas = keys(&Context::default(), "Canvas");
        assert!(canvas.contains(&("Size of the brush", "[ ]".to_owned())), "{canvas:?}");
    }
}
