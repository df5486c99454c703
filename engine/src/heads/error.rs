//! Why a head could not be used.

use std::path::PathBuf;

use super::PublishedHead;
use super::published::HEADS_PAGE;
use crate::hub::DINOV3_LICENCE;

/// Why a head could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// No file was named, and none lies where the reference stores it.
    #[error(
        "{} needs the head's weights beside the backbone's: Meta's {} (under the {}), for the model {}; ask for it at \
         {HEADS_PAGE} and give the file by --head-weights, or put it into {}",
        head.task.name(), head.file, DINOV3_LICENCE.name, head.model, folder.display()
    )]
    NoWeights {
        /// What was looked for.
        head: PublishedHead,
        /// Where the reference stores what it downloads.
        folder: PathBuf,
    },
    /// Another kind of checkpoint, or half of one.
    #[error("{} is no head for {}: {reason}", path.display(), task.name())]
    NotThisHead {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        task: super::Task,
        /// What is missing or too much.
        reason: String,
    },
    /// The head reads other features than the backbone gives.
    #[error(
        "the head in {} reads {expected} numbers per patch, but the model has {got}: use the model it was trained on \
         (vit7b16 for most of Meta's)", path.display()
    )]
    Backbone {
        /// The head's file.
        path: PathBuf,
        /// Width that the head reads.
        expected: usize,
        /// Width of the backbone.
        got: usize,
    },
    /// The head reads layers that the backbone does not have.
    #[error("the head in {} reads layer {layer}, but the model has layers 0 to {last}: name others by --layers", path.display())]
    Layer {
        /// The head's file.
        path: PathBuf,
        /// As the preset or the person says.
        layer: usize,
        /// The backbone's last one.
        last: usize,
    },
    /// A model without the blocks that the head reads.
    #[error("the head in {} reads blocks of a vision transformer, and this model is a ConvNeXt: use the model it was trained on", path.display())]
    NoTransformer {
        /// The head's file.
        path: PathBuf,
    },
    /// A model that is not deep enough for the layers that published heads read.
    #[error(
        "the head in {} reads {reads} layers, and the model has {blocks} blocks: name the layers it was trained on by --layers",
        path.display()
    )]
    FewBlocks {
        /// The head's file.
        path: PathBuf,
        /// Layers that it reads.
        reads: usize,
        /// Of the backbone.
        blocks: usize,
    },
    /// Not as many layers were named as the head reads.
    #[error("the head in {} reads {expected} layers, and {got} were named: give {expected} numbers to --layers", path.display())]
    LayerCount {
        /// The head's file.
        path: PathBuf,
        /// That it reads.
        expected: usize,
        /// That were named.
        got: usize,
    },
    /// Depths that no bins lie between.
    #[error("depths from {least} to {greatest} m are no range: the least is above 0 and well below the greatest")]
    Range {
        /// In metres.
        least: f32,
        /// In metres.
        greatest: f32,
    },
    /// 16 bits do not hold the depths.
    #[error(
        "16 bits in steps of {step} m do not reach this picture's {greatest} m: give at least {least_step} m for a step"
    )]
    Step {
        /// In metres.
        step: f32,
        /// In metres.
        greatest: f32,
        /// In metres.
        least_step: f32,
    },
    /// Not the field of view of a camera.
    #[error("{fov} degrees are no field of view: give the angle that a row of the picture spans, such as 60")]
    Fov {
        /// In degrees.
        fov: f32,
    },
    /// Canopy heights as a point cloud.
    #[error("canopy heights are no distances from a camera, so there is no point cloud of them: leave --ply out")]
    NoDistances,
    /// The head reads patches of 16 pixels, and the backbone has others.
    #[error(
        "the head in {} reads patches of 16x16 pixels of a vision transformer, which this model has none of: use the model it \
         was trained on", path.display()
    )]
    Patches {
        /// The head's file.
        path: PathBuf,
    },
    /// Windows that leave gaps, or that cannot be cut.
    #[error(
        "windows of {side} pixels every {stride} pixels do not cover a picture: choose a stride of 1 to the window's side"
    )]
    Windows {
        /// In pixels.
        side: usize,
        /// In pixels.
        stride: usize,
    },
    /// There are not as many names as classes.
    #[error(
        "the head in {} tells {classes} classes apart, but there are {names} names: give a file with a name a line by \
         --classes", path.display()
    )]
    ClassNames {
        /// The head's file.
        path: PathBuf,
        /// Of the head.
        classes: usize,
        /// Of the list.
        names: usize,
    },
}
