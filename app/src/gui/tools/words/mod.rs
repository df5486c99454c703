//! Words: the picture is divided among phrases.

mod asking;
mod drawn;
mod exports;
mod legend;
mod missing;
mod panel;
mod ranking;
mod settings;

use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, PictureId};
use dinoscope_engine::text::phrases;
use egui::{Align2, Color32, FontId, Painter, Ui, pos2, vec2};

use self::asking::{Asking, Division, Question};
use self::drawn::Drawn;
use self::settings::{Coverage, Settings};
use super::similarity::colour_bar::ColourBar;
use super::{Exportable, Tool};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;

/// The tool's state.
#[derive(Default)]
pub struct Words {
    settings: Settings,
    /// The phrases of [`Settings::text`], as they were when it was that text.
    typed: (String, Arc<Vec<String>>),
    asking: Asking,
    drawn: Drawn,
    /// The phrase whose map is shown instead of all classes.
    selected: Option<String>,
    /// The class whose row in the legend is under the pointer.
    pointed: Option<usize>,
    /// The best classes under the pointer.
    ranking: Vec<(usize, f32)>,
    /// The selected class's score under the pointer.
    value: Option<f32>,
}

impl Tool for Words {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn needs_features(&self) -> bool {
        false
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        self.asking.receive(event);
        self.drawn.receive(shared.gpu(), event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        shared.want_dinotxt();
        self.asking.keep_only(|picture| shared.documents.get(picture).is_some_and(|document| document.id == picture));
        if self.typed.0 != self.settings.text {
            self.typed = (self.settings.text.clone(), Arc::new(phrases::typed(&self.settings.text)));
        }
        self.selected.take_if(|phrase| !self.typed.1.contains(phrase));
        if self.typed.1.is_empty() {
            self.asking.stop(shared);
        }
        let Some(view) = views.first() else { return };
        let is_playing = shared.player_mut(view.picture).is_some_and(|player| player.is_playing());
        if let Some(question) = self.question(shared, view.picture).filter(|_| !is_playing) {
            self.asking.ask(ui, shared, question, self.settings.background());
        }
        (self.ranking, self.value) = (Vec::new(), None);
        let Some(division) = self.asking.of(view.picture) else {
            self.drawn.clear();
            return;
        };
        let now_secs = ui.input(|input| input.time);
        if self.drawn.show(shared.gpu(), division, &self.settings, self.pointed, now_secs) {
            ui.ctx().request_repaint();
        }
        if let Some(point) = view.hovered {
            self.ranking = ranking::best_at(&division.segmented.scores, point);
        }
        if let Some((point, _)) = view.clicked(ui) {
            let best = ranking::best_at(&division.segmented.scores, point).first().map(|(class, _)| *class);
            let phrase = best.and_then(|class| division.question.phrases.get(class)).cloned();
            self.selected = if self.selected.is_some() { None } else { phrase };
        }
        if let Some(class) = self.selected_class(division) {
            self.value = view.hovered.and_then(|point| ranking::score_at(&division.segmented.scores, point, class));
            self.drawn.want_map(shared, division, class);
        }
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        let division = self.asking.of(view.picture)?;
        self.drawn.layer(division, self.selected_class(division), &self.settings)
    }

    fn paint(&self, painter: &Painter, _shared: &Shared, view: &View) {
        let Some(division) = self.asking.of(view.picture) else { return };
        let Some(class) = self.selected_class(division) else { return };
        let Some(range) = self.drawn.range(division, class) else { return };
        let bar = ColourBar {
            colormap: self.settings.colormap,
            range: Some(self.settings.range().unwrap_or(range)),
            value: self.value,
            threshold: None,
        };
        let pointer = view.hovered.map(|PixelPoint { x, y }| view.transform.screen_from_image(pos2(x, y)));
        bar.paint(painter, view.transform.rect, pointer);
        let at = view.transform.rect.min + vec2(12.0, 10.0);
        let font = FontId::proportional(13.5);
        let galley = painter.layout(division.question.phrases[class].clone(), font, Color32::WHITE, 280.0);
        let plate = Align2::LEFT_TOP.anchor_size(at, galley.size()).expand2(vec2(6.0, 3.0));
        painter.rect_filled(plate, 4.0, Color32::from_black_alpha(190));
        painter.galley(at, galley, Color32::WHITE);
    }

    fn readout(&self, _shared: &Shared, view: &View) -> Option<String> {
        let division = self.asking.of(view.picture)?;
        let of_map = self.selected_class(division).zip(self.value);
        let (class, score) = of_map.or(self.ranking.first().copied())?;
        Some(format!("{} {}", division.question.phrases.get(class)?, ranking::score_text(score)))
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

impl Words {
    /// Shows the map of a phrase, which is added to the others where it is not among them. Shares of a single phrase
    /// would be 1 everywhere, so that its cosines are taken.
    pub fn show_map_of(&mut self, phrase: &str) {
        let Some(phrase) = phrases::typed(phrase).into_iter().next() else { return };
        if !phrases::typed(&self.settings.text).contains(&phrase) {
            let separator = if self.settings.text.trim().is_empty() { "" } else { "\n" };
            self.settings.text = format!("{}{separator}{phrase}", self.settings.text.trim_end());
            self.typed = (self.settings.text.clone(), Arc::new(phrases::typed(&self.settings.text)));
        }
        self.settings.coverage = Coverage::Whole;
        self.selected = Some(phrase);
    }

    /// What is to be asked now, once there is something to ask and somebody who answers.
    fn question(&self, shared: &Shared, picture: PictureId) -> Option<Question> {
        let phrases = Arc::clone(&self.typed.1);
        let Settings { templates, coverage, size, .. } = self.settings;
        let words = shared.words().filter(|_| !phrases.is_empty())?;
        Some(Question { picture, words, phrases, templates, coverage, size })
    }

    fn selected_class(&self, division: &Division) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        division.question.phrases.iter().position(|phrase| phrase == selected)
    }
}
