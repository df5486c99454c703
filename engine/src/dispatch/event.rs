//! What comes back from the threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ndarray::{Array2, Array3};

use super::clip::Clip;
use super::command::{ModelChoice, PictureId, RequestId};
use super::heads::HeadReading;
use super::probe::Probed;
use super::retrieval::{Indexed, Searched};
use super::track::TrackedLabels;
use super::words::{ClassMap, Labelled, Segmented, WordsRequest};
use crate::analysis::clustering::Labels;
use crate::analysis::matching::{Nearest, Pair};
use crate::analysis::pca::{Basis, Scores};
use crate::cache::{CachedFeatures, FeatureKey};
use crate::doctor::Fit;
use crate::encoder::Provenance;
use crate::gpu::PictureTexture;
use crate::image::Picture;
use crate::progress::Progress;
use crate::retrieval::Recipe;

/// Something that happened to a command.
#[derive(Debug)]
pub struct Event {
    /// The command.
    pub id: RequestId,
    /// What happened.
    pub outcome: Outcome,
}

/// A model that is ready.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// As it was asked for.
    pub choice: ModelChoice,
    /// Where features will come from.
    pub provenance: Provenance,
    /// Pixels per patch.
    pub stride: usize,
    /// Numbers per patch.
    pub dim: usize,
    /// Blocks (ViT) or all blocks of all stages (ConvNeXt).
    pub depth: usize,
    /// How long loading took.
    pub load_time: Duration,
}

/// A published model and what of it is here.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredModel {
    /// Name in the zoo.
    pub name: &'static str,
    /// Its folder, where it is complete.
    pub path: Option<PathBuf>,
    /// Bytes on the disk, finished or not.
    pub bytes: u64,
    /// What it takes in the processor's memory, and whether it fits.
    pub fit: Fit,
}

/// Correspondences.
#[derive(Clone, Debug)]
pub struct MatchResult {
    /// The left picture.
    pub left: PictureId,
    /// The right picture.
    pub right: PictureId,
    /// Kept pairs, by left patch.
    pub pairs: Vec<Pair>,
    /// All nearest patches in both directions, for hovering.
    pub nearest: Nearest,
    /// Left and right `[rows, cols, 3]` in 0..=1 by the PCA of the matched left patches; `None` where they are too few.
    pub colours: Option<[Arc<Array3<f32>>; 2]>,
}

