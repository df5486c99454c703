//! What reads features.

use std::sync::Arc;

use super::failure::outcome;
use super::lane::{Job, Worker};
use super::matching::Matcher;
use super::{
    ClusterRequest, Command, ForegroundRequest, ForegroundSource, Outcome, PcaRequest, Selected, probe, words,
};
use crate::Result;
use crate::analysis::matching;
use crate::analysis::pca::{Basis, Sample};
use crate::analysis::{AnalysisError, clustering, foreground};
use crate::gpu::Gpu;
use crate::image::read_mask;

/// For [`super::Lane::Analysis`].
pub fn worker(gpu: Option<Gpu>) -> Worker {
    let mut matcher = Matcher::new(gpu);
    Box::new(move |job, command| {
        outcome(match command {
            Command::Pca(request) => components(request, job),
            Command::Cluster(request) => clusters(request, job),
            Command::Match(request) => {
                matcher.run(request, job.cancel()).map(|result| Outcome::Matches(Arc::new(result)))
            }
            Command::Thin(request) => {
                matching::thin(&request.pairs, request.distance, job.cancel()).map(Outcome::Thinned)
            }
            Command::Foreground(request) => objects(request),
            Command::Probe(request) => {
                probe::run(request, job.cancel()).map(|probed| Outcome::Probed(Arc::new(probed)))
            }
            Command::Label(request) => words::label(&request.scores, request.background, request.detail, job.cancel())
                .map(|labelled| Outcome::Labelled(request.picture, Arc::new(labelled))),
            Command::ClassMap(request) => Ok(Outcome::ClassMap(Arc::new(words::class_map(request)))),
            other => unreachable!("{other:?} runs on another lane"),
        })
    })
}

fn components(request: &PcaRequest, job: &Job<'_>) -> Result<Outcome> {
    let mut basis = match &request.basis {
        Some(basis) => Arc::clone(basis),
        None => {
            let samples: Vec<Sample<'_>> = request.fit.iter().map(sample).collect();
            Arc::new(Basis::fit(&samples, fitted(&samples, request.components))?)
        }
    };
    if let Some(reference) = request.align_to.as_ref().filter(|reference| reference.mean.len() == basis.mean.len()) {
        Arc::make_mut(&mut basis).align_to(reference);
    }
    let all: Vec<usize> = (0..basis.components.len()).collect();
    let scores = request.project.iter().map(|(picture, features)| {
        job.cancel().check()?;
        Ok((*picture, Arc::new(basis.project(&features.features.patch, &all)?)))
    });
    let scores = scores.collect::<Result<Vec<_>>>()?;
    Ok(Outcome::Pca { basis, scores })
}

/// As many components as are asked for and can be fitted; at least one, so that fitting says what is missing.
fn fitted(samples: &[Sample<'_>], asked: usize) -> usize {
    let counted = samples.iter().map(|Sample { grid, foreground }| match foreground {
        Some(mask) => mask.iter().filter(|&&inside| inside).count(),
        None => grid.rows * grid.cols,
    });
    let patches: usize = counted.sum();
    let dim = samples.first().map_or(0, |sample| sample.grid.dim());
    asked.min(dim).min(patches.saturating_sub(1)).max(1)
}

fn sample(selected: &Selected) -> Sample<'_> {
    Sample { grid: &selected.features.features.patch, foreground: selected.foreground.as_deref() }
}

fn clusters(request: &ClusterRequest, job: &Job<'_>) -> Result<Outcome> {
    let grids: Vec<_> = request.pictures.iter().map(|(_, features)| &features.features.patch).collect();
    let labels = clustering::cluster(&grids, &request.options, job.cancel())?;
    let pictures = request.pictures.iter().map(|(picture, _)| *picture);
    Ok(Outcome::Clusters(pictures.zip(labels.into_iter().map(Arc::new)).collect()))
}

fn objects(request: &ForegroundRequest) -> Result<Outcome> {
    let grid = &request.features.features.patch;
    let mask = match &request.source {
        ForegroundSource::Automatic => foreground::automatic(grid)?,
        ForegroundSource::Mask(path) => {
            let patches = foreground::from_mask(&read_mask(path)?.to_array(), &request.features.geometry)?;
            if !patches.iter().any(|&inside| inside) {
                let path = path.display();
                let message = format!("{path} covers no patch by more than half; use a larger mask or a larger input");
                return Err(AnalysisError::NotEnough(message).into());
            }
            patches
        }
        ForegroundSource::Probe(known) => {
            probe::check_model(known, &request.features)?;
            let patches = known.foreground(grid)?;
            if !patches.iter().any(|&inside| inside) {
                let message = "the probe finds nothing but its first class here; teach it more".to_owned();
                return Err(AnalysisError::NotEnough(message).into());
            }
            patches
        }
    };
    Ok(Outcome::Foreground { picture: request.picture, mask: Arc::new(mask) })
}
