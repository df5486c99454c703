//! Principal components: asking for them, and what came back.

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::pca::{Basis, Scores};
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::{Command, Event, Outcome, PcaRequest, PictureId, Selected};

use super::inputs::{Inputs, PictureInput, Requests};
use super::settings::Settings;
use crate::gui::shared::Shared;
use crate::gui::tools::foreground;

/// Components that are fitted; people choose among them.
pub const FITTED: usize = 10;

/// A basis that is used for every picture instead of fitting.
#[derive(Clone, Debug)]
pub struct FixedBasis {
    /// The basis.
    pub basis: Arc<Basis>,
    /// Where it comes from: a picture or a file.
    pub origin: String,
}

/// What is known of one picture.
pub struct Projected {
    /// The basis the scores are made with.
    pub basis: Arc<Basis>,
    /// `[rows, cols, components]`
    pub scores: Arc<Scores>,
    inputs: Inputs<Option<Arc<Basis>>>,
}

/// Principal components of the open pictures.
#[derive(Default)]
pub struct Components {
    /// Used instead of fitting.
    pub fixed: Option<FixedBasis>,
    requests: Requests<Option<Arc<Basis>>>,
    known: HashMap<PictureId, Projected>,
    foregrounds: HashMap<PictureId, Option<Arc<PatchMask>>>,
    /// Signs follow this one.
    anchor: Option<Arc<Basis>>,
}

/// A picture that is ready to be worked on.
type Ready = (PictureId, Arc<CachedFeatures>, Option<Arc<PatchMask>>);

impl Components {
    /// The newest result of a picture.
    pub fn of(&self, picture: PictureId) -> Option<&Projected> {
        self.known.get(&picture)
    }

    /// The foreground that the colours are drawn with.
    pub fn foreground(&self, picture: PictureId) -> Option<&Arc<PatchMask>> {
        self.foregrounds.get(&picture)?.as_ref()
    }

    /// Asks for what is missing or outdated of `pictures`, the first ones first; one request at a time.
    pub fn update(&mut self, shared: &mut Shared, pictures: &[PictureId], settings: &Settings) {
        let mut ready: Vec<Ready> = Vec::new();
        let mut is_pending = false;
        for &picture in pictures {
            let Some(features) = shared.features(picture) else { continue };
            match foreground::patches(shared, picture, &features).ready() {
                Some(mask) => {
                    self.foregrounds.insert(picture, mask.clone());
                    ready.push((picture, features, mask));
                }
                None => is_pending = true,
            }
        }
        if let Some(fixed) = self.fixed.as_ref().map(|fixed| Arc::clone(&fixed.basis)) {
            ready.retain(|(_, features, _)| features.features.patch.dim() == fixed.mean.len());
            let singles = ready.iter().map(|(picture, features, _)| vec![(*picture, Arc::clone(features), None)]);
            self.ask_next(shared, singles.collect(), Some(&fixed), settings);
        } else if settings.is_joint {
            // Pictures of one model belong together; others are encoded again soon.
            let dim = ready.first().map(|(_, features, _)| features.features.patch.dim());
            ready.retain(|(_, features, _)| Some(features.features.patch.dim()) == dim);
            if !ready.is_empty() && !is_pending && shared.encoding().is_none() {
                ready.sort_by_key(|(picture, ..)| *picture);
                self.ask_next(shared, vec![ready], None, settings);
            }
        } else {
            self.ask_next(shared, ready.into_iter().map(|picture| vec![picture]).collect(), None, settings);
        }
    }

    /// Sends the first group that is outdated, unless it is under way.
    fn ask_next(
        &mut self,
        shared: &mut Shared,
        groups: Vec<Vec<Ready>>,
        fixed: Option<&Arc<Basis>>,
        settings: &Settings,
    ) {
        for group in groups {
            let of_picture = |(picture, features, mask): &Ready| PictureInput::new(*picture, features, mask.clone());
            let inputs = Inputs { pictures: group.iter().map(of_picture).collect(), how: fixed.cloned() };
            let is_current =
                |(picture, ..): &Ready| self.known.get(picture).is_some_and(|known| known.inputs == inputs);
            if group.iter().all(is_current) || self.requests.has_failed(&inputs) {
                continue;
            }
            if !self.requests.is_running(&inputs) {
                let request = self.request(&group, fixed, settings);
                let id = shared.send(Command::Pca(request), "finding components");
                self.requests.sent(id, inputs);
            }
            return;
        }
    }

    fn request(&self, group: &[Ready], fixed: Option<&Arc<Basis>>, settings: &Settings) -> PcaRequest {
        let select = |(picture, features, mask): &Ready| Selected {
            picture: *picture,
            features: Arc::clone(features),
            foreground: mask.clone(),
        };
        PcaRequest {
            fit: if fixed.is_some() { Vec::new() } else { group.iter().map(select).collect() },
            project: group.iter().map(|(picture, features, _)| (*picture, Arc::clone(features))).collect(),
            components: FITTED,
            basis: fixed.cloned(),
            align_to: self.anchor.clone().filter(|_| settings.keeps_signs),
        }
    }

    /// Takes an answer.
    pub fn receive(&mut self, event: &Event) {
        let Some(inputs) = self.requests.answered(event.id, &event.outcome) else { return };
        let Outcome::Pca { basis, scores } = &event.outcome else { return };
        let is_of_other_model = |anchor: &Arc<Basis>| anchor.mean.len() != basis.mean.len();
        if self.anchor.as_ref().is_none_or(is_of_other_model) {
            self.anchor = Some(Arc::clone(basis));
        }
        for (picture, scores) in scores {
            let (basis, scores, inputs) = (Arc::clone(basis), Arc::clone(scores), inputs.clone());
            self.known.insert(*picture, Projected { basis, scores, inputs });
        }
    }

    /// Signs follow the basis of this picture from now on.
    pub fn anchor_at(&mut self, picture: PictureId) {
        if let Some(known) = self.known.get(&picture) {
            self.anchor = Some(Arc::clone(&known.basis));
        }
    }

    /// Uses the basis of this picture for all of them.
    pub fn fix(&mut self, picture: PictureId, origin: String) {
        if let Some(known) = self.known.get(&picture) {
            self.fixed = Some(FixedBasis { basis: Arc::clone(&known.basis), origin });
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
        self.foregrounds.retain(|picture, _| is_open(*picture));
    }
}
