//! Files of a picture that was divided among phrases.

use std::path::Path;
use std::sync::Arc;

use crate::classes::Scores;
use crate::draw::classes::{ClassStyle, classes_with_legend};
use crate::draw::overlay::{OverlayStyle, map_over_picture};
use crate::features::Geometry;
use crate::image::Picture;
use crate::image::write::write_picture;
use crate::output::write_npy;
use crate::{Error, Result};

/// What is written of a picture that was divided among phrases.
#[derive(Clone, Debug)]
pub struct SegmentationExport {
    /// Which part of it.
    pub kind: SegmentationKind,
    /// The picture.
    pub picture: Arc<Picture>,
    /// Of every class.
    pub scores: Arc<Scores>,
    /// Where no score passes this, it is background.
    pub background: Option<f32>,
    /// In the order of the scores.
    pub classes: Vec<ClassStyle>,
    /// Written into pictures.
    pub metadata: Vec<(String, String)>,
}

/// A part of a division.
#[derive(Clone, Debug)]
pub enum SegmentationKind {
    /// The classes over the picture with a legend, as PNG.
    Picture,
    /// The scores of one class over the picture, as PNG.
    Map {
        /// Which class.
        class: usize,
        /// How it looks.
        style: OverlayStyle,
    },
    /// The class of every pixel, as a grey PNG: 8 bits, or 16 past 255.
    Labels,
    /// `[classes, rows, cols]` f32, as `.npy`.
    Scores,
}

impl SegmentationExport {
    /// `None` for what is no picture.
    pub fn draw(&self) -> Option<Picture> {
        match &self.kind {
            SegmentationKind::Picture => {
                Some(classes_with_legend(&self.picture, &self.scores.labels(self.background), &self.classes))
            }
            SegmentationKind::Map { class, style } => {
                let map = self.scores.class_map(*class);
                let (picture, covered) = (self.scores.picture(), self.scores.covered());
                let geometry = Geometry { picture, covered, grid: map.dim() };
                Some(map_over_picture(&self.picture, &geometry, &map, style))
            }
            SegmentationKind::Labels | SegmentationKind::Scores => None,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        if let Some(drawn) = self.draw() {
            let pairs = self.metadata.iter().map(|(key, value)| (key.as_str(), value.clone()));
            return write_picture(path, &drawn, &pairs.collect::<Vec<_>>());
        }
        match self.kind {
            SegmentationKind::Labels => {
                let classes = self.classes.len() + usize::from(self.background.is_some());
                self.scores.labels(self.background).write_png(path, classes)
            }
            _ => write_npy(path, self.scores.to_array().view()),
        }
    }
}
