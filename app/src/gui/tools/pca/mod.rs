//! PCA: what is alike has like colours. Beside it, the same patches in clusters.

mod basis;
mod clusters;
mod colours;
mod components;
mod exports;
pub mod fading;
mod inputs;
mod panel;
mod settings;
mod variance;

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::analysis::clustering::Labels;
use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::pca::Scores;
use dinoscope_engine::dispatch::{Event, PictureId};
use dinoscope_engine::features::Geometry;
use egui::{Color32, Painter, Stroke, StrokeKind, Ui};

use super::{Exportable, Tool, active_or_all, foreground};
use crate::gui::canvas::View;
use crate::gui::overlay::{Layer, LayerContent};
use crate::gui::shared::Shared;
use clusters::Clusters;
use components::Components;
use fading::Fading;
use settings::{Background, Colouring, Display, Settings};

/// Share of the opacity that is left while somebody paints the foreground.
const OPACITY_WHILE_PAINTING: f32 = 0.45;

/// The tool's state.
#[derive(Default)]
pub struct Pca {
    settings: Settings,
    components: Components,
    clusters: Clusters,
    drawn: HashMap<PictureId, Drawn>,
    /// The cluster that stands out: of the picture under the pointer, or of the legend.
    highlighted: Option<(PictureId, usize)>,
    /// The cluster of the active picture whose row in the legend is under the pointer.
    hovered_row: Option<usize>,
}

/// What lies over one picture.
#[derive(Default)]
struct Drawn {
    fading: Fading,
    geometry: Option<Geometry>,
    source: Option<Source>,
}

/// What colours are made from.
enum Source {
    Scores { scores: Arc<Scores>, foreground: Option<Arc<PatchMask>>, look: (Colouring, Vec<usize>, Background) },
    Labels { labels: Arc<Labels>, highlighted: Option<usize> },
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Scores { scores, foreground, look },
                Self::Scores { scores: other_scores, foreground: other_foreground, look: other_look },
            ) => {
                let same_foreground = match (foreground, other_foreground) {
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                    (a, b) => a.is_none() && b.is_none(),
                };
                Arc::ptr_eq(scores, other_scores) && same_foreground && look == other_look
            }
            (
                Self::Labels { labels, highlighted },
                Self::Labels { labels: other_labels, highlighted: other_highlighted },
            ) => Arc::ptr_eq(labels, other_labels) && highlighted == other_highlighted,
            _ => false,
        }
    }
}

impl Source {
    /// Rows and columns.
    fn grid(&self) -> (usize, usize) {
        match self {
            Self::Scores { scores, .. } => (scores.dim().0, scores.dim().1),
            Self::Labels { labels, .. } => labels.dim(),
        }
    }

    fn texels(&self, settings: &Settings) -> Vec<[u8; 4]> {
        match self {
            Self::Scores { scores, foreground, .. } => colours::of_scores(scores, foreground.as_deref(), settings),
            Self::Labels { labels, highlighted } => colours::of_labels(labels, *highlighted),
        }
    }
}

