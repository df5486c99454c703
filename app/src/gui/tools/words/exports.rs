//! What the tool writes to files.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, SegmentationExport, SegmentationKind};
use dinoscope_engine::draw::classes::{ClassStyle, class_colour};
use dinoscope_engine::draw::overlay::{Interpolation, OverlayStyle, Scale};

use super::Words;
use super::asking::Division;
use super::settings::Coverage;
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;
use crate::metadata;

impl Words {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let (Some(division), Some(loaded)) = (self.asking.of(document.id), document.loaded()) else {
            return Vec::new();
        };
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        let exportable = |name, ending: &str, kind, is_picture| {
            let what = SegmentationExport {
                kind,
                picture: Arc::clone(&loaded.pixels),
                scores: Arc::clone(&division.segmented.scores),
                background: division.labelled.background,
                classes: self.classes(division),
                metadata: pairs(division),
            };
            let what = Export::Segmentation(Box::new(what));
            Exportable { name, file_name: format!("{stem}.{ending}"), what, is_picture }
        };
        let mut offered = vec![
            exportable("Picture with classes (PNG)", "words.png", SegmentationKind::Picture, true),
            exportable("Labels (indexed PNG)", "labels.png", SegmentationKind::Labels, false),
            exportable("Scores (NumPy)", "words.npy", SegmentationKind::Scores, false),
        ];
        if let Some(class) = self.selected_class(division) {
            let map = SegmentationKind::Map { class, style: self.map_style() };
            offered.insert(0, exportable("Picture with map (PNG)", "phrase.png", map, true));
        }
        offered
    }

    fn classes(&self, division: &Division) -> Vec<ClassStyle> {
        let phrases = &division.question.phrases;
        let style = |(class, phrase): (usize, &String)| ClassStyle {
            name: phrase.clone(),
            colour: class_colour(class, phrases.len()),
            opacity: self.settings.opacity * self.settings.opacity_of(phrase),
        };
        phrases.iter().enumerate().map(style).collect()
    }

    fn map_style(&self) -> OverlayStyle {
        OverlayStyle {
            colormap: self.settings.colormap,
            scale: self.settings.range().map_or(Scale::Stretched, |(low, high)| Scale::Fixed { low, high }),
            interpolation: Interpolation::Bilinear,
            opacity: self.settings.opacity,
            ..OverlayStyle::default()
        }
    }
}

/// What is written into pictures.
fn pairs(division: &Division) -> Vec<(String, String)> {
    let question = &division.question;
    let mut pairs = metadata::of_model(&division.segmented.provenance);
    let mode = if question.coverage == Coverage::Whole { "whole" } else { "slide" };
    pairs.extend([
        ("size", question.size.to_string()),
        ("dinotxt", division.segmented.dinotxt.clone()),
        ("mode", mode.to_owned()),
        ("classes", question.phrases.join("\n")),
    ]);
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
