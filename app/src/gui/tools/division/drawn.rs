//! What lies over the picture: its classes in colours, or the map of one of them.

use std::sync::{Arc, Weak};

use dinoscope_engine::dispatch::{ClassMap, ClassMapRequest, Command, Event, Labelled, Outcome, RequestId};
use dinoscope_engine::draw::classes::class_colour;
use dinoscope_engine::features::Geometry;
use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::text::Scores;

use super::{Division, Look};
use crate::gui::overlay::{Layer, LayerContent, MapStyle, upload_texels, upload_values};
use crate::gui::shared::Shared;

/// Share of its opacity that a class keeps while another one is pointed at in the legend.
const DIMMED: f32 = 0.15;

/// How long new colours take to appear.
const FADE_SECS: f64 = 0.15;

/// What is on the graphics device.
#[derive(Default)]
pub struct Drawn {
    classes: Option<Classes>,
    map: Option<Map>,
    asked: Option<(RequestId, Weak<Scores>, usize)>,
    shown: f32,
}

struct Classes {
    labelled: Weak<Labelled>,
    palette: Vec<[u8; 4]>,
    texture: wgpu::TextureView,
    geometry: Geometry,
    born_secs: f64,
}

struct Map {
    scores: Weak<Scores>,
    class: usize,
    values: wgpu::TextureView,
    range_view: wgpu::TextureView,
    range: (f32, f32),
    geometry: Geometry,
}

impl Drawn {
    /// Shows the classes in their colours; whether they are still appearing.
    pub fn show(&mut self, gpu: &Gpu, division: &Division, look: &Look, pointed: Option<usize>, now_secs: f64) -> bool {
        let classes = &division.classes;
        let texel = |(class, name): (usize, &String)| {
            let [r, g, b] = class_colour(class, classes.len());
            let dimmed = if pointed.is_some_and(|pointed| pointed != class) { DIMMED } else { 1.0 };
            [r, g, b, (255.0 * look.opacity_of(name) * dimmed).round() as u8]
        };
        // The background is one more.
        let palette: Vec<[u8; 4]> = classes.iter().enumerate().map(texel).chain([[0; 4]]).collect();
        let labelled = &division.labelled;
        let is_same = self.classes.as_ref().is_some_and(|known| is(&known.labelled, labelled));
        if !is_same || self.classes.as_ref().is_some_and(|known| known.palette != palette) {
            let labels = &labelled.labels;
            let texels: Vec<[u8; 4]> = labels.data.iter().map(|&label| palette[usize::from(label)]).collect();
            let texture = upload_texels(gpu, labels.width, &texels);
            let picture = division.scores.picture();
            let geometry = Geometry { picture, covered: picture, grid: (labels.height, labels.width) };
            let labelled = Arc::downgrade(labelled);
            // What is there already changes at once.
            let born_secs = self.classes.as_ref().map_or(now_secs, |known| known.born_secs);
            self.classes = Some(Classes { labelled, palette, texture, geometry, born_secs });
        }
        let born_secs = self.classes.as_ref().map_or(now_secs, |known| known.born_secs);
        self.shown = ((now_secs - born_secs) / FADE_SECS).clamp(0.0, 1.0) as f32;
        self.shown < 1.0
    }

    /// Nothing is shown any more.
    pub fn clear(&mut self) {
        (self.classes, self.map) = (None, None);
    }

    /// Asks for the map of a class, unless it is there.
    pub fn want_map(&mut self, shared: &mut Shared, division: &Division, class: usize) {
        let scores = &division.scores;
        if self.map.as_ref().is_some_and(|map| is(&map.scores, scores) && map.class == class)
            || self.asked.as_ref().is_some_and(|(_, asked, of)| is(asked, scores) && *of == class)
        {
            return;
        }
        let request = ClassMapRequest { picture: division.picture, scores: Arc::clone(scores), class };
        let id = shared.send(Command::ClassMap(request), "mapping a class");
        self.asked = Some((id, Arc::downgrade(scores), class));
    }

    /// Takes a map.
    pub fn receive(&mut self, gpu: &Gpu, event: &Event) {
        let Some((_, scores, class)) = self.asked.take_if(|(id, ..)| *id == event.id) else { return };
        let Outcome::ClassMap(found) = &event.outcome else { return };
        let ClassMap { map, geometry, .. } = &**found;
        let values: Vec<f32> = map.iter().copied().collect();
        let whole = (f32::INFINITY, f32::NEG_INFINITY);
        let range = values.iter().fold(whole, |(low, high), &value| (low.min(value), high.max(value)));
        self.map = Some(Map {
            scores,
            class,
            values: upload_values(gpu, geometry.grid.1, &values),
            range_view: upload_values(gpu, 2, &[range.0, range.1]),
            range,
            geometry: *geometry,
        });
    }

    /// Least and greatest value of the map of a class, once it is there.
    pub fn range(&self, division: &Division, class: usize) -> Option<(f32, f32)> {
        self.map_of(division, class).map(|map| map.range)
    }

    /// For drawing: the map of the class that is selected, or the classes until it is there.
    pub fn layer(&self, division: &Division, selected: Option<usize>, look: &Look) -> Option<Layer> {
        if let Some(map) = selected.and_then(|class| self.map_of(division, class)) {
            let style = MapStyle {
                colormap: look.colormap,
                range: look.range(),
                threshold: None,
                contour: None,
                is_grey_below: true,
            };
            let (map_view, range) = (map.values.clone(), map.range_view.clone());
            return Some(Layer {
                geometry: map.geometry,
                content: LayerContent::Map { map: map_view, range, style },
                opacity: look.opacity,
                is_smooth: true,
            });
        }
        let classes = self.classes.as_ref().filter(|known| is(&known.labelled, &division.labelled))?;
        Some(Layer {
            geometry: classes.geometry,
            content: LayerContent::Colours(classes.texture.clone()),
            opacity: look.opacity * self.shown,
            is_smooth: false,
        })
    }

    fn map_of(&self, division: &Division, class: usize) -> Option<&Map> {
        self.map.as_ref().filter(|map| is(&map.scores, &division.scores) && map.class == class)
    }
}

fn is<T>(weak: &Weak<T>, strong: &Arc<T>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(strong))
}
