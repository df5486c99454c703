//! What the window can ask for. Commands are plain data; their inputs are shared, never copied.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array2, Array3};

use super::clip::Clip;
use super::head_export::HeadExport;
use super::heads::HeadRequest;
use super::probe::{ProbeExport, ProbeRequest};
use super::record::{ClipMapExport, TracksExport};
use super::retrieval::{IndexRequest, SearchRequest};
use super::segmentation::SegmentationExport;
use super::track::TrackRequest;
use super::words::{ClassMapRequest, LabelRequest, SegmentRequest, WordsRequest};
use crate::analysis::clustering::{ClusterOptions, Labels};
use crate::analysis::matching::{MatchOptions, Pair};
use crate::analysis::pca::{Basis, Scores};
use crate::analysis::similarity::MapQuery;
use crate::backend::{DeviceChoice, Dtype};
use crate::cache::{CachedFeatures, FeatureKey};
use crate::draw::overlay::OverlayStyle;
use crate::encoder::ModelSource;
use crate::features::Geometry;
use crate::hub::Source;
use crate::image::{Filter, Picture};
use crate::probe::Probe;
use crate::retrieval::Sheet;
use crate::{Cancel, Result};

/// Names a command among all that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a picture that the window has opened: a still, or one frame of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PictureId(pub u64);

impl PictureId {
    /// Low bits that number documents; those above number the frames of a clip.
    const DOCUMENT_BITS: u32 = 32;

    /// The still or the clip that it belongs to; the same as the name of a clip's first frame.
    pub fn document(self) -> Self {
        Self(self.0 & ((1 << Self::DOCUMENT_BITS) - 1))
    }

    /// Place in the clip; 0 for stills.
    pub fn frame(self) -> usize {
        (self.0 >> Self::DOCUMENT_BITS) as usize
    }

    /// Another frame of the same clip.
    pub fn at_frame(self, frame: usize) -> Self {
        Self(self.document().0 | (frame as u64) << Self::DOCUMENT_BITS)
    }
}

/// A model as a person chooses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ModelChoice {
    /// Which weights.
    pub source: ModelSource,
    /// Where to run.
    pub device: DeviceChoice,
    /// Precision; `None`: what suits the device.
    pub dtype: Option<Dtype>,
}

/// Where a picture comes from.
#[derive(Clone, Debug)]
pub enum PictureSource {
    /// A file.
    File(PathBuf),
    /// A file or folder with a clip; the picture's name tells the frame.
    Clip(PathBuf),
    /// An encoded picture that is part of the program.
    Embedded {
        /// For messages.
        name: &'static str,
        /// The file's content.
        bytes: &'static [u8],
    },
    /// A clip that is part of the program; its frames are read from a copy in the user's cache.
    EmbeddedClip {
        /// For messages and for the copy.
        name: &'static str,
        /// The file's content.
        bytes: &'static [u8],
    },
    /// The clipboard's.
    Pixels(Arc<Picture>),
}

/// A picture whose features are wanted.
#[derive(Clone, Debug)]
pub struct EncodeJob {
    /// What the features are stored under. Its model must be the one loaded last.
    pub key: FeatureKey,
    /// The picture.
    pub pixels: PixelSource,
    /// How it is resized.
    pub filter: Filter,
}

/// Where the pixels of an [`EncodeJob`] are.
#[derive(Clone, Debug)]
pub enum PixelSource {
    /// At hand.
    Loaded(Arc<Picture>),
    /// In a clip, at the frame that the picture's name tells.
    Clip(Clip),
}

impl PixelSource {
    /// The pixels of `picture`.
    ///
    /// # Errors
    /// As [`Clip::frame`].
    pub fn read(&self, picture: PictureId, cancel: &Cancel) -> Result<Arc<Picture>> {
        match self {
            Self::Loaded(pixels) => Ok(Arc::clone(pixels)),
            Self::Clip(clip) => clip.frame(picture.frame(), cancel),
        }
    }
}

