//! What the worker is asked: to index pictures, and to search them.

use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::dispatch::{
    Command, Event, IndexRequest, Indexed, ModelChoice, Outcome, PictureId, RequestId, SearchQuery, SearchRequest,
    Searched,
};
use dinoscope_engine::retrieval::{Recipe, Region};

use super::settings::{Collection, Settings};
use crate::gui::shared::{ModelState, Shared};

/// Between two searches of an index that is growing.
const GROWTH_SECS: f64 = 2.0;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// One sentence.
    Failed(String),
    /// The index was made with another model.
    OtherModel(Recipe),
}

/// What an answer depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Folder of the index.
    pub index: PathBuf,
    /// Pictures, the active one first, with the parts of them that count.
    pub queries: Vec<(PictureId, Option<Region>)>,
    most: usize,
    model: Arc<ModelChoice>,
    /// Counts what was added to the index since it was chosen.
    generation: u64,
}

/// What was asked, and what came.
#[derive(Default)]
pub struct Asking {
    is_index_wanted: bool,
    indexing: Option<RequestId>,
    /// What came of indexing last.
    pub indexed: Option<Arc<Indexed>>,
    not_indexed: Option<(Arc<ModelChoice>, Problem)>,
    asked: Option<(RequestId, Question)>,
    answered: Option<(Question, Arc<Searched>)>,
    failed: Option<(Question, Problem)>,
    generation: u64,
    /// Pictures that were indexed when an index that grows was searched last, and when that was.
    grown: (u64, f64),
}

impl Asking {
    /// Forgets another collection; `indexes` asks for the index of the new one to be made or completed.
    pub fn begin(&mut self, shared: &Shared, indexes: bool) {
        let running = [self.indexing, self.asked.as_ref().map(|(id, _)| *id)];
        running.into_iter().flatten().for_each(|id| shared.cancel(id));
        *self = Self { is_index_wanted: indexes, generation: self.generation + 1, ..Self::default() };
    }

    /// Whether the index is there, as far as is known: a problem is one of the search.
    pub fn can_search(&self) -> bool {
        self.not_indexed.is_none()
    }

    /// Searches again after a failure.
    pub fn retry(&mut self) {
        self.failed = None;
    }

    /// Asks for the index to be completed.
    pub fn index(&mut self) {
        self.is_index_wanted = true;
        (self.not_indexed, self.failed) = (None, None);
    }

    /// The request that indexes, if one does.
    pub fn indexing(&self) -> Option<RequestId> {
        self.indexing
    }

    /// Asks for what is missing; `queries` are what is searched for.
    pub fn update(
        &mut self,
        shared: &mut Shared,
        settings: &Settings,
        queries: Vec<(PictureId, Option<Region>)>,
        now_secs: f64,
    ) {
        let Some(collection) = &settings.collection else { return };
        if !matches!(shared.model.state, ModelState::Ready(_)) {
            return;
        }
        self.not_indexed.take_if(|(model, _)| *model != shared.model.choice);
        if std::mem::take(&mut self.is_index_wanted) {
            self.send_index(shared, collection, settings);
        }
        self.follow(shared, now_secs);
        let is_begun = self.indexing.is_none_or(|id| reported(shared, id).is_some());
        if self.not_indexed.is_some() || !is_begun || queries.is_empty() {
            return;
        }
        let question = Question {
            index: collection.index.clone(),
            queries,
            most: settings.most as usize,
            model: Arc::clone(&shared.model.choice),
            generation: self.generation,
        };
        let is_settled = self.answered.as_ref().is_some_and(|(known, _)| *known == question)
            || self.asked.as_ref().is_some_and(|(_, asked)| *asked == question)
            || self.failed.as_ref().is_some_and(|(failed, _)| *failed == question);
        if !is_settled {
            self.send_search(shared, question);
        }
    }

    fn send_index(&mut self, shared: &mut Shared, collection: &Collection, settings: &Settings) {
        let request = IndexRequest {
            pictures: collection.pictures.clone(),
            index: collection.index.clone(),
            size: settings.size_rule(),
            filter: shared.filter,
            model: Arc::clone(&shared.model.choice),
        };
        self.indexing = Some(shared.send(Command::Index(request), format!("indexing {}", collection.name())));
        self.grown = (0, 0.0);
    }

    /// An index that grows is searched anew every now and then.
    fn follow(&mut self, shared: &Shared, now_secs: f64) {
        let Some(done) = self.indexing.and_then(|id| reported(shared, id)) else { return };
        if done > self.grown.0 && now_secs - self.grown.1 > GROWTH_SECS && self.asked.is_none() {
            self.grown = (done, now_secs);
            self.generation += 1;
        }
    }

    fn send_search(&mut self, shared: &mut Shared, question: Question) {
        let query = |&(picture, region): &(PictureId, Option<Region>)| {
            Some(SearchQuery { picture, pixels: shared.pixels(picture)?, region })
        };
        let queries: Vec<SearchQuery> = question.queries.iter().filter_map(query).collect();
        if queries.is_empty() {
            return;
        }
        let request = SearchRequest {
            index: question.index.clone(),
            queries,
            most: question.most,
            filter: shared.filter,
            model: Arc::clone(&question.model),
        };
        let id = shared.send(Command::Search(request), "searching");
        self.asked = Some((id, question));
    }

    /// Stops a search; it is asked for again when it is wanted. Indexing goes on.
    pub fn rest(&mut self, shared: &Shared) {
        self.asked.take().into_iter().for_each(|(id, _)| shared.cancel(id));
    }

    /// Takes an answer; whether files were added to the index.
    pub fn receive(&mut self, shared: &Shared, event: &Event) -> bool {
        if self.indexing.take_if(|id| *id == event.id).is_some() {
            self.generation += 1;
            let problem = match &event.outcome {
                Outcome::Indexed(indexed) => {
                    self.indexed = Some(Arc::clone(indexed));
                    return indexed.added > 0;
                }
                Outcome::OtherIndex { recipe, .. } => Problem::OtherModel(recipe.clone()),
                Outcome::Failed(failure) => Problem::Failed(failure.message.clone()),
                // What is there by now can be searched.
                _ => return false,
            };
            self.not_indexed = Some((Arc::clone(&shared.model.choice), problem));
            return false;
        }
        let Some((_, question)) = self.asked.take_if(|(id, _)| *id == event.id) else { return false };
        let problem = match &event.outcome {
            Outcome::Searched(searched) => {
                self.answered = Some((question, Arc::clone(searched)));
                self.failed = None;
                return false;
            }
            Outcome::OtherIndex { recipe, .. } => Problem::OtherModel(recipe.clone()),
            Outcome::Failed(failure) => Problem::Failed(failure.message.clone()),
            _ => Problem::Failed("Searching was stopped".to_owned()),
        };
        self.failed = Some((question, problem));
        false
    }

    /// The newest answer; it stays until the next one is there.
    pub fn answer(&self) -> Option<(&Question, &Arc<Searched>)> {
        self.answered.as_ref().map(|(question, searched)| (question, searched))
    }

    /// Why there is nothing newer.
    pub fn problem(&self) -> Option<&Problem> {
        let failed = self.failed.as_ref().map(|(_, problem)| problem);
        self.not_indexed.as_ref().map(|(_, problem)| problem).or(failed)
    }
}

/// How many pictures an indexing has added, once it has begun.
fn reported(shared: &Shared, id: RequestId) -> Option<u64> {
    let progress = shared.running.get(&id)?.progress.as_ref()?;
    progress.total.map(|_| progress.done)
}
