//! What is known of each frame: what a person has painted, or what was tracked; and how it is drawn.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use dinoscope_engine::dispatch::{PictureId, TrackedLabels};
use dinoscope_engine::features::Geometry;
use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::tracking::LabelMap;

use super::label_texture::{LabelTexture, Palette};
use super::strokes::PixelRect;
use crate::gui::masks::ClipMasks;
use crate::gui::overlay::{Layer, LayerContent, upload_texels};
use crate::gui::placed::PixelPoint;

/// What was tracked, by frame of a clip.
#[derive(Default)]
pub struct Results {
    frames: BTreeMap<PictureId, Arc<TrackedLabels>>,
}

impl Results {
    /// What was tracked in a frame.
    pub fn get(&self, picture: PictureId) -> Option<&Arc<TrackedLabels>> {
        self.frames.get(&picture)
    }

    /// Takes a frame.
    pub fn insert(&mut self, picture: PictureId, tracked: Arc<TrackedLabels>) {
        self.frames.insert(picture, tracked);
    }

    /// Lets all frames of a clip go but these.
    pub fn keep(&mut self, clip: PictureId, kept: &[usize]) {
        let stays = |id: &PictureId| id.document() != clip.document() || kept.binary_search(&id.frame()).is_ok();
        self.frames.retain(|id, _| stays(id));
    }

    /// Lets clips go that are not open any more.
    pub fn forget_closed(&mut self, is_open: impl Fn(PictureId) -> bool) {
        self.frames.retain(|&id, _| is_open(id));
    }

    /// Frames of a clip, in order.
    pub fn frames(&self, clip: PictureId) -> impl Iterator<Item = (usize, &Arc<TrackedLabels>)> {
        let of_clip = move |(id, _): &(&PictureId, &Arc<TrackedLabels>)| id.document() == clip.document();
        self.frames.iter().filter(of_clip).map(|(id, tracked)| (id.frame(), tracked))
    }
}

/// Runs of frames that follow each other, from frames in order.
pub fn runs(frames: impl Iterator<Item = usize>) -> Vec<RangeInclusive<usize>> {
    let mut runs: Vec<RangeInclusive<usize>> = Vec::new();
    for frame in frames {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == frame => *run = *run.start()..=frame,
            _ => runs.push(frame..=frame),
        }
    }
    runs
}

/// The labels of a frame, as far as they are known.
#[derive(Clone)]
pub enum Labels {
    /// A person has painted them.
    Painted(Arc<LabelMap>),
    /// They were tracked.
    Tracked(Arc<TrackedLabels>),
}

impl Labels {
    /// Those of a frame.
    pub fn of(masks: Option<&ClipMasks>, results: &Results, picture: PictureId) -> Option<Self> {
        let painted = masks.and_then(|masks| masks.painted.get(&picture.frame()));
        let painted = painted.map(|map| Self::Painted(Arc::clone(&map.0)));
        painted.or_else(|| results.get(picture).map(|tracked| Self::Tracked(Arc::clone(tracked))))
    }

    /// By pixel, to paint on.
    pub fn to_map(&self) -> LabelMap {
        match self {
            Self::Painted(map) => (**map).clone(),
            Self::Tracked(tracked) => LabelMap::of_patches(&tracked.labels, &tracked.geometry),
        }
    }

