//! The size of the model's input.

use std::fmt;
use std::str::FromStr;

use super::PictureError;

/// Most pixels of a model input. A square of 4096 has 17 million and a square of 8192 has 67 million, already 262,144
/// patches of 16; above 100 million the pixels alone take more than 1.2 GB, and only a mistake asks for them.
pub const MAX_INPUT_PIXELS: usize = 100_000_000;

/// `--size`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum SizeRule {
    /// `N`: the short side, rounded up to the stride; the long side keeps the aspect ratio, rounded up likewise.
    ShortSide(usize),
    /// `WxH`: exactly that.
    Exact {
        /// In pixels, a multiple of the stride.
        width: usize,
        /// In pixels, a multiple of the stride.
        height: usize,
    },
    /// `native`: the picture's own size, cropped at the right and bottom to a multiple of the stride; no resampling.
    Native,
}

impl SizeRule {
    /// Width and height of the model's input for a picture of `width` by `height` pixels.
    ///
    /// The long side is `ceil(long * s / (short * stride)) * stride`, where `s` is the short side after rounding, in
    /// integers: an exact multiple of the stride stays. This is `ResizeToMultiple` of the reference's
    /// `notebooks/segmentation_tracking.ipynb`.
    ///
    /// # Errors
    /// [`PictureError::Size`] where the rule cannot be met, or gives more than [`MAX_INPUT_PIXELS`].
    pub fn resolve(self, width: usize, height: usize, stride: usize) -> Result<(usize, usize), PictureError> {
        let (new_width, new_height) = match self {
            Self::ShortSide(0) => return Err(PictureError::Size("the short side must be at least 1 pixel".into())),
            Self::ShortSide(side) => short_side(side, width, height, stride),
            Self::Exact { width, height } => {
                if width == 0 || height == 0 || !width.is_multiple_of(stride) || !height.is_multiple_of(stride) {
                    return Err(PictureError::Size(format!(
                        "size {width}x{height}: both sides must be multiples of {stride} for this model, such as {}x{}",
                        width.div_ceil(stride).max(1).saturating_mul(stride),
                        height.div_ceil(stride).max(1).saturating_mul(stride),
                    )));
                }
                (width, height)
            }
            Self::Native => {
                if width < stride || height < stride {
                    return Err(PictureError::Size(format!(
                        "the picture's {width}x{height} pixels are less than one patch of {stride}x{stride}: \
                         size \"native\" does not work here, give a number of pixels"
                    )));
                }
                (width / stride * stride, height / stride * stride)
            }
        };
        check_pixels(self, (width, height), (new_width, new_height))?;
        Ok((new_width, new_height))
    }
}

/// Refuses what a rule makes of a picture where it has more than [`MAX_INPUT_PIXELS`]; both (width, height).
///
/// # Errors
/// [`PictureError::Size`].
pub fn check_pixels(rule: SizeRule, picture: (usize, usize), input: (usize, usize)) -> Result<(), PictureError> {
    if input.0.checked_mul(input.1).is_some_and(|pixels| pixels <= MAX_INPUT_PIXELS) {
        return Ok(());
    }
    Err(PictureError::Size(format!(
        "size {rule} makes {}x{} of the picture's {}x{} pixels, but the model takes at most {} million: choose a \
         smaller size",
        input.0,
        input.1,
        picture.0,
        picture.1,
        MAX_INPUT_PIXELS / 1_000_000
    )))
}

/// The short side of a picture (width, height) becomes `side`; the long side keeps the aspect ratio and loses its
/// fraction, as torchvision's `Resize`.
///
/// # Errors
/// [`PictureError::Size`] where `side` is 0, or the picture gets more than [`MAX_INPUT_PIXELS`].
pub fn short_side_truncated(side: usize, (width, height): (usize, usize)) -> Result<(usize, usize), PictureError> {
    if side == 0 {
        return Err(PictureError::Size("the short side must be at least 1 pixel".into()));
    }
    let long = side.saturating_mul(width.max(height)) / width.min(height);
    let size = if width < height { (side, long) } else { (long, side) };
    check_pixels(SizeRule::ShortSide(side), (width, height), size)?;
    Ok(size)
}

/// Saturates where a side overflows, which the bound on the pixels then refuses.
fn short_side(side: usize, width: usize, height: usize, stride: usize) -> (usize, usize) {
    let short = side.div_ceil(stride).saturating_mul(stride);
    let long = |long: usize, other: usize| {
        long.saturating_mul(short).div_ceil(other.saturating_mul(stride)).saturating_mul(stride)
    };
    if width > height { (long(width, height), short) } else { (short, long(height, width)) }
}

