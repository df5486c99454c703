//! Which class each pixel belongs to.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Event, Export, HeadAnswer, HeadOptions, HeadReading, SegmentationKind};
use dinoscope_engine::heads::Task;
use egui::{Painter, Ui};
use serde::{Deserialize, Serialize};

use super::{Exportable, Head, layers_field, metadata_of, typed_layers};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::panels::controls;
use crate::gui::shared::Shared;
use crate::gui::tools::division::{self, Division, Look, Shown};

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The whole picture at once instead of windows that overlap.
    is_whole: bool,
    /// Blocks that the head reads, as they were typed.
    layers: String,
    #[serde(flatten)]
    look: Look,
}

/// The tool's own state.
#[derive(Default)]
pub struct Segment {
    settings: Settings,
    shown: Shown,
    /// Of the reading that is shown.
    division: Option<(Arc<HeadReading>, Division)>,
}

impl Segment {
    fn division(&self, reading: &HeadReading) -> Option<&Division> {
        let (of, division) = self.division.as_ref()?;
        std::ptr::eq(Arc::as_ptr(of), reading).then_some(division)
    }
}

impl Head for Segment {
    const TASK: Task = Task::Segmentation;

    fn options(&self) -> HeadOptions {
        let Settings { is_whole, layers, .. } = &self.settings;
        HeadOptions::Segment { is_whole: *is_whole, layers: typed_layers(layers) }
    }

    fn invitation(&self) -> &'static str {
        "The picture divided among the head's classes."
    }

    fn receive(&mut self, shared: &Shared, event: &Event) {
        self.shown.receive(shared, event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, view: &View, reading: &Arc<HeadReading>) {
        let HeadAnswer::Segmentation { scores, labelled, names } = &reading.answer else { return };
        if self.division(reading).is_none() {
            let (classes, scores) = (Arc::clone(names), Arc::clone(scores));
            let division = Division::new(reading.picture, classes, scores, Arc::clone(labelled));
            self.division = Some((Arc::clone(reading), division));
        }
        if let Some((_, division)) = &self.division {
            self.shown.update(ui, shared, view, division, &self.settings.look);
        }
    }

    fn layer(&self, reading: &HeadReading) -> Option<Layer> {
        self.shown.layer(self.division(reading)?, &self.settings.look)
    }

    fn paint(&self, painter: &Painter, view: &View, reading: &HeadReading) {
        if let Some(division) = self.division(reading) {
            self.shown.paint(painter, view, division, &self.settings.look);
        }
    }

    fn readout(&self, _view: &View, reading: &HeadReading) -> Option<String> {
        self.shown.readout(self.division(reading)?)
    }

    fn panel(&mut self, ui: &mut Ui, reading: Option<&HeadReading>) {
        let hint = "Windows that overlap, as published, or the whole picture at once: coarser and faster";
        controls::choice(ui, "Picture", hint, &mut self.settings.is_whole, &[(false, "Windows"), (true, "Whole")]);
        let usual = Look::default().opacity;
        let hint = "0 shows the picture alone";
        controls::slider(ui, "Opacity", hint, &mut self.settings.look.opacity, 0.0..=1.0, usual);
        if let (Some(reading), Some((of, division))) = (reading, &self.division)
            && std::ptr::eq(Arc::as_ptr(of), reading)
        {
            ui.separator();
            self.shown.legend(ui, division, &mut self.settings.look);
        }
    }

    fn more(&mut self, ui: &mut Ui) {
        layers_field(ui, &mut self.settings.layers);
    }

    fn exports(&self, shared: &Shared, stem: &str, reading: &Arc<HeadReading>) -> Vec<Exportable> {
        let loaded = shared.documents.active().and_then(|document| document.loaded());
        let (Some(division), Some(loaded)) = (self.division(reading), loaded) else { return Vec::new() };
        let look = &self.settings.look;
        let exportable = |(name, ending, kind): (_, String, SegmentationKind)| {
            let is_picture = matches!(kind, SegmentationKind::Picture | SegmentationKind::Map { .. });
            let what = division::export(division, look, Arc::clone(&loaded.pixels), kind, metadata_of(reading));
            let what = Export::Segmentation(Box::new(what));
            Exportable { name, file_name: format!("{stem}.{ending}"), what, is_picture }
        };
        self.shown.parts(division, look, "segments").into_iter().map(exportable).collect()
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        let mut settings: Settings = serde_json::from_value(settings.clone()).unwrap_or_default();
        settings.look = settings.look.bounded();
        self.settings = settings;
    }
}
