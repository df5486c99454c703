//! Pictures against classes: each place of a picture (zero-shot segmentation; reference:
//! `notebooks/dinotxt_segmentation_inference.ipynb`), or all of it (zero-shot classification; reference:
//! `notebooks/dinotxt_inference.ipynb`).

use ndarray::{Array1, Array2, Axis};

use super::model::unit;
use super::scores::{self, PatchScores};
use super::{ClassVectors, TextError};
use crate::analysis::AnalysisError;
use crate::backend::{Run, VisionHead};
use crate::classes::Scores;
use crate::classes::windows::{Window, cut, windows};
use crate::encoder::Encoder;
use crate::features::{FeatureGrid, Geometry};
use crate::image::size::short_side_truncated;
use crate::image::stretch::stretch;
use crate::image::{Filter, Normalisation, Picture, Pixels, Preprocessing, SizeRule, resample};
use crate::{Cancel, Progress, Result};

/// Short side of a picture, in pixels, where nothing else is asked for.
pub const SHORT_SIDE: usize = 512;

/// What is described at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole picture; scores are cosines of patches.
    Whole,
    /// Squares that overlap; scores are means of softmax over the classes.
    Slide {
        /// Of a square, in pixels of the resized picture.
        side: usize,
        /// From one square to the next.
        stride: usize,
    },
}

/// Side of a window, in pixels, where nothing else is asked for.
pub const WINDOW: usize = 384;
/// From one window to the next.
pub const WINDOW_STRIDE: usize = 192;

impl Default for Mode {
    fn default() -> Self {
        Self::Slide { side: WINDOW, stride: WINDOW_STRIDE }
    }
}

/// Which features of patches are compared with texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchSource {
    /// Those behind the vision head, which dino.txt was trained with (and `notebooks/dinotxt_inference.ipynb` takes).
    #[default]
    Head,
    /// Those before it: what `notebooks/dinotxt_segmentation_inference.ipynb` takes, the third value of
    /// `get_class_and_patch_tokens`, though it speaks of the blocks behind.
    Backbone,
}

/// How a picture is brought to the model, and what of it is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentOptions {
    /// A short side is exactly that, and the long side is truncated to an integer: no rule of a stride.
    pub size: SizeRule,
    /// How it is resized.
    pub filter: Filter,
    /// Mean and deviation of the training pictures.
    pub normalisation: Normalisation,
    /// What is described at once.
    pub mode: Mode,
    /// What is compared with texts in [`segment`].
    pub patches: PatchSource,
}

impl SegmentOptions {
    /// The reference's, for weights that expect `normalisation`.
    pub fn new(normalisation: Normalisation) -> Self {
        let size = SizeRule::ShortSide(SHORT_SIDE);
        let (mode, patches) = (Mode::default(), PatchSource::default());
        Self { size, filter: Filter::Bicubic, normalisation, mode, patches }
    }

    /// The resized and normalised picture, and the width and height of the part that it covers.
    fn apply(&self, picture: &Picture, patch: usize) -> Result<(Pixels, (usize, usize))> {
        let SizeRule::ShortSide(side) = self.size else {
            let Self { size, filter, normalisation, .. } = *self;
            let (pixels, geometry) = Preprocessing { size, filter, normalisation }.apply(picture, patch)?;
            return Ok((pixels, geometry.covered));
        };
        let covered = (picture.width, picture.height);
        let (width, height) = short_side_truncated(side, covered)?;
        let mut pixels = resample::resize(picture, width, height, self.filter);
        self.normalisation.apply(&mut pixels);
        Ok((pixels, covered))
    }
}

/// Something of each part of a picture that is described at once.
struct Parts<T> {
    /// Width and height of the picture.
    picture: (usize, usize),
    /// Width and height of what the parts cover.
    covered: (usize, usize),
    content: Content<T>,
}

enum Content<T> {
    Whole(T),
    Slide {
        /// Width and height of the picture that windows are cut from.
        size: (usize, usize),
        windows: Vec<(Window, T)>,
    },
}

impl From<Parts<PatchScores>> for Scores {
    fn from(Parts { picture, covered, content }: Parts<PatchScores>) -> Self {
        match content {
            Content::Whole(scores) => scores::whole(picture, covered, scores),
            Content::Slide { size, windows } => scores::slide(picture, covered, size, windows),
        }
    }
}

/// A picture's patches, ready to be compared with any texts.
pub struct Described(Parts<FeatureGrid>);

impl Described {
    /// Scores of every class everywhere in the picture.
    ///
    /// # Errors
    /// [`TextError::Patches`], [`AnalysisError::NotFinite`].
    pub fn scores(&self, classes: &ClassVectors) -> Result<Scores> {
        let Parts { picture, covered, content } = &self.0;
        let content = match content {
            Content::Whole(patches) => Content::Whole(cosines(patches, &classes.patch)?),
            Content::Slide { size, windows } => {
                let of_window =
                    |(window, patches): &(Window, FeatureGrid)| Ok((*window, cosines(patches, &classes.patch)?));
                Content::Slide { size: *size, windows: windows.iter().map(of_window).collect::<Result<_>>()? }
            }
        };
        Ok(Parts { picture: *picture, covered: *covered, content }.into())
    }
}