/// Features of one picture with the patches that count.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The picture.
    pub picture: PictureId,
    /// Its features.
    pub features: Arc<CachedFeatures>,
    /// `[rows, cols]`; all patches where there is none.
    pub foreground: Option<Arc<Array2<bool>>>,
}

/// Principal components of one or many pictures.
#[derive(Clone, Debug)]
pub struct PcaRequest {
    /// Pictures to fit on.
    pub fit: Vec<Selected>,
    /// Pictures whose scores are wanted.
    pub project: Vec<(PictureId, Arc<CachedFeatures>)>,
    /// Components to fit; fewer where features or patches do not have as many.
    pub components: usize,
    /// Used as it is instead of fitting.
    pub basis: Option<Arc<Basis>>,
    /// Signs follow this one, so that colours stay; ignored where its features are of another width.
    pub align_to: Option<Arc<Basis>>,
}

/// K-means over one or many pictures together.
#[derive(Clone, Debug)]
pub struct ClusterRequest {
    /// The pictures.
    pub pictures: Vec<(PictureId, Arc<CachedFeatures>)>,
    /// How.
    pub options: ClusterOptions,
}

/// Correspondences between two pictures.
#[derive(Clone, Debug)]
pub struct MatchRequest {
    /// The left picture.
    pub left: Selected,
    /// The right picture.
    pub right: Selected,
    /// What is kept.
    pub options: MatchOptions,
}

/// Pairs that are to become fewer.
#[derive(Clone, Debug)]
pub struct ThinRequest {
    /// By left patch.
    pub pairs: Arc<Vec<Pair>>,
    /// Between the left ends of those that stay, in pixels of the left picture.
    pub distance: f64,
}

/// One of two pictures that are drawn with what matches in them.
#[derive(Clone, Debug)]
pub struct MatchSide {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Where its patches lie.
    pub geometry: Geometry,
    /// `[rows, cols, 3]` in 0..=1.
    pub colours: Arc<Array3<f32>>,
}

/// How pairs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFormat {
    /// As `dinoscope match --json-out`.
    Json,
    /// A line for each pair.
    Csv,
}

/// The patches of a picture that belong to the object.
#[derive(Clone, Debug)]
pub struct ForegroundRequest {
    /// The picture.
    pub picture: PictureId,
    /// Its features.
    pub features: Arc<CachedFeatures>,
    /// Who says so.
    pub source: ForegroundSource,
}

/// Who says which patches belong to the object.
#[derive(Clone, Debug)]
pub enum ForegroundSource {
    /// The features themselves.
    Automatic,
    /// A PNG of the picture's size.
    Mask(PathBuf),
    /// A probe, whose first class is the background; cleaned by a 3×3 median.
    Probe(Arc<Probe>),
}

impl PartialEq for ForegroundSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Automatic, Self::Automatic) => true,
            (Self::Mask(path), Self::Mask(other)) => path == other,
            (Self::Probe(probe), Self::Probe(other)) => Arc::ptr_eq(probe, other),
            _ => false,
        }
    }
}

