//! An indexing that is under way: pictures are read ahead on a thread of their own, encoded, and added one by one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::failure::message;
use super::lane::{Job, guard};
use super::retrieval::{IndexRequest, Indexed, IndexedPictures};
use super::{Outcome, RequestId};
use crate::analysis::AnalysisError;
use crate::encoder::Encoder;
use crate::features::{Features, Geometry};
use crate::image::{self, Pixels, Preprocessing, pictures_below};
use crate::probe::vectors::PictureKey;
use crate::retrieval::{APPROXIMATE_FROM, Index, Recipe, RetrievalError};
use crate::{Cancel, Error, Progress, Result};

/// Pictures that wait, ready for the model: a few, since their pixels are large.
const READ_AHEAD: usize = 2;

/// An indexing that is under way.
pub struct Indexing {
    /// The command.
    pub id: Option<RequestId>,
    /// Whether the command is still wanted.
    pub cancel: Cancel,
    index: Index,
    read: Receiver<Read>,
    /// Pictures that are to be in the index.
    pictures: usize,
    /// Those of them that were missing.
    total: usize,
    done: usize,
    failed: Vec<(PathBuf, String)>,
}

/// A picture as the model reads it, or one sentence.
struct Read {
    path: PathBuf,
    ready: Result<(PictureKey, Pixels, Geometry), String>,
}

impl Indexing {
    /// Finds out what is missing, and begins to read it.
    ///
    /// # Errors
    /// [`RetrievalError::NoPictures`], [`Error::Io`], those of [`Index::create`].
    pub fn begin(request: &IndexRequest, recipe: &Recipe, encoder: &Encoder, job: &Job<'_>) -> Result<Self> {
        job.progress(Progress { stage: "looking for pictures".to_owned(), done: 0, total: None });
        let (folder, paths) = match &request.pictures {
            IndexedPictures::Below(folder) => (folder, pictures_below(folder)?),
            IndexedPictures::Files(paths) => (&request.index, paths.clone()),
            IndexedPictures::OfIndex(index) => (index, Index::files_in(index)?),
        };
        if paths.is_empty() {
            return Err(RetrievalError::NoPictures { path: folder.clone() }.into());
        }
        let index = Index::create(&request.index, recipe)?;
        let is_missing = |path: &&PathBuf| PictureKey::of(path).map_or(true, |key| !index.has(&key));
        let missing: Vec<PathBuf> = paths.iter().filter(is_missing).cloned().collect();
        let total = missing.len();
        let preprocessing =
            Preprocessing { size: recipe.size, filter: request.filter, normalisation: encoder.normalisation() };
        Ok(Self {
            id: job.id(),
            cancel: job.cancel().clone(),
            index,
            read: read_ahead(missing, preprocessing, encoder.config().stride())?,
            pictures: paths.len(),
            total,
            done: 0,
            failed: Vec::new(),
        })
    }

    /// Adds pictures until all are there, or others wait for the model: whether it came to the end. What is wrong with one
    /// picture stops no other.
    ///
    /// # Errors
    /// [`Error::Io`] of the index, [`Error::Cancelled`].
    pub fn go_on(&mut self, encoder: &mut Encoder, job: &Job<'_>) -> Result<bool> {
        while self.done < self.total {
            job.cancel().check()?;
            let stage = format!("indexing {} of {}", self.done + 1, self.total);
            job.progress(Progress { stage, done: self.done as u64, total: Some(self.total as u64) });
            let Ok(Read { path, ready }) = self.read.recv() else { break };
            match ready.and_then(|(key, pixels, geometry)| Ok((key, encode(encoder, &pixels, job)?, geometry))) {
                Ok((key, features, geometry)) => self.index.push(key, &features, &geometry)?,
                Err(_) if job.cancel().is_cancelled() => return Err(Error::Cancelled),
                Err(sentence) => self.failed.push((path, sentence)),
            }
            self.done += 1;
            if self.done < self.total && job.step_aside() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What came of it. A great many pictures are linked first, so that they are searched faster.
    ///
    /// # Errors
    /// As [`Index::prepare`].
    pub fn finish(mut self, job: &Job<'_>) -> Result<Outcome> {
        if self.index.len() >= APPROXIMATE_FROM {
            job.progress(Progress { stage: "linking pictures".to_owned(), done: 0, total: None });
        }
        self.index.prepare(APPROXIMATE_FROM, job.cancel())?;
        Ok(Outcome::Indexed(Arc::new(Indexed {
            index: self.index.folder().to_path_buf(),
            recipe: self.index.recipe().clone(),
            pictures: self.pictures - self.failed.len(),
            added: self.total - self.failed.len(),
            failed: self.failed,
        })))
    }
}

/// A panic is a failure like any other.
fn encode(encoder: &mut Encoder, pixels: &Pixels, job: &Job<'_>) -> Result<Features, String> {
    let encoded = guard(|| encoder.forward(pixels, &[], job.cancel())).map_err(|failure| failure.message)?;
    let features = encoded.map_err(|error| message(&error))?.output;
    if features.is_finite() { Ok(features) } else { Err(message(&AnalysisError::NotFinite.into())) }
}

/// Reads pictures on a thread that ends with them, or when nobody takes them any more.
fn read_ahead(paths: Vec<PathBuf>, preprocessing: Preprocessing, stride: usize) -> Result<Receiver<Read>> {
    let (sender, receiver) = sync_channel(READ_AHEAD);
    let work = move || send_all(paths, &sender, |path| read(path, &preprocessing, stride));
    let started = thread::Builder::new().name("dino-reading".to_owned()).spawn(work);
    started.map_err(Error::io("start a thread to read", Path::new("the pictures")))?;
    Ok(receiver)
}

fn send_all(
    paths: Vec<PathBuf>,
    sender: &SyncSender<Read>,
    read: impl Fn(&Path) -> Result<(PictureKey, Pixels, Geometry)>,
) {
    for path in paths {
        let ready = guard(|| read(&path).map_err(|error| message(&error)));
        let ready = ready.unwrap_or_else(|failure| Err(failure.message));
        if sender.send(Read { path, ready }).is_err() {
            return;
        }
    }
}

fn read(path: &Path, preprocessing: &Preprocessing, stride: usize) -> Result<(PictureKey, Pixels, Geometry)> {
    let key = PictureKey::of(path)?;
    let (pixels, geometry) = preprocessing.apply(&image::read(path)?, stride)?;
    Ok((key, pixels, geometry))
}
