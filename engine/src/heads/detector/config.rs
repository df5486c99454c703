//! What a head's tensors do not tell.

use std::path::Path;

use super::super::{HeadError, Task};
use super::sizes::Sizes;
use crate::model::ModelConfig;

/// What a head's tensors do not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// Windows along each side of a picture that the backbone sees one by one, beside the whole at the size of one.
    pub windows: usize,
    /// Blocks whose features are read, 0-based, in ascending order.
    pub layers: Vec<usize>,
    /// Boxes that the second stage follows: the first rows of the head's queries. `None` takes half of them, as the
    /// other half is trained to help the first and is not read.
    pub queries: Option<usize>,
    /// Sides of the smallest boxes of the first stage, in pixels of the model's input; larger ones are 2, 4 and 8 times
    /// that.
    pub smallest: f32,
}

/// Width of 7B.
const LARGEST: usize = 4096;

impl DetectorConfig {
    /// As the reference has it for that backbone (`dinov3/hub/detectors.py`): 3 × 3 windows on 7B, 2 × 2 on smaller ones,
    /// and the last block of each quarter.
    pub fn published(backbone: &ModelConfig) -> Self {
        let windows = if backbone.dim() >= LARGEST { 3 } else { 2 };
        let depth = backbone.depth();
        let mut layers: Vec<usize> = (1..=4).filter_map(|quarter| (quarter * depth / 4).checked_sub(1)).collect();
        layers.dedup();
        Self { windows, layers, queries: None, smallest: 50.0 }
    }

    /// Boxes that the second stage follows in a head of those sizes.
    pub(super) fn queries_of(&self, sizes: &Sizes) -> usize {
        self.queries.unwrap_or(sizes.queries.div_ceil(2))
    }

    /// Refuses another backbone than that of the head, and what the head does not have.
    pub(super) fn check(&self, sizes: &Sizes, backbone: &ModelConfig, path: &Path) -> Result<(), HeadError> {
        let path = || path.to_path_buf();
        let wrong = |reason: String| HeadError::NotThisHead { path: path(), task: Task::Detection, reason };
        if matches!(backbone, ModelConfig::ConvNext(_)) {
            return Err(HeadError::NoTransformer { path: path() });
        }
        if let Some(&layer) = self.layers.iter().find(|&&layer| layer >= backbone.layers()) {
            return Err(HeadError::Layer { path: path(), layer, last: backbone.layers() - 1 });
        }
        // The whole picture and the windows are two views.
        let views = 2 * self.layers.len();
        if views == 0 || !self.layers.is_sorted_by(|a, b| a < b) {
            return Err(wrong("name each of the layers that it reads once, in ascending order".to_owned()));
        }
        if !sizes.channels.is_multiple_of(views) {
            return Err(wrong(format!(
                "its {} numbers per patch are not those of two views in each of {} layers: name its layers by --layers",
                sizes.channels,
                self.layers.len()
            )));
        }
        if sizes.channels / views != backbone.dim() {
            return Err(HeadError::Backbone { path: path(), expected: sizes.channels / views, got: backbone.dim() });
        }
        let queries = self.queries_of(sizes);
        if !(1..=sizes.queries).contains(&queries) {
            return Err(wrong(format!("it has 1 to {} queries, and {queries} are asked for", sizes.queries)));
        }
        if self.windows == 0 || !self.smallest.is_finite() || self.smallest <= 0.0 {
            return Err(wrong("it needs at least one window, and boxes of at least some size".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::zoo;

    #[test]
    fn presets_are_those_of_the_reference() {
        let published = |name: &str| DetectorConfig::published(&zoo::find(name).expect("it is known").config());
        let largest = published("vit7b16");
        assert_eq!((largest.windows, largest.layers), (3, vec![9, 19, 29, 39]));
        let large = published("vitl16");
        assert_eq!((large.windows, large.layers), (2, vec![5, 11, 17, 23]));
    }
}
