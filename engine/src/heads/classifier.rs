//! Which class a picture shows: a linear layer on the CLS token and the mean of the patches (reference:
//! `dinov3/hub/classifiers.py`).

use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module, linear};

use super::{HeadError, HeadWeights, Task};
use crate::analysis::AnalysisError;
use crate::encoder::Encoder;
use crate::features::Features;
use crate::image::size::SizeRule;
use crate::image::square::centre_square;
use crate::image::{Filter, Normalisation, Picture, PictureError, Pixels, Preprocessing};
use crate::model::ModelConfig;
use crate::text::phrases;
use crate::{Cancel, Result};

/// Side of the square that is looked at, in pixels, and of what the short side is resized to before: the reference's
/// (`make_classification_eval_transform` of `dinov3/data/transforms.py`).
const SIDE: usize = 224;
const SHORT: usize = 256;

/// Classes of ImageNet-1k.
const IMAGENET: usize = 1000;

/// A linear layer over classes. It runs on the processor.
pub struct ClassifierHead {
    linear: Linear,
    classes: Vec<String>,
    sha256: String,
}

impl ClassifierHead {
    /// Reads a head for features of `backbone`. A head of 1,000 classes without `names` is one for ImageNet; classes of
    /// any other are told by their numbers.
    ///
    /// # Errors
    /// [`HeadError`] where the file is another head, belongs to another backbone or has other classes than `names`;
    /// [`crate::checkpoint::CheckpointError`] where a part of it is missing; [`crate::Error::Cancelled`].
    pub fn load(
        weights: HeadWeights,
        backbone: &ModelConfig,
        names: Option<Vec<String>>,
        cancel: &Cancel,
    ) -> Result<Self> {
        // In the reference's whole classifier the layer has a name.
        let weights = weights.below("weight");
        let path = || weights.path().to_path_buf();
        let (Some(&[count, width]), 0..=2) = (weights.shape("weight"), weights.names().count()) else {
            let reason =
                "a linear head is a matrix `weight` and its `bias`, and this file has other tensors".to_owned();
            return Err(HeadError::NotThisHead { path: path(), task: Task::Classification, reason }.into());
        };
        let dim = backbone.dim();
        if width != 2 * dim {
            return Err(HeadError::Backbone { path: path(), expected: width / 2, got: dim }.into());
        }
        let classes = names.unwrap_or_else(|| match phrases::preset("imagenet") {
            Some(imagenet) if count == IMAGENET => imagenet,
            _ => (0..count).map(|class| format!("class {class}")).collect(),
        });
        if classes.len() != count {
            return Err(HeadError::ClassNames { path: path(), classes: count, names: classes.len() }.into());
        }
        let linear = weights.build(&Device::Cpu, |vb| linear(width, count, vb))?;
        Ok(Self { linear, classes, sha256: weights.sha256(cancel)? })
    }

    /// Names of the classes, in their order.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// SHA-256 of its file, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Probability of each class for a picture, from the features of the backbone's output.
    ///
    /// # Errors
    /// [`AnalysisError::NotFinite`], [`crate::Error::Tensor`].
    pub fn probabilities(&self, features: &Features) -> Result<Vec<f32>> {
        if !features.is_finite() {
            return Err(AnalysisError::NotFinite.into());
        }
        let vector = features.cls_and_mean();
        let logits = self.linear.forward(&Tensor::from_slice(&vector, (1, vector.len()), &Device::Cpu)?)?;
        Ok(candle_nn::ops::softmax_last_dim(&logits)?.flatten_all()?.to_vec1()?)
    }
}

/// How a picture is brought to the backbone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassifyOptions {
    /// A short side is the side of the square in the middle of the picture; all else is the whole picture.
    pub size: SizeRule,
    /// How it is resized.
    pub filter: Filter,
    /// Mean and deviation of the training pictures.
    pub normalisation: Normalisation,
}

impl ClassifyOptions {
    /// The reference's, for weights that expect `normalisation`.
    pub fn new(normalisation: Normalisation) -> Self {
        Self { size: SizeRule::ShortSide(SIDE), filter: Filter::Bicubic, normalisation }
    }

    fn apply(&self, picture: &Picture, stride: usize) -> Result<Pixels, PictureError> {
        let &Self { size, filter, normalisation } = self;
        let SizeRule::ShortSide(_) = size else {
            let (pixels, _) = Preprocessing { size, filter, normalisation }.apply(picture, stride)?;
            return Ok(pixels);
        };
        let (side, _) = size.resolve(1, 1, stride)?;
        let mut pixels = centre_square(picture, side * SHORT / SIDE, side, filter)?;
        normalisation.apply(&mut pixels);
        Ok(pixels)
    }
}

/// Probability of each class for a picture.
///
/// # Errors
/// [`PictureError`] where the picture does not fit the size; as
/// [`Backbone::forward`](crate::backend::Backbone::forward) and [`ClassifierHead::probabilities`].
pub fn classify(
    encoder: &mut Encoder,
    head: &ClassifierHead,
    picture: &Picture,
    options: &ClassifyOptions,
    cancel: &Cancel,
) -> Result<Vec<f32>> {
    let pixels = options.apply(picture, encoder.config().stride())?;
    head.probabilities(&encoder.forward(&pixels, &[], cancel)?.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_references() {
        let picture = Picture::from_rgb(30, 20, vec![7; 1800]).expect("a picture");
        let size = |size| {
            let options = ClassifyOptions { size, ..ClassifyOptions::new(Normalisation::WEB) };
            options.apply(&picture, 16).map(|pixels| (pixels.width, pixels.height))
        };
        assert_eq!(ClassifyOptions::new(Normalisation::WEB).size, SizeRule::ShortSide(224));
        assert_eq!(size(SizeRule::ShortSide(224)).ok(), Some((224, 224)));
        assert_eq!(size(SizeRule::ShortSide(100)).ok(), Some((112, 112)));
        assert_eq!(size(SizeRule::Exact { width: 32, height: 16 }).ok(), Some((32, 16)));
        assert_eq!(size(SizeRule::Native).ok(), Some((16, 16)));
        assert!(size(SizeRule::ShortSide(50_000)).is_err());
    }
}
