//! What was searched for and found, as one picture.

use std::path::Path;
use std::sync::Arc;

use super::{Hit, Region};
use crate::Result;
use crate::draw::results::{Mark, Tile, sheet};
use crate::image::{self, Picture};

/// What was searched for and found.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Pictures that were searched for: name, pixels, and the part that counts.
    pub queries: Vec<(String, Arc<Picture>, Option<Region>)>,
    /// The best first.
    pub hits: Vec<Hit>,
}

impl Sheet {
    /// Small pictures with their names and scores; the pictures that were found are read.
    ///
    /// # Errors
    /// As [`image::read`].
    pub fn draw(&self) -> Result<Picture> {
        let queries = self.queries.iter().map(|(name, picture, region)| {
            let mark = region.map(|Region { x, y, width, height }| Mark::Region(x, y, width, height));
            Tile::new(picture, mark, name, "query")
        });
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let results = self.hits.iter().map(|hit| {
            let mark = hit.place.map(|(_, (x, y))| Mark::Place(x, y));
            Ok(Tile::new(&image::read(&hit.path)?, mark, &name(&hit.path), &hit.note()))
        });
        Ok(sheet(&queries.collect::<Vec<_>>(), &results.collect::<Result<Vec<_>>>()?))
    }
}
