//! What reads features.

use std::sync::Arc;

use super::failure::outcome;
use super::lane::{Job, Worker};
use super::{ClusterRequest, Command, ForegroundRequest, MatchRequest, MatchResult, Outcome, PcaRequest, Selected};
use crate::Result;
use crate::analysis::matching::{self, Side};
use crate::analysis::pca::{self, Basis, Sample};
use crate::analysis::{clustering, foreground};

/// For [`super::Lane::Analysis`].
pub fn worker() -> Worker {
    Box::new(|job, command| {
        outcome(match command {
            Command::Pca(request) => components(request, job),
            Command::Cluster(request) => clusters(request),
            Command::Match(request) => pairs(request, job),
            Command::Foreground(request) => objects(request),
            other => unreachable!("{other:?} runs on another lane"),
        })
    })
}

fn components(request: &PcaRequest, job: &Job<'_>) -> Result<Outcome> {
    let mut basis = match &request.basis {
        Some(basis) => Arc::clone(basis),
        None => {
            let samples: Vec<Sample<'_>> = request.fit.iter().map(sample).collect();
            Arc::new(Basis::fit(&samples, request.fitted)?)
        }
    };
    if let Some(reference) = &request.align_to {
        Arc::make_mut(&mut basis).align_to(reference);
    }
    let colours = request.colour.iter().map(|selected| {
        job.cancel().check()?;
        let scores = basis.project(&selected.features.features.patch, &request.shown)?;
        Ok((selected.picture, Arc::new(pca::colours(&scores, selected.foreground.as_deref()))))
    });
    let colours = colours.collect::<Result<Vec<_>>>()?;
    Ok(Outcome::Pca { basis, colours })
}

fn sample(selected: &Selected) -> Sample<'_> {
    Sample { grid: &selected.features.features.patch, foreground: selected.foreground.as_deref() }
}

fn clusters(request: &ClusterRequest) -> Result<Outcome> {
    let grids: Vec<_> = request.pictures.iter().map(|(_, features)| &features.features.patch).collect();
    let labels = clustering::cluster(&grids, &request.options)?;
    let pictures = request.pictures.iter().map(|(picture, _)| *picture);
    Ok(Outcome::Clusters(pictures.zip(labels.into_iter().map(Arc::new)).collect()))
}

fn pairs(request: &MatchRequest, job: &Job<'_>) -> Result<Outcome> {
    let (left, right) = (side(&request.left), side(&request.right));
    let nearest = matching::nearest(left.grid, right.grid)?;
    job.cancel().check()?;
    let pairs = matching::select(&left, &right, &nearest, &request.options)?;
    let (left, right) = (request.left.picture, request.right.picture);
    Ok(Outcome::Matches(Arc::new(MatchResult { left, right, pairs, nearest })))
}

fn side(selected: &Selected) -> Side<'_> {
    Side {
        grid: &selected.features.features.patch,
        geometry: &selected.features.geometry,
        foreground: selected.foreground.as_deref(),
    }
}

fn objects(request: &ForegroundRequest) -> Result<Outcome> {
    let mask = Arc::new(foreground::automatic(&request.features.features.patch)?);
    Ok(Outcome::Foreground { picture: request.picture, mask })
}
