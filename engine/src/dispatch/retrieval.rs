//! Indexes of pictures: what is asked of them, and searching them beside the model that made them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::indexing::Indexing;
use super::lane::Job;
use super::{ModelChoice, Outcome, PictureId, PixelSource};
use crate::analysis::AnalysisError;
use crate::backend::Run;
use crate::encoder::Encoder;
use crate::features::{Features, Geometry};
use crate::image::{Filter, Preprocessing, SizeRule};
use crate::retrieval::query::{mean_direction, vector_of};
use crate::retrieval::{APPROXIMATE_FROM, Found, Index, Recipe, Region, USUAL_SIZE};
use crate::{Progress, Result};

/// Pictures that were searched for whose features are kept, so that another region needs no second run of the model.
const MOST_DESCRIBED: usize = 16;

/// Pictures that are to be in an index.
#[derive(Clone, Debug)]
pub struct IndexRequest {
    /// The pictures.
    pub pictures: IndexedPictures,
    /// Folder of the index, made where it is missing.
    pub index: PathBuf,
    /// Size of the model's input for a new index; one that is there keeps its own.
    pub size: SizeRule,
    /// How pictures are resized to it.
    pub filter: Filter,
    /// The model; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
}

/// Which pictures are indexed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum IndexedPictures {
    /// All in a folder and its subfolders.
    Below(PathBuf),
    /// These files.
    Files(Vec<PathBuf>),
    /// Those that are in the index of this folder, whatever that was made with.
    OfIndex(PathBuf),
}

/// What came of an [`IndexRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Indexed {
    /// Folder of the index.
    pub index: PathBuf,
    /// What its features are made with.
    pub recipe: Recipe,
    /// Pictures that were asked for and are in it.
    pub pictures: usize,
    /// Those of them that were added now.
    pub added: usize,
    /// Those that are not in it: the file, and one sentence.
    pub failed: Vec<(PathBuf, String)>,
}

/// What is searched for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Folder of the index.
    pub index: PathBuf,
    /// At least one. Where any of them has a region, those without count for nothing.
    pub queries: Vec<SearchQuery>,
    /// Results at most.
    pub most: usize,
    /// How pictures are resized to the index's size.
    pub filter: Filter,
    /// The model; it must be the one loaded last.
    pub model: Arc<ModelChoice>,
}

/// A picture that is searched for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// Its name.
    pub picture: PictureId,
    /// Its pixels.
    pub pixels: PixelSource,
    /// A part of it; `None`: the whole picture.
    pub region: Option<Region>,
}

/// What a [`SearchRequest`] gave.
#[derive(Clone, Debug)]
pub struct Searched {
    /// What the index's features are made with.
    pub recipe: Recipe,
    /// Pictures in the index.
    pub pictures: usize,
    /// The results.
    pub found: Found,
    /// How long comparing took, without the model.
    pub time: Duration,
}

/// Indexes beside a model.
#[derive(Default)]
pub struct Retrieval {
    /// What has given way to other commands.
    indexing: Option<Indexing>,
    /// The index that was searched last.
    open: Option<Index>,
    /// The last one was used last.
    described: VecDeque<Described>,
}

struct Described {
    picture: PictureId,
    size: SizeRule,
    features: Arc<(Features, Geometry)>,
}

impl Retrieval {
    /// Lets everything go that belongs to the model.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Works a request off, or goes on with one that has given way.
    pub fn index(&mut self, request: &IndexRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<Outcome> {
        let mut indexing = match self.indexing.take().filter(|indexing| indexing.id == job.id()) {
            Some(indexing) => indexing,
            None => {
                let present = Index::recipe_in(&request.index)?;
                let size = present.as_ref().map_or(request.size, |present| present.size);
                let recipe = Recipe::of(encoder, size);
                if let Some(recipe) = present.filter(|present| !present.is_comparable(&recipe)) {
                    return Ok(Outcome::OtherIndex { index: request.index.clone(), recipe });
                }
                Indexing::begin(request, &recipe, encoder, job)?
            }
        };
        if indexing.go_on(encoder, job)? {
            return indexing.finish(job);
        }
        self.indexing = Some(indexing);
        Ok(Outcome::Finished)
    }

    /// Works a request off.
    pub fn search(&mut self, request: &SearchRequest, encoder: &mut Encoder, job: &Job<'_>) -> Result<Outcome> {
        self.indexing.take_if(|indexing| indexing.cancel.is_cancelled());
        let present = Index::recipe_in(&request.index)?;
        let recipe = Recipe::of(encoder, present.as_ref().map_or(USUAL_SIZE, |present| present.size));
        if let Some(recipe) = present.filter(|present| !present.is_comparable(&recipe)) {
            return Ok(Outcome::OtherIndex { index: request.index.clone(), recipe });
        }
        let before = self.open.take();
        let is_current = |index: &Index| index.folder() == request.index && index.is_current();
        let mut index = match before {
            Some(index) if is_current(&index) => index,
            before => {
                let mut index = Index::open(&request.index, &recipe)?;
                before.into_iter().for_each(|before| index.take_graph(before));
                index
            }
        };
        let size = index.recipe().size;
        let has_regions = request.queries.iter().any(|query| query.region.is_some());
        let mut vectors = Vec::new();
        for query in request.queries.iter().filter(|query| query.region.is_some() == has_regions) {
            let described = self.described(query, size, request.filter, encoder, job)?;
            let (features, geometry) = &*described;
            vectors.push(vector_of(features, geometry, query.region.as_ref())?);
        }
        let direction = mean_direction(&vectors)?;
        let start = Instant::now();
        let found = if has_regions {
            index.search_regions(&direction, request.most, job.cancel())
        } else {
            index.search(&direction, request.most, APPROXIMATE_FROM, job.cancel())
        };
        let (recipe, pictures, time) = (index.recipe().clone(), index.len(), start.elapsed());
        self.open = Some(index);
        Ok(Outcome::Searched(Arc::new(Searched { recipe, pictures, found: found?, time })))
    }

    /// Features of a picture at a size.
    fn described(
        &mut self,
        query: &SearchQuery,
        size: SizeRule,
        filter: Filter,
        encoder: &mut Encoder,
        job: &Job<'_>,
    ) -> Result<Arc<(Features, Geometry)>> {
        let is_known = |known: &Described| known.picture == query.picture && known.size == size;
        let known = self.described.iter().position(is_known).and_then(|place| self.described.remove(place));
        let described = match known {
            Some(known) => known,
            None => {
                let pixels = query.pixels.read(query.picture, job.cancel())?;
                let preprocessing = Preprocessing { size, filter, normalisation: encoder.normalisation() };
                let (pixels, geometry) = preprocessing.apply(&pixels, encoder.config().stride())?;
                let depth = encoder.config().depth() as u64;
                let on_block = |done: usize| {
                    let stage = "encoding".to_owned();
                    job.progress(Progress { stage, done: done as u64, total: Some(depth) });
                };
                let features = encoder.forward(&pixels, &[], Run::watched(job.cancel(), &on_block))?.output;
                if !features.is_finite() {
                    return Err(AnalysisError::NotFinite.into());
                }
                Described { picture: query.picture, size, features: Arc::new((features, geometry)) }
            }
        };
        let features = Arc::clone(&described.features);
        self.described.push_back(described);
        if self.described.len() > MOST_DESCRIBED {
            self.described.pop_front();
        }
        Ok(features)
    }
}