impl fmt::Display for SizeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortSide(side) => write!(f, "{side}"),
            Self::Exact { width, height } => write!(f, "{width}x{height}"),
            Self::Native => f.write_str("native"),
        }
    }
}

/// Why a text is no [`SizeRule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no size: give the short side in pixels (768), width and height (1024x768), or \"native\"")]
pub struct ParseSizeError(String);

impl FromStr for SizeRule {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let side = |digits: &str| -> Option<usize> {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|&n| plain && n > 0)
        };
        let rule = match text.split_once(['x', 'X']) {
            _ if text == "native" => Some(Self::Native),
            None => side(text).map(Self::ShortSide),
            Some((w, h)) => side(w).zip(side(h)).map(|(width, height)| Self::Exact { width, height }),
        };
        rule.ok_or_else(|| ParseSizeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_side_rounds_up_and_keeps_the_aspect_ratio() {
        let cases = [
            ((640, 480), 768, 16, (1024, 768)),
            ((480, 640), 768, 16, (768, 1024)),
            ((640, 480), 760, 16, (1024, 768)),
            ((1920, 1080), 960, 16, (1712, 960)),
            ((641, 480), 768, 16, (1040, 768)),
            ((1, 1), 768, 16, (768, 768)),
            ((300, 200), 1, 32, (64, 32)),
            ((16_384, 16_384), 512, 32, (512, 512)),
        ];
        for ((width, height), side, stride, expected) in cases {
            let got = SizeRule::ShortSide(side).resolve(width, height, stride).expect("resolves");
            assert_eq!(got, expected, "{width}x{height} at {side}");
        }
    }

    #[test]
    fn exact_must_be_a_multiple() {
        let rule = SizeRule::Exact { width: 100, height: 64 };
        let message = rule.resolve(5, 5, 16).expect_err("100 is no multiple").to_string();
        assert!(message.contains("100x64") && message.contains("112x64"), "{message}");
        assert_eq!(SizeRule::Exact { width: 64, height: 4096 }.resolve(5, 5, 32).expect("fits"), (64, 4096));
        assert!(SizeRule::Exact { width: 0, height: 16 }.resolve(5, 5, 16).is_err());
        assert!(SizeRule::Exact { width: usize::MAX, height: usize::MAX }.resolve(5, 5, 16).is_err());
    }

    #[test]
    fn native_crops() {
        assert_eq!(SizeRule::Native.resolve(47, 33, 16).expect("fits"), (32, 32));
        let message = SizeRule::Native.resolve(400, 15, 16).expect_err("too low").to_string();
        assert!(message.contains("400x15") && message.contains("16x16"), "{message}");
    }

    #[test]
    fn refuses_what_no_machine_can_run() {
        let message = SizeRule::ShortSide(768).resolve(1, 10_000, 16).expect_err("too long").to_string();
        assert!(message.contains("768x7680000") && message.contains("1x10000"), "{message}");
        assert!(SizeRule::ShortSide(usize::MAX).resolve(3, 2, 16).is_err());
        assert!(SizeRule::ShortSide(0).resolve(3, 2, 16).is_err());
        assert_eq!(SizeRule::ShortSide(4096).resolve(9, 9, 16).expect("realistic"), (4096, 4096));
    }

    #[test]
    fn the_long_side_loses_its_fraction() {
        let sizes =
            [((640, 480), (682, 512)), ((480, 640), (512, 682)), ((2048, 2048), (512, 512)), ((3, 1), (1536, 512))];
        for (picture, expected) in sizes {
            assert_eq!(short_side_truncated(512, picture).expect("it fits"), expected, "{picture:?}");
        }
        assert_eq!(short_side_truncated(100, (7, 3)).expect("it fits"), (233, 100));
        assert!(short_side_truncated(512, (1_000_000, 1)).is_err());
        assert!(short_side_truncated(usize::MAX, (3, 2)).is_err());
        assert!(short_side_truncated(0, (3, 3)).is_err());
    }

    #[test]
    fn parses_what_it_prints() {
        for rule in [SizeRule::ShortSide(768), SizeRule::Exact { width: 1024, height: 768 }, SizeRule::Native] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        for bad in ["", "0", "-1", "+5", "12.5", "x", "16x", "x16", "16x0", "1x2x3", "Native ", "99999999999999999999"]
        {
            let message = bad.parse::<SizeRule>().expect_err(bad).to_string();
            assert!(message.contains(bad), "{message}");
        }
    }
}
