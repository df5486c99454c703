//! Controls of the inspector: a name at the left, the control at the right, each with a tooltip.

use std::ops::RangeInclusive;

use egui::{
    Align, CollapsingHeader, ComboBox, DragValue, Label, Layout, Response, RichText, Slider, TextStyle, TextWrapMode,
    Ui, WidgetInfo, WidgetText, vec2,
};
use egui_material_icons::icons;

/// Width of the names, in points.
pub const NAME_WIDTH: f32 = 88.0;

/// Width of typed numbers, in points.
pub const NUMBER_WIDTH: f32 = 52.0;

/// So many options at most lie side by side.
const MOST_SEGMENTS: usize = 3;

/// A number that is dragged or typed; a double click sets it to `default`.
pub fn slider(
    ui: &mut Ui,
    name: &str,
    hint: &str,
    value: &mut f32,
    range: RangeInclusive<f32>,
    default: f32,
) -> Response {
    let (start, end) = (*range.start(), *range.end());
    let decimals = decimals(end - start);
    row(ui, name, hint, |ui, label| {
        ui.spacing_mut().slider_width = ui.available_width() - NUMBER_WIDTH - ui.spacing().item_spacing.x;
        let slide = Slider::new(value, range.clone()).show_value(false).max_decimals(decimals);
        let mut response = ui.add(slide).labelled_by(label.id).on_hover_text(hint);
        if response.hovered() && ui.input(|input| input.pointer.button_double_clicked(egui::PointerButton::Primary)) {
            *value = default;
            response.mark_changed();
        }
        let number = DragValue::new(value).range(range).speed((end - start) / 200.0).max_decimals(decimals);
        let number = ui.add_sized(vec2(NUMBER_WIDTH, ui.spacing().interact_size.y), number).on_hover_text(hint);
        ui.ctx().accesskit_node_builder(number.id, |node| node.set_label(format!("{name}, number")));
        if number.changed() {
            response.mark_changed();
        }
        response
    })
}

/// One of several; side by side where few and short, else a list that opens.
pub fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    hint: &str,
    value: &mut T,
    options: &[(T, &str)],
) -> Response {
    let before = *value;
    let mut response = row(ui, name, hint, |ui, label| {
        if is_short(ui, options) {
            return segments(ui, hint, value, options).unwrap_or_else(|| label.clone());
        }
        let chosen = options.iter().find(|(option, _)| option == value).map_or("", |(_, text)| text);
        let list = ComboBox::from_id_salt(name).selected_text(chosen).width(ui.available_width());
        let list = list.show_ui(ui, |ui| {
            for &(option, text) in options {
                ui.selectable_value(value, option, text);
            }
        });
        list.response.labelled_by(label.id).on_hover_text(hint)
    });
    if *value != before {
        response.mark_changed();
    }
    response
}

/// One of several, side by side over the whole width, each with the same space around its text; `None` where there is
/// nothing to choose.
pub fn segments<T: Copy + PartialEq>(
    ui: &mut Ui,
    hint: &str,
    value: &mut T,
    options: &[(T, &str)],
) -> Option<Response> {
    const GAP: f32 = 4.0;
    let texts: Vec<f32> = options.iter().map(|(_, text)| text_width(ui, text)).collect();
    let free = ui.available_width() - GAP * options.len().saturating_sub(1) as f32;
    let even = free / options.len().max(1) as f32;
    // Even widths look calmer; they are given up where a text does not fit into one.
    let is_even = texts.iter().all(|text| text + 8.0 <= even);
    let around = (free - texts.iter().sum::<f32>()) / options.len().max(1) as f32;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        ui.spacing_mut().button_padding.x = 2.0;
        let mut any: Option<Response> = None;
        for (&(option, text), text_width) in options.iter().zip(texts) {
            let is_chosen = *value == option;
            let width = if is_even { even } else { text_width + around };
            let size = vec2(width, ui.spacing().interact_size.y);
            let button = egui::Button::selectable(is_chosen, text).frame_when_inactive(true).min_size(size);
            let button = ui.add_sized(size, button).on_hover_text(hint);
            if button.clicked() {
                *value = option;
            }
            any = Some(match any {
                Some(all) => all | button,
                None => button,
            });
        }
        any
    })
    .inner
}

/// On or off.
pub fn toggle(ui: &mut Ui, name: &str, hint: &str, value: &mut bool) -> Response {
    ui.checkbox(value, name).on_hover_text(hint)
}

/// Controls that are used seldom: folded until somebody opens them.
pub fn section<R>(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui) -> R) -> Option<R> {
    CollapsingHeader::new(title).show_unindented(ui, content).body_returned
}

/// A link that says where it leads.
pub fn link(ui: &mut Ui, text: impl Into<WidgetText>, address: impl Into<String>) -> Response {
    let address = address.into();
    ui.hyperlink_to(text, &address).on_hover_text(&address)
}

/// Why something is not there, and a button that asks for it again; whether that was pressed.
pub fn problem(ui: &mut Ui, sentence: &str) -> bool {
    let text = format!("{} {sentence}", icons::ICON_WARNING.codepoint);
    ui.label(RichText::new(text).small().color(ui.visuals().warn_fg_color));
    ui.button("Try again").on_hover_text("Compute it once more").clicked()
}

/// A button with an icon alone: `name` is for the tooltip and for those who do not see it.
pub fn icon_button(ui: &mut Ui, icon: egui_material_icons::MaterialIcon, name: &str) -> Response {
    let button = ui.add(egui::Button::new(icon.rich_text().size(16.0)).frame_when_inactive(false));
    button.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, name));
    button.on_hover_text(name)
}

/// A name at the left and any control at the right, which gets the name's response to be labelled by.
pub fn row<R>(ui: &mut Ui, name: &str, hint: &str, control: impl FnOnce(&mut Ui, &Response) -> R) -> R {
    ui.horizontal(|ui| {
        let size = vec2(NAME_WIDTH, ui.spacing().interact_size.y);
        let layout = Layout::left_to_right(Align::Center);
        let label = ui.allocate_ui_with_layout(size, layout, |ui| {
            ui.set_min_width(NAME_WIDTH);
            ui.add(Label::new(name).wrap_mode(TextWrapMode::Truncate)).on_hover_text(hint)
        });
        control(ui, &label.inner)
    })
    .inner
}

/// Whether all options fit side by side.
fn is_short<T>(ui: &Ui, options: &[(T, &str)]) -> bool {
    /// Between the text and the button's edges, and between buttons.
    const AROUND: f32 = 12.0;
    let widest = options.iter().map(|(_, text)| text_width(ui, text) + AROUND).fold(0.0, f32::max);
    options.len() <= MOST_SEGMENTS && widest * options.len() as f32 <= ui.available_width()
}

/// Width of a button's text, in points.
fn text_width(ui: &Ui, text: &str) -> f32 {
    let font = TextStyle::Button.resolve(ui.style());
    ui.painter().layout_no_wrap(text.to_owned(), font, egui::Color32::WHITE).size().x
}

/// Whole numbers for large ranges, else as many decimals as tell a hundred places apart.
fn decimals(span: f32) -> usize {
    if span >= 10.0 { 0 } else { (2.0 - span.abs().max(1e-6).log10().floor()).clamp(2.0, 4.0) as usize }
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn decimals_suit_the_range() {
        assert_eq!((decimals(1.0), decimals(2.0), decimals(64.0), decimals(1000.0)), (2, 2, 0, 0));
    }
}
