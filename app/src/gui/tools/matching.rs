//! Matching.

use dinoscope_engine::dispatch::PictureId;
use egui::{Painter, Ui};

use super::Tool;
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::shared::Shared;

/// The tool's state.
#[derive(Default)]
pub struct Matching {}

impl Tool for Matching {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn update(&mut self, _ui: &Ui, _shared: &mut Shared, _views: &[View]) {}

    fn layer(&self, _shared: &Shared, _view: &View) -> Option<Layer> {
        None
    }

    fn paint(&self, _painter: &Painter, _shared: &Shared, _view: &View) {}

    fn inspector(&mut self, _ui: &mut Ui, _shared: &mut Shared) {}

    fn settings(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _settings: &serde_json::Value) {}
}
