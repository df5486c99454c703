//! The tools: one at a time has the left mouse button, the inspector and the layer over the pictures.

pub mod foreground;
mod live_map;
mod matching;
mod pca;
mod similarity;
mod tracking;

use dinoscope_engine::analysis::pca::Basis;
use dinoscope_engine::dispatch::{Event, Export, PictureId};
use egui::{Painter, Ui};
use egui_material_icons::{MaterialIcon, icons};

use super::canvas::View;
use super::overlay::Layer;
use super::panels::timeline::Mark;
use super::shared::Shared;

/// What every tool does. All of it runs on the window's thread and must take no time: long work goes through
/// [`Shared::send`].
pub trait Tool {
    /// Pictures on the canvas, in the order they are laid out.
    fn shown(&self, shared: &Shared) -> Vec<PictureId>;

    /// Columns that the views stand in; `None`: as makes them largest.
    fn columns(&self) -> Option<usize> {
        None
    }

    /// Pictures whose features it needs beside those shown, most urgent first.
    fn wanted(&self, _shared: &Shared) -> Vec<PictureId> {
        Vec::new()
    }

    /// Whether the pictures it shows are encoded; clips that play wait for that.
    fn needs_features(&self) -> bool {
        true
    }

    /// An event of the worker that may be an answer to this tool.
    fn receive(&mut self, _shared: &mut Shared, _event: &Event) {}

    /// Clicks, drags and keys on the views; then whatever has to be computed before drawing.
    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]);

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
}

impl ToolKind {
    /// In the order of the rail; the number key of each is its place from 1.
    pub const ALL: [Self; 4] = [Self::Similarity, Self::Pca, Self::Matching, Self::Tracking];

    /// For the rail and the inspector's title.
    pub fn name(self) -> &'static str {
        match self {
            Self::Similarity => "Similarity",
            Self::Pca => "PCA",
            Self::Matching => "Matching",
            Self::Tracking => "Tracking",
        }
    }

    /// For the rail.
    pub fn icon(self) -> MaterialIcon {
        match self {
            Self::Similarity => icons::ICON_MY_LOCATION,
            Self::Pca => icons::ICON_PALETTE,
            Self::Matching => icons::ICON_COMPARE_ARROWS,
            Self::Tracking => icons::ICON_MOVIE,
        }
    }

    /// What it answers.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Similarity => "What looks like this patch?",
            Self::Pca => "What is alike, as colours",
            Self::Matching => "Which patch is where in the other picture?",
            Self::Tracking => "Objects painted once, followed through a clip",
        }
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
}

impl Tools {
    /// The one in use.
    pub fn current(&mut self) -> &mut dyn Tool {
        match self.active {
            ToolKind::Similarity => &mut self.similarity,
            ToolKind::Pca => &mut self.pca,
            ToolKind::Matching => &mut self.matching,
            ToolKind::Tracking => &mut self.tracking,
        }
    }

    /// All of them with their names in workspaces.
    pub fn all(&mut self) -> [(&'static str, &mut dyn Tool); 4] {
        [
            ("similarity", &mut self.similarity),
            ("pca", &mut self.pca),
            ("matching", &mut self.matching),
            ("tracking", &mut self.tracking),
        ]
    }

    /// Uses a PCA basis from a file for every picture.
    pub fn use_basis(&mut self, shared: &mut Shared, origin: String, basis: Basis) {
        self.pca.use_basis(shared, origin, basis);
    }

    /// Hands an event to every tool.
    pub fn receive(&mut self, shared: &mut Shared, event: &Event) {
        foreground::receive(shared, event);
        self.all().into_iter().for_each(|(_, tool)| tool.receive(shared, event));
    }
}
