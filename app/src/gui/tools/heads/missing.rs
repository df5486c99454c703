//! What stands in the inspector while there is no head that goes with the model.

use std::path::Path;

use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::heads::{HEADS_PAGE, Task};
use dinoscope_engine::hub::DINOV3_LICENCE;
use egui::{RichText, Ui};

use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// Says which file is missing and where it comes from.
pub fn show(ui: &mut Ui, shared: &mut Shared, task: Task, folder: &Path) {
    let head = task.published();
    ui.strong("The head's weights are missing");
    ui.label(format!("For {} a small network reads the model's features. Meta publishes one:", task.name()));
    ui.label(RichText::new(head.file).monospace());
    ui.label(format!("It is under the {} and goes with the model {}.", DINOV3_LICENCE.name, head.model));
    controls::link(ui, "Ask Meta for it", HEADS_PAGE);
    choose(ui, shared, task);
    ui.weak(format!(
        "Or drop it on the window; heads of other backbones work too. Where torch.hub has stored it, in {}, it is found \
         by itself.",
        folder.display()
    ));
}

/// A button for the model that Meta's head was trained on, where another one is in use.
pub fn offer_model(ui: &mut Ui, shared: &mut Shared, task: Task) {
    let head = task.published();
    let needed = ModelSource::Named(head.model.to_owned());
    if shared.model.choice.source != needed {
        let button = ui.button(format!("Use {}", head.model));
        if button.on_hover_text("The model that Meta's head was trained on").clicked() {
            shared.use_source(needed);
        }
    }
}

/// A button for another file.
pub fn choose(ui: &mut Ui, shared: &mut Shared, task: Task) {
    if ui.button("Choose file…").on_hover_text("The head's weights, .pth or .safetensors").clicked() {
        shared.ask_for_head(task);
    }
}
