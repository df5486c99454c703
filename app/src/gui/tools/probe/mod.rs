//! Probe: a few strokes teach it which patches are what.

mod asking;
mod brush;
mod colours;
mod exports;
mod labels;
mod panel;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, PictureId};
use dinoscope_engine::features::Geometry;
use dinoscope_engine::probe::Probe;
use dinoscope_engine::probe::apply::Applied;
use egui::{Painter, Ui};

use self::asking::Asking;
use self::brush::Stroke;
use self::labels::Labels;
use self::settings::{Display, Settings};
use super::pca::fading::Fading;
use super::similarity::colour_bar::ColourBar;
use super::{Exportable, Tool, active_or_all};
use crate::gui::canvas::View;
use crate::gui::overlay::{Layer, LayerContent};
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;

/// The tool's state.
#[derive(Default)]
pub struct Probing {
    settings: Settings,
    /// The class that the brush paints.
    selected: usize,
    stroke: Option<Stroke>,
    asking: Asking,
    labels: Labels,
    drawn: HashMap<PictureId, Drawn>,
}

/// What lies over one picture.
#[derive(Default)]
struct Drawn {
    fading: Fading,
    geometry: Option<Geometry>,
    of: Option<(Arc<Applied>, Settings)>,
}

impl Tool for Probing {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        active_or_all(shared, self.settings.shows_all)
    }

    fn wanted(&self, shared: &Shared) -> Vec<PictureId> {
        shared.placed.now().scribbles.pictures.keys().copied().collect()
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        if self.asking.receive(event) {
            shared.probe = self.asking.probe().cloned();
        }
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        let classes = shared.placed.now().scribbles.classes.len();
        self.selected = self.selected.min(classes.saturating_sub(1));
        self.scribble(ui, shared, views);
        self.drawn.retain(|picture, _| shared.documents.get(*picture).is_some());
        let shown: Vec<PictureId> = views.iter().map(|view| view.picture).collect();
        self.asking.update(shared, &shown, &self.settings, &mut self.labels);
        for view in views {
            view.geometry.iter().for_each(|geometry| drop(self.labels.of(view.picture, geometry)));
        }
        let now_secs = ui.input(|input| input.time);
        for view in views {
            let Some(applied) = self.asking.of(view.picture) else {
                self.drawn.remove(&view.picture);
                continue;
            };
            let drawn = self.drawn.entry(view.picture).or_default();
            let is_same =
                |(of, settings): &(Arc<Applied>, Settings)| Arc::ptr_eq(of, applied) && *settings == self.settings;
            if !drawn.of.as_ref().is_some_and(is_same) {
                let (rows, cols, _) = applied.probabilities.dim();
                drawn.fading.show(now_secs, (rows, cols), colours::of(&applied.probabilities, &self.settings));
                // Edges are found in a smaller picture; shares of it are those of the picture.
                drawn.geometry = view.geometry.map(|geometry| Geometry { grid: (rows, cols), ..geometry });
                drawn.of = Some((Arc::clone(applied), self.settings.clone()));
            }
            if drawn.fading.advance(shared.gpu(), now_secs) {
                ui.ctx().request_repaint();
            }
        }
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.asking.rest(shared);
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        let drawn = self.drawn.get(&view.picture)?;
        let (texture, grid) = drawn.fading.view()?;
        let geometry = drawn.geometry.filter(|geometry| geometry.grid == grid)?;
        let is_smooth = self.settings.display != Display::Classes;
        let content = LayerContent::Colours(texture.clone());
        Some(Layer { geometry, content, opacity: self.settings.opacity, is_smooth })
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        self.paint_scribbles(painter, shared, view);
        let classes = self.asking.probe().map_or(0, |probe| probe.classes.len());
        let is_map = self.settings.display == Display::Uncertainty
            || (self.settings.display == Display::Probability && classes == 2);
        if is_map && self.drawn.contains_key(&view.picture) {
            let bar = ColourBar {
                colormap: self.settings.colormap,
                range: Some((0.0, 1.0)),
                unit: "",
                value: self.value(view).map(|(_, value)| value),
                threshold: self.settings.shown_from(),
            };
            let pointer = view.hovered.map(|PixelPoint { x, y }| view.transform.screen_from_image(egui::pos2(x, y)));
            bar.paint(painter, view.transform.rect, pointer);
        }
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        let (name, value) = self.value(view)?;
        Some(format!("{name} {value:.3}"))
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.show_inspector(ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.offered(shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.settings = Settings::from_json(settings);
    }
}

impl Probing {
    /// Uses a probe from a file, wherever nothing is scribbled.
    pub fn use_probe(&mut self, shared: &mut Shared, probe: Probe) {
        let probe = Arc::new(probe);
        let has_scribbles = !shared.placed.now().scribbles.pictures.is_empty();
        shared.placed.edit("clear scribbles", |placed| placed.scribbles.pictures.clear());
        if has_scribbles {
            shared
                .notices
                .info("The scribbles were taken away, so that the probe of the file counts (Undo brings them back)");
        }
        shared.probe = Some(Arc::clone(&probe));
        self.asking.file = Some(probe);
    }

    /// What is under the pointer: what the number is, and the number.
    fn value(&self, view: &View) -> Option<(String, f32)> {
        let patch = view.hovered_patch()?;
        let applied = self.asking.of(view.picture)?;
        let (rows, cols) = view.geometry?.grid;
        let (fine_rows, fine_cols, classes) = applied.probabilities.dim();
        // Of pixels that of the middle of the patch.
        let place = |index: usize, patches: usize, fine: usize| (2 * index + 1) * fine / (2 * patches);
        let at = (place(patch.row, rows, fine_rows), place(patch.col, cols, fine_cols));
        let lane = applied.probabilities.slice(ndarray::s![at.0, at.1, ..]);
        let names = &self.asking.probe()?.classes;
        Some(match self.settings.display {
            Display::Uncertainty => ("uncertainty".to_owned(), colours::uncertainty(lane)),
            Display::Probability if classes == 2 => (names.get(1)?.clone(), lane[1]),
            _ => {
                let (best, value) = colours::likeliest(lane);
                (names.get(best)?.clone(), value)
            }
        })
    }
}
