//! The tool's inspector.

use dinoscope_engine::dispatch::PictureId;
use egui::{Align2, ComboBox, FontId, Grid, Rect, RichText, Sense, Ui, pos2, vec2};

use super::components::FITTED;
use super::settings::{Background, CLUSTERS, Colouring, Display, Settings};
use super::{Pca, basis, colours, percent, variance};
use crate::gui::panels::controls;
use crate::gui::shared::Shared;
use crate::gui::tools::foreground;

/// Threes of components, from 0.
const PRESETS: [[usize; 3]; 4] = [[0, 1, 2], [1, 2, 3], [3, 4, 5], [6, 7, 8]];

/// Height of a list of all components, in points.
const POPUP: f32 = 360.0;

/// Shows it.
pub fn show(ui: &mut Ui, tool: &mut Pca, shared: &mut Shared) {
    let displays = [(Display::Components, "Components"), (Display::Clusters, "Clusters")];
    controls::segments(ui, "Principal components, or k-means clusters", &mut tool.settings.display, &displays);
    let Some(picture) = shared.documents.active_id() else {
        ui.weak("Open a picture to see what is alike in it.");
        return;
    };
    tool.hovered_row = None;
    match tool.settings.display {
        Display::Components => components(ui, tool, shared, picture),
        Display::Clusters => clusters(ui, tool, shared, picture),
    }
}

fn components(ui: &mut Ui, tool: &mut Pca, shared: &mut Shared, picture: PictureId) {
    let colourings = [(Colouring::Rainbow, "Three"), (Colouring::Single, "One")];
    let hint = "Three components as red, green and blue, or one from blue to red";
    controls::choice(ui, "Colours", hint, &mut tool.settings.colouring, &colourings);
    let fitted = tool.components.of(picture).map_or(FITTED, |known| known.basis.components.len());
    match tool.settings.colouring {
        Colouring::Rainbow => rainbow(ui, &mut tool.settings, fitted),
        Colouring::Single => single(ui, &mut tool.settings, fitted),
    }
    if let Some(known) = tool.components.of(picture) {
        let shares = known.basis.explained_variance_ratio();
        variance::show(ui, &shares, &tool.settings.shown_of(fitted), tool.settings.colouring);
    }
    if tool.components.problem(picture).is_some_and(|problem| controls::problem(ui, problem)) {
        tool.components.retry();
    }
    look(ui, &mut tool.settings);
    ui.separator();

    ui.label(RichText::new("Foreground").strong());
    foreground::inspector(ui, shared, picture);
    if tool.components.foreground(picture).is_some() {
        let backgrounds = [(Background::Black, "Black"), (Background::Picture, "Picture")];
        controls::choice(ui, "Outside", "What lies around the foreground", &mut tool.settings.background, &backgrounds);
    }
    ui.separator();

    several(ui, &mut tool.settings, shared, "One basis for all open pictures: like colours, like features");
    controls::section(ui, "Basis", |ui| basis::inspector(ui, tool, shared, picture));
}

/// Opacity and how patches meet.
fn look(ui: &mut Ui, settings: &mut Settings) {
    controls::slider(ui, "Opacity", "0 shows the picture alone", &mut settings.opacity, 0.0..=1.0, 1.0);
    if settings.display == Display::Components {
        controls::toggle(ui, "Smooth", "Colours go gradually from patch to patch", &mut settings.is_smooth);
    }
}

fn rainbow(ui: &mut Ui, settings: &mut Settings, fitted: usize) {
    ui.horizontal(|ui| {
        for (channel, (letter, name)) in [("R", "Red"), ("G", "Green"), ("B", "Blue")].into_iter().enumerate() {
            ui.label(RichText::new(letter).strong().color(variance::CHANNELS[channel]));
            picker(ui, &format!("{name} component"), &mut settings.rainbow[channel], fitted, 56.0);
        }
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for preset in PRESETS.into_iter().filter(|preset| preset.iter().all(|&index| index < fitted)) {
            let name = preset.map(|index| (index + 1).to_string()).join(" ");
            let button = egui::Button::selectable(settings.rainbow == preset, RichText::new(name).small());
            if ui.add(button.frame_when_inactive(true)).on_hover_text("Show these three components").clicked() {
                settings.rainbow = preset;
            }
        }
    });
}

/// One component as a number from 1.
fn picker(ui: &mut Ui, name: &str, chosen: &mut usize, fitted: usize, width: f32) {
    let shown = (*chosen).min(fitted.saturating_sub(1));
    let list = ComboBox::from_id_salt(name).selected_text((shown + 1).to_string()).width(width).height(POPUP);
    let list = list.show_ui(ui, |ui| {
        for index in 0..fitted {
            ui.selectable_value(chosen, index, (index + 1).to_string());
        }
    });
    ui.ctx().accesskit_node_builder(list.response.id, |node| node.set_label(name));
    list.response.on_hover_text(name);
}

