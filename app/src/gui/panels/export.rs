//! What can be written to files: the tool's own, and what holds for every tool.

use dinoscope_engine::dispatch::Export;
use egui::{Button, Ui};
use egui_material_icons::icons;

use crate::gui::shared::Shared;
use crate::gui::tools::{Exportable, Tool};

/// What is offered now: the tool's own first.
pub fn offered(tool: &dyn Tool, shared: &mut Shared) -> Vec<Exportable> {
    let mut all = tool.exports(shared);
    let Some(document) = shared.documents.active() else { return all };
    let (id, stem) = (document.id, stem(&document.name).to_owned());
    let pixels = document.loaded().map(|loaded| loaded.pixels.clone());
    let has = |all: &[Exportable], is: fn(&Export) -> bool| all.iter().any(|known| is(&known.what));
    if !has(&all, |what| matches!(what, Export::Features(_)))
        && let Some(features) = shared.features(id)
    {
        let what = Export::Features(features);
        let file_name = format!("{stem}.features.safetensors");
        all.push(Exportable { name: "Features (safetensors)", file_name, what, is_picture: false });
    }
    if let Some(pixels) = pixels.filter(|_| !has(&all, |what| matches!(what, Export::Picture(_)))) {
        let what = Export::Picture(pixels);
        all.push(Exportable { name: "Picture alone (PNG)", file_name: format!("{stem}.png"), what, is_picture: true });
    }
    all
}

/// One entry of a menu for each; the one that was chosen.
pub fn entries(ui: &mut Ui, tool: &dyn Tool, shared: &mut Shared) -> Option<Exportable> {
    let mut chosen = None;
    let all = offered(tool, shared);
    if all.is_empty() {
        ui.weak("Nothing yet: open a picture");
    }
    for what in all {
        let hint = format!("Asks where to save {}", what.file_name);
        if ui.add(Button::new(what.name)).on_hover_text(hint).clicked() {
            chosen = Some(what);
        }
    }
    chosen
}

/// The button below the inspector; what was chosen from its menu.
pub fn button(ui: &mut Ui, tool: &dyn Tool, shared: &mut Shared) -> Option<Exportable> {
    let text = format!("{}  Export", icons::ICON_FILE_DOWNLOAD.codepoint);
    let menu = ui.menu_button(text, |ui| entries(ui, tool, shared));
    menu.response.on_hover_text("Save what is on the canvas, maps or features");
    menu.inner.flatten()
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
