//! What the tool writes to files.

use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, PictureId};
use dinoscope_engine::retrieval::report::{Searched, to_csv, to_json};
use dinoscope_engine::retrieval::{Region, Sheet};

use super::Retrieval;
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;

impl Retrieval {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some((question, answer)) = self.asking.answer() else { return Vec::new() };
        let name_of =
            |id: PictureId| shared.documents.get(id).map(|document| document.name.clone()).unwrap_or_default();
        let path_of = |id: PictureId| {
            let document = shared.documents.get(id)?;
            Some(document.origin.path().map_or_else(|| PathBuf::from(&document.name), PathBuf::from))
        };
        let images: Vec<PathBuf> = question.queries.iter().filter_map(|(id, _)| path_of(*id)).collect();
        let regions: Vec<Region> = question.queries.iter().filter_map(|(_, region)| *region).collect();
        let searched = Searched { index: &question.index, recipe: &answer.recipe, images: &images, regions: &regions };
        let json = format!("{:#}\n", to_json(&searched, &answer.found));
        let first = question.queries.first().map(|(id, _)| name_of(*id)).unwrap_or_default();
        let stem = first.rsplit_once('.').map_or(&*first, |(stem, _)| stem);
        let exportable = |name, ending: &str, what, is_picture| Exportable {
            name,
            file_name: format!("{stem}.{ending}"),
            what,
            is_picture,
        };
        let queries = question.queries.iter();
        let queries = queries.filter_map(|(id, region)| Some((name_of(*id), shared.pixels_now(*id)?, *region)));
        let sheet = Sheet { queries: queries.collect(), hits: answer.found.hits.clone() };
        vec![
            exportable("Results as a sheet (PNG)", "results.png", Export::Results(Arc::new(sheet)), true),
            exportable("Results (JSON)", "results.json", Export::Text(json), false),
            exportable("Results (CSV)", "results.csv", Export::Text(to_csv(&answer.found)), false),
        ]
    }
}
