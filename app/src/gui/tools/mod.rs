//! The tools: one at a time has the left mouse button, the inspector and the layer over the pictures.

mod division;
pub mod foreground;
mod heads;
mod live_map;
mod matching;
mod pca;
mod probe;
mod retrieval;
mod settling;
mod similarity;
mod tracking;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use dinoscope_engine::analysis::pca::Basis;
use dinoscope_engine::dispatch::{Event, Export, PictureId};
use dinoscope_engine::heads::Task;
use dinoscope_engine::probe::Probe;
use egui::{Painter, Rect, Ui};
use egui_material_icons::{MaterialIcon, icons};

use super::canvas::View;
use super::overlay::Layer;
use super::panels::timeline::Mark;
use super::shared::Shared;
pub use retrieval::Collection;

/// Pictures side by side on the canvas at most.
const MOST_SHOWN: usize = 12;

/// What every tool does. All of it runs on the window's thread and must take no time: long work goes through
/// [`Shared::send`].
pub trait Tool {
    /// Pictures on the canvas, in the order they are laid out.
    fn shown(&self, shared: &Shared) -> Vec<PictureId>;

    /// Columns that the views stand in; `None`: as makes them largest.
    fn columns(&self) -> Option<usize> {
        None
    }

    /// Shows what belongs on the canvas but over no picture, in a part of `area`; what is left is for the pictures.
    fn beside(&mut self, _ui: &mut Ui, _shared: &mut Shared, area: Rect) -> Rect {
        area
    }

    /// Pictures whose features it needs beside those shown, most urgent first.
    fn wanted(&self, _shared: &Shared) -> Vec<PictureId> {
        Vec::new()
    }

    /// Whether the pictures it shows are encoded; clips that play wait for that.
    fn needs_features(&self) -> bool {
        true
    }

    /// Whether what it draws over a picture that is encoded is still being computed; frames of cameras wait for that.
    fn is_behind(&self, _shared: &Shared, _picture: PictureId) -> bool {
        false
    }

    /// An event of the worker that may be an answer to this tool.
    fn receive(&mut self, _shared: &mut Shared, _event: &Event) {}

    /// Clicks, drags and keys on the views; then whatever has to be computed before drawing.
    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]);

    /// Called in each frame in which another tool is used: long work that only this one waits for is stopped, and asked
    /// for again when it is used.
    fn rest(&mut self, _shared: &mut Shared) {}

    /// What lies over a picture.
    fn layer(&self, shared: &Shared, view: &View) -> Option<Layer>;

    /// Drawn over picture and layer: markers, lines, legends.
    fn paint(&self, painter: &Painter, shared: &Shared, view: &View);

    /// Drawn over all views, across the gaps between them.
    fn paint_across(&self, _painter: &Painter, _shared: &Shared, _views: &[View]) {}

    /// What the status line says about the place under the pointer: "cos 0.831".
    fn readout(&self, _shared: &Shared, _view: &View) -> Option<String> {
        None
    }

    /// What it has to say about frames of a clip, for the timeline; `picture` is the frame that is shown.
    fn marks(&self, _shared: &Shared, _picture: PictureId) -> Vec<Mark> {
        Vec::new()
    }

    /// The panel at the right.
    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared);

    /// What can be written to a file or copied now, most used first. Cheap: it is asked for whenever a menu is open.
    fn exports(&self, _shared: &Shared) -> Vec<Exportable> {
        Vec::new()
    }

    /// Its settings, for the workspace and the next start.
    fn settings(&self) -> serde_json::Value;

    /// Takes settings that [`Tool::settings`] gave; what is missing or unknown keeps its default.
    fn restore(&mut self, settings: &serde_json::Value);
}

/// Something that can be written to a file.
pub struct Exportable {
    /// For menus: "Picture with map (PNG)".
    pub name: &'static str,
    /// Suggested to the person: "cat.similarity.png".
    pub file_name: String,
    /// What.
    pub what: Export,
    /// Whether it is a picture, which the clipboard can take.
    pub is_picture: bool,
}

