//! The bar at the top: menus, and the chips for model, device and size.

use egui::{Button, MenuBar, Ui};

use crate::gui::actions::{self, Action};

/// Shows the bar; what was asked for.
pub fn show(ui: &mut Ui) -> Vec<Action> {
    let mut asked = Vec::new();
    MenuBar::new().ui(ui, |ui| {
        for group in ["Files", "Edit", "View", "Help"] {
            ui.menu_button(group, |ui| {
                for entry in actions::TABLE.iter().filter(|entry| entry.group == group) {
                    let key = actions::shortcut_text(ui.ctx(), entry.action);
                    if ui.add(Button::new(entry.name).shortcut_text(key)).clicked() {
                        asked.push(entry.action);
                    }
                }
            });
        }
    });
    asked
}
