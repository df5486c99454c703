//! Checkpoints of a person's own, and the folder of those that were downloaded.

use dinoscope_engine::encoder::ModelSource;
use egui::{RichText, Ui};

use super::{Asked, Models};
use crate::gui::panels::chips;
use crate::gui::reveal;
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Shows the local files; the dialog that was asked for, if any.
pub fn show(ui: &mut Ui, shared: &mut Shared, models: &Models) -> Option<Asked> {
    let mut asked = None;
    ui.strong("Files of your own");
    ui.horizontal_wrapped(|ui| {
        let hint = "A .pth or .safetensors file of a DINOv3 backbone";
        if ui.button("Use a file…").on_hover_text(hint).clicked() {
            asked = Some(Asked::PickFile);
        }
        let hint = "A folder as from the Hugging Face hub: weights and config.json";
        if ui.button("Use a folder…").on_hover_text(hint).clicked() {
            asked = Some(Asked::PickFolder);
        }
        ui.weak("Nothing in a checkpoint is ever executed.");
    });
    let mut chosen = None;
    let mut forgotten = None;
    for (index, path) in shared.settings.checkpoints.iter().enumerate() {
        ui.horizontal(|ui| {
            if shared.model.choice.source == ModelSource::Path(path.clone()) {
                ui.colored_label(theme::accent(ui.ctx().theme()), "in use");
            } else {
                let button = ui.button("Use").on_hover_text("Encodes pictures with these weights from now on");
                chips::name(&button, &format!("Use {}", path.display()));
                if button.clicked() {
                    chosen = Some(path.clone());
                }
            }
            let forget = ui.button("Forget").on_hover_text("Takes it from this list; the file stays");
            chips::name(&forget, &format!("Forget {}", path.display()));
            if forget.clicked() {
                forgotten = Some(index);
            }
            ui.add(egui::Label::new(path.display().to_string()).truncate());
        });
    }
    if let Some(path) = chosen {
        shared.use_source(ModelSource::Path(path));
    }
    if let Some(index) = forgotten {
        shared.settings.checkpoints.remove(index);
    }
    ui.add_space(8.0);
    ui.horizontal_wrapped(|ui| {
        let cache = &models.hub.cache;
        ui.label(RichText::new(format!("Downloads are kept in {}", cache.display())).small())
            .on_hover_text("The cache of Python's huggingface_hub: either finds the other's files. HF_HOME moves it.");
        if ui.small_button("Show").on_hover_text("Opens the folder in the file manager").clicked() {
            reveal::show(cache);
        }
    });
    asked
}