/// The tools in the order of the rail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ToolKind {
    /// What is like this?
    #[default]
    Similarity,
    /// What is alike, as colours.
    Pca,
    /// Which patch is where?
    Matching,
    /// Where does it go?
    Tracking,
    /// Where is what these words say?
    Words,
    /// What is this, by a few strokes?
    Probe,
    /// Which pictures are like it?
    Retrieval,
    /// How far away is it?
    Depth,
    /// Which class does each pixel belong to?
    Segment,
    /// Where are objects?
    Detect,
    /// What does the picture show?
    Classify,
}

/// What one tool asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The map of a phrase.
    MapOf(String),
    /// That one goes on with the active picture and its partner.
    Use(ToolKind),
}

/// A tool of the rail.
pub struct ToolInfo {
    /// Which.
    pub kind: ToolKind,
    /// For the rail and the inspector's title.
    pub name: &'static str,
    /// For the rail.
    pub icon: MaterialIcon,
    /// What it answers.
    pub hint: &'static str,
}

/// The tools in the order of the rail; the number keys of the first nine are their places from 1. A tool is a row here, a field of
/// [`Tools`] that [`Tools::all`] names, and a key in `actions.rs`.
pub const RAIL: &[ToolInfo] = &[
    ToolInfo {
        kind: ToolKind::Similarity,
        name: "Similarity",
        icon: icons::ICON_MY_LOCATION,
        hint: "What looks like this patch?",
    },
    ToolInfo { kind: ToolKind::Pca, name: "PCA", icon: icons::ICON_PALETTE, hint: "What is alike, as colours" },
    ToolInfo {
        kind: ToolKind::Matching,
        name: "Matching",
        icon: icons::ICON_COMPARE_ARROWS,
        hint: "Which patch is where in the other picture?",
    },
    ToolInfo {
        kind: ToolKind::Tracking,
        name: "Tracking",
        icon: icons::ICON_MOVIE,
        hint: "Objects painted once, followed through a clip",
    },
    ToolInfo {
        kind: ToolKind::Words,
        name: "Words",
        icon: icons::ICON_TEXT_FIELDS,
        hint: "A picture divided among phrases",
    },
    ToolInfo {
        kind: ToolKind::Probe,
        name: "Probe",
        icon: icons::ICON_GESTURE,
        hint: "A few strokes teach it what is what",
    },
    ToolInfo {
        kind: ToolKind::Retrieval,
        name: "Retrieval",
        icon: icons::ICON_IMAGE_SEARCH,
        hint: "Which pictures are like this one?",
    },
    ToolInfo { kind: ToolKind::Depth, name: "Depth", icon: icons::ICON_LANDSCAPE, hint: "How far away is everything?" },
    ToolInfo {
        kind: ToolKind::Segment,
        name: "Segment",
        icon: icons::ICON_LAYERS,
        hint: "A picture divided among a head's classes",
    },
    ToolInfo { kind: ToolKind::Detect, name: "Detect", icon: icons::ICON_CROP_FREE, hint: "Boxes around objects" },
    ToolInfo {
        kind: ToolKind::Classify,
        name: "Classify",
        icon: icons::ICON_LABEL,
        hint: "What does the picture show?",
    },
];

impl ToolKind {
    /// The tool of a published head.
    pub fn of_head(task: Task) -> Self {
        match task {
            Task::Classification => Self::Classify,
            Task::Depth | Task::CanopyHeight => Self::Depth,
            Task::Segmentation => Self::Segment,
            Task::Detection => Self::Detect,
        }
    }

    /// For the inspector's title.
    pub fn name(self) -> &'static str {
        RAIL.iter().find(|info| info.kind == self).map_or("", |info| info.name)
    }
}

/// All tools; each keeps its state while another one is used.
#[derive(Default)]
pub struct Tools {
    /// The one in use.
    pub active: ToolKind,
    similarity: similarity::Similarity,
    pca: pca::Pca,
    matching: matching::Matching,
    tracking: tracking::Tracking,
    words: words::Words,
    probe: probe::Probing,
    retrieval: retrieval::Retrieval,
    depth: heads::Depth,
    segment: heads::Segment,
    detect: heads::Detect,
    classify: heads::Classify,
}

impl Tools {
    /// The one in use.
    pub fn current(&mut self) -> &mut dyn Tool {
        let active = self.active;
        let current = self.all().into_iter().find(|(kind, _, _)| *kind == active);
        current.map(|(_, _, tool)| tool).expect("every kind has its tool")
    }

