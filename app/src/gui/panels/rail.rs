//! The tool rail at the left.

use egui::{Align2, FontId, Sense, Ui, vec2};

use crate::gui::actions::{self, Action};
use crate::gui::theme;
use crate::gui::tools::{RAIL, ToolKind};

/// Height of a tool in points, where there is room; in low windows the word below the icon goes first.
const HEIGHT: f32 = 52.0;

/// See [`HEIGHT`].
const LEAST_HEIGHT: f32 = 30.0;

/// Lower ones have no word.
const LEAST_WITH_WORD: f32 = 44.0;

/// Points between two tools.
const GAP: f32 = 4.0;

/// Shows the rail; the tool that was chosen, if any.
pub fn show(ui: &mut Ui, active: ToolKind) -> Option<ToolKind> {
    let mut chosen = None;
    ui.add_space(8.0);
    let height = height(ui.available_height() - 8.0, RAIL.len());
    ui.spacing_mut().item_spacing.y = GAP;
    ui.vertical_centered(|ui| {
        for info in RAIL {
            let (rect, response) = ui.allocate_exact_size(vec2(theme::RAIL_WIDTH - 8.0, height), Sense::click());
            let is_active = info.kind == active;
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_active, info.name));
            let visuals = ui.style().interact_selectable(&response, is_active);
            if is_active || response.hovered() || response.has_focus() {
                ui.painter().rect_filled(rect, 6.0, visuals.weak_bg_fill);
            }
            let colour = visuals.text_color();
            let icon_font = FontId::new(22.0, info.icon.font_family());
            let has_word = height >= LEAST_WITH_WORD;
            let centre = if has_word { rect.center() - vec2(0.0, 6.0) } else { rect.center() };
            ui.painter().text(centre, Align2::CENTER_CENTER, info.icon.codepoint, icon_font, colour);
            if has_word {
                let word = rect.center() + vec2(0.0, 15.0);
                ui.painter().text(word, Align2::CENTER_CENTER, info.name, FontId::proportional(11.0), colour);
            }
            let key = actions::shortcut_text(ui.ctx(), Action::Use(info.kind));
            if response.on_hover_text(format!("{} ({key})\n{}", info.name, info.hint)).clicked() {
                chosen = Some(info.kind);
            }
        }
    });
    chosen
}

/// Height of each of `count` tools in a rail that is `free` points high.
fn height(free: f32, count: usize) -> f32 {
    let even = (free + GAP) / count.max(1) as f32 - GAP;
    even.clamp(LEAST_HEIGHT, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tools_fit_into_the_lowest_window() {
        // 560 points less the menu, the status line and the filmstrip.
        let free = 560.0 - 36.0 - 28.0 - 80.0 - 16.0;
        assert_eq!(height(free, 3), HEIGHT);
        let each = height(free, RAIL.len());
        let (count, gaps) = (RAIL.len() as f32, (RAIL.len() - 1) as f32);
        assert!(each > LEAST_HEIGHT && count * each + gaps * GAP <= free, "{each}");
    }
}
