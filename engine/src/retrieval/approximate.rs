//! A graph of vectors (HNSW, <https://arxiv.org/abs/1603.09320>) in which the nearest ones are found without looking at all.

use std::path::Path;

use instant_distance::{Builder, HnswMap, Point, Search};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::checkpoint::hash;
use crate::output::write_atomically;

/// Vectors that are kept in sight during a search, and so the most it gives.
pub const EXPANSION: usize = 400;

/// Vectors that are kept in sight while one is linked with others.
const EXPANSION_WHEN_BUILT: usize = 200;

/// The same vectors give the same graph, as far as threads allow.
const SEED: u64 = 0;

/// A vector of length 1.
#[derive(Clone, Serialize, Deserialize)]
struct Unit(Vec<f32>);

impl Point for Unit {
    fn distance(&self, other: &Self) -> f32 {
        const LANES: usize = 16;
        let (a, a_rest) = self.0.as_chunks::<LANES>();
        let (b, b_rest) = other.0.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        1.0 - (sums.iter().sum::<f32>() + rest)
    }
}

/// The first vectors of an index, by their places.
#[derive(Serialize, Deserialize)]
pub struct Graph {
    /// The vector of the last place: the graph of another index has another one.
    last: Vec<f32>,
    map: HnswMap<Unit, u32>,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Graph {
    /// Of `rows`, `[n, dim]` of length 1.
    pub fn build(rows: &[f32], dim: usize) -> Self {
        let points: Vec<Unit> = rows.chunks_exact(dim.max(1)).map(|row| Unit(row.to_vec())).collect();
        let last = points.last().map(|point| point.0.clone()).unwrap_or_default();
        let places = (0..).take(points.len()).collect();
        let builder = Builder::default().ef_search(EXPANSION).ef_construction(EXPANSION_WHEN_BUILT).seed(SEED);
        Self { last, map: builder.build(points, places) }
    }

    /// How many vectors it has.
    pub fn len(&self) -> usize {
        self.map.values.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vector of the last place.
    pub fn last(&self) -> &[f32] {
        &self.last
    }

    /// About the nearest [`EXPANSION`] vectors: cosine and place, falling.
    pub fn search(&self, direction: &[f32]) -> Vec<(f32, usize)> {
        let mut search = Search::default();
        let found = self.map.search(&Unit(direction.to_vec()), &mut search);
        found.map(|item| (1.0 - item.distance, *item.value as usize)).collect()
    }

    /// Writes it, with a hash of its content in front.
    ///
    /// # Errors
    /// As [`write_atomically`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, |out| {
            let content = postcard::to_stdvec(self).map_err(std::io::Error::other)?;
            out.write_all(&hash::of_bytes(&content))?;
            out.write_all(&content)
        })
    }

    /// Reads it; `None` where there is none, or a broken one.
    pub fn load(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let (sum, content) = bytes.split_first_chunk()?;
        let graph: Self = (hash::of_bytes(content) == *sum).then(|| postcard::from_bytes(content).ok())??;
        (!graph.is_empty()).then_some(graph)
    }
}
