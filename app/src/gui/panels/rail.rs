//! The tool rail at the left.

use egui::{Align2, FontId, Sense, Ui, vec2};

use crate::gui::actions::{self, Action};
use crate::gui::theme;
use crate::gui::tools::ToolKind;

/// Shows the rail; the tool that was chosen, if any.
pub fn show(ui: &mut Ui, active: ToolKind) -> Option<ToolKind> {
    let mut chosen = None;
    ui.add_space(8.0);
    ui.vertical_centered(|ui| {
        for kind in ToolKind::ALL {
            let (rect, response) = ui.allocate_exact_size(vec2(theme::RAIL_WIDTH - 8.0, 52.0), Sense::click());
            let is_active = kind == active;
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_active, kind.name()));
            let visuals = ui.style().interact_selectable(&response, is_active);
            if is_active || response.hovered() || response.has_focus() {
                ui.painter().rect_filled(rect, 6.0, visuals.weak_bg_fill);
            }
            let colour = visuals.text_color();
            let icon = kind.icon();
            let icon_font = FontId::new(22.0, icon.font_family());
            ui.painter().text(
                rect.center_top() + vec2(0.0, 20.0),
                Align2::CENTER_CENTER,
                icon.codepoint,
                icon_font,
                colour,
            );
            let word = rect.center_bottom() - vec2(0.0, 11.0);
            ui.painter().text(word, Align2::CENTER_CENTER, kind.name(), FontId::proportional(11.0), colour);
            let key = actions::shortcut_text(ui.ctx(), Action::Use(kind));
            if response.on_hover_text(format!("{} ({key})\n{}", kind.name(), kind.hint())).clicked() {
                chosen = Some(kind);
            }
        }
    });
    chosen
}
