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
        let Features { cls, registers, patch } = &self.features;
        let numbers = cls.len() + registers.len() + patch.data.len();
        numbers * size_of::<f32>() + self.resident.as_ref().map_or(0, ResidentGrid::bytes)
    }
}

/// Features within a memory budget; the least recently used go first.
#[derive(Debug, Default)]
pub struct FeatureCache {
    entries: HashMap<FeatureKey, Entry>,
    used: usize,
    budget: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    features: Arc<CachedFeatures>,
    bytes: usize,
    /// Value of [`FeatureCache::uses`] at the last use.
    last_use: u64,
}

impl FeatureCache {
    /// An empty cache of `budget` bytes.
    pub fn new(budget: usize) -> Self {
        Self { budget, ..Self::default() }
    }

    /// The features of a picture, without counting as use.
    pub fn peek(&self, key: &FeatureKey) -> Option<Arc<CachedFeatures>> {
        self.entries.get(key).map(|entry| Arc::clone(&entry.features))
    }

    /// The features, where they are kept; counts as a use.
    pub fn get(&mut self, key: &FeatureKey) -> Option<Arc<CachedFeatures>> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        entry.last_use = self.uses;
        Some(Arc::clone(&entry.features))
    }

    /// Whether they are kept; does not count as a use.
    pub fn contains(&self, key: &FeatureKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps features, and lets others go until the budget holds, never those of `protected` pictures nor these.
    pub fn insert(&mut self, key: FeatureKey, features: Arc<CachedFeatures>, protected: &[PictureId]) {
        self.remove(&key);
        self.uses += 1;
        let entry = Entry { bytes: features.bytes(), features, last_use: self.uses };
        self.used += entry.bytes;
        self.entries.insert(key.clone(), entry);
        self.shrink(protected, Some(&key));
    }

    /// Lets all features of a picture go; of a clip, those of all frames.
    pub fn forget(&mut self, picture: PictureId) {
        let is_of = |key: &&FeatureKey| key.picture.document() == picture.document();
        let keys: Vec<FeatureKey> = self.entries.keys().filter(is_of).cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    /// Forgets features of one frame of a clip.
    pub fn forget_frame(&mut self, frame: PictureId) {
        let keys: Vec<FeatureKey> = self.entries.keys().filter(|key| key.picture == frame).cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    /// Bytes kept.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes that may be kept.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Another budget; lets features go until it holds.
    pub fn set_budget(&mut self, budget: usize, protected: &[PictureId]) {
        self.budget = budget;
        self.shrink(protected, None);
    }

    fn shrink(&mut self, protected: &[PictureId], newest: Option<&FeatureKey>) {
        while self.used > self.budget {
            let may_go =
                self.entries.iter().filter(|(key, _)| !protected.contains(&key.picture) && newest != Some(key));
            let Some(key) = may_go.min_by_key(|(_, entry)| entry.last_use).map(|(key, _)| key.clone()) else { return };
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &FeatureKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.used -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::backend::DeviceChoice;
    use crate::encoder::ModelSource;
    use crate::features::FeatureGrid;

    fn key(picture: u64, size: usize) -> FeatureKey {
        let source = ModelSource::Named("demo".into());
        let model = ModelChoice { source, device: DeviceChoice::Cpu, dtype: None };
        FeatureKey { picture: PictureId(picture), model: Arc::new(model), size: SizeRule::ShortSide(size) }
    }

    /// 4 bytes for each of 4 CLS numbers, 2 registers of 4 and `patches` of 4.
    fn features(patches: usize) -> Arc<CachedFeatures> {
        let patch = FeatureGrid { rows: 1, cols: patches, data: Array2::zeros((patches, 4)) };
        let text = String::new;
        let provenance = Provenance { model: text(), weights: text(), device: text(), dtype: text() };
        Arc::new(CachedFeatures {
            features: Features { cls: vec![0.0; 4], registers: Array2::zeros((2, 4)), patch },
            geometry: Geometry { picture: (1, 1), covered: (1, 1), grid: (1, patches) },
            provenance: Arc::new(provenance),
            resident: None,
        })
    }

    const ONE: usize = 16 * 10;

    fn with_three(budget: usize) -> FeatureCache {
        let mut cache = FeatureCache::new(budget);
        (0..3).for_each(|picture| cache.insert(key(picture, 64), features(7), &[]));
        cache
    }

    fn kept(cache: &FeatureCache) -> Vec<u64> {
        (0..9).filter(|&picture| cache.contains(&key(picture, 64))).collect()
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut cache = with_three(3 * ONE);
        assert_eq!((kept(&cache), cache.used()), (vec![0, 1, 2], 3 * ONE));
        assert!(cache.get(&key(0, 64)).is_some());
        assert!(cache.contains(&key(1, 64)), "looking is no use");
        cache.insert(key(3, 64), features(7), &[]);
        assert_eq!((kept(&cache), cache.used()), (vec![0, 2, 3], 3 * ONE));
        assert!(cache.get(&key(1, 64)).is_none());
    }

    #[test]
    fn protected_pictures_and_the_newest_stay_beyond_the_budget() {
        let mut cache = with_three(3 * ONE);
        let protected = [PictureId(0), PictureId(2)];
        cache.insert(key(3, 64), features(27), &protected);
        assert_eq!((kept(&cache), cache.used()), (vec![0, 2, 3], 5 * ONE));
        cache.insert(key(4, 64), features(7), &[]);
        assert_eq!(kept(&cache), [4], "nothing else fits beside it once the large one has to go last");
    }

    #[test]
    fn a_smaller_budget_holds_at_once() {
        let mut cache = with_three(3 * ONE);
        cache.set_budget(ONE, &[PictureId(0)]);
        assert_eq!((kept(&cache), cache.used(), cache.budget()), (vec![0], ONE, ONE));
        cache.set_budget(0, &[PictureId(0)]);
        assert_eq!(kept(&cache), [0]);
        cache.set_budget(0, &[]);
        assert_eq!((kept(&cache), cache.used()), (vec![], 0));
    }

    #[test]
    fn forgetting_takes_every_size_and_model() {
        let mut cache = with_three(9 * ONE);
        cache.insert(key(1, 128), features(7), &[]);
        cache.forget(PictureId(1));
        assert_eq!((kept(&cache), cache.used()), (vec![0, 2], 2 * ONE));
        assert!(!cache.contains(&key(1, 128)));
        cache.insert(key(PictureId(1).at_frame(5).0, 64), features(7), &[]);
        cache.forget(PictureId(1));
        assert_eq!(cache.used(), 2 * ONE, "a clip goes with all its frames");
        cache.forget(PictureId(7));
        assert_eq!(cache.used(), 2 * ONE);
    }

    #[test]
    fn the_same_key_again_takes_the_others_place() {
        let mut cache = with_three(9 * ONE);
        cache.insert(key(1, 64), features(17), &[]);
        assert_eq!(cache.used(), 4 * ONE);
        assert_eq!(cache.get(&key(1, 64)).expect("kept").features.patch.cols, 17);
    }
}
