//! What the tool writes to files.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, SegmentationKind};

use super::Words;
use super::asking::Known;
use super::settings::Coverage;
use crate::gui::shared::Shared;
use crate::gui::tools::{Exportable, division};
use crate::metadata;

impl Words {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let (Some(known), Some(loaded)) = (self.asking.of(document.id), document.loaded()) else {
            return Vec::new();
        };
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        let look = &self.settings.look;
        let parts = self.shown.parts(&known.division, look, "words").into_iter();
        let exportable = |(name, ending, kind): (_, String, SegmentationKind)| {
            let is_picture = matches!(kind, SegmentationKind::Picture | SegmentationKind::Map { .. });
            let what = division::export(&known.division, look, Arc::clone(&loaded.pixels), kind, pairs(known));
            let what = Export::Segmentation(Box::new(what));
            Exportable { name, file_name: format!("{stem}.{ending}"), what, is_picture }
        };
        parts.map(exportable).collect()
    }
}

/// What is written into pictures.
fn pairs(known: &Known) -> Vec<(String, String)> {
    let question = &known.question;
    let mut pairs = metadata::of_model(&known.provenance);
    let mode = if question.coverage == Coverage::Whole { "whole" } else { "slide" };
    pairs.extend([
        ("size", question.size.to_string()),
        ("dinotxt", known.dinotxt.clone()),
        ("mode", mode.to_owned()),
        ("classes", question.phrases.join("\n")),
    ]);
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
