//! What the tool writes to files.

use std::sync::Arc;

use dinoscope_engine::analysis::pca::Scores;
use dinoscope_engine::dispatch::Export;
use dinoscope_engine::draw::overlay::Interpolation;
use dinoscope_engine::video::ClipMap;

use super::settings::Display;
use super::{Pca, colours};
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;
use crate::gui::tools::foreground::ForegroundKind;

/// Everything that there is of the active picture.
pub fn of(tool: &Pca, shared: &Shared) -> Vec<Exportable> {
    let Some(document) = shared.documents.active() else { return Vec::new() };
    let picture = document.id;
    let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
    let mut exports = Vec::new();
    let mut add = |name, ending: &str, what, is_picture| {
        exports.push(Exportable { name, file_name: format!("{stem}.{ending}"), what, is_picture });
    };
    let coloured = |texels: Vec<[u8; 4]>, cols: usize| {
        let drawn = tool.drawn.get(&picture)?;
        let rows = texels.len() / cols.max(1);
        let geometry = drawn.geometry.filter(|geometry| geometry.grid == (rows, cols))?;
        let at = |(row, col, channel): (usize, usize, usize)| f32::from(texels[row * cols + col][channel]) / 255.0;
        let colours = Arc::new(Scores::from_shape_fn((rows, cols, 4), at));
        let is_smooth = tool.settings.is_smooth && tool.settings.display == Display::Components;
        let interpolation = if is_smooth { Interpolation::Bilinear } else { Interpolation::Patches };
        let pixels = Arc::clone(&document.loaded()?.pixels);
        Some(Export::ColourPicture {
            picture: pixels,
            geometry,
            colours,
            interpolation,
            opacity: tool.settings.opacity,
        })
    };
    match tool.settings.display {
        Display::Components => {
            let Some(known) = tool.components.of(picture) else { return exports };
            let scores = &known.scores;
            let (rows, cols, fitted) = scores.dim();
            let mask = tool.components.foreground(picture).filter(|mask| mask.dim() == (rows, cols));
            let texels = colours::of_scores(scores, mask.map(Arc::as_ref), &tool.settings);
            if let Some(what) = coloured(texels, cols) {
                add("Picture with colours (PNG)", "pca.png", what, true);
            }
            let shown = tool.settings.shown_of(fitted);
            let chosen =
                Scores::from_shape_fn((rows, cols, shown.len()), |(row, col, index)| scores[[row, col, shown[index]]]);
            let components: Vec<usize> = tool.settings.shown_of(fitted).to_vec();
            let through_clip = ClipMap::Pca {
                basis: tool.components.fixed.as_ref().map(|fixed| Arc::clone(&fixed.basis)),
                components,
                has_foreground: shared.placed.now().choices.kind(picture) == ForegroundKind::Automatic,
                interpolation: if tool.settings.is_smooth { Interpolation::Bilinear } else { Interpolation::Patches },
                opacity: tool.settings.opacity,
            };
            if let Some(what) = shared.clip_map(picture, through_clip) {
                add("Video with colours (MP4)", "pca.mp4", what, false);
            }
            add("Scores (NumPy)", "pca.npy", Export::Scores(Arc::new(chosen)), false);
            add("Basis (JSON)", "basis.json", Export::Basis(Arc::clone(&known.basis)), false);
        }
        Display::Clusters => {
            let Some(known) = tool.clusters.of(picture) else { return exports };
            if let Some(what) = coloured(colours::of_labels(&known.labels, None), known.labels.dim().1) {
                add("Picture with clusters (PNG)", "clusters.png", what, true);
            }
            add("Clusters (NumPy)", "clusters.npy", Export::Labels(Arc::clone(&known.labels)), false);
        }
    }
    exports
}
