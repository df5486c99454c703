//! Why a text could not be compared with a picture.

use std::path::PathBuf;

/// The file that Meta publishes.
pub const WEIGHTS_FILE: &str = "dinov3_vitl16_dinotxt_vision_head_and_text_encoder-a442d8f5.pth";
/// How large it is.
pub const WEIGHTS_SIZE: &str = "2.3 GB";
/// What it is under.
pub const WEIGHTS_LICENCE: &str = "DINOv3 License";
/// The model that it goes with, a name of the zoo.
pub const WEIGHTS_MODEL: &str = "vitl16";
/// Where one asks for it.
pub const WEIGHTS_PAGE: &str = "https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/";

/// Why a text could not be compared with a picture.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// No dino.txt file was named, and none lies where the reference stores it.
    #[error(
        "text needs dino.txt's weights beside the backbone's: Meta's {WEIGHTS_FILE} ({WEIGHTS_SIZE}, under the \
         {WEIGHTS_LICENCE}), for the model {WEIGHTS_MODEL}; ask for it at {WEIGHTS_PAGE} and give the file by \
         --dinotxt-weights, or put it into {}",
        folder.display()
    )]
    NoWeights {
        /// Where the reference stores what it downloads.
        folder: PathBuf,
    },
    /// Another checkpoint, or half of one.
    #[error("{} is no dino.txt checkpoint: {reason}", path.display())]
    NotDinotxt {
        /// The file.
        path: PathBuf,
        /// What is missing or too much.
        reason: String,
    },
    /// The head reads other features than the backbone gives.
    #[error(
        "the vision head of {} reads {expected} numbers per patch, but the model has {got}: use the model it was trained \
         on (vitl16 for Meta's)", path.display()
    )]
    Head {
        /// The file.
        path: PathBuf,
        /// Width of the head.
        expected: usize,
        /// Width of the backbone.
        got: usize,
    },
    /// A model without the tokens or heads that dino.txt needs.
    #[error("dino.txt's vision head needs a vision transformer, and this model is a ConvNeXt: use --model vitl16")]
    NoTransformer,
    /// Texts and pictures are described by vectors of different lengths.
    #[error(
        "{} is inconsistent: a text has {text} numbers, a picture {picture} (CLS and mean patch)", path.display()
    )]
    Vectors {
        /// The file.
        path: PathBuf,
        /// Of a text.
        text: usize,
        /// Of a picture.
        picture: usize,
    },
    /// Patches that texts cannot be compared with.
    #[error("a text has {text} numbers for patches, a patch has {patch}: compare it with those of the vision head")]
    Patches {
        /// Of a text.
        text: usize,
        /// Of a patch.
        patch: usize,
    },
    /// The tokens are not those of the text tower.
    #[error(
        "the vocabulary has {tokens} tokens, but the text tower of {} knows {known}: give the vocabulary it was trained \
         with by --vocab", path.display()
    )]
    Tokens {
        /// The checkpoint.
        path: PathBuf,
        /// Of the vocabulary.
        tokens: usize,
        /// Of the tower.
        known: usize,
    },
    /// Not a byte-pair vocabulary.
    #[error("{} is no vocabulary of CLIP's form: {reason}; leave --vocab out to use the published one", path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// Not a list of prompt templates.
    #[error("{} is no list of templates: {reason}; each line is a text with {{}} for the phrase", path.display())]
    Templates {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// Not a list of class names.
    #[error("{} is no list of classes: {reason}; each line is a phrase", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing to look for.
    #[error("no phrase was given: name at least one")]
    NoPhrases,
    /// A class without a name.
    #[error("phrase {number} is empty: every class needs a name")]
    EmptyPhrase {
        /// From 1.
        number: usize,
    },
    /// More classes than a label can be.
    #[error("{got} phrases are too many: a picture is divided among at most {most}")]
    TooManyPhrases {
        /// As given.
        got: usize,
        /// As many there may be.
        most: usize,
    },
    /// Windows that cannot cover a picture.
    #[error("windows of {side} pixels with a stride of {stride} leave gaps: the stride is from 1 to the window's side")]
    Windows {
        /// In pixels.
        side: usize,
        /// In pixels.
        stride: usize,
    },
}
