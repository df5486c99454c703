//! The panel at the right.

use dinoscope_engine::dispatch::PictureId;
use egui::{ComboBox, Rect, RichText, Sense, Ui, pos2, vec2};
use egui_material_icons::icons;

use super::Matching;
use super::found::{BARS, Found};
use super::settings::{Display, USUAL_OPACITY};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;
use crate::gui::theme;
use crate::gui::tools::foreground;

/// Greatest distance between lines, as a multiple of the one that suits the pictures.
const MOST_DISTANCE: f32 = 4.0;

/// Height of the histogram in points.
const HISTOGRAM_HEIGHT: f32 = 36.0;

/// Shows the panel.
pub fn show(tool: &mut Matching, ui: &mut Ui, shared: &mut Shared) {
    pictures(ui, shared);
    let Some((left, right)) = shared.documents.active_id().zip(shared.documents.partner_id()) else { return };
    ui.separator();
    let hint = "Dense: every patch in a colour of the left picture's PCA. Lines: some of the pairs";
    controls::choice(ui, "View", hint, &mut tool.settings.display, &Display::ALL);
    pairs(tool, ui, shared, left, right);
    controls::section(ui, "Foreground", |ui| {
        for (side, picture) in [("Left", left), ("Right", right)] {
            ui.push_id(side, |ui| {
                ui.label(RichText::new(side).strong());
                foreground::inspector(ui, shared, picture);
            });
        }
    });
    controls::section(ui, "Appearance", |ui| appearance(tool, ui));
}

/// Which pictures are matched.
fn pictures(ui: &mut Ui, shared: &mut Shared) {
    let name_of = |shared: &Shared, id: Option<PictureId>| {
        id.and_then(|id| shared.documents.get(id)).map(|document| document.name.clone())
    };
    let (active, partner) = (shared.documents.active_id(), shared.documents.partner_id());
    let Some(left) = name_of(shared, active) else {
        ui.weak("Open two pictures to match them.");
        return;
    };
    let Some(right) = name_of(shared, partner) else {
        ui.weak("Open a second picture to match with.");
        return;
    };
    let (mut chosen_left, mut chosen_right) = (active, partner);
    choose(ui, shared, "Left", &left, &mut chosen_left);
    choose(ui, shared, "Right", &right, &mut chosen_right);
    let swap = ui.button(format!("{} Swap sides", icons::ICON_SWAP_HORIZ.codepoint));
    if swap.on_hover_text("The right picture becomes the left one (X)").clicked() {
        shared.documents.swap_sides();
    }
    if let Some(id) = chosen_left.filter(|_| chosen_left != active) {
        shared.documents.activate(id);
    } else if let Some(id) = chosen_right.filter(|_| chosen_right != partner) {
        shared.documents.set_partner(id);
    }
}

/// A list of the open pictures.
fn choose(ui: &mut Ui, shared: &Shared, side: &str, name: &str, chosen: &mut Option<PictureId>) {
    ui.horizontal(|ui| {
        let size = vec2(40.0, ui.spacing().interact_size.y);
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        let label = ui.allocate_ui_with_layout(size, layout, |ui| {
            ui.set_min_width(size.x);
            ui.label(side)
        });
        let list = ComboBox::from_id_salt(side).width(ui.available_width()).truncate().selected_text(name);
        let list = list.show_ui(ui, |ui| {
            for document in shared.documents.iter() {
                ui.selectable_value(chosen, Some(document.id), &document.name);
            }
        });
        list.response.labelled_by(label.inner.id).on_hover_text(format!("The {} picture", side.to_lowercase()));
    });
}

