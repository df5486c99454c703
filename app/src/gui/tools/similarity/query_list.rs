//! The queries in the inspector.

use dinoscope_engine::features::Patch;
use egui::{Align, Layout, ScrollArea, Ui};
use egui_material_icons::icons;

use super::Similarity;
use crate::gui::panels::controls;
use crate::gui::placed::{PlacedQuery, QueryShape};
use crate::gui::shared::Shared;

/// Points that the list takes at most, so that what is below stays in reach.
const LIST_HEIGHT: f32 = 176.0;

/// What was asked for in the list.
enum Asked {
    Select(usize),
    ChangeSign(usize),
    Remove(usize),
    Clear,
}

impl Similarity {
    pub(super) fn show_queries(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.listed = None;
        let mut asked = None;
        let pinned: Vec<(usize, PlacedQuery)> = self.pinned(shared).collect();
        if pinned.is_empty() {
            return;
        }
        ui.horizontal(|ui| {
            ui.strong("Queries");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.small_button("Clear").on_hover_text("Remove all queries").clicked() {
                    asked = Some(Asked::Clear);
                }
            });
        });
        ScrollArea::vertical().id_salt("queries").max_height(LIST_HEIGHT).show(ui, |ui| {
            ui.spacing_mut().item_spacing = egui::vec2(4.0, 2.0);
            for (number, (index, query)) in pinned.iter().enumerate() {
                let row = ui.horizontal(|ui| self.row(ui, shared, number + 1, *index, query));
                if ui.rect_contains_pointer(row.response.rect) {
                    self.listed = Some(*index);
                }
                asked = row.inner.or(asked.take());
            }
        });
        if pinned.iter().all(|(_, query)| query.is_negative) {
            ui.small("All queries are negative: point at what should be alike, or pin a positive one.");
        }
        match asked {
            None => {}
            Some(Asked::Select(index)) => self.selected = Some(index).filter(|_| self.selected != Some(index)),
            Some(Asked::Remove(index)) => self.remove(shared, index),
            Some(Asked::ChangeSign(index)) => shared.placed.edit("change sign", |placed| {
                if let Some(query) = placed.queries.get_mut(index) {
                    query.is_negative ^= true;
                }
            }),
            Some(Asked::Clear) => {
                self.selected = None;
                shared.placed.edit("clear queries", |placed| placed.queries.clear());
            }
        }
    }

    fn row(&self, ui: &mut Ui, shared: &Shared, number: usize, index: usize, query: &PlacedQuery) -> Option<Asked> {
        let mut asked = None;
        let (icon, sign) =
            if query.is_negative { (icons::ICON_REMOVE, "negative") } else { (icons::ICON_ADD, "positive") };
        let name = format!("Query {number} is {sign}: change its sign");
        if controls::icon_button(ui, icon, &name).clicked() {
            asked = Some(Asked::ChangeSign(index));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if controls::icon_button(ui, icons::ICON_CLOSE, &format!("Remove query {number}")).clicked() {
                asked = Some(Asked::Remove(index));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let mut text = describe(&query.shape, self.question.patches(query));
                if shared.documents.active_id() != Some(query.picture)
                    && let Some(document) = shared.documents.get(query.picture)
                {
                    text = format!("{text}, {}", document.name);
                }
                let label = egui::Button::selectable(self.selected == Some(index), text).truncate();
                if ui.add(label).on_hover_text("Select; arrow keys move it, Delete removes it").clicked() {
                    asked = Some(Asked::Select(index));
                }
            });
        });
        asked
    }
}

/// "row 12, col 31", "box 3 × 4 patches", "region 57 patches".
fn describe(shape: &QueryShape, patches: &[Patch]) -> String {
    let span = |of: fn(&Patch) -> usize| {
        let ends = patches.iter().map(of).fold((usize::MAX, 0), |(low, high), at| (low.min(at), high.max(at)));
        (ends.1 + 1).saturating_sub(ends.0)
    };
    match (shape, patches) {
        (_, []) => "not encoded yet".to_owned(),
        (QueryShape::Point(_), [patch, ..]) => format!("row {}, col {}", patch.row, patch.col),
        (QueryShape::Box(..), _) => format!("box {} × {} patches", span(|patch| patch.row), span(|patch| patch.col)),
        (QueryShape::Region(_), [_]) => "region 1 patch".to_owned(),
        (QueryShape::Region(_), _) => format!("region {} patches", patches.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::placed::PixelPoint;

    #[test]
    fn places_are_told_in_patches() {
        let zero = PixelPoint { x: 0.0, y: 0.0 };
        let patches: Vec<Patch> = (2..5).flat_map(|row| (1..5).map(move |col| Patch { row, col })).collect();
        assert_eq!(describe(&QueryShape::Box(zero, zero), &patches), "box 3 × 4 patches");
        assert_eq!(describe(&QueryShape::Point(zero), &patches[..1]), "row 2, col 1");
        assert_eq!(describe(&QueryShape::Point(zero), &[]), "not encoded yet");
    }
}
