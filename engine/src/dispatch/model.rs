//! Loading a model and encoding pictures with it.

use std::sync::Arc;
use std::time::Instant;

use super::failure::{message, of_loading, outcome, outcome_or};
use super::heads::Heads;
use super::lane::{Job, Worker, guard};
use super::record::record_clip_map;
use super::retrieval::Retrieval;
use super::track::track;
use super::words::Words;
use super::{Command, EncodeJob, Export, Failure, Loader, ModelChoice, ModelInfo, Outcome};
use crate::analysis::AnalysisError;
use crate::backend::Run;
use crate::cache::CachedFeatures;
use crate::encoder::{Encoder, Provenance};
use crate::features::FeatureGrid;
use crate::gpu::{Gpu, ResidentGrid};
use crate::image::Preprocessing;
use crate::text::TextCache;
use crate::{Error, Result, Watch};

struct Loaded {
    info: ModelInfo,
    encoder: Encoder,
    provenance: Arc<Provenance>,
}

/// For [`super::Lane::Model`].
pub fn worker(gpu: Option<Gpu>, loader: Loader, texts: TextCache) -> Worker {
    let mut loaded = None;
    let mut tracked = None;
    let mut words = Words::new(gpu.clone(), texts);
    let mut heads = Heads::new(gpu.clone());
    let mut retrieval = Retrieval::default();
    Box::new(move |job, command| match command {
        Command::LoadModel(choice) => {
            // Two models may be more than the memory holds.
            loaded = None;
            tracked = None;
            words.forget();
            heads.forget();
            retrieval.forget();
            let result = load(&loader, choice, job);
            outcome_or(result.map(|(model, info)| ready(&mut loaded, model, info)), |error| of_loading(error, choice))
        }
        Command::Track(request) => with_model(loaded.as_mut(), &request.model, job, |encoder| {
            track(request, encoder, gpu.as_ref(), &mut tracked, job)
        }),
        Command::Export { what: Export::ClipMap(what), path, .. } => {
            with_model(loaded.as_mut(), &what.model, job, |encoder| record_clip_map(what, path, encoder, job))
        }
        Command::LoadWords(request) => {
            with_model(loaded.as_mut(), &request.model, job, |encoder| words.load(request, encoder, job))
        }
        Command::Segment(request) => {
            with_model(loaded.as_mut(), &request.words.model, job, |encoder| words.segment(request, encoder, job))
        }
        Command::ReadHead(request) => {
            with_model(loaded.as_mut(), &request.model, job, |encoder| heads.read(request, encoder, job))
        }
        Command::Index(request) => {
            with_model(loaded.as_mut(), &request.model, job, |encoder| retrieval.index(request, encoder, job))
        }
        Command::Search(request) => {
            with_model(loaded.as_mut(), &request.model, job, |encoder| retrieval.search(request, encoder, job))
        }
        Command::Encode(_) => encode_all(loaded.as_mut(), gpu.as_ref(), job),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

fn ready(slot: &mut Option<Loaded>, model: Loaded, info: ModelInfo) -> Outcome {
    *slot = Some(model);
    Outcome::ModelReady(info)
}

fn load(loader: &Loader, choice: &ModelChoice, job: &Job<'_>) -> Result<(Loaded, ModelInfo)> {
    job.cancel().check()?;
    let start = Instant::now();
    let encoder = loader(choice, Watch { progress: &|progress| job.progress(progress), cancel: job.cancel() })?;
    job.cancel().check()?;
    let config = encoder.config();
    let info = ModelInfo {
        choice: choice.clone(),
        provenance: encoder.provenance().clone(),
        stride: config.stride(),
        dim: config.dim(),
        depth: config.depth(),
        load_time: start.elapsed(),
    };
    let provenance = Arc::new(encoder.provenance().clone());
    Ok((Loaded { info: info.clone(), encoder, provenance }, info))
}

/// Works with the model, where it is the one that is meant, and tells where it has moved on the way.
fn with_model(
    loaded: Option<&mut Loaded>,
    meant: &ModelChoice,
    job: &Job<'_>,
    work: impl FnOnce(&mut Encoder) -> Result<Outcome>,
) -> Outcome {
    match loaded_as(loaded, meant) {
        Ok(model) => {
            let result = work(&mut model.encoder);
            tell_move(model, job);
            outcome(result)
        }
        Err(message) => Outcome::Failed(Failure { message, remedy: None }),
    }
}

/// The model, where it is the one that is meant; else a sentence.
fn loaded_as<'a>(loaded: Option<&'a mut Loaded>, meant: &ModelChoice) -> Result<&'a mut Loaded, String> {
    match loaded {
        Some(model) if model.info.choice == *meant => Ok(model),
        Some(_) => Err("another model is loaded by now: try again".to_owned()),
        None => Err("no model is loaded: choose one first".to_owned()),
    }
}

/// Works off the list. What fails for one picture, by a panic too, leaves the model as it was: the others go on.
fn encode_all(mut loaded: Option<&mut Loaded>, gpu: Option<&Gpu>, job: &Job<'_>) -> Outcome {
    while let Some(picture) = job.next_picture() {
        let key = picture.key.clone();
        let encoded = guard(|| {
            let model = loaded_as(loaded.as_deref_mut(), &key.model).map_err(Some)?;
            encode(model, &picture, gpu, job).map_err(|error| match error {
                Error::Cancelled => None,
                error => Some(message(&error)),
            })
        });
        match encoded.unwrap_or_else(|failure| Err(Some(failure.message))) {
            Ok(outcome) => job.emit(outcome),
            Err(Some(message)) => job.emit(Outcome::EncodeFailed { key, message }),
            Err(None) => return Outcome::Cancelled,
        }
    }
    Outcome::Finished
}

fn encode(model: &mut Loaded, picture: &EncodeJob, gpu: Option<&Gpu>, job: &Job<'_>) -> Result<Outcome> {
    let config = model.encoder.config();
    let (stride, depth) = (config.stride(), config.depth());
    job.encode_progress(0, depth);
    let normalisation = model.encoder.normalisation();
    let preprocessing = Preprocessing { size: picture.key.size, filter: picture.filter, normalisation };
    let pixels = picture.pixels.read(picture.key.picture, job.cancel())?;
    let (pixels, geometry) = preprocessing.apply(&pixels, stride)?;
    let start = Instant::now();
    let on_block = |done: usize| job.encode_progress(done, depth);
    let encoded = model.encoder.forward(&pixels, &[], Run::watched(job.cancel(), &on_block));
    tell_move(model, job);
    let features = encoded?.output;
    let time = start.elapsed();
    if !features.is_finite() {
        return Err(AnalysisError::NotFinite.into());
    }
    job.cancel().check()?;
    let resident = gpu.and_then(|gpu| model.encoder.resident(gpu).or_else(|| upload(gpu, &features.patch)));
    let provenance = Arc::clone(&model.provenance);
    let features = Arc::new(CachedFeatures { features, geometry, provenance, resident });
    Ok(Outcome::Encoded { key: picture.key.clone(), features, time })
}

/// Says so where the model's device has failed and it runs elsewhere now.
fn tell_move(model: &mut Loaded, job: &Job<'_>) {
    if let Some(message) = model.encoder.take_moved() {
        model.provenance = Arc::new(model.encoder.provenance().clone());
        model.info.provenance = model.encoder.provenance().clone();
        job.emit(Outcome::ModelMoved { info: model.info.clone(), message });
    }
}

fn upload(gpu: &Gpu, grid: &FeatureGrid) -> Option<ResidentGrid> {
    match ResidentGrid::upload(gpu, grid) {
        Ok(grid) => Some(grid),
        Err(error) => {
            log::warn!("{error}");
            None
        }
    }
}