/// What happened.
#[derive(Debug)]
pub enum Outcome {
    /// How far it is. Not the last event of a command.
    Progress(Progress),
    /// [`super::Command::Open`]
    Opened {
        /// The picture.
        picture: PictureId,
        /// Its pixels.
        pixels: Arc<Picture>,
        /// On the device; `None` without one.
        texture: Option<Arc<PictureTexture>>,
        /// At most 256 pixels on a side.
        thumbnail: Picture,
        /// Where it is a frame of a clip.
        clip: Option<Clip>,
    },
    /// [`super::Command::Frame`]
    Frame {
        /// The frame.
        picture: PictureId,
        /// Its pixels.
        pixels: Arc<Picture>,
        /// On the device; `None` without one.
        texture: Option<Arc<PictureTexture>>,
    },
    /// One frame of [`super::Command::Preview`]. Not the last event of the command.
    Preview {
        /// The frame.
        picture: PictureId,
        /// At most 256 pixels on a side.
        thumbnail: Picture,
    },
    /// [`super::Command::LoadModel`]
    ModelReady(ModelInfo),
    /// The model's device has failed and it runs elsewhere. Not the last event of [`super::Command::Encode`].
    ModelMoved {
        /// Where it runs now.
        info: ModelInfo,
        /// One sentence.
        message: String,
    },
    /// One picture of [`super::Command::Encode`]. Not the last event of the command.
    Encoded {
        /// What to store it under.
        key: FeatureKey,
        /// The features.
        features: Arc<CachedFeatures>,
        /// How long the model took.
        time: Duration,
    },
    /// One picture of [`super::Command::Encode`] that failed; the others go on.
    EncodeFailed {
        /// What failed.
        key: FeatureKey,
        /// One sentence.
        message: String,
    },
    /// [`super::Command::Track`]: which frames are still as they were tracked before; others count no more. Not the last
    /// event of the command.
    TrackingBegins {
        /// The clip.
        picture: PictureId,
        /// In order; those with a mask too.
        kept: Vec<usize>,
    },
    /// One frame of [`super::Command::Track`]. Not the last event of the command.
    Tracked {
        /// The frame.
        picture: PictureId,
        /// What is known of it.
        tracked: Arc<TrackedLabels>,
    },
    /// [`super::Command::LoadWords`]
    WordsReady {
        /// As it was asked for.
        request: WordsRequest,
        /// The file.
        path: PathBuf,
    },
    /// [`super::Command::LoadWords`]: no file was named, and there is none where torch.hub stores it.
    NoWords {
        /// Where that is.
        folder: PathBuf,
    },
    /// [`super::Command::ReadHead`]
    HeadRead(Arc<HeadReading>),
    /// [`super::Command::ReadHead`]: no file was named, and there is none where torch.hub stores it.
    NoHead {
        /// Where that is.
        folder: PathBuf,
    },
    /// [`super::Command::Segment`]
    Segmented(Arc<Segmented>),
    /// [`super::Command::Label`], with the picture.
    Labelled(PictureId, Arc<Labelled>),
    /// [`super::Command::ClassMap`]
    ClassMap(Arc<ClassMap>),
    /// The graphics device has failed and the processor goes on with [`super::Command::Track`]. Not the last event of the
    /// command.
    TrackingMoved {
        /// One sentence.
        message: String,
    },
    /// [`super::Command::Pca`]
    Pca {
        /// The basis the scores are made with.
        basis: Arc<Basis>,
        /// `[rows, cols, components]`, whitened, by picture.
        scores: Vec<(PictureId, Arc<Scores>)>,
    },
    /// [`super::Command::Cluster`]: labels `[rows, cols]`, by picture.
    Clusters(Vec<(PictureId, Arc<Labels>)>),
    /// [`super::Command::Match`]
    Matches(Arc<MatchResult>),
    /// [`super::Command::Thin`]: the pairs that stay.
    Thinned(Vec<Pair>),
    /// [`super::Command::Foreground`]
    Foreground {
        /// The picture.
        picture: PictureId,
        /// `[rows, cols]`
        mask: Arc<Array2<bool>>,
    },
    /// [`super::Command::Probe`]
    Probed(Arc<Probed>),
    /// [`super::Command::Index`]
    Indexed(Arc<Indexed>),
    /// [`super::Command::Search`]
    Searched(Arc<Searched>),
    /// [`super::Command::Index`] and [`super::Command::Search`]: the index was made with another model.
    OtherIndex {
        /// Its folder.
        index: PathBuf,
        /// What it was made with.
        recipe: Recipe,
    },
    /// One file of [`super::Command::Thumbnails`]. Not the last event of the command.
    Thumbnail {
        /// The file.
        path: PathBuf,
        /// At most 256 pixels on a side; or one sentence.
        thumbnail: Result<Picture, String>,
    },
    /// [`super::Command::Export`]
    Exported(PathBuf),
    /// [`super::Command::Draw`]
    Drawn(Arc<Picture>),
    /// [`super::Command::Download`]
    Downloaded {
        /// Name in the zoo.
        name: String,
        /// Its folder.
        path: PathBuf,
    },
    /// [`super::Command::RemoveModel`] and [`super::Command::ListModels`]
    Models(Vec<StoredModel>),
    /// [`super::Command::Encode`], [`super::Command::Preview`], [`super::Command::Thumbnails`] and
    /// [`super::Command::Track`] have worked off their lists.
    Finished,
    /// One sentence that says what to do. The program goes on.
    Failed(Failure),
    /// Stopped, by [`super::Dispatcher::cancel`] or by a newer command.
    Cancelled,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence.
    pub message: String,
    /// What would mend it, where the program can.
    pub remedy: Option<Remedy>,
}

/// What a button beside a failure can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Download this model of the zoo.
    Download(String),
    /// Run on the processor.
    UseCpu,
    /// Give a token for gated repositories.
    GiveToken(String),
}