/// Which pairs count.
fn pairs(tool: &mut Matching, ui: &mut Ui, shared: &Shared, left: PictureId, right: PictureId) {
    let hint = "Keep a pair only where each patch is the other's best match";
    controls::toggle(ui, "Mutual only", hint, &mut tool.settings.is_mutual);
    let found = tool.matcher.found(left, right);
    if let Some(found) = found {
        histogram(ui, found, tool.settings.least_score);
    }
    let hint = "Only pairs of at least this cosine";
    controls::slider(ui, "Least score", hint, &mut tool.settings.least_score, 0.0..=1.0, 0.0);
    if let Some(usual) = super::usual_distance(shared, left, right) {
        let mut distance = tool.settings.line_distance.unwrap_or(usual);
        let hint = "Least distance between the left ends of lines, in pixels of the left picture";
        let most = (usual * MOST_DISTANCE).max(distance);
        controls::slider(ui, "Line spacing", hint, &mut distance, 0.0..=most, usual);
        tool.settings.line_distance = (distance != usual).then_some(distance);
    }
    if let Some(failure) = tool.matcher.failure() {
        if controls::problem(ui, failure) {
            tool.matcher.retry();
        }
    } else if let Some(found) = found {
        let (kept, lines) = (tool.kept.pairs.len(), tool.kept.lines.len());
        let of = format!("{} of {} pairs", grouped(kept), grouped(found.candidates));
        ui.label(of)
            .on_hover_text("Pairs that are kept, of all patches of the left foreground with a match on the right one");
        ui.weak(format!("{} of them as lines", grouped(lines)));
        if found.colours.is_none() {
            ui.weak("Too few pairs for colours: choose larger foregrounds or keep pairs that are not mutual.");
        }
    } else if tool.matcher.is_running() {
        ui.weak("Matching…");
    } else {
        ui.weak("The pictures are being encoded.");
    }
}

/// How many pairs have which score; those below the least score are pale.
fn histogram(ui: &mut Ui, found: &Found, least_score: f32) {
    let size = vec2(ui.available_width(), HISTOGRAM_HEIGHT);
    let (mut rect, response) = ui.allocate_exact_size(size, Sense::hover());
    // Above the slider, so that its handle stands below the score it means.
    let gap = ui.spacing().item_spacing.x;
    rect.min.x += controls::NAME_WIDTH + gap;
    rect.max.x -= controls::NUMBER_WIDTH + gap;
    let radius = ui.spacing().interact_size.y / 2.5;
    let rect = rect.shrink2(vec2(radius, 0.0));
    let most = found.histogram.iter().copied().max().unwrap_or(0).max(1) as f32;
    let (accent, pale) = (theme::accent(ui.ctx().theme()), ui.visuals().widgets.noninteractive.bg_stroke.color);
    let width = rect.width() / BARS as f32;
    for (index, &count) in found.histogram.iter().enumerate().filter(|&(_, &count)| count > 0) {
        let left = rect.left() + index as f32 * width;
        let height = (count as f32 / most * rect.height()).max(1.0);
        let bar = Rect::from_min_max(pos2(left, rect.bottom() - height), pos2(left + width - 1.0, rect.bottom()));
        let is_kept = (index + 1) as f32 / BARS as f32 > least_score;
        ui.painter().rect_filled(bar, 0.0, if is_kept { accent } else { pale });
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), (1.0, pale));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "Histogram of scores"));
    response.on_hover_text("How many pairs have which cosine, from 0 to 1");
}

fn appearance(tool: &mut Matching, ui: &mut Ui) {
    let settings = &mut tool.settings;
    controls::slider(
        ui,
        "Opacity",
        "Of the colours over the pictures",
        &mut settings.opacity,
        0.0..=1.0,
        USUAL_OPACITY,
    );
    controls::toggle(ui, "Smooth", "Colours between patches instead of one for each", &mut settings.is_smooth);
    let hint = "While you point at a patch, the other picture shows how similar each of its patches is";
    controls::toggle(ui, "Map of the patch pointed at", hint, &mut settings.has_map);
    if settings.has_map {
        let scales = [(false, "0 to 1"), (true, "Stretched")];
        let hint = "Cosines that get the first and the last colour of the map";
        controls::choice(ui, "Map scale", hint, &mut settings.is_map_stretched, &scales);
    }
}

/// With a comma between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([7, 412, 1_024, 1_234_567].map(grouped), ["7", "412", "1,024", "1,234,567"]);
    }
}