/// What is drawn into, or written to, a file. Drawing happens at the picture's own size.
#[derive(Clone, Debug)]
pub enum Export {
    /// A similarity map over a picture, as PNG.
    MapPicture {
        /// The picture.
        picture: Arc<Picture>,
        /// Its features.
        features: Arc<CachedFeatures>,
        /// What is asked.
        query: MapQuery,
        /// How it looks.
        style: OverlayStyle,
    },
    /// Colours over a picture, as PNG.
    ColourPicture {
        /// The picture.
        picture: Arc<Picture>,
        /// Where the grid lies.
        geometry: Geometry,
        /// `[rows, cols, 3]`, or with alpha `[rows, cols, 4]`, in 0..=1.
        colours: Arc<Array3<f32>>,
        /// Between patches.
        interpolation: crate::draw::overlay::Interpolation,
        /// 1: colours alone.
        opacity: f32,
    },
    /// Two pictures in the colours of their patches, and some pairs as lines, as PNG.
    MatchPicture {
        /// The left picture.
        left: MatchSide,
        /// The right picture.
        right: MatchSide,
        /// Drawn as lines.
        lines: Arc<Vec<Pair>>,
    },
    /// Pairs of patches, as text.
    Pairs {
        /// Name of the left picture.
        left: String,
        /// Name of the right picture.
        right: String,
        /// By left patch.
        pairs: Arc<Vec<Pair>>,
        /// JSON or CSV.
        format: PairFormat,
    },
    /// A picture that is drawn already, as PNG.
    Picture(Arc<Picture>),
    /// A similarity map `[rows, cols]`, as `.npy`; NaN where the query leaves patches out.
    Map {
        /// The picture's features.
        features: Arc<CachedFeatures>,
        /// What is asked.
        query: MapQuery,
    },
    /// Scores of components `[rows, cols, components]`, as `.npy`.
    Scores(Arc<Scores>),
    /// Clusters `[rows, cols]`, as `.npy` of 64-bit integers.
    Labels(Arc<Labels>),
    /// A basis, as JSON.
    Basis(Arc<Basis>),
    /// All features of a picture, as safetensors.
    Features(Arc<CachedFeatures>),
    /// Text that is complete already: JSON, CSV.
    Text(String),
    /// Objects followed through a clip, as a video, folder or file.
    Tracks(Box<TracksExport>),
    /// A map through a clip, as a video. Runs beside the model.
    ClipMap(Box<ClipMapExport>),
    /// A picture divided among phrases, its labels or its scores.
    Segmentation(Box<SegmentationExport>),
    /// What a head says of a picture.
    Head(Box<HeadExport>),
    /// A probe, as safetensors.
    Probe(Arc<Probe>),
    /// What a probe says of a picture.
    Probed(Box<ProbeExport>),
    /// What a search found, as PNG.
    Results(Arc<Sheet>),
}

/// What the window can ask for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Decode a picture and put it, with a thumbnail, on the graphics device.
    Open {
        /// The picture's name from now on.
        picture: PictureId,
        /// Where it comes from.
        source: PictureSource,
    },
    /// Decode another frame of a clip and put it on the graphics device. Only the newest counts for each clip.
    Frame {
        /// The frame.
        picture: PictureId,
        /// Its clip.
        clip: Clip,
    },
    /// Thumbnails of some frames of a clip. Only the newest counts for each clip.
    Preview {
        /// Any frame of the clip.
        picture: PictureId,
        /// The clip; it is opened once more, so that nobody waits for its thumbnails.
        clip: Clip,
        /// In the order they are wanted.
        frames: Vec<usize>,
    },
    /// Load a model and let the one before go, with what it was still to encode. Only the newest counts.
    LoadModel(ModelChoice),
    /// Encode these pictures, most urgent first. Replaces the list before: what is not on the new one is stopped.
    Encode(Vec<EncodeJob>),
    /// Follow objects through a clip. Only the newest counts.
    Track(TrackRequest),
    /// Open dino.txt beside the model. Only the newest counts.
    LoadWords(WordsRequest),
    /// Divide a picture among phrases. Only the newest counts for each detail.
    Segment(Box<SegmentRequest>),
    /// Make an index of pictures, or add to it what is missing. Only the newest counts; between two pictures it gives way to
    /// whatever else is asked of the model.
    Index(IndexRequest),
    /// Search an index. Only the newest counts.
    Search(SearchRequest),
    /// Small versions of picture files, in that order. Only the newest list counts.
    Thumbnails(Vec<PathBuf>),
    /// Read a picture with a head. Only the newest counts for each task.
    ReadHead(Box<HeadRequest>),
    /// Label a divided picture anew. Only the newest counts.
    Label(LabelRequest),
    /// Only the newest counts.
    ClassMap(ClassMapRequest),
    /// Only the newest counts.
    Pca(PcaRequest),
    /// Only the newest counts.
    Cluster(ClusterRequest),
    /// Only the newest counts.
    Match(MatchRequest),
    /// Only the newest counts.
    Thin(ThinRequest),
    /// Only the newest counts for each picture.
    Foreground(ForegroundRequest),
    /// Only the newest counts.
    Probe(Box<ProbeRequest>),
    /// Write a file: to a temporary name, then renamed.
    Export {
        /// What.
        what: Export,
        /// Where to.
        path: PathBuf,
        /// Written into the file where its format has a place for it.
        metadata: Vec<(String, String)>,
    },
    /// Draw for the clipboard: comes back as [`super::Outcome::Drawn`].
    Draw(Export),
    /// Download a published model into the cache. Several wait for each other.
    Download {
        /// Name in the zoo.
        name: String,
        /// Which repository.
        source: Source,
        /// For gated repositories; `None`: the environment's.
        token: Option<String>,
        /// That the person was shown the licence and accepted it.
        licence_accepted: bool,
    },
    /// Delete a published model's files from the cache.
    RemoveModel {
        /// Name in the zoo.
        name: String,
    },
    /// Which published models are on the disk.
    ListModels,
}

