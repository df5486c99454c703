//! What can be written to files: of the active picture, with the queries of all.

use std::sync::Arc;

use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::dispatch::Export;
use dinoscope_engine::draw::overlay::{Interpolation, Marker, OverlayStyle, Scale};
use dinoscope_engine::features::Patch;
use dinoscope_engine::video::ClipMap;
use serde_json::{Value, json};

use super::look::Look;
use super::{Similarity, markers};
use crate::gui::placed::{PixelPoint, PlacedQuery, QueryShape};
use crate::gui::shared::{ModelState, Shared};
use crate::gui::tools::Exportable;

impl Similarity {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let (Some(map), Some(loaded)) = (self.maps.get(document.id), document.loaded()) else { return Vec::new() };
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        let features = || Arc::clone(&map.features);
        let exportable = |name, ending: &str, what, is_picture| Exportable {
            name,
            file_name: format!("{stem}.{ending}"),
            what,
            is_picture,
        };
        let here = self.question.asked_places().filter(|query| query.picture == document.id);
        let drawn = Export::MapPicture {
            picture: Arc::clone(&loaded.pixels),
            features: features(),
            query: map.query.clone(),
            style: style(&self.look, self.question.has_negative(), here.map(marker).collect()),
        };
        let raw = Export::Map { features: features(), query: map.query.clone() };
        let map_style = style(&self.look, self.question.has_negative(), Vec::new());
        let through_clip = ClipMap::Similarity { query: map.query.clone(), style: map_style };
        let through_clip = shared.clip_map(document.id, through_clip);
        let video = through_clip.map(|what| exportable("Video with map (MP4)", "similarity.mp4", what, false));
        let mut offered = vec![
            exportable("Picture with map (PNG)", "similarity.png", drawn, true),
            exportable("Map (NumPy)", "similarity.npy", raw, false),
            exportable("Features (safetensors)", "features.safetensors", Export::Features(features()), false),
            exportable("Queries (JSON)", "queries.json", Export::Text(self.as_json(shared, &map.features)), false),
        ];
        offered.splice(1..1, video);
        offered
    }

    /// What is asked, in pixels and patches.
    fn as_json(&self, shared: &Shared, features: &CachedFeatures) -> String {
        let queries: Vec<Value> = self.question.asked_places().map(|query| self.query_as_json(shared, query)).collect();
        let (rows, cols) = features.geometry.grid;
        let size = match &shared.model.state {
            ModelState::Ready(info) => Some(format!("{}x{}", cols * info.stride, rows * info.stride)),
            _ => None,
        };
        let description = json!({
            "software": concat!("dinoscope ", env!("CARGO_PKG_VERSION")),
            "model": features.provenance.model,
            "weights": features.provenance.weights,
            "size": size,
            "combine": self.look.combination,
            "leave_out_radius": self.look.excluded_radius,
            "queries": queries,
        });
        format!("{description:#}\n")
    }

    fn query_as_json(&self, shared: &Shared, query: &PlacedQuery) -> Value {
        let document = shared.documents.get(query.picture);
        let patches: Vec<[usize; 2]> =
            self.question.patches(query).iter().map(|&Patch { row, col }| [row, col]).collect();
        json!({
            "picture": document.map(|document| &document.name),
            "negative": query.is_negative,
            "pixels": pixels(&query.shape),
            "patches": patches,
        })
    }
}

fn style(look: &Look, has_negative: bool, markers: Vec<Marker>) -> OverlayStyle {
    OverlayStyle {
        colormap: look.colormap,
        scale: look.range(has_negative).map_or(Scale::Stretched, |(low, high)| Scale::Fixed { low, high }),
        interpolation: if look.is_smooth { Interpolation::Bilinear } else { Interpolation::Patches },
        opacity: look.opacity,
        markers,
        threshold: look.shown_from(),
        contour: look.contour_at(),
        is_grey_below: look.is_grey_below,
        color_bar: true,
        unit: "",
    }
}

fn marker(query: &PlacedQuery) -> Marker {
    let PixelPoint { x, y } = markers::anchor(&query.shape);
    Marker { x: f64::from(x), y: f64::from(y), negative: query.is_negative }
}

/// A shape in pixels of the picture, named by its kind.
fn pixels(shape: &QueryShape) -> Value {
    match shape {
        QueryShape::Point(point) => json!({"point": [point.x, point.y]}),
        QueryShape::Box(a, b) => {
            json!({"box": [a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y)]})
        }
        QueryShape::Region(painting) => {
            let dabs = painting.dabs.iter().map(|dab| [dab.centre.x, dab.centre.y, dab.radius]);
            json!({"dabs": dabs.collect::<Vec<_>>()})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_look_like_the_canvas() {
        let look = Look { is_smooth: false, is_stretched: true, threshold: 0.4, has_contour: true, ..Look::default() };
        let style = style(&look, false, Vec::new());
        assert_eq!((style.scale, style.interpolation), (Scale::Stretched, Interpolation::Patches));
        assert_eq!((style.threshold, style.contour), (Some(0.4), Some(look.contour)));
    }

    #[test]
    fn a_box_is_written_from_corner_to_corner() {
        let point = |x, y| PixelPoint { x, y };
        let shape = QueryShape::Box(point(9.0, 2.0), point(3.0, 5.0));
        assert_eq!(pixels(&shape), json!({"box": [3.0, 2.0, 9.0, 5.0]}));
    }
}
