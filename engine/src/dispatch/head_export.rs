//! Files of what a head says about a picture.

use std::path::Path;
use std::sync::Arc;

use super::heads::{HeadAnswer, HeadReading};
use crate::Result;
use crate::draw::boxes::boxes_over_picture;
use crate::draw::overlay::{OverlayStyle, map_over_picture};
use crate::features::Geometry;
use crate::heads::depth::{DepthMap, default_step, write_png16, write_point_cloud};
use crate::heads::detector::{CocoResults, Detection, image_ids};
use crate::image::Picture;
use crate::image::write::write_picture;
use crate::output::write_npy;

/// What is written of a head's answer.
#[derive(Clone, Debug)]
pub struct HeadExport {
    /// Which part of it.
    pub kind: HeadExportKind,
    /// The picture.
    pub picture: Arc<Picture>,
    /// Its name.
    pub name: String,
    /// The answer.
    pub reading: Arc<HeadReading>,
    /// Written into the file where its format has a place for it.
    pub metadata: Vec<(String, String)>,
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub enum HeadExportKind {
    /// Depths over the picture, as PNG.
    DepthPicture(OverlayStyle),
    /// Depths in whole steps, as a grey PNG of 16 bits.
    DepthSteps,
    /// Depths `[height, width]` f32 in metres, as `.npy`.
    DepthArray,
    /// A point for each pixel, as PLY.
    PointCloud {
        /// How wide the camera saw along a row, in degrees.
        fov: f32,
    },
    /// Boxes over the picture, as PNG.
    Boxes(Vec<Detection>),
    /// Boxes as COCO's evaluation reads them, as JSON.
    Coco(Vec<Detection>),
}

impl HeadExport {
    /// `None` for what is no picture.
    pub fn draw(&self) -> Option<Picture> {
        match (&self.kind, &self.reading.answer) {
            (HeadExportKind::DepthPicture(style), HeadAnswer::Depth(depth)) => {
                let size = (self.picture.width, self.picture.height);
                let geometry = Geometry { picture: size, covered: size, grid: depth.map.metres.dim() };
                Some(map_over_picture(&self.picture, &geometry, &depth.map.metres, style))
            }
            (HeadExportKind::Boxes(found), HeadAnswer::Detections { names, .. }) => Some(boxes_over_picture(
                &self.picture,
                &found.iter().map(|found| found.labelled(names)).collect::<Vec<_>>(),
            )),
            _ => None,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`crate::Error::Io`], and those of the head's own writers.
    pub fn write(&self, path: &Path) -> Result<()> {
        let metadata: Vec<(&str, String)> =
            self.metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        if let Some(drawn) = self.draw() {
            return write_picture(path, &drawn, &metadata);
        }
        let depth = |write: &dyn Fn(&DepthMap, f32) -> Result<()>| match &self.reading.answer {
            HeadAnswer::Depth(depth) => write(&depth.map, depth.greatest),
            _ => Ok(()),
        };
        match &self.kind {
            HeadExportKind::DepthSteps => {
                depth(&|map, greatest| write_png16(path, map, default_step(greatest), &metadata))
            }
            HeadExportKind::DepthArray => depth(&|map, _| write_npy(path, map.metres.view())),
            HeadExportKind::PointCloud { fov } => {
                depth(&|map, _| write_point_cloud(path, map, &self.picture, *fov, &metadata))
            }
            HeadExportKind::Coco(found) => {
                let file = Path::new(&self.name);
                let id = image_ids(std::iter::once(file)).first().copied().unwrap_or(1);
                let mut results = CocoResults::default();
                results.add(id, &self.name, found);
                results.write(path)
            }
            HeadExportKind::DepthPicture(_) | HeadExportKind::Boxes(_) => Ok(()),
        }
    }
}
