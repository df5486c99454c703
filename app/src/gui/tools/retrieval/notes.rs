//! Which pictures are searched, and what is wrong with them.

use std::path::{Path, PathBuf};

use dinoscope_engine::encoder::{DEMO, ModelSource};
use dinoscope_engine::model::zoo;
use dinoscope_engine::retrieval::Recipe;
use egui::{RichText, ScrollArea, Ui};
use egui_material_icons::icons;

use super::asking::Problem;
use super::{Collection, Retrieval};
use crate::gui::dialogs::{Purpose, Question, QuestionKind};
use crate::gui::documents::Origin;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;

/// Width of sentences among the results, in points.
const WIDTH: f32 = 380.0;

impl Retrieval {
    /// Nothing is searched yet: what may be.
    pub(super) fn invite(&mut self, ui: &mut Ui, shared: &mut Shared) {
        centred(ui, |ui| {
            ui.label(icons::ICON_IMAGE_SEARCH.rich_text().size(40.0).weak());
            ui.heading("Search a folder of pictures");
            ui.weak("It is indexed once, on this machine; the index lies beside it. Drop a folder here, or:");
            ui.add_space(4.0);
            self.choices(ui, shared);
        });
    }

    /// Buttons for what may be searched.
    pub(super) fn choices(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let button = ui.button("Choose folder…");
        if button.on_hover_text("A folder of pictures, with its subfolders, or an index that was made before").clicked()
        {
            shared.questions.push((Purpose::Collection, folder_question("Search a folder of pictures")));
        }
        let folder = shared.documents.active().and_then(|document| match &document.origin {
            Origin::File(path) => path.parent().map(Path::to_path_buf),
            _ => None,
        });
        ui.add_enabled_ui(folder.is_some(), |ui| {
            let hint = match &folder {
                Some(folder) => format!("All pictures in {}", folder.display()),
                None => "The open picture lies in no folder".to_owned(),
            };
            let button = ui.button("The picture's folder").on_hover_text(&hint).on_disabled_hover_text(hint);
            if let Some(folder) = folder.filter(|_| button.clicked()) {
                self.search_in(shared, Collection::of_folder(&folder));
            }
        });
        let files = open_files(shared);
        ui.add_enabled_ui(!files.is_empty(), |ui| {
            let hint = "Only the pictures of the filmstrip that are files";
            let button = ui.button("The open pictures").on_hover_text(hint).on_disabled_hover_text(hint);
            if button.clicked() {
                self.search_in(shared, Collection::of_files(files));
            }
        });
    }

    /// Why there are no results, and ways on.
    pub(super) fn show_problem(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let (Some(problem), Some(collection)) = (self.asking.problem().cloned(), self.settings.collection.clone())
        else {
            return;
        };
        centred(ui, |ui| {
            let colour = theme::danger(ui.ctx().theme());
            ui.label(icons::ICON_WARNING.rich_text().size(32.0).color(colour));
            match problem {
                Problem::Failed(sentence) => {
                    ui.label(RichText::new(sentence).color(colour));
                    if self.asking.can_search() && ui.button("Try again").on_hover_text("Search once more").clicked() {
                        self.asking.retry();
                    }
                    let hint = "Makes the index, or completes it, and searches again";
                    if ui.button("Index again").on_hover_text(hint).clicked() {
                        self.asking.index();
                    }
                    let hint = "Where the folder beside the pictures cannot be written to, or has no room";
                    if ui.button("Keep the index elsewhere…").on_hover_text(hint).clicked() {
                        shared.questions.push((Purpose::IndexFolder, folder_question("Keep the index in")));
                    }
                }
                Problem::OtherModel(recipe) => self.show_other_model(ui, shared, &collection, &recipe),
            }
        });
    }

    fn show_other_model(&mut self, ui: &mut Ui, shared: &mut Shared, collection: &Collection, recipe: &Recipe) {
        let ModelState::Ready(info) = &shared.model.state else { return };
        let model = info.provenance.model.clone();
        let index = collection.index.file_name().unwrap_or(collection.index.as_os_str()).to_string_lossy();
        let sentence = if recipe.model == model {
            format!(
                "The index {index} was made with other weights of {model}: features of two models cannot be compared."
            )
        } else {
            let Recipe { model: other, .. } = recipe;
            format!(
                "The index {index} was made with {other}, not with {model}: features of two models cannot be compared."
            )
        };
        ui.label(sentence);
        let anew = collection.anew(&model, self.settings.size_rule());
        let hint = format!("Makes another index beside it: {}", anew.index.display());
        if ui.button(format!("Index anew with {model}")).on_hover_text(hint).clicked() {
            self.settings.collection = Some(anew);
            self.asking.begin(shared, true);
        }
        let is_published = recipe.model == DEMO || zoo::find(&recipe.model).is_some();
        if is_published
            && recipe.model != model
            && ui
                .button(format!("Use {}", recipe.model))
                .on_hover_text("The model that the index was made with")
                .clicked()
        {
            shared.use_source(ModelSource::Named(recipe.model.clone()));
        }
    }

    /// Pictures that are not found, by their names.
    pub(super) fn missing(&mut self, ui: &mut Ui) {
        let failed: Vec<(PathBuf, String)> =
            self.asking.indexed.as_ref().map(|indexed| indexed.failed.clone()).unwrap_or_default();
        list(ui, "not readable", failed);
        let Some((_, searched)) = self.asking.answer() else { return };
        let named = |paths: &std::collections::BTreeSet<PathBuf>, why: &str| {
            paths.iter().map(|path| (path.clone(), format!("{} {why}", path.display()))).collect::<Vec<_>>()
        };
        let (changed, gone) = (&searched.found.changed, &searched.found.gone);
        list(ui, "changed", named(changed, "has changed since it was indexed: Update"));
        list(ui, "gone", named(gone, "was indexed, but is not there any more"));
    }
}

/// "3 not readable", folded, with the name of each.
fn list(ui: &mut Ui, what: &str, pictures: Vec<(PathBuf, String)>) {
    if pictures.is_empty() {
        return;
    }
    let title = RichText::new(format!("{} {what}", pictures.len())).color(ui.visuals().warn_fg_color);
    let header = egui::CollapsingHeader::new(title).id_salt(what);
    header.show_unindented(ui, |ui| {
        let area = ScrollArea::vertical().id_salt(what).max_height(120.0);
        let row = egui::TextStyle::Small.resolve(ui.style()).size + 4.0;
        area.show_rows(ui, row, pictures.len(), |ui, range| {
            for (path, sentence) in &pictures[range] {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                ui.add(egui::Label::new(RichText::new(name).small()).truncate()).on_hover_text(sentence);
            }
        });
    });
}

fn centred(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.22);
        ui.set_max_width(WIDTH.min(ui.available_width()));
        content(ui);
    });
}

fn open_files(shared: &Shared) -> Vec<PathBuf> {
    let file = |origin: &Origin| match origin {
        Origin::File(path) => Some(path.clone()),
        _ => None,
    };
    shared.documents.iter().filter_map(|document| file(&document.origin)).collect()
}

fn folder_question(title: &'static str) -> Question {
    Question { kind: QuestionKind::OpenFolder, title, filter: None, folder: None, file_name: String::new() }
}