    /// The object at a point of the frame; 0 for background.
    pub fn at(&self, point: PixelPoint) -> Option<u8> {
        match self {
            Self::Painted(map) => {
                let (x, y) = (point.x as usize, point.y as usize);
                (x < map.width).then(|| map.ids.get(y * map.width + x).copied()).flatten()
            }
            Self::Tracked(tracked) => {
                let patch = tracked.geometry.patch_from_pixel(f64::from(point.x), f64::from(point.y))?;
                tracked.labels.get(patch.row * tracked.geometry.grid.1 + patch.col).copied()
            }
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Painted(a), Self::Painted(b)) => Arc::ptr_eq(a, b),
            (Self::Tracked(a), Self::Tracked(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// The labels that are on the graphics device.
#[derive(Default)]
pub struct Drawn {
    picture: Option<PictureId>,
    labels: Option<Labels>,
    palette: Option<Box<Palette>>,
    texture: Option<Texture>,
}

enum Texture {
    Pixels(LabelTexture),
    Patches(wgpu::TextureView, Geometry),
}

impl Drawn {
    /// Shows labels, in the colours of the objects that are visible.
    pub fn show(&mut self, gpu: &Gpu, picture: PictureId, labels: Option<Labels>, palette: &Palette) {
        let is_same = match (&self.labels, &labels) {
            (Some(before), Some(now)) => before.is_same(now),
            (None, None) => true,
            _ => false,
        };
        let is_coloured = self.palette.as_deref() == Some(palette);
        if is_same && is_coloured && self.picture == Some(picture) {
            return;
        }
        self.texture = match &labels {
            None => None,
            Some(Labels::Painted(map)) => Some(Texture::Pixels(self.pixels(gpu, map, palette))),
            Some(Labels::Tracked(tracked)) => {
                let texels: Vec<[u8; 4]> = tracked.labels.iter().map(|&id| palette[usize::from(id)]).collect();
                let view = upload_texels(gpu, tracked.geometry.grid.1, &texels);
                Some(Texture::Patches(view, tracked.geometry))
            }
        };
        (self.picture, self.labels, self.palette) = (Some(picture), labels, Some(Box::new(*palette)));
    }

    /// Shows a map that is being painted, of which a part has changed.
    pub fn paint(&mut self, gpu: &Gpu, picture: PictureId, map: &LabelMap, changed: PixelRect, palette: &Palette) {
        match &self.texture {
            Some(Texture::Pixels(texture)) if self.picture == Some(picture) && texture.fits(map) => {
                texture.paint(gpu, map, palette, changed);
            }
            _ => self.texture = Some(Texture::Pixels(LabelTexture::new(gpu, map, palette))),
        }
        (self.picture, self.labels, self.palette) = (Some(picture), None, Some(Box::new(*palette)));
    }

    fn pixels(&mut self, gpu: &Gpu, map: &LabelMap, palette: &Palette) -> LabelTexture {
        match self.texture.take() {
            Some(Texture::Pixels(texture)) if texture.fits(map) => {
                texture.paint(gpu, map, palette, super::strokes::whole(map));
                texture
            }
            _ => LabelTexture::new(gpu, map, palette),
        }
    }

    /// For drawing over a frame of that size.
    pub fn layer(&self, picture: PictureId, size: (usize, usize), opacity: f32) -> Option<Layer> {
        if self.picture != Some(picture) {
            return None;
        }
        let (view, geometry) = match self.texture.as_ref()? {
            // Every pixel is its own patch.
            Texture::Pixels(texture) => {
                (texture.view(), Geometry { picture: size, covered: size, grid: (size.1, size.0) })
            }
            Texture::Patches(view, geometry) => (view, *geometry),
        };
        Some(Layer { geometry, content: LayerContent::Colours(view.clone()), opacity, is_smooth: false })
    }
}

/// The colours of objects that are visible; others are not drawn.
pub fn palette(masks: Option<&ClipMasks>) -> Palette {
    let mut palette = [[0; 4]; 256];
    for object in masks.into_iter().flat_map(|masks| &masks.objects).filter(|object| object.is_visible) {
        let [r, g, b] = object.colour;
        palette[usize::from(object.id)] = [r, g, b, 255];
    }
    palette
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_a_row_are_one_run() {
        assert_eq!(runs([0, 1, 2, 5, 7, 8].into_iter()), [0..=2, 5..=5, 7..=8]);
        assert!(runs(std::iter::empty()).is_empty());
    }

    #[test]
    fn hidden_objects_have_no_colour() {
        let mut masks = ClipMasks::default();
        masks.add_object();
        masks.add_object();
        masks.objects[1].is_visible = false;
        let palette = palette(Some(&masks));
        assert_eq!((palette[1][3], palette[2][3], palette[0][3], palette[9][3]), (255, 0, 0, 0));
    }
}
