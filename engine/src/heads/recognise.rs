//! Telling heads from backbones, and from each other.

use std::path::Path;

use super::Task;
use crate::checkpoint::Checkpoint;

/// What a file or folder is the head for; `None` for everything else, unreadable files too.
pub fn task_of(path: &Path) -> Option<Task> {
    let checkpoint = Checkpoint::open(path).ok()?;
    recognise(checkpoint.tensors().iter().map(|tensor| tensor.name.as_str()))
}

/// As [`task_of`], by the names of all tensors.
pub(crate) fn recognise<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<Task> {
    let has = |part: &str| names.clone().any(|name| name.contains(part));
    // EoMT is a backbone and a head in one.
    let has_queries = names.clone().any(|name| name == "query.weight") && has("class_predictor.");
    if has("reassemble_blocks.") {
        Some(Task::Depth)
    } else if has("pixel_decoder.") || has_queries {
        Some(Task::Segmentation)
    } else if has("bbox_embed.") {
        Some(Task::Detection)
    } else {
        let of_layer = |end: &str| names.clone().find_map(|name| name.strip_suffix(end));
        let is_one_layer = names.clone().count() == 2 && of_layer("weight").is_some();
        (is_one_layer && of_layer("weight") == of_layer("bias")).then_some(Task::Classification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_known_by_their_tensors() {
        let task = |names: &[&str]| recognise(names.iter().copied());
        assert_eq!(task(&["weight", "bias"]), Some(Task::Classification));
        assert_eq!(task(&["model.reassemble_blocks.projects.0.conv.weight", "x"]), Some(Task::Depth));
        assert_eq!(task(&["segmentation_model.1.pixel_decoder.mask_features.weight"]), Some(Task::Segmentation));
        assert_eq!(
            task(&["query.weight", "class_predictor.weight", "layers.0.norm1.weight"]),
            Some(Task::Segmentation)
        );
        assert_eq!(task(&["model.bbox_embed.0.layers.0.weight"]), Some(Task::Detection));
        assert_eq!(task(&["patch_embed.proj.weight", "blocks.0.norm1.weight"]), None);
        assert_eq!(task(&[]), None);
    }
}
