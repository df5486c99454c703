//! What can be written to files: the same as `dinoscope match` writes.

use std::path::Path;
use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, MatchSide, PairFormat};

use super::found::{Found, Side};
use super::kept::Kept;
use crate::gui::documents::{Document, Origin};
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;

/// The drawn figure, and the pairs that are kept as JSON and CSV.
pub fn list(shared: &Shared, found: &Found, kept: &Kept) -> Vec<Exportable> {
    let document = |side| shared.documents.get(found.inputs.side(side).picture);
    let (Some(left), Some(right)) = (document(Side::Left), document(Side::Right)) else { return Vec::new() };
    let stem = format!("{}-{}", stem(left), stem(right));
    let mut exports = Vec::new();
    if let Some((left, right)) = figure_side(found, Side::Left, left).zip(figure_side(found, Side::Right, right)) {
        exports.push(Exportable {
            name: "Both pictures with colours and lines (PNG)",
            file_name: format!("{stem}.matches.png"),
            what: Export::MatchPicture { left, right, lines: Arc::clone(&kept.lines) },
            is_picture: true,
        });
    }
    for (name, ending, format) in [("Pairs (JSON)", "json", PairFormat::Json), ("Pairs (CSV)", "csv", PairFormat::Csv)]
    {
        let (left, right, pairs) = (path_of(left), path_of(right), Arc::clone(&kept.pairs));
        exports.push(Exportable {
            name,
            file_name: format!("{stem}.matches.{ending}"),
            what: Export::Pairs { left, right, pairs, format },
            is_picture: false,
        });
    }
    exports
}

fn figure_side(found: &Found, side: Side, document: &Document) -> Option<MatchSide> {
    let colours = Arc::clone(&found.result.colours.as_ref()?[side as usize]);
    let picture = Arc::clone(&document.loaded()?.pixels);
    Some(MatchSide { picture, geometry: *found.geometry(side), colours })
}

fn stem(document: &Document) -> String {
    Path::new(&document.name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn path_of(document: &Document) -> String {
    match &document.origin {
        Origin::File(path) => path.to_string_lossy().into_owned(),
        _ => document.name.clone(),
    }
}
