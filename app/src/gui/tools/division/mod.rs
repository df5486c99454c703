//! A picture divided among classes: their colours, a legend, the map of one of them, a ranking under the pointer. For all
//! tools that divide pictures.

mod drawn;
mod legend;
mod look;
mod ranking;

use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, Labelled, PictureId, SegmentationExport, SegmentationKind};
use dinoscope_engine::draw::classes::{ClassStyle, class_colour};
use dinoscope_engine::draw::overlay::{Interpolation, OverlayStyle, Scale};
use dinoscope_engine::image::Picture;
use dinoscope_engine::text::Scores;
use egui::{Painter, Ui, pos2};

use self::drawn::Drawn;
pub use self::look::Look;
use super::similarity::colour_bar::ColourBar;
use crate::gui::canvas::View;
use crate::gui::canvas::caption::paint_title;
use crate::gui::overlay::Layer;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;

/// A picture divided among classes.
pub struct Division {
    /// The picture.
    pub picture: PictureId,
    /// Names of the classes, in the order of the scores.
    pub classes: Arc<Vec<String>>,
    /// Of every class.
    pub scores: Arc<Scores>,
    /// The class of every pixel, with the newest background.
    pub labelled: Arc<Labelled>,
    /// Classes that are somewhere, the largest first.
    pub found: Vec<usize>,
    /// Classes that are nowhere.
    pub absent: Vec<usize>,
}

impl Division {
    /// Of scores and their labels.
    pub fn new(picture: PictureId, classes: Arc<Vec<String>>, scores: Arc<Scores>, labelled: Arc<Labelled>) -> Self {
        let (found, absent) = (Vec::new(), Vec::new());
        let mut division = Self { picture, classes, scores, labelled: Arc::clone(&labelled), found, absent };
        division.relabel(labelled);
        division
    }

    /// Takes other labels of the same scores.
    pub fn relabel(&mut self, labelled: Arc<Labelled>) {
        let shares = &labelled.shares;
        (self.found, self.absent) = (0..self.classes.len()).partition(|&class| shares[class] > 0.0);
        self.found.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        self.labelled = labelled;
    }
}

/// How a division is looked at.
#[derive(Default)]
pub struct Shown {
    drawn: Drawn,
    /// The class whose map is shown instead of all classes.
    pub selected: Option<String>,
    /// The class whose row in the legend is under the pointer.
    pointed: Option<usize>,
    /// The best classes under the pointer.
    ranking: Vec<(usize, f32)>,
    /// The selected class's score under the pointer.
    value: Option<f32>,
}

impl Shown {
    /// Takes a map that was asked for.
    pub fn receive(&mut self, shared: &Shared, event: &Event) {
        self.drawn.receive(shared.gpu(), event);
    }

    /// Nothing is divided now.
    pub fn clear(&mut self) {
        self.drawn.clear();
        (self.ranking, self.value) = (Vec::new(), None);
    }

    /// Clicks on the picture, and whatever has to be computed before drawing.
    pub fn update(&mut self, ui: &Ui, shared: &mut Shared, view: &View, division: &Division, look: &Look) {
        (self.ranking, self.value) = (Vec::new(), None);
        self.selected.take_if(|name| !division.classes.contains(name));
        let now_secs = ui.input(|input| input.time);
        if self.drawn.show(shared.gpu(), division, look, self.pointed, now_secs) {
            ui.ctx().request_repaint();
        }
        if let Some(point) = view.hovered {
            self.ranking = ranking::best_at(&division.scores, point);
        }
        if let Some((point, _)) = view.clicked(ui) {
            let best = ranking::best_at(&division.scores, point).first().map(|(class, _)| *class);
            let name = best.and_then(|class| division.classes.get(class)).cloned();
            self.selected = if self.selected.is_some() { None } else { name };
        }
        if let Some(class) = self.selected_class(division) {
            self.value = view.hovered.and_then(|point| ranking::score_at(&division.scores, point, class));
            self.drawn.want_map(shared, division, class);
        }
    }

    /// What lies over the picture.
    pub fn layer(&self, division: &Division, look: &Look) -> Option<Layer> {
        self.drawn.layer(division, self.selected_class(division), look)
    }

    /// The colour bar and the name of the class whose map is shown.
    pub fn paint(&self, painter: &Painter, view: &View, division: &Division, look: &Look) {
        let Some(class) = self.selected_class(division) else { return };
        let Some(range) = self.drawn.range(division, class) else { return };
        let bar = ColourBar {
            colormap: look.colormap,
            range: Some(look.range().unwrap_or(range)),
            unit: "",
            value: self.value,
            threshold: None,
        };
        let pointer = view.hovered.map(|PixelPoint { x, y }| view.transform.screen_from_image(pos2(x, y)));
        bar.paint(painter, view.transform.rect, pointer);
        paint_title(painter, view.transform.rect, &division.classes[class]);
    }

    /// "goose 0.412"
    pub fn readout(&self, division: &Division) -> Option<String> {
        let of_map = self.selected_class(division).zip(self.value);
        let (class, score) = of_map.or(self.ranking.first().copied())?;
        Some(format!("{} {}", division.classes.get(class)?, ranking::score_text(score)))
    }

    /// The class whose map is shown.
    pub fn selected_class(&self, division: &Division) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        division.classes.iter().position(|name| name == selected)
    }

    /// What can be written of it: name, ending of the file, and which part; the map of the selected class first. `what` is
    /// part of the endings.
    pub fn parts(&self, division: &Division, look: &Look, what: &str) -> Vec<(&'static str, String, SegmentationKind)> {
        let mut parts = vec![
            ("Picture with classes (PNG)", format!("{what}.png"), SegmentationKind::Picture),
            ("Labels (indexed PNG)", "labels.png".to_owned(), SegmentationKind::Labels),
            ("Scores (NumPy)", format!("{what}.npy"), SegmentationKind::Scores),
        ];
        if let Some(class) = self.selected_class(division) {
            let map = SegmentationKind::Map { class, style: map_style(look) };
            parts.insert(0, ("Picture with map (PNG)", "class.png".to_owned(), map));
        }
        parts
    }
}

/// A part of a division for a file.
pub fn export(
    division: &Division,
    look: &Look,
    picture: Arc<Picture>,
    kind: SegmentationKind,
    metadata: Vec<(String, String)>,
) -> SegmentationExport {
    let count = division.classes.len();
    let style = |(class, name): (usize, &String)| ClassStyle {
        name: name.clone(),
        colour: class_colour(class, count),
        opacity: look.opacity * look.opacity_of(name),
    };
    SegmentationExport {
        kind,
        picture,
        scores: Arc::clone(&division.scores),
        background: division.labelled.background,
        classes: division.classes.iter().enumerate().map(style).collect(),
        metadata,
    }
}

fn map_style(look: &Look) -> OverlayStyle {
    OverlayStyle {
        colormap: look.colormap,
        scale: look.range().map_or(Scale::Stretched, |(low, high)| Scale::Fixed { low, high }),
        interpolation: Interpolation::Bilinear,
        opacity: look.opacity,
        ..OverlayStyle::default()
    }
}
