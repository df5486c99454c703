//! COCO's JSON: one annotation per frame and object, its mask as packed run lengths.

use std::path::Path;

use serde_json::{Value, json};

use super::{regions, rle};
use crate::Result;
use crate::output::write_atomically;
use crate::tracking::LabelMap;

/// Collects frames, then writes them.
#[derive(Debug, Default)]
pub struct CocoWriter {
    images: Vec<Value>,
    annotations: Vec<Value>,
}

impl CocoWriter {
    /// Adds a frame, `file_name` being what the frame or its mask is called. Ids of images are frame numbers plus 1.
    pub fn add(&mut self, frame: usize, file_name: &str, labels: &LabelMap) {
        let LabelMap { width, height, ids } = labels;
        let image = frame + 1;
        self.images.push(json!({
            "id": image, "file_name": file_name, "width": width, "height": height, "frame": frame,
        }));
        for region in regions(labels) {
            let counts = rle::counts(*width, *height, |pixel| ids[pixel] == region.object);
            self.annotations.push(json!({
                "id": self.annotations.len() + 1,
                "image_id": image,
                "category_id": region.object,
                "segmentation": {"size": [height, width], "counts": rle::pack(&counts)},
                "area": region.area,
                "bbox": [region.x, region.y, region.width, region.height],
                "iscrowd": 0,
            }));
        }
    }

    /// Writes the file, with a category for each object in `names`.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn write(&self, path: &Path, names: &[(u8, String)]) -> Result<()> {
        let category = |(object, name): &(u8, String)| json!({"id": object, "name": name, "supercategory": "object"});
        let categories: Vec<Value> = names.iter().map(category).collect();
        let file = json!({
            "info": {"description": "objects tracked by dinoscope"},
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories,
        });
        write_atomically(path, |writer| Ok(serde_json::to_writer(writer, &file)?))
    }
}