fn single(ui: &mut Ui, settings: &mut Settings, fitted: usize) {
    ui.horizontal(|ui| {
        ui.label("Component");
        picker(ui, "Single component", &mut settings.single, fitted, 56.0);
    });
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::hover());
    let bar = Rect::from_min_size(area.min, vec2(area.width(), 10.0));
    const STEPS: usize = 64;
    for step in 0..STEPS {
        let along = |step: usize| bar.left() + bar.width() * step as f32 / STEPS as f32;
        let [r, g, b] = colours::diverging(2.0 * (step as f32 + 0.5) / STEPS as f32 - 1.0);
        let part = Rect::from_min_max(pos2(along(step), bar.top()), pos2(along(step + 1), bar.bottom()));
        ui.painter().rect_filled(part, 0.0, egui::Color32::from_rgb(r, g, b));
    }
    let (font, text) = (FontId::proportional(11.0), ui.visuals().text_color());
    let end = colours::SINGLE_RANGE;
    for (place, align, number) in [
        (area.left_bottom(), Align2::LEFT_BOTTOM, format!("−{end}")),
        (area.center_bottom(), Align2::CENTER_BOTTOM, "0".to_owned()),
        (area.right_bottom(), Align2::RIGHT_BOTTOM, format!("{end}")),
    ] {
        ui.painter().text(place, align, number, font.clone(), text);
    }
    response.on_hover_text("Score on the component, in standard deviations");
}

/// What is done with several pictures.
fn several(ui: &mut Ui, settings: &mut Settings, shared: &Shared, joint_hint: &str) {
    let count = shared.documents.len();
    ui.add_enabled_ui(count > 1, |ui| {
        controls::toggle(ui, "Joint over all pictures", joint_hint, &mut settings.is_joint);
        let hint = "All open pictures side by side, at most twelve";
        controls::toggle(ui, "Show all pictures", hint, &mut settings.shows_all);
    });
}

fn clusters(ui: &mut Ui, tool: &mut Pca, shared: &Shared, picture: PictureId) {
    let mut count = tool.settings.clusters as f32;
    let range = CLUSTERS.0 as f32..=CLUSTERS.1 as f32;
    let usual = Settings::default().clusters as f32;
    if controls::slider(ui, "Clusters", "How many groups of patches", &mut count, range, usual).changed() {
        tool.settings.clusters = (count.round() as usize).clamp(CLUSTERS.0, CLUSTERS.1);
    }
    look(ui, &mut tool.settings);
    several(ui, &mut tool.settings, shared, "The same clusters in all open pictures");
    if tool.clusters.problem(picture).is_some_and(|problem| controls::problem(ui, problem)) {
        tool.clusters.retry();
    }
    if let Some(clustered) = tool.clusters.of(picture) {
        ui.separator();
        let highlighted = tool.highlighted.filter(|(of, _)| *of == picture || tool.settings.is_joint);
        tool.hovered_row = legend(ui, &clustered.shares, highlighted.map(|(_, label)| label));
    }
    controls::section(ui, "More", |ui| {
        let hint = "Patches are alike where their features point the same way, however long they are";
        controls::toggle(ui, "Compare directions", hint, &mut tool.settings.compares_directions);
    });
}

/// Colours, numbers and sizes; the cluster under the pointer.
fn legend(ui: &mut Ui, shares: &[f32], highlighted: Option<usize>) -> Option<usize> {
    let mut hovered = None;
    let width = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
    Grid::new("clusters").num_columns(2).spacing([ui.spacing().item_spacing.x, 4.0]).show(ui, |ui| {
        // Down the first column, then down the second.
        let rows = shares.len().div_ceil(2);
        for row in 0..rows {
            for label in [row, row + rows] {
                if let Some(&share) = shares.get(label)
                    && entry(ui, width, label, share, highlighted)
                {
                    hovered = Some(label);
                }
            }
            ui.end_row();
        }
    });
    hovered
}

/// One cluster of the legend; whether the pointer is on it.
fn entry(ui: &mut Ui, width: f32, label: usize, share: f32, highlighted: Option<usize>) -> bool {
    let (area, response) = ui.allocate_exact_size(vec2(width, 20.0), Sense::hover());
    let name = format!("Cluster {}, {}", label + 1, percent(share));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
    if highlighted == Some(label) {
        ui.painter().rect_filled(area, 4.0, ui.visuals().widgets.hovered.weak_bg_fill);
    }
    let [r, g, b] = colours::of_cluster(label);
    let swatch = Rect::from_center_size(pos2(area.left() + 11.0, area.center().y), vec2(14.0, 14.0));
    ui.painter().rect_filled(swatch, 3.0, egui::Color32::from_rgb(r, g, b));
    let (font, text) = (FontId::proportional(13.0), ui.visuals().text_color());
    let middle = area.center().y;
    ui.painter().text(pos2(area.left() + 26.0, middle), Align2::LEFT_CENTER, label + 1, font.clone(), text);
    let right = pos2(area.right() - 8.0, middle);
    ui.painter().text(right, Align2::RIGHT_CENTER, percent(share), font, ui.visuals().weak_text_color());
    response.hovered()
}
