//! The panel at the right.

use dinoscope_engine::dispatch::PictureId;
use egui::{ProgressBar, RichText, Ui};
use egui_material_icons::icons;

use super::Retrieval;
use super::region::search_whole;
use super::settings::{Collection, HEIGHTS, MOST, SIZES, Settings};
use crate::gui::documents::Origin;
use crate::gui::panels::controls;
use crate::gui::reveal;
use crate::gui::running::{left_text, works};
use crate::gui::shared::{ModelState, Shared};
use crate::gui::tools::{Handover, ToolKind};

impl Retrieval {
    pub(super) fn show_inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let Some(collection) = self.settings.collection.clone() else {
            ui.weak(
                "Which pictures of a folder are like this one, or have something in them that is like a part of it?",
            );
            return;
        };
        self.show_collection(ui, shared, &collection);
        ui.separator();
        self.show_query(ui, shared);
        self.show_visit(ui, shared);
        ui.separator();
        let usual = Settings::default();
        controls::slider(ui, "Results", "So many at most", &mut self.settings.most, MOST, usual.most);
        self.settings.most = self.settings.most.round();
        controls::slider(ui, "Height", "Of the results", &mut self.settings.height, HEIGHTS, usual.height);
        controls::section(ui, "More", |ui| self.show_more(ui, shared, &collection));
    }

    /// What is searched.
    fn show_collection(&mut self, ui: &mut Ui, shared: &mut Shared, collection: &Collection) {
        ui.add(egui::Label::new(RichText::new(collection.name()).strong()).truncate())
            .on_hover_text(collection.index.display().to_string());
        if let Some((_, searched)) = self.asking.answer() {
            let count =
                if searched.pictures == 1 { "1 picture".to_owned() } else { format!("{} pictures", searched.pictures) };
            let recipe = &searched.recipe;
            ui.weak(format!("{count}, {}, size {}", recipe.model, recipe.size))
                .on_hover_text("In the index, with the model and the size of its input that made it");
        }
        match self.asking.indexing() {
            Some(id) => {
                let work = works(shared).into_iter().find(|work| work.ids.contains(&id));
                let Some(work) = work else { return };
                ui.horizontal(|ui| {
                    if controls::icon_button(ui, icons::ICON_CLOSE, "Stop indexing").clicked() {
                        shared.cancel(id);
                    }
                    let bar = ProgressBar::new(work.fraction.unwrap_or(0.0)).desired_height(6.0);
                    ui.add(bar);
                });
                let left = work.left.map(|left| format!(", {}", left_text(left))).unwrap_or_default();
                ui.weak(format!("{}{left}", work.label));
            }
            None => {
                let hint = "Adds pictures that are new or have changed, and goes on where indexing was stopped";
                if ui.button("Update").on_hover_text(hint).clicked() {
                    self.asking.index();
                }
            }
        }
        self.missing(ui);
        controls::section(ui, "Search other pictures", |ui| self.choices(ui, shared));
    }

    /// What is searched for.
    fn show_query(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let Some(active) = shared.documents.active_id() else { return };
        let boxes = &shared.placed.now().searched.boxes;
        let has_box = boxes.contains_key(&active);
        if has_box {
            ui.label("Searching for the part in the box");
            let button = ui.button("Whole picture");
            if button.on_hover_text("Take the box away; a click on the picture does it too").clicked() {
                search_whole(shared, active);
            }
        } else {
            ui.weak("Drag a box on the picture to search for a part of it.");
        }
        let others: Vec<(PictureId, String)> =
            shared.documents.iter().filter(|it| it.id != active).map(|it| (it.id, it.name.clone())).collect();
        if others.is_empty() {
            return;
        }
        controls::section(ui, "Like these too", |ui| {
            let searched = &shared.placed.now().searched;
            let any_box = has_box || super::joined(shared).any(|id| searched.boxes.contains_key(&id));
            let mut joined = searched.joined.clone();
            let before = joined.clone();
            for (id, name) in others {
                let mut is_joined = joined.contains(&id.document());
                let is_idle = is_joined && any_box && !searched.boxes.contains_key(&id);
                let text = if is_idle { format!("{name} (has no box)") } else { name };
                let hint =
                    "Search for what is like all that are ticked; where one has a box, those that have one count";
                if controls::toggle(ui, &text, hint, &mut is_joined).changed() {
                    if is_joined {
                        joined.insert(id.document())
                    } else {
                        joined.remove(&id.document())
                    };
                }
            }
            if joined != before {
                shared.placed.edit("search for several", |placed| placed.searched.joined = joined);
            }
        });
    }

    /// A result that is looked at.
    fn show_visit(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let Some((visited, origin)) = self.visits.now(shared) else { return };
        let name_of =
            |id: PictureId| shared.documents.get(id).map(|document| document.name.clone()).unwrap_or_default();
        let path = shared.documents.get(visited).and_then(|document| match &document.origin {
            Origin::File(path) => Some(path.clone()),
            _ => None,
        });
        let came_from = origin.map(name_of);
        ui.separator();
        ui.weak("You look at a result. The next one takes its place.");
        let mut asked = None;
        ui.horizontal_wrapped(|ui| {
            if ui.button("Keep open").on_hover_text("It stays in the filmstrip (a double click does it too)").clicked()
            {
                asked = Some(Asked::Keep);
            }
            if let Some(name) = &came_from {
                if ui.button("Back").on_hover_text(format!("Search from {name} again")).clicked() {
                    asked = Some(Asked::Back);
                }
                if ui.button("Match").on_hover_text(format!("Match it with {name}, patch by patch")).clicked() {
                    asked = Some(Asked::Match);
                }
            }
        });
        match (asked, path, origin) {
            (Some(Asked::Keep), Some(path), _) => drop(self.visits.keep(shared, &path)),
            (Some(Asked::Back), ..) => self.visits.back(shared),
            (Some(Asked::Match), Some(path), Some(origin)) => {
                let id = self.visits.keep(shared, &path);
                shared.documents.activate(origin);
                shared.documents.set_partner(id);
                shared.handover = Some(Handover::Use(ToolKind::Matching));
            }
            _ => {}
        }
    }

    fn show_more(&mut self, ui: &mut Ui, shared: &mut Shared, collection: &Collection) {
        let mut size = self.settings.size as f32;
        let usual = Settings::default().size as f32;
        let hint =
            "Short side of the model's input for a new index, in pixels: larger finds smaller things, and takes longer";
        controls::slider(ui, "Input size", hint, &mut size, SIZES, usual);
        self.settings.size = (size / 32.0).round() as usize * 32;
        let wanted = self.settings.size_rule();
        let made_with = self.asking.answer().map(|(_, searched)| searched.recipe.size);
        if let (Some(size), ModelState::Ready(info)) = (made_with.filter(|size| *size != wanted), &shared.model.state) {
            ui.weak(format!("This index was made at size {size}."));
            let anew = collection.anew(&info.provenance.model, wanted);
            let hint = format!("Makes another index beside it: {}", anew.index.display());
            if ui.button(format!("Index anew at {wanted}")).on_hover_text(hint).clicked() {
                self.settings.collection = Some(anew);
                self.asking.begin(shared, true);
            }
        }
        let hint = format!("{} holds it; 'dinoscope retrieve search' searches it too", collection.index.display());
        if ui.button("Show the index").on_hover_text(hint).clicked() {
            reveal::show(&collection.index);
        }
    }
}

/// What is asked of a result that is looked at.
enum Asked {
    Keep,
    Back,
    Match,
}
