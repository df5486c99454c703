//! Features that are kept, within a budget.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dispatch::{ModelChoice, PictureId};
use crate::encoder::Provenance;
use crate::features::{Features, Geometry};
use crate::gpu::ResidentGrid;
use crate::image::SizeRule;

/// What features are stored under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FeatureKey {
    /// The picture.
    pub picture: PictureId,
    /// The model.
    pub model: Arc<ModelChoice>,
    /// Size of the model's input.
    pub size: SizeRule,
}

/// Features of one picture, ready for every tool.
#[derive(Debug)]
pub struct CachedFeatures {
    /// After the final norm.
    pub features: Features,
    /// Where the patches lie.
    pub geometry: Geometry,
    /// For exports.
    pub provenance: Arc<Provenance>,
    /// The same on the graphics device; `None` without one.
    pub resident: Option<ResidentGrid>,
}

impl CachedFeatures {
    /// Memory taken, here and on the graphics device.
    pub fn bytes(&self) -> usize {
        todo!()
    }
}

/// Features within a memory budget; the least recently used go first.
#[derive(Debug, Default)]
pub struct FeatureCache {
    entries: HashMap<FeatureKey, Arc<CachedFeatures>>,
}

impl FeatureCache {
    /// An empty cache of `budget` bytes.
    pub fn new(_budget: usize) -> Self {
        todo!()
    }

    /// The features, where they are kept; counts as a use.
    pub fn get(&mut self, _key: &FeatureKey) -> Option<Arc<CachedFeatures>> {
        todo!()
    }

    /// Whether they are kept; does not count as a use.
    pub fn contains(&self, key: &FeatureKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps features, and lets others go until the budget holds, never those of `protected` pictures nor these.
    pub fn insert(&mut self, _key: FeatureKey, _features: Arc<CachedFeatures>, _protected: &[PictureId]) {
        todo!()
    }

    /// Lets all features of a picture go.
    pub fn forget(&mut self, _picture: PictureId) {
        todo!()
    }

    /// Bytes kept.
    pub fn used(&self) -> usize {
        todo!()
    }

    /// Bytes that may be kept.
    pub fn budget(&self) -> usize {
        todo!()
    }

    /// Another budget; lets features go until it holds.
    pub fn set_budget(&mut self, _budget: usize, _protected: &[PictureId]) {
        todo!()
    }
}
