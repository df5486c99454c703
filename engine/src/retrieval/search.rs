//! The pictures of an index that are most like a query.

use std::collections::BTreeSet;
use std::path::PathBuf;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::Index;
use super::approximate::{EXPANSION, Graph};
use super::index::GraphState;
use crate::features::{Geometry, Patch};
use crate::probe::knn::nearest;
use crate::probe::vectors::PictureKey;
use crate::{Cancel, Result};

/// A picture that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The file.
    pub path: PathBuf,
    /// Cosine with the query.
    pub score: f32,
    /// How its patches lie over it.
    pub geometry: Geometry,
    /// Of a region: the patch that is most like it, and its centre in pixels of the original picture.
    pub place: Option<(Patch, (f64, f64))>,
}

impl Hit {
    /// "0.873", and of a region "0.873 at 320,200".
    pub fn note(&self) -> String {
        match self.place {
            None => format!("{:.3}", self.score),
            Some((_, (x, y))) => format!("{:.3} at {x:.0},{y:.0}", self.score),
        }
    }
}

/// What a search gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// Pictures that would have been found if they had not changed since they were indexed.
    pub changed: BTreeSet<PathBuf>,
    /// Pictures that would have been found if they were still there.
    pub gone: BTreeSet<PathBuf>,
    /// Whether the graph was asked, which may miss some.
    pub is_approximate: bool,
}

/// A score and the place of what has it, in the order it was indexed.
type Ranked = (f32, usize);

impl Index {
    /// The `most` pictures whose CLS tokens are most like `direction`, `[dim]` of length 1; by the graph where at least
    /// `approximate_from` are indexed and [`Self::prepare`] has made one. Reading it takes longer than comparing with all once:
    /// it is for those who search the same index again and again.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Cancelled`].
    pub fn search(
        &mut self,
        direction: &[f32],
        most: usize,
        approximate_from: usize,
        cancel: &Cancel,
    ) -> Result<Found> {
        if self.len() >= approximate_from.max(1)
            && most <= EXPANSION
            && let Some(ranked) = self.ranked_by_graph(direction)?
        {
            let found = Found { is_approximate: true, ..self.present(&ranked, most, self.vectors.keys(), |_| None) };
            // Enough, or all that there is.
            if found.hits.len() == most || ranked.len() == self.len() {
                return Ok(found);
            }
        }
        cancel.check()?;
        let map = self.vectors.map()?;
        let ranked = ranked(map.rows(0..self.len()), direction, 0);
        Ok(self.present(&ranked, most, self.vectors.keys(), |_| None))
    }

    /// The `most` pictures that have a patch most like `direction`, `[dim]` of length 1.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Cancelled`].
    pub fn search_regions(&self, direction: &[f32], most: usize, cancel: &Cancel) -> Result<Found> {
        let best = self.patches.best_patches(direction, cancel)?;
        let cosines: Vec<f32> = best.iter().map(|best| best.0).collect();
        let grids = self.patches.grids();
        let keys: Vec<PictureKey> = grids.iter().map(|grid| grid.picture.clone()).collect();
        let place_of = |place: usize| {
            let patch = best[place].1;
            Some((patch, grids[place].geometry.pixel_from_patch(patch)))
        };
        Ok(self.present(&nearest(&cosines, cosines.len()), most, &keys, place_of))
    }

    /// Makes the graph where it is needed and missing, or too much was added since.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Cancelled`].
    pub fn prepare(&mut self, approximate_from: usize, cancel: &Cancel) -> Result<()> {
        if self.len() < approximate_from.max(1) || self.graph()?.is_some() {
            return Ok(());
        }
        cancel.check()?;
        let graph = Graph::build(self.vectors.map()?.rows(0..self.len()), self.recipe().dim);
        if let Err(error) = graph.save(&self.graph_path()) {
            log::warn!("{error}: the graph will be made again");
        }
        self.graph = GraphState::Read(graph);
        Ok(())
    }

    /// The graph, read once; nothing where there is none of this index, or too much was added since.
    fn graph(&mut self) -> Result<Option<&Graph>> {
        if let GraphState::Unread = self.graph {
            self.graph = Graph::load(&self.graph_path()).map_or(GraphState::Missing, GraphState::Read);
        }
        let GraphState::Read(graph) = &self.graph else { return Ok(None) };
        let (len, map) = (self.len(), self.vectors.map()?);
        let fits = graph.len() <= len
            && len - graph.len() <= graph.len() / 4
            && map.rows(graph.len() - 1..graph.len()) == graph.last();
        Ok(fits.then_some(graph))
    }

    /// What the graph gives, and all that was added after it was made; nothing without a graph.
    fn ranked_by_graph(&mut self, direction: &[f32]) -> Result<Option<Vec<Ranked>>> {
        let Some(graph) = self.graph()? else { return Ok(None) };
        let (mut all, known) = (graph.search(direction), graph.len());
        all.extend(ranked(self.vectors.map()?.rows(known..self.len()), direction, known));
        all.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        Ok(Some(all))
    }

    /// The first `most` whose files are as they were indexed.
    fn present(
        &self,
        ranked: &[Ranked],
        most: usize,
        keys: &[PictureKey],
        place_of: impl Fn(usize) -> Option<(Patch, (f64, f64))>,
    ) -> Found {
        let mut found = Found::default();
        for &(score, place) in ranked {
            if found.hits.len() == most {
                break;
            }
            let Ok(now) = PictureKey::of(&keys[place].path) else {
                found.gone.insert(keys[place].path.clone());
                continue;
            };
            if now != keys[place] {
                if !self.has(&now) {
                    found.changed.insert(now.path);
                }
            } else if let Some(&geometry) = self.patches.geometry(&now) {
                found.hits.push(Hit { path: now.path, score, geometry, place: place_of(place) });
            }
        }
        found
    }
}

/// Cosines of `rows` (`[n, dim]`, of length 1) with `direction`, falling; the first row has the place `first`.
fn ranked(rows: &[f32], direction: &[f32], first: usize) -> Vec<Ranked> {
    let dim = direction.len();
    let count = rows.len() / dim.max(1);
    let mut cosines = vec![0.0; count];
    matmul(
        MatMut::from_column_major_slice_mut(&mut cosines, count, 1),
        Accum::Replace,
        MatRef::from_row_major_slice(rows, count, dim),
        MatRef::from_column_major_slice(direction, dim, 1),
        1.0,
        Par::rayon(0),
    );
    nearest(&cosines, count).into_iter().map(|(cosine, place)| (cosine, first + place)).collect()
}
