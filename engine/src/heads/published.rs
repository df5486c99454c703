//! The heads that Meta publishes (reference: `dinov3/hub/{classifiers,depthers,segmentors,detectors}.py`).

use std::path::PathBuf;

use super::HeadError;
use crate::hub;

/// Where one asks for them.
pub const HEADS_PAGE: &str = "https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/";

/// What a head is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Task {
    /// Which class a picture shows.
    Classification,
    /// How far away everything is.
    Depth,
    /// How high trees are, seen from above.
    CanopyHeight,
    /// Which class each pixel belongs to.
    Segmentation,
    /// Boxes around objects.
    Detection,
}

impl Task {
    /// For people, as a subject: "depth".
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Depth => "depth",
            Self::CanopyHeight => "canopy height",
            Self::Segmentation => "segmentation",
            Self::Detection => "detection",
        }
    }

    /// Meta's head for it.
    pub fn published(self) -> PublishedHead {
        let (file, model) = match self {
            Self::Classification => ("dinov3_vit7b16_imagenet1k_linear_head-90d8ed92.pth", "vit7b16"),
            Self::Depth => ("dinov3_vit7b16_synthmix_dpt_head-02040be1.pth", "vit7b16"),
            Self::CanopyHeight => ("dinov3_vitl16_chmv2_dpt_head-3703d643.pth", "vitl16_sat"),
            Self::Segmentation => ("dinov3_vit7b16_ade20k_m2f_head-bf307cb1.pth", "vit7b16"),
            Self::Detection => ("dinov3_vit7b16_coco2017_detr_head-b0235ff7.pth", "vit7b16"),
        };
        PublishedHead { task: self, file, model }
    }
}

/// A head that Meta publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedHead {
    /// What it is for.
    pub task: Task,
    /// Name of its file; the eight characters before the suffix begin its SHA-256.
    pub file: &'static str,
    /// The model that it was trained on, a name of the zoo.
    pub model: &'static str,
}

impl PublishedHead {
    /// Its file where the reference stores what it downloads.
    ///
    /// # Errors
    /// [`HeadError::NoWeights`] where it is not there.
    pub fn locate(self) -> Result<PathBuf, HeadError> {
        let folder = hub::torch_hub_folder();
        let file = folder.join(self.file);
        if file.is_file() { Ok(file) } else { Err(HeadError::NoWeights { head: self, folder }) }
    }
}
