//! The panel at the right.

use dinoscope_engine::draw::Colormap;
use egui::{ComboBox, Key, Sense, TextEdit, Ui, vec2};

use super::Similarity;
use super::colour_bar::gradient;
use super::keys::BRUSH_RADII;
use super::look::{Combination, LeftButton, Look, MOST_BEST, MOST_EXCLUDED, Pictures};
use crate::gui::actions::{self, ToolAction};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;
use crate::gui::tools::Handover;

impl Similarity {
    pub(super) fn show_inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let pinned = self.pinned(shared).count();
        if pinned == 0 {
            ui.weak("Point at a patch to see what is like it. Click to pin it, drag to pin a box.");
        }
        self.show_asking(ui, pinned);
        self.show_phrase(ui, shared);
        self.show_queries(ui, shared);
        ui.separator();
        let has_negative = self.question.has_negative();
        self.look.show(ui);
        controls::section(ui, "More", |ui| self.look.show_more(ui, has_negative));
    }

    /// A phrase lies in dino.txt's space and not in the backbone's, so that its map is that of the Words tool.
    fn show_phrase(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let can = shared.can_take_phrases();
        let hint = if can { "By a phrase…" } else { "By a phrase: needs dino.txt" };
        let field = TextEdit::singleline(&mut self.phrase).hint_text(hint).desired_width(f32::INFINITY);
        let field = ui.add_enabled(can, field);
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("By a phrase"));
        let field = field.on_hover_text("Enter shows the phrase's map, in the Words tool");
        let field = field.on_disabled_hover_text("The Words tool says how to get dino.txt's weights");
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) && !self.phrase.trim().is_empty() {
            shared.handover = Some(Handover::MapOf(std::mem::take(&mut self.phrase)));
        }
    }

    fn show_asking(&mut self, ui: &mut Ui, pinned: usize) {
        let look = &mut self.look;
        let usual = Look::default();
        controls::choice(
            ui,
            "Left button",
            &actions::with_keys("Click a point or drag a box, or paint a region", &[ToolAction::SwitchBrush]),
            &mut look.left_button,
            &[(LeftButton::PointOrBox, "Point, box"), (LeftButton::Brush, "Brush")],
        );
        if look.left_button == LeftButton::Brush {
            let keys = [ToolAction::SmallerBrush, ToolAction::LargerBrush];
            let hint = actions::with_keys("Radius of the brush in patches", &keys);
            controls::slider(ui, "Brush size", &hint, &mut look.brush_radius, BRUSH_RADII, usual.brush_radius);
        }
        controls::choice(
            ui,
            "New query",
            &actions::with_keys(
                "Ask for what is like it or for what is unlike it; Shift: the other one",
                &[ToolAction::SwitchSign],
            ),
            &mut self.is_negative,
            &[(false, "+ Like"), (true, "− Unlike")],
        );
        controls::choice(
            ui,
            "Pictures",
            "Map the active picture, it and its partner, or all open pictures",
            &mut look.pictures,
            &[(Pictures::One, "One"), (Pictures::Pair, "Pair"), (Pictures::All, "All")],
        );
        if pinned > 0 {
            controls::toggle(
                ui,
                "Follow the pointer",
                "Map the patch under the pointer instead of what is pinned (hold Alt)",
                &mut look.follows_pointer,
            );
        }
        if pinned > 1 {
            controls::choice(
                ui,
                "Like",
                "What is like the mean of all queries, or like any one of them",
                &mut look.combination,
                &[(Combination::Mean, "The mean"), (Combination::Any, "Any")],
            );
        }
    }
}

impl Look {
    fn show(&mut self, ui: &mut Ui) {
        let usual = Self::default();
        controls::slider(
            ui,
            "Opacity",
            "How much the map covers the picture",
            &mut self.opacity,
            0.0..=1.0,
            usual.opacity,
        );
        show_colormaps(ui, &mut self.colormap);
        controls::choice(
            ui,
            "Scale",
            &actions::with_keys(
                "Colours from fixed cosines, or from the map's least to its greatest value",
                &[ToolAction::SwitchScale],
            ),
            &mut self.is_stretched,
            &[(false, "Raw"), (true, "Stretched")],
        );
        controls::choice(
            ui,
            "Drawing",
            &actions::with_keys("Bilinear between patches, or every patch in one colour", &[ToolAction::SwitchDrawing]),
            &mut self.is_smooth,
            &[(true, "Smooth"), (false, "Patches")],
        );
        let hint = "Below this value only the picture is shown; 0: off";
        controls::slider(ui, "Threshold", hint, &mut self.threshold, 0.0..=1.0, usual.threshold);
        let hint = "Outline so many of the most similar patches, with their ranks";
        controls::slider(ui, "Best patches", hint, &mut self.best, 0.0..=MOST_BEST, usual.best);
        let hint = "Leave out patches this near to a query, in patches; 0: off";
        controls::slider(ui, "Leave out", hint, &mut self.excluded_radius, 0.0..=MOST_EXCLUDED, usual.excluded_radius);
    }

    fn show_more(&mut self, ui: &mut Ui, has_negative: bool) {
        let usual = Self::default();
        controls::toggle(ui, "Contour line", "A line where the map crosses a value", &mut self.has_contour);
        if self.has_contour {
            let hint = "The value that the line follows";
            controls::slider(ui, "Contour at", hint, &mut self.contour, -1.0..=1.0, usual.contour);
        }
        controls::toggle(ui, "Grey picture", "Take the picture's colours away below the map", &mut self.is_grey_below);
        if !self.is_stretched {
            let (ends, usual) =
                if has_negative { (&mut self.signed_ends, usual.signed_ends) } else { (&mut self.ends, usual.ends) };
            controls::slider(ui, "First colour", "Value of the first colour", &mut ends[0], -1.0..=1.0, usual[0]);
            controls::slider(ui, "Last colour", "Value of the last colour", &mut ends[1], -1.0..=1.0, usual[1]);
        }
    }
}

/// The list of colour maps, each with its colours.
pub fn show_colormaps(ui: &mut Ui, chosen: &mut Colormap) {
    let hint = "Colours of the map";
    controls::row(ui, "Colours", hint, |ui, label| {
        let list = ComboBox::from_id_salt("Colours").selected_text(title(*chosen)).width(104.0);
        let list = list.show_ui(ui, |ui| {
            for (_, colormap) in Colormap::ALL {
                ui.horizontal(|ui| {
                    swatch(ui, colormap, 72.0);
                    ui.selectable_value(chosen, colormap, title(colormap));
                });
            }
        });
        list.response.labelled_by(label.id).on_hover_text(hint);
        let width = ui.available_width();
        swatch(ui, *chosen, width);
    });
}

fn swatch(ui: &mut Ui, colormap: Colormap, width: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, 12.0), Sense::hover());
    ui.painter().add(gradient(rect, colormap, 1.0));
}

/// "Magma"
fn title(colormap: Colormap) -> String {
    let name = Colormap::ALL.iter().find(|(_, known)| *known == colormap).map_or("", |(name, _)| name);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
