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
    /// There are not as many names as classes.
    #[error("the head in {} tells {classes} classes apart, and {names} names were given", path.display())]
    ClassNames {
        /// The head's file.
        path: PathBuf,
        /// Of the head.
        classes: usize,
        /// Of the list.
        names: usize,
    },
}