impl Command {
    /// The thread it runs on.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Open { .. } | Self::ListModels => Lane::Files,
            Self::Frame { .. } => Lane::Frames,
            Self::Preview { .. } | Self::Thumbnails(_) => Lane::Previews,
            Self::LoadModel(_)
            | Self::Encode(_)
            | Self::Track(_)
            | Self::LoadWords(_)
            | Self::Segment(_)
            | Self::ReadHead(_) => Lane::Model,
            Self::Index(_) | Self::Search(_) => Lane::Model,
            Self::Label(_) | Self::ClassMap(_) => Lane::Analysis,
            Self::Pca(_) | Self::Cluster(_) | Self::Match(_) | Self::Thin(_) | Self::Foreground(_) | Self::Probe(_) => {
                Lane::Analysis
            }
            Self::Export { what: Export::ClipMap(_), .. } => Lane::Model,
            Self::Export { .. } | Self::Draw(_) => Lane::Export,
            // Deleting waits for downloads, whose files it could take away.
            Self::Download { .. } | Self::RemoveModel { .. } => Lane::Download,
        }
    }

    /// Whether `older`, sent before and not finished yet, is not wanted any more.
    pub fn replaces(&self, older: &Self) -> bool {
        match (self, older) {
            (
                Self::LoadModel(_),
                Self::LoadModel(_)
                | Self::Encode(_)
                | Self::Track(_)
                | Self::LoadWords(_)
                | Self::Segment(_)
                | Self::ReadHead(_)
                | Self::Index(_)
                | Self::Search(_),
            )
            | (Self::LoadWords(_), Self::LoadWords(_))
            | (Self::Label(_), Self::Label(_))
            | (Self::ClassMap(_), Self::ClassMap(_))
            | (Self::Encode(_), Self::Encode(_))
            | (Self::Track(_), Self::Track(_))
            | (Self::Index(_), Self::Index(_))
            | (Self::Search(_), Self::Search(_))
            | (Self::Thumbnails(_), Self::Thumbnails(_))
            | (Self::Pca(_), Self::Pca(_))
            | (Self::Probe(_), Self::Probe(_))
            | (Self::Cluster(_), Self::Cluster(_))
            | (Self::Match(_), Self::Match(_))
            | (Self::Thin(_), Self::Thin(_)) => true,
            (Self::Segment(newer), Self::Segment(older)) => newer.detail == older.detail,
            (Self::ReadHead(newer), Self::ReadHead(older)) => newer.options.task() == older.options.task(),
            (Self::Foreground(newer), Self::Foreground(older)) => newer.picture == older.picture,
            (Self::Frame { picture: newer, .. }, Self::Frame { picture: older, .. })
            | (Self::Preview { picture: newer, .. }, Self::Preview { picture: older, .. }) => {
                newer.document() == older.document()
            }
            _ => false,
        }
    }
}

/// Threads that commands run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Decoding and listing.
    Files,
    /// Frames of clips.
    Frames,
    /// Thumbnails of clips and of files that are not open.
    Previews,
    /// The model: loading and encoding.
    Model,
    /// What reads features.
    Analysis,
    /// Writing.
    Export,
    /// The network.
    Download,
}
