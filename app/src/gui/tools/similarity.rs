//! Similarity: hovering shows what is like the patch under the pointer; a click pins it.

use std::collections::HashMap;

use dinoscope_engine::analysis::similarity::unit_direction;
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::features::Patch;
use dinoscope_engine::gpu::{MapQuery, MapTexture, SimilarityPipeline};
use egui::{Painter, Stroke, StrokeKind, Ui};

use super::Tool;
use crate::gui::canvas::View;
use crate::gui::overlay::{Layer, LayerContent, MapStyle};
use crate::gui::placed::{PlacedQuery, QueryShape};
use crate::gui::shared::Shared;
use crate::gui::theme;

/// The tool's state.
#[derive(Default)]
pub struct Similarity {
    pipeline: Option<SimilarityPipeline>,
    maps: HashMap<PictureId, MapTexture>,
    hovered: Option<(PictureId, Patch)>,
}

impl Tool for Similarity {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn update(&mut self, _ui: &Ui, shared: &mut Shared, views: &[View]) {
        for view in views {
            if let Some(patch) = view.hovered_patch() {
                self.hovered = Some((view.picture, patch));
            }
            if view.response.clicked()
                && let Some(pixel) = view.hovered
            {
                let query = PlacedQuery { picture: view.picture, shape: QueryShape::Point(pixel), is_negative: false };
                shared.placed.edit("add query", |placed| placed.queries.push(query));
            }
        }
        self.compute(shared, views);
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        let map = self.maps.get(&view.picture)?;
        let style = MapStyle {
            colormap: Colormap::default(),
            range: Some((0.0, 1.0)),
            threshold: None,
            contour: None,
            is_grey_below: true,
        };
        let content = LayerContent::Map { map: map.view().clone(), range: map.range_view().clone(), style };
        Some(Layer { geometry: view.geometry?, content, opacity: 0.75, is_smooth: true })
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        for query in shared.placed.now().queries.iter().filter(|query| query.picture == view.picture) {
            if let QueryShape::Point(point) = &query.shape {
                let centre = view.transform.screen_from_image(egui::pos2(point.x, point.y));
                painter.circle(centre, 6.0, theme::POSITIVE, Stroke::new(2.0, egui::Color32::WHITE));
            }
        }
        if let Some(rect) = view.hovered_patch().and_then(|patch| view.screen_rect_of_patch(patch)) {
            painter.rect_stroke(rect, 0.0, Stroke::new(1.5, egui::Color32::WHITE), StrokeKind::Outside);
        }
    }

    fn inspector(&mut self, ui: &mut Ui, _shared: &mut Shared) {
        ui.label("Point at a patch. Click to pin it.");
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _settings: &serde_json::Value) {}
}

impl Similarity {
    fn compute(&mut self, shared: &mut Shared, views: &[View]) {
        let Some((picture, patch)) = self.hovered else { return };
        let Some(asked) = shared.features(picture) else { return };
        let Ok(direction) = unit_direction(&asked.features.patch, &[patch]) else { return };
        let query = MapQuery { positive: vec![direction], ..MapQuery::default() };
        let gpu = shared.gpu().clone();
        let pipeline = self.pipeline.get_or_insert_with(|| SimilarityPipeline::new(&gpu));
        for view in views {
            let Some(features) = shared.features(view.picture) else { continue };
            let Some(grid) = &features.resident else { continue };
            let map = self.maps.entry(view.picture).or_insert_with(|| MapTexture::new(&gpu, grid.rows, grid.cols));
            if (map.rows, map.cols) != (grid.rows, grid.cols) {
                *map = MapTexture::new(&gpu, grid.rows, grid.cols);
            }
            if let Err(error) = pipeline.run(&gpu, grid, &query, map) {
                shared.notices.error(&error.to_string(), None);
            }
        }
    }
}
