//! A basis that is used for all pictures, and kept in files.

use std::sync::Arc;

use dinoscope_engine::analysis::pca::Basis;
use dinoscope_engine::dispatch::{Export, PictureId};
use egui::{Label, RichText, Ui};

use super::Pca;
use super::components::FixedBasis;
use crate::gui::dialogs::{Purpose, Question, QuestionKind};
use crate::gui::panels::controls;
use crate::gui::shared::{ModelState, Shared};

impl Pca {
    /// Uses a basis from a file for every picture, where the model's features are as wide.
    pub fn use_basis(&mut self, shared: &mut Shared, origin: String, basis: Basis) {
        match misfit(&basis, shared) {
            Some(problem) => shared.notices.error(&format!("{origin}: {problem}"), None),
            None => self.components.fixed = Some(FixedBasis { basis: Arc::new(basis), origin }),
        }
    }
}

/// Why a basis does not suit the model, where it does not.
fn misfit(basis: &Basis, shared: &Shared) -> Option<String> {
    let ModelState::Ready(info) = &shared.model.state else { return None };
    let (got, expected) = (basis.mean.len(), info.dim);
    (got != expected).then(|| {
        format!(
            "this basis is for features of {got} numbers, the model gives {expected}; load the model it was made with"
        )
    })
}

/// Signs, one basis for all pictures, and its files.
pub fn inspector(ui: &mut Ui, tool: &mut Pca, shared: &mut Shared, picture: PictureId) {
    let hint = "Components never change their sign from one picture to the next, so that colours stay";
    if controls::toggle(ui, "Keep signs", hint, &mut tool.settings.keeps_signs).changed() && tool.settings.keeps_signs {
        tool.components.anchor_at(picture);
    }
    if let Some(fixed) = &tool.components.fixed {
        let problem = misfit(&fixed.basis, shared);
        let releases = ui.horizontal(|ui| {
            let releases = ui.button("Release").on_hover_text("Fit every picture again").clicked();
            ui.add(Label::new(format!("Basis of {}", fixed.origin)).truncate());
            releases
        });
        if let Some(problem) = problem {
            ui.label(RichText::new(problem).small().color(ui.visuals().warn_fg_color));
        }
        if releases.inner {
            tool.components.fixed = None;
        }
    } else {
        let has_basis = tool.components.of(picture).is_some();
        let button = ui.add_enabled(has_basis, egui::Button::new("Use this basis for all pictures"));
        if button.on_hover_text("Other pictures get exactly the same colours for the same features").clicked() {
            let name = shared.documents.get(picture).map_or_else(String::new, |document| document.name.clone());
            tool.components.fix(picture, name);
        }
    }
    ui.horizontal(|ui| {
        let known = tool.components.of(picture).map(|known| Arc::clone(&known.basis));
        let save = ui.add_enabled(known.is_some(), egui::Button::new("Save…"));
        if save.on_hover_text("Writes this basis as JSON").clicked()
            && let Some(basis) = known
        {
            let purpose = Purpose::Export(Box::new(Export::Basis(basis)), Vec::new());
            shared.questions.push((purpose, question(QuestionKind::Save, "Save the PCA basis", "pca.basis.json")));
        }
        if ui.button("Load…").on_hover_text("Uses a basis that was saved, for all pictures").clicked() {
            shared.questions.push((Purpose::Basis, question(QuestionKind::OpenOne, "Open a PCA basis", "")));
        }
    });
}

fn question(kind: QuestionKind, title: &'static str, file_name: &str) -> Question {
    let filter = Some(("PCA bases (JSON)", vec!["json".to_owned()]));
    Question { kind, title, filter, folder: None, file_name: file_name.to_owned() }
}
