//! One map for each picture on the canvas, computed on the graphics device.

use std::collections::HashMap;
use std::sync::Arc;

use dinoscope_engine::analysis::similarity::{best_patches, value_range};
use dinoscope_engine::cache::{CachedFeatures, FeatureKey};
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::Patch;
use dinoscope_engine::gpu::{Gpu, MapQuery, MapTexture, SimilarityPipeline};
use egui::Ui;

use super::look::Look;
use super::question::Question;
use crate::gui::canvas::View;
use crate::gui::shared::Shared;

/// How long a new map takes to appear.
const FADE_SECS: f64 = 0.15;

/// The map of one picture.
pub struct Map {
    /// What it is computed from.
    pub features: Arc<CachedFeatures>,
    /// On the graphics device.
    pub texture: MapTexture,
    /// What it shows: patches that are left out too.
    pub query: MapQuery,
    /// What has come back from the device.
    pub values: Option<Values>,
    /// 0..=1: how far it has appeared.
    pub shown: f32,
    key: FeatureKey,
    computed: Option<Computed>,
    born_secs: f64,
    /// Of `values`.
    best_count: usize,
}

/// What a map was computed for.
#[derive(Clone, Copy, PartialEq)]
struct Computed {
    revision: u64,
    excluded_radius: f32,
}

/// What a map's numbers say, a frame or two old.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Least and greatest.
    pub range: (f32, f32),
    /// The most similar patches, best first.
    pub best: Vec<(Patch, f32)>,
}

/// All maps.
#[derive(Default)]
pub struct Maps {
    pipeline: Option<SimilarityPipeline>,
    by_picture: HashMap<PictureId, Map>,
}

impl Maps {
    /// The map of a picture.
    pub fn get(&self, picture: PictureId) -> Option<&Map> {
        self.by_picture.get(&picture)
    }

    /// Computes what has changed for the pictures on the canvas, and takes what has come back. A sentence where the
    /// device refuses.
    pub fn update(
        &mut self,
        ui: &Ui,
        shared: &mut Shared,
        views: &[View],
        question: &Question,
        look: &Look,
    ) -> Option<String> {
        views.iter().for_each(|view| self.inherit(shared, view.picture));
        let is_visible = |picture: &PictureId| views.iter().any(|view| view.picture == *picture);
        self.by_picture.retain(|picture, _| question.is_asked() && is_visible(picture));
        let gpu = shared.gpu().clone();
        let now_secs = ui.input(|input| input.time);
        let mut problem = None;
        for view in views {
            if !question.query().positive.is_empty()
                && let Err(error) = self.compute(&gpu, shared, view.picture, question, look, now_secs)
            {
                problem = Some(error);
            }
            let Some(map) = self.by_picture.get_mut(&view.picture) else { continue };
            let is_coming = map.take(&gpu, look.best_count());
            map.shown = ((now_secs - map.born_secs) / FADE_SECS).clamp(0.0, 1.0) as f32;
            if map.shown < 1.0 || is_coming {
                ui.ctx().request_repaint();
            }
        }
        problem
    }

    /// The map of a frame goes on from that of the frame that was shown before it, so that it need not appear anew.
    fn inherit(&mut self, shared: &Shared, picture: PictureId) {
        if self.by_picture.contains_key(&picture) || !shared.has_features(picture) {
            return;
        }
        let before = self.by_picture.keys().find(|known| known.document() == picture.document()).copied();
        if let Some(map) = before.and_then(|before| self.by_picture.remove(&before)) {
            self.by_picture.insert(picture, map);
        }
    }

    fn compute(
        &mut self,
        gpu: &Gpu,
        shared: &mut Shared,
        picture: PictureId,
        question: &Question,
        look: &Look,
        now_secs: f64,
    ) -> Result<(), String> {
        // Until the features of another model or size are there, the map of the one before stays.
        let Some(features) = shared.features(picture) else { return Ok(()) };
        let key = shared.key(picture);
        let wanted = Computed { revision: question.revision(), excluded_radius: look.excluded_radius };
        let known = self.by_picture.get(&picture);
        if known.is_some_and(|map| map.key == key && map.computed == Some(wanted)) {
            return Ok(());
        }
        let Some(grid) = &features.resident else {
            return Err("The features of this picture do not fit the graphics device; choose a smaller size".to_owned());
        };
        let pipeline = self.pipeline.get_or_insert_with(|| SimilarityPipeline::new(gpu));
        let map = self.by_picture.entry(picture).or_insert_with(|| Map {
            features: Arc::clone(&features),
            texture: MapTexture::new(gpu, grid.rows, grid.cols),
            query: MapQuery::default(),
            values: None,
            shown: 0.0,
            key: key.clone(),
            computed: None,
            born_secs: now_secs,
            best_count: 0,
        });
        let excluded = question.excluded(picture, &features.geometry, look.excluded_radius);
        map.query = MapQuery { excluded, ..question.query().clone() };
        map.features = Arc::clone(&features);
        map.key = key;
        map.computed = Some(wanted);
        pipeline.run(gpu, grid, &map.query, &mut map.texture).map_err(|error| error.to_string())
    }
}

impl Map {
    /// Takes what has come back from the device; whether there is more to come.
    fn take(&mut self, gpu: &Gpu, best_count: usize) -> bool {
        let is_known = self.texture.has_arrived() && self.best_count == best_count;
        let Some(map) = self.texture.arrived(gpu) else { return true };
        if !is_known {
            self.values = value_range(map).map(|range| Values { range, best: best_patches(map, best_count) });
            self.best_count = best_count;
        }
        !self.texture.has_arrived()
    }
}
