//! The share of the variance that each component explains, as bars.

use egui::{Align2, Color32, FontId, Rect, Sense, Ui, pos2, vec2};

use super::percent;
use super::settings::Colouring;
use crate::gui::theme;

/// Points, without the numbers below.
const HEIGHT: f32 = 56.0;

/// Points for the numbers below.
const NUMBERS: f32 = 16.0;

/// Red, green and blue that are told apart on dark and light ground.
pub const CHANNELS: [Color32; 3] =
    [Color32::from_rgb(0xE5, 0x48, 0x4D), Color32::from_rgb(0x3D, 0xA8, 0x5A), Color32::from_rgb(0x3B, 0x82, 0xF6)];

/// Draws the bars; those in `shown` carry their channel's colour.
pub fn show(ui: &mut Ui, shares: &[f64], shown: &[usize], colouring: Colouring) {
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT + NUMBERS), Sense::hover());
    let total = total(shares, shown);
    let label = format!("Explained variance, shown: {}", percent(total as f32));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    let largest = shares.iter().copied().fold(0.0, f64::max);
    let step = area.width() / shares.len().max(1) as f32;
    for (index, &share) in shares.iter().enumerate() {
        let left = area.left() + index as f32 * step;
        let column = Rect::from_min_size(pos2(left, area.top()), vec2(step, area.height()));
        let height = if largest > 0.0 { HEIGHT * (share / largest) as f32 } else { 0.0 };
        let bottom = area.top() + HEIGHT;
        let bar = Rect::from_min_max(pos2(left + 2.0, bottom - height.max(1.0)), pos2(left + step - 2.0, bottom));
        let colour = colour(ui, index, shown, colouring);
        ui.painter().rect_filled(bar, 2.0, colour);
        let number = FontId::proportional(11.0);
        let text =
            if shown.contains(&index) { ui.visuals().strong_text_color() } else { ui.visuals().weak_text_color() };
        let below = pos2(column.center().x, area.bottom());
        ui.painter().text(below, Align2::CENTER_BOTTOM, index + 1, number, text);
        let id = ui.scope_id().with(("component", index));
        let hint = format!("Component {}: {:.1} % of the variance", index + 1, 100.0 * share);
        ui.interact(column, id, Sense::hover()).on_hover_text(hint);
    }
    ui.weak(format!("Shown: {} of the variance", percent(total as f32)));
}

/// Share of the components that are shown, each once.
fn total(shares: &[f64], shown: &[usize]) -> f64 {
    shares.iter().enumerate().filter(|(index, _)| shown.contains(index)).map(|(_, share)| share).sum()
}

/// The channel's colour; the mean where a component is in several.
fn colour(ui: &Ui, index: usize, shown: &[usize], colouring: Colouring) -> Color32 {
    if !shown.contains(&index) {
        return ui.visuals().weak_text_color().gamma_multiply(0.5);
    }
    if colouring == Colouring::Single {
        return theme::accent(ui.ctx().theme());
    }
    let mut channels = shown.iter().zip(CHANNELS).filter(|(shown, _)| **shown == index).map(|(_, channel)| channel);
    let first = channels.next().unwrap_or(CHANNELS[0]);
    channels.fold(first, |mixed, channel| mixed.lerp_to_gamma(channel, 0.5))
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn a_component_shown_twice_counts_once() {
        assert_eq!(total(&[0.5, 0.25, 0.125], &[0, 2, 0]), 0.625);
        assert_eq!(total(&[0.5], &[3]), 0.0);
    }
}
