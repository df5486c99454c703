//! From a picture to scores (reference: `dinov3/eval/segmentation/{inference,transforms}.py`).

use super::{STRIDE, Segmentor, published_layers};
use crate::backend::Run;
use crate::classes::Scores;
use crate::classes::windows::{Window, cut, windows};
use crate::encoder::Encoder;
use crate::heads::HeadError;
use crate::heads::masks::{Masks, WindowMasks};
use crate::image::stretch::{stretch, to_square};
use crate::image::{Filter, Normalisation, Picture, PictureError, Pixels, SizeRule, resample, size};
use crate::{Cancel, Progress, Result};

/// What is looked at at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Squares that overlap; scores are averaged.
    Slide {
        /// Of a square, in pixels of the resized picture.
        side: usize,
        /// From one square to the next.
        stride: usize,
    },
    /// The whole picture, brought to a square whatever its shape, as the reference does.
    Whole {
        /// Of that square, in pixels.
        side: usize,
    },
}

/// Side of a window as the segmentor is published, and of a picture's short side.
pub const WINDOW: usize = 896;
/// From one window to the next, as the segmentor is published.
pub const WINDOW_STRIDE: usize = 596;
/// Side of the square that the reference makes of a whole picture.
pub const WHOLE_SIDE: usize = 512;

impl Default for Mode {
    fn default() -> Self {
        Self::Slide { side: WINDOW, stride: WINDOW_STRIDE }
    }
}

impl Mode {
    /// The whole picture as the reference brings it to the model.
    pub const WHOLE: Self = Self::Whole { side: WHOLE_SIDE };

    /// Refuses windows that do not cover a picture.
    ///
    /// # Errors
    /// [`HeadError::Windows`].
    pub fn check(self) -> Result<(), HeadError> {
        match self {
            Self::Slide { side, stride } if !(1..=side).contains(&stride) => Err(HeadError::Windows { side, stride }),
            Self::Whole { side: 0 } => Err(HeadError::Windows { side: 0, stride: 0 }),
            _ => Ok(()),
        }
    }
}

/// How a picture is brought to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentorOptions {
    /// A short side is exactly that, and the long side is rounded to an integer: no rule of a stride.
    pub size: SizeRule,
    /// How it is resized: as Pillow does, rounded to 8 bits.
    pub filter: Filter,
    /// Mean and deviation of the training pictures.
    pub normalisation: Normalisation,
    /// What is looked at at once.
    pub mode: Mode,
    /// The backbone's four layers, 0-based; `None` for those that the reference takes of a backbone as deep.
    pub layers: Option<Vec<usize>>,
}

impl SegmentorOptions {
    /// The reference's, for weights that expect `normalisation`.
    pub fn new(normalisation: Normalisation) -> Self {
        let size = SizeRule::ShortSide(WINDOW);
        Self { size, filter: Filter::Bilinear, normalisation, mode: Mode::default(), layers: None }
    }

    fn apply(&self, picture: &Picture) -> Result<Pixels, PictureError> {
        let (width, height) = match self.size {
            SizeRule::ShortSide(side) => short_side(side, (picture.width, picture.height)),
            SizeRule::Exact { width, height } => (width, height),
            SizeRule::Native => (picture.width, picture.height),
        };
        if width.saturating_mul(height) > size::MAX_INPUT_PIXELS || width.min(height) == 0 {
            return Err(PictureError::Size(format!(
                "size {} makes {width}x{height} of the picture's {}x{} pixels, but the model takes at most {} million \
                 and at least one: choose another size",
                self.size,
                picture.width,
                picture.height,
                size::MAX_INPUT_PIXELS / 1_000_000
            )));
        }
        let mut pixels = resample::resize_as_pillow(picture, width, height, self.filter);
        self.normalisation.apply(&mut pixels);
        Ok(pixels)
    }
}

/// The short side becomes `side`, the long side keeps the aspect ratio, rounded.
fn short_side(side: usize, (width, height): (usize, usize)) -> (usize, usize) {
    let (short, long) = (width.min(height), width.max(height));
    // The reference rounds halves up.
    let long = (side as f64 * long as f64 / short as f64 + 0.5) as usize;
    if height > width { (side, long) } else { (long, side) }
}

/// Scores of every class everywhere in a picture.
///
/// # Errors
/// [`HeadError::Windows`]; as [`Segmentor::check`], [`PictureError::Size`], [`crate::backend::Backbone::forward`];
/// [`crate::analysis::AnalysisError::NotFinite`], [`crate::Error::Tensor`] where the device has no room for the head,
/// [`crate::Error::Cancelled`].
pub fn predict(
    encoder: &mut Encoder,
    segmentor: &Segmentor,
    picture: &Picture,
    options: &SegmentorOptions,
    cancel: &Cancel,
    progress: &dyn Fn(Progress),
) -> Result<Scores> {
    let layers = options.layers.clone().unwrap_or_else(|| published_layers(encoder.config()));
    options.mode.check()?;
    segmentor.check(encoder.config(), &layers)?;
    let pixels = options.apply(picture)?;
    let depth = encoder.config().depth();
    let mut look = |pixels: Pixels, index: usize, count: usize| -> Result<Masks> {
        // The head takes as long as a few blocks.
        let on_block = |done: usize| {
            let (done, total) = ((index * (depth + 1) + done) as u64, Some((count * (depth + 1)) as u64));
            progress(Progress { stage: "segmenting".to_owned(), done, total });
        };
        let pixels = stretch(pixels, STRIDE);
        let run = Run::watched(cancel, &on_block);
        let encoded = encoder.forward(&pixels, &layers, run)?;
        run.enter_block(depth)?;
        segmentor.forward(&pixels, &encoded, &Run::from(cancel))
    };
    let original = (picture.width, picture.height);
    let masks = match options.mode {
        Mode::Whole { side } => {
            size::check_pixels(SizeRule::ShortSide(side), original, (side, side))?;
            let whole = Window { x: 0, y: 0, width: original.0, height: original.1 };
            WindowMasks { size: original, windows: vec![(whole, look(to_square(&pixels, side), 0, 1)?)] }
        }
        Mode::Slide { side, stride } => {
            let (width, height) = (pixels.width, pixels.height);
            // A picture smaller than a square in both directions is covered by smaller ones.
            let side = if side > width && side > height { width.min(height) } else { side };
            let stride = stride.min(side);
            let places = windows(width, height, side, stride);
            let mut found = Vec::with_capacity(places.len());
            for (index, window) in places.iter().enumerate() {
                found.push((*window, look(cut(&pixels, *window), index, places.len())?));
            }
            WindowMasks { size: (width, height), windows: found }
        }
    };
    Ok(Scores::new(original, original, masks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_side_is_rounded() {
        let sizes =
            [((640, 480), (1195, 896)), ((480, 640), (896, 1195)), ((7, 7), (896, 896)), ((896, 3000), (896, 3000))];
        for (picture, expected) in sizes {
            assert_eq!(short_side(WINDOW, picture), expected, "{picture:?}");
        }
        // 64 · 75 / 42 = 114.29, 10 · 5 / 4 = 12.5
        assert_eq!(short_side(64, (75, 42)), (114, 64));
        assert_eq!(short_side(10, (5, 4)), (13, 10));
    }
}
