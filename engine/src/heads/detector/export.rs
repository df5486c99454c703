//! Detections in the format that COCO's own evaluation reads.

use std::path::Path;

use serde_json::{Value, json};

use super::Detection;
use crate::Result;
use crate::output::write_atomically;

/// Collects pictures, then writes them: a list of `image_id`, `category_id`, `bbox` (left, top, width, height in pixels)
/// and `score`, with the file's name beside.
#[derive(Debug, Default)]
pub struct CocoResults(Vec<Value>);

impl CocoResults {
    /// Adds what was found in a picture; a class's index is the number of its category.
    pub fn add(&mut self, image_id: u64, file_name: &str, found: &[Detection]) {
        self.0.extend(found.iter().map(|&Detection { corners: [x0, y0, x1, y1], class, score }| {
            json!({
                "image_id": image_id,
                "file_name": file_name,
                "category_id": class,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "score": score,
            })
        }));
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`crate::Error::Io`]
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, |writer| Ok(serde_json::to_writer(writer, &self.0)?))
    }
}

/// An id per file: the numbers that the files are called by, as COCO's own are, or their places from 1.
pub fn image_ids<'a>(files: impl Iterator<Item = &'a Path> + Clone) -> Vec<u64> {
    let number = |file: &Path| file.file_stem()?.to_str()?.parse().ok();
    let numbers: Option<Vec<u64>> = files.clone().map(number).collect();
    let is_unique = |ids: &Vec<u64>| ids.iter().collect::<std::collections::HashSet<_>>().len() == ids.len();
    numbers.filter(is_unique).unwrap_or_else(|| (1..).zip(files).map(|(place, _)| place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_numbers_that_they_are_called_by() {
        let ids = |files: &[&str]| image_ids(files.iter().map(Path::new));
        assert_eq!(ids(&["a/000000039769.jpg", "7.png"]), [39769, 7]);
        assert_eq!(ids(&["a/7.jpg", "b/7.png"]), [1, 2]);
        assert_eq!(ids(&["cat.jpg", "7.png"]), [1, 2]);
    }

    #[test]
    fn boxes_have_a_corner_and_a_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.json");
        let mut results = CocoResults::default();
        results.add(7, "7.png", &[Detection { corners: [1.0, 2.0, 4.0, 8.0], class: 17, score: 0.5 }]);
        results.write(&path).expect("it is written");
        let written: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
        let bbox = [1.0, 2.0, 3.0, 6.0];
        let expected = json!([{"image_id": 7, "file_name": "7.png", "category_id": 17, "bbox": bbox, "score": 0.5}]);
        assert_eq!(written, expected);
    }
}
