//! K-means clusters: asking for them, and what came back.

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::analysis::clustering::{ClusterOptions, Labels};
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::{ClusterRequest, Command, Event, Outcome, PictureId};

use super::inputs::{Inputs, PictureInput, Requests};
use super::settings::Settings;
use crate::gui::shared::Shared;

/// What is known of one picture.
pub struct Clustered {
    /// `[rows, cols]`
    pub labels: Arc<Labels>,
    /// Share of the picture's patches in each cluster, adding up to 1.
    pub shares: Vec<f32>,
    inputs: Inputs<ClusterOptions>,
}

/// Clusters of the open pictures.
#[derive(Default)]
pub struct Clusters {
    requests: Requests<ClusterOptions>,
    known: HashMap<PictureId, Clustered>,
}

impl Clusters {
    /// The newest result of a picture.
    pub fn of(&self, picture: PictureId) -> Option<&Clustered> {
        self.known.get(&picture)
    }

    /// Asks for what is missing or outdated of `pictures`, the first ones first; one request at a time.
    pub fn update(&mut self, shared: &mut Shared, pictures: &[PictureId], settings: &Settings) {
        let options = ClusterOptions {
            clusters: settings.clusters,
            normalise: settings.compares_directions,
            ..ClusterOptions::default()
        };
        let with_features = |&picture: &PictureId| Some((picture, shared.features(picture)?));
        let mut ready: Vec<(PictureId, Arc<CachedFeatures>)> = pictures.iter().filter_map(with_features).collect();
        let groups = if settings.is_joint {
            let dim = ready.first().map(|(_, features)| features.features.patch.dim());
            ready.retain(|(_, features)| Some(features.features.patch.dim()) == dim);
            if shared.encoding().is_some() {
                return;
            }
            ready.sort_by_key(|(picture, _)| *picture);
            vec![ready]
        } else {
            ready.into_iter().map(|picture| vec![picture]).collect()
        };
        for group in groups.into_iter().filter(|group| !group.is_empty()) {
            let of_picture = |(picture, features): &(PictureId, _)| PictureInput::new(*picture, features, None);
            let inputs = Inputs { pictures: group.iter().map(of_picture).collect(), how: options };
            let is_current =
                |(picture, _): &(PictureId, _)| self.known.get(picture).is_some_and(|known| known.inputs == inputs);
            if group.iter().all(is_current) || self.requests.has_failed(&inputs) {
                continue;
            }
            if !self.requests.is_running(&inputs) {
                let request = ClusterRequest { pictures: group, options };
                let id = shared.send(Command::Cluster(request), "finding clusters");
                self.requests.sent(id, inputs);
            }
            return;
        }
    }

    /// Takes an answer.
    pub fn receive(&mut self, event: &Event) {
        let Some(inputs) = self.requests.answered(event.id, &event.outcome) else { return };
        let Outcome::Clusters(pictures) = &event.outcome else { return };
        for (picture, labels) in pictures {
            let (labels, inputs) = (Arc::clone(labels), inputs.clone());
            let shares = shares(&labels, inputs.how.clusters);
            self.known.insert(*picture, Clustered { labels, shares, inputs });
        }
    }

    /// Why there is nothing newer of a picture.
    pub fn problem(&self, picture: PictureId) -> Option<&str> {
        self.requests.problem(picture)
    }

    /// Stops what runs; it is asked for again when it is needed.
    pub fn rest(&mut self, shared: &Shared) {
        self.requests.abandon().into_iter().for_each(|id| shared.cancel(id));
    }

    /// Asks again for what was stopped or has failed.
    pub fn retry(&mut self) {
        self.requests.retry();
    }

    /// Lets go of pictures that are closed.
    pub fn keep_only(&mut self, is_open: impl Fn(PictureId) -> bool) {
        self.known.retain(|picture, _| is_open(*picture));
    }
}

/// Share of patches with each label.
fn shares(labels: &Labels, clusters: usize) -> Vec<f32> {
    let mut counts = vec![0usize; clusters];
    for &label in labels {
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    counts.into_iter().map(|count| count as f32 / labels.len().max(1) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_empty_clusters_have_none() {
        let labels = Labels::from_shape_fn((2, 4), |(row, col)| if row == 0 { 0 } else { col / 2 });
        assert_eq!(shares(&labels, 3), [0.75, 0.25, 0.0]);
    }
}
