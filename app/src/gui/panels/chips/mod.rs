//! Model, device and size at the right of the menu bar: each chip shows its state and opens a small panel.

mod device;
mod model;
mod size;

pub use device::choices as device_choices;

use egui::{Align, Button, Color32, Layout, Popup, PopupCloseBehavior, Response, RichText, Ui, vec2};
use egui_material_icons::icons::ICON_ARROW_DROP_DOWN;

use super::models::Models;
use crate::gui::shared::Shared;

/// Width of the panels below the chips, in points.
const PANEL_WIDTH: f32 = 304.0;

/// Longest value of a chip.
const MOST_LETTERS: usize = 24;

/// Shows the chips, right-aligned in what is left of the bar.
pub fn show(ui: &mut Ui, shared: &mut Shared, models: &mut Models) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().button_padding.x = 8.0;
        size::show(ui, shared);
        device::show(ui, shared, models);
        model::show(ui, shared, models);
    });
}

/// What a chip says.
struct Chip<'a> {
    name: &'a str,
    value: String,
    state: Option<(String, Color32)>,
    hint: String,
}

impl Chip<'_> {
    /// Shows the chip, and its panel while that is open.
    fn show(self, ui: &mut Ui, panel: impl FnOnce(&mut Ui)) {
        let label = RichText::new(format!("{}:", self.name)).color(ui.visuals().weak_text_color());
        let mut button = Button::new((label, shortened(&self.value)));
        let mut accessible = format!("{}: {}", self.name, self.value);
        if let Some((state, colour)) = self.state {
            accessible = format!("{accessible}, {state}");
            button = button.right_text(RichText::new(state).color(colour));
        }
        let response = ui.add(button.right_text(ICON_ARROW_DROP_DOWN.rich_text()));
        name(&response, &accessible);
        Popup::menu(&response)
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .accessible_name(self.name)
            .width(PANEL_WIDTH)
            .show(|ui| {
                // Menus are tighter than what is read and typed here.
                ui.spacing_mut().button_padding = vec2(8.0, 4.0);
                panel(ui);
            });
        response.on_hover_text(self.hint);
    }
}

/// Both ends of a long name, so that the chips fit into the bar.
fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= MOST_LETTERS {
        return text.to_owned();
    }
    let end = &letters[letters.len() - MOST_LETTERS / 2..];
    letters[..MOST_LETTERS / 2 - 1].iter().chain(&['…']).chain(end).collect()
}

/// Gives a control a name of its own where its text alone does not tell it from others.
pub fn name(response: &Response, name: &str) {
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// A line of a panel that can be chosen, with a remark at the right.
fn option(ui: &mut Ui, is_chosen: bool, text: &str, remark: &str) -> bool {
    let remark = RichText::new(remark).small().color(ui.visuals().weak_text_color());
    let button = Button::selectable(is_chosen, text).right_text(remark);
    let response = ui.add_sized([ui.available_width(), ui.spacing().interact_size.y], button);
    name(&response, text);
    response.clicked()
}