impl Tool for Pca {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        active_or_all(shared, self.settings.shows_all)
    }

    fn wanted(&self, shared: &Shared) -> Vec<PictureId> {
        if self.settings.is_joint { shared.documents.iter().map(|document| document.id).collect() } else { Vec::new() }
    }

    fn is_behind(&self, shared: &Shared, picture: PictureId) -> bool {
        let (is_known, problem) = match self.settings.display {
            Display::Components => (self.components.of(picture).is_some(), self.components.problem(picture)),
            Display::Clusters => (self.clusters.of(picture).is_some(), self.clusters.problem(picture)),
        };
        shared.has_features(picture) && !is_known && problem.is_none()
    }

    fn receive(&mut self, _shared: &mut Shared, event: &Event) {
        self.components.receive(event);
        self.clusters.receive(event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        let is_open = |picture| shared.documents.is_open(picture);
        self.components.keep_only(is_open);
        self.clusters.keep_only(is_open);
        for view in views {
            self.inherit(view.picture);
        }
        self.drawn.retain(|picture, _| is_open(*picture));

        let pictures = self.pictures(shared);
        let mut is_brush = false;
        match self.settings.display {
            Display::Components => {
                is_brush = foreground::interact(ui, shared, views);
                self.clusters.rest(shared);
                self.components.update(shared, &pictures, &self.settings);
                self.highlighted = None;
            }
            Display::Clusters => {
                self.components.rest(shared);
                self.clusters.update(shared, &pictures, &self.settings);
                self.highlighted = self.pointed_at(shared, views);
            }
        }
        if let Some(clicked) = views.iter().find(|view| view.response.clicked()).filter(|_| !is_brush) {
            shared.documents.activate(clicked.picture);
        }
        let now_secs = ui.input(|input| input.time);
        for view in views {
            let source = self.source(view.picture);
            let drawn = self.drawn.entry(view.picture).or_default();
            if let Some((source, geometry)) = source.zip(view.geometry)
                && source.grid() == geometry.grid
                && drawn.source.as_ref() != Some(&source)
            {
                drawn.fading.show(now_secs, source.grid(), source.texels(&self.settings));
                drawn.geometry = Some(geometry);
                drawn.source = Some(source);
            }
            if drawn.fading.advance(shared.gpu(), now_secs) {
                ui.ctx().request_repaint();
            }
        }
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.components.rest(shared);
        self.clusters.rest(shared);
    }

    fn layer(&self, shared: &Shared, view: &View) -> Option<Layer> {
        let drawn = self.drawn.get(&view.picture)?;
        let (texture, grid) = drawn.fading.view()?;
        let geometry = drawn.geometry.filter(|geometry| geometry.grid == grid)?;
        let is_painted = self.settings.display == Display::Components && foreground::is_painting(shared, view.picture);
        let opacity = self.settings.opacity * if is_painted { OPACITY_WHILE_PAINTING } else { 1.0 };
        // Between two clusters lies no third one.
        let is_smooth = self.settings.is_smooth && self.settings.display == Display::Components;
        Some(Layer { geometry, content: LayerContent::Colours(texture.clone()), opacity, is_smooth })
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        if self.settings.display == Display::Components && foreground::is_painting(shared, view.picture) {
            foreground::paint(painter, shared, view);
        } else if let Some(rect) = view.hovered_patch().and_then(|patch| view.screen_rect_of_patch(patch)) {
            painter.rect_stroke(rect, 0.0, Stroke::new(3.0, Color32::from_black_alpha(160)), StrokeKind::Outside);
            painter.rect_stroke(rect, 0.0, Stroke::new(1.5, Color32::WHITE), StrokeKind::Outside);
        }
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        let patch = view.hovered_patch()?;
        match self.settings.display {
            Display::Components => {
                let scores = &self.components.of(view.picture)?.scores;
                let shown = self.settings.shown_of(scores.dim().2);
                let numbers = shown.iter().map(|&index| scores.get((patch.row, patch.col, index)).copied());
                let numbers: Option<Vec<String>> = numbers.map(|score| score.map(signed)).collect();
                Some(format!("pc {}", numbers?.join(" ")))
            }
            Display::Clusters => {
                let clustered = self.clusters.of(view.picture)?;
                let label = *clustered.labels.get((patch.row, patch.col))?;
                let share = clustered.shares.get(label)?;
                Some(format!("cluster {} ({})", label + 1, percent(*share)))
            }
        }
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        panel::show(ui, self, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        exports::of(self, shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        if let Some(settings) = Settings::from_json(settings) {
            self.settings = settings;
        }
    }
}

impl Pca {
    /// Pictures to work on, most urgent first.
    fn pictures(&self, shared: &Shared) -> Vec<PictureId> {
        let mut pictures: Vec<PictureId> = shared.documents.active_id().into_iter().collect();
        let others = if self.settings.is_joint { self.wanted(shared) } else { self.shown(shared) };
        pictures.extend(others.into_iter().filter(|&other| Some(other) != shared.documents.active_id()));
        let coming = shared.coming_frames(&pictures);
        pictures.extend(coming);
        pictures
    }

    /// The colours of a frame, once they are known, come out of those of the frame that was shown before it.
    fn inherit(&mut self, picture: PictureId) {
        if self.drawn.contains_key(&picture) || self.source(picture).is_none() {
            return;
        }
        let before = self.drawn.keys().find(|known| known.document() == picture.document()).copied();
        if let Some(drawn) = before.and_then(|before| self.drawn.remove(&before)) {
            self.drawn.insert(picture, drawn);
        }
    }

    /// What the picture's colours are to be made from.
    fn source(&self, picture: PictureId) -> Option<Source> {
        match self.settings.display {
            Display::Components => {
                let scores = Arc::clone(&self.components.of(picture)?.scores);
                let grid = (scores.dim().0, scores.dim().1);
                let foreground = self.components.foreground(picture).filter(|mask| mask.dim() == grid).cloned();
                let settings = &self.settings;
                let look = (settings.colouring, settings.shown().to_vec(), settings.background);
                Some(Source::Scores { scores, foreground, look })
            }
            Display::Clusters => {
                let labels = Arc::clone(&self.clusters.of(picture)?.labels);
                // Clusters of pictures that were not clustered together have nothing to do with each other.
                let concerns = |(other, _): &(PictureId, usize)| self.settings.is_joint || *other == picture;
                let highlighted = self.highlighted.filter(concerns).map(|(_, label)| label);
                Some(Source::Labels { labels, highlighted })
            }
        }
    }

    /// The cluster under the pointer.
    fn pointed_at(&self, shared: &Shared, views: &[View]) -> Option<(PictureId, usize)> {
        let on_view = views.iter().find_map(|view| {
            let patch = view.hovered_patch()?;
            let label = self.clusters.of(view.picture)?.labels.get((patch.row, patch.col))?;
            Some((view.picture, *label))
        });
        on_view.or(shared.documents.active_id().zip(self.hovered_row))
    }
}

/// "0.42", "−0.11": with a minus as wide as a digit.
fn signed(score: f32) -> String {
    format!("{score:.2}").replace('-', "−")
}

/// "12 %", "0.4 %".
fn percent(share: f32) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

#[cfg(test)]
mod tests {
    use super::{percent, signed};

    #[test]
    fn numbers_for_people() {
        assert_eq!([0.421, -0.109].map(signed), ["0.42", "−0.11"]);
        assert_eq!([0.123, 0.004, 0.0, 1.0].map(percent), ["12 %", "0.4 %", "0 %", "100 %"]);
    }
}