/// Describes a picture for texts that are yet to come. Where they are known, [`segment`] needs less memory.
///
/// # Errors
/// As [`segment`].
pub fn describe(
    encoder: &mut Encoder,
    head: &mut dyn VisionHead,
    picture: &Picture,
    options: &SegmentOptions,
    cancel: &Cancel,
    progress: &dyn Fn(Progress),
) -> Result<Described> {
    parts(encoder, head, picture, options, cancel, progress, &Ok).map(Described)
}

/// Scores of every class everywhere in a picture.
///
/// # Errors
/// [`TextError::Windows`], [`AnalysisError::NotFinite`]; as [`Preprocessing::apply`], [`crate::backend::Backbone::forward`] and
/// [`VisionHead::forward`].
pub fn segment(
    encoder: &mut Encoder,
    head: &mut dyn VisionHead,
    picture: &Picture,
    classes: &ClassVectors,
    options: &SegmentOptions,
    cancel: &Cancel,
    progress: &dyn Fn(Progress),
) -> Result<Scores> {
    let compare = |patches: FeatureGrid| cosines(&patches, &classes.patch);
    parts(encoder, head, picture, options, cancel, progress, &compare).map(Scores::from)
}

fn parts<T>(
    encoder: &mut Encoder,
    head: &mut dyn VisionHead,
    picture: &Picture,
    options: &SegmentOptions,
    cancel: &Cancel,
    progress: &dyn Fn(Progress),
    take: &dyn Fn(FeatureGrid) -> Result<T>,
) -> Result<Parts<T>> {
    let (patch, depth) = (encoder.config().stride(), encoder.config().depth());
    let size = (picture.width, picture.height);
    let (pixels, covered) = options.apply(picture, patch)?;
    let mut part = |pixels: Pixels, index: usize, count: usize| -> Result<T> {
        let on_block = |done: usize| {
            let (done, total) = ((index * depth + done) as u64, Some((count * depth) as u64));
            progress(Progress { stage: "segmenting".to_owned(), done, total });
        };
        let mut features = encoder.forward(&stretch(pixels, patch), &[], Run::watched(cancel, &on_block))?.output;
        if options.patches == PatchSource::Head {
            features = head.forward(&features, &Run::from(cancel))?;
        }
        take(features.patch)
    };
    let content = match options.mode {
        Mode::Whole => Content::Whole(part(pixels, 0, 1)?),
        Mode::Slide { side, stride } => {
            if !(1..=side).contains(&stride) {
                return Err(TextError::Windows { side, stride }.into());
            }
            let places = windows(pixels.width, pixels.height, side, stride);
            let mut found = Vec::with_capacity(places.len());
            for (index, window) in places.iter().enumerate() {
                found.push((*window, part(cut(&pixels, *window), index, places.len())?));
            }
            Content::Slide { size: (pixels.width, pixels.height), windows: found }
        }
    };
    Ok(Parts { picture: size, covered, content })
}

/// Scores of a picture that is described already: `patches` are those of [`PatchSource`], and lie as `geometry` says.
///
/// # Errors
/// [`TextError::Patches`], [`AnalysisError::NotFinite`].
pub fn score_patches(patches: &FeatureGrid, geometry: &Geometry, classes: &ClassVectors) -> Result<Scores> {
    Ok(scores::whole(geometry.picture, geometry.covered, cosines(patches, &classes.patch)?))
}

/// Cosine of the whole picture to each class.
///
/// # Errors
/// As [`segment`].
pub fn classify(
    encoder: &mut Encoder,
    head: &mut dyn VisionHead,
    picture: &Picture,
    classes: &ClassVectors,
    options: &SegmentOptions,
    cancel: &Cancel,
) -> Result<Vec<f32>> {
    let patch = encoder.config().stride();
    let (pixels, _) = options.apply(picture, patch)?;
    let features = encoder.forward(&stretch(pixels, patch), &[], cancel)?.output;
    let features = head.forward(&features, &Run::from(cancel))?;
    if !features.is_finite() {
        return Err(AnalysisError::NotFinite.into());
    }
    Ok(classes.picture.dot(&unit(Array1::from(features.cls_and_mean()).view())).to_vec())
}

/// Cosines between patches and unit vectors, `[classes, dim]`.
fn cosines(features: &FeatureGrid, classes: &Array2<f32>) -> Result<PatchScores> {
    let &FeatureGrid { rows, cols, .. } = features;
    if features.dim() != classes.ncols() {
        return Err(TextError::Patches { text: classes.ncols(), patch: features.dim() }.into());
    }
    if !features.data.iter().all(|number| number.is_finite()) {
        return Err(AnalysisError::NotFinite.into());
    }
    let mut patches = features.data.clone();
    for mut patch in patches.rows_mut() {
        let unit = unit(patch.view());
        patch.assign(&unit);
    }
    let mut cosines = Vec::with_capacity(rows * cols * classes.nrows());
    for row in patches.axis_chunks_iter(Axis(0), cols) {
        cosines.extend(classes.dot(&row.t()).iter());
    }
    Ok(PatchScores { rows, cols, cosines })
}
