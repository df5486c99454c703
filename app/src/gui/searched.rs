//! What a person searches for: parts of pictures, and open pictures that count together.

use std::collections::{BTreeMap, BTreeSet};

use dinoscope_engine::dispatch::PictureId;
use serde::{Deserialize, Serialize};

use super::placed::PixelPoint;

/// What a person searches for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchedFor {
    /// Two corners of the part of a picture that counts.
    pub boxes: BTreeMap<PictureId, [PixelPoint; 2]>,
    /// What counts beside the active picture ([`PictureId::document`]).
    pub joined: BTreeSet<PictureId>,
}

impl SearchedFor {
    /// Forgets what belongs to a picture; of a clip, to all its frames.
    pub fn forget(&mut self, picture: PictureId) {
        self.boxes.retain(|id, _| id.document() != picture.document());
        self.joined.remove(&picture.document());
    }

    /// The same for pictures of other names; what has no new name is left out.
    pub fn renamed(&self, name: impl Fn(PictureId) -> Option<PictureId>) -> Self {
        Self {
            boxes: self.boxes.iter().filter_map(|(id, corners)| Some((name(*id)?, *corners))).collect(),
            joined: self.joined.iter().filter_map(|id| Some(name(*id)?.document())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_goes_with_the_boxes_of_its_frames() {
        let corners = [PixelPoint { x: 1.0, y: 2.0 }; 2];
        let (clip, still) = (PictureId(1), PictureId(2));
        let boxes = BTreeMap::from([(clip.at_frame(7), corners), (still, corners)]);
        let mut searched = SearchedFor { boxes, joined: BTreeSet::from([clip, still]) };
        let renamed = searched.renamed(|id| (id != still).then(|| PictureId(5).at_frame(id.frame())));
        assert_eq!(renamed.boxes, BTreeMap::from([(PictureId(5).at_frame(7), corners)]));
        assert_eq!(renamed.joined, BTreeSet::from([PictureId(5)]));
        searched.forget(clip);
        assert_eq!(searched.boxes.keys().chain(&searched.joined).collect::<Vec<_>>(), [&still, &still]);
    }
}
