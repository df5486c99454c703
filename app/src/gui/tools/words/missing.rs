//! What stands in the inspector while there is no dino.txt that goes with the model.

use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::text::{WEIGHTS_FILE, WEIGHTS_LICENCE, WEIGHTS_MODEL, WEIGHTS_PAGE, WEIGHTS_SIZE};
use egui::{RichText, Ui};
use egui_material_icons::icons;

use crate::gui::dinotxt::DinotxtState;
use crate::gui::panels::controls;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;

/// Shows what is missing or wrong; whether there is anything.
pub fn show(ui: &mut Ui, shared: &mut Shared) -> bool {
    match shared.dinotxt.state().clone() {
        DinotxtState::Ready => return false,
        DinotxtState::Unknown if matches!(shared.model.state, ModelState::Failed(_)) => {
            ui.weak("Phrases need a model: choose one in the bar at the top.");
        }
        DinotxtState::Unknown | DinotxtState::Loading => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.weak("Opening dino.txt");
            });
        }
        DinotxtState::Missing(folder) => {
            ui.strong("dino.txt's weights are missing");
            ui.label("Phrases are compared with pictures by a vision head and a text encoder of their own:");
            ui.label(RichText::new(WEIGHTS_FILE).monospace());
            ui.label(format!(
                "{WEIGHTS_SIZE}, by Meta, under the {WEIGHTS_LICENCE}. It goes with the backbone ViT-L/16, {WEIGHTS_MODEL}."
            ));
            controls::link(ui, "Ask Meta for it", WEIGHTS_PAGE);
            choose(ui, shared);
            ui.weak(format!(
                "Or drop it on the window. Where torch.hub has stored it, in {}, it is found by itself.",
                folder.display()
            ));
        }
        DinotxtState::Failed(sentence) => {
            let text = format!("{} {sentence}", icons::ICON_WARNING.codepoint);
            ui.label(RichText::new(text).color(theme::danger(ui.ctx().theme())));
            let needed = ModelSource::Named(WEIGHTS_MODEL.to_owned());
            if shared.model.choice.source != needed {
                let button = ui.button(format!("Use {WEIGHTS_MODEL}"));
                if button.on_hover_text("The model that Meta's dino.txt was trained on").clicked() {
                    shared.use_source(needed);
                }
            }
            choose(ui, shared);
        }
    }
    true
}

fn choose(ui: &mut Ui, shared: &mut Shared) {
    if ui.button("Choose file…").on_hover_text("dino.txt's weights, .pth or .safetensors").clicked() {
        shared.ask_for_dinotxt();
    }
}