    /// All of them with their names in workspaces.
    fn all(&mut self) -> [(ToolKind, &'static str, &mut dyn Tool); 11] {
        [
            (ToolKind::Similarity, "similarity", &mut self.similarity),
            (ToolKind::Pca, "pca", &mut self.pca),
            (ToolKind::Matching, "matching", &mut self.matching),
            (ToolKind::Tracking, "tracking", &mut self.tracking),
            (ToolKind::Words, "words", &mut self.words),
            (ToolKind::Probe, "probe", &mut self.probe),
            (ToolKind::Retrieval, "retrieval", &mut self.retrieval),
            (ToolKind::Depth, "depth", &mut self.depth),
            (ToolKind::Segment, "segment", &mut self.segment),
            (ToolKind::Detect, "detect", &mut self.detect),
            (ToolKind::Classify, "classify", &mut self.classify),
        ]
    }

    /// Lets all but the one in use rest.
    pub fn rest(&mut self, shared: &mut Shared) {
        let active = self.active;
        let others = self.all().into_iter().filter(|(kind, _, _)| *kind != active);
        others.for_each(|(_, _, tool)| tool.rest(shared));
    }

    /// Settings of all of them, by their names in workspaces.
    pub fn settings(&mut self) -> BTreeMap<String, serde_json::Value> {
        self.all().into_iter().map(|(_, name, tool)| (name.to_owned(), tool.settings())).collect()
    }

    /// Gives them their settings back; those that are missing stay.
    pub fn restore(&mut self, settings: &BTreeMap<String, serde_json::Value>) {
        for (_, name, tool) in self.all() {
            if let Some(settings) = settings.get(name) {
                tool.restore(settings);
            }
        }
    }

    /// Uses a PCA basis from a file for every picture.
    pub fn use_basis(&mut self, shared: &mut Shared, origin: String, basis: Basis) {
        self.pca.use_basis(shared, origin, basis);
    }

    /// Uses a probe from a file.
    pub fn use_probe(&mut self, shared: &mut Shared, probe: Probe) {
        self.probe.use_probe(shared, probe);
        self.active = ToolKind::Probe;
    }

    /// Searches other pictures.
    pub fn search_in(&mut self, shared: &Shared, collection: Collection) {
        self.retrieval.search_in(shared, collection);
        self.active = ToolKind::Retrieval;
    }

    /// Makes the index of what is searched in another folder.
    pub fn keep_index_in(&mut self, shared: &Shared, folder: &Path) {
        self.retrieval.keep_index_in(shared, folder);
    }

    /// Does what one tool asks of another.
    pub fn hand_over(&mut self, handover: &Handover) {
        self.active = match handover {
            Handover::MapOf(phrase) => {
                self.words.show_map_of(phrase);
                ToolKind::Words
            }
            Handover::Use(kind) => *kind,
        };
    }

    /// Hands an event to every tool.
    pub fn receive(&mut self, shared: &mut Shared, event: &Event) {
        foreground::receive(shared, event);
        self.all().into_iter().for_each(|(_, _, tool)| tool.receive(shared, event));
    }
}

/// The active picture or all of them; where there are too many, those up to the active one.
fn active_or_all(shared: &Shared, shows_all: bool) -> Vec<PictureId> {
    let Some(active) = shared.documents.active_id() else { return Vec::new() };
    if !shows_all {
        return vec![active];
    }
    let all: Vec<PictureId> = shared.documents.iter().map(|document| document.id).collect();
    let position = all.iter().position(|&id| id == active).unwrap_or(0);
    let start = (position + 1).saturating_sub(MOST_SHOWN);
    all.into_iter().skip(start).take(MOST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::actions::{Action, entry_of};

    #[test]
    fn every_tool_of_the_rail_is_there_and_the_first_nine_have_the_numbers_of_their_places() {
        let mut tools = Tools::default();
        let there: Vec<ToolKind> = tools.all().iter().map(|(kind, _, _)| *kind).collect();
        assert_eq!(there, RAIL.iter().map(|info| info.kind).collect::<Vec<_>>());
        for (place, info) in RAIL.iter().enumerate() {
            let key = entry_of(Action::Use(info.kind)).and_then(|entry| entry.shortcut).expect("a key").logical_key;
            assert!(place >= 9 || key.name() == (place + 1).to_string(), "{} has {}", info.name, key.name());
        }
    }
}
