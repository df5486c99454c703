//! How objects are painted, followed and shown.

use dinoscope_engine::draw::labels::Background;
use dinoscope_engine::tracking::TrackingOptions;
use serde::{Deserialize, Serialize};

/// What the left button does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Paints, dab by dab.
    #[default]
    Brush,
    /// Sets the corners of an outline.
    Polygon,
    /// Grows a region from clicked patches.
    Click,
}

/// What a recording shows where no object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behind {
    /// The frame.
    #[default]
    Frame,
    /// Black.
    Black,
    /// White.
    White,
    /// Green, for other programs to take away.
    Green,
}

impl From<Behind> for Background {
    fn from(behind: Behind) -> Self {
        match behind {
            Behind::Frame => Self::Frame,
            Behind::Black => Self::BLACK,
            Behind::White => Self::WHITE,
            Behind::Green => Self::GREEN,
        }
    }
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the left button does.
    pub mode: Mode,
    /// Diameter of the brush, as a share of the frame's shorter side.
    pub brush: f32,
    /// Least cosine of a region with a clicked patch.
    pub threshold: f32,
    /// Objects as phrases.
    pub words: String,
    /// Least cosine of an object with its phrase.
    pub least_score: f32,
    /// Of objects over the frame.
    pub opacity: f32,
    /// Short side of the model's input, in pixels.
    pub size: usize,
    /// What a recording shows where no object is.
    pub background: Behind,
    /// A line around every object, in recordings.
    pub has_outline: bool,
    /// The frame as it is at the left of the recording.
    pub is_beside: bool,
    /// How objects are followed.
    pub options: TrackingOptions,
}

/// The reference's: details matter more here than in a still picture.
pub const USUAL_SIZE: usize = 960;

/// Diameters of the brush, as shares of the frame's shorter side.
pub const BRUSHES: std::ops::RangeInclusive<f32> = 0.005..=0.4;

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            brush: 0.06,
            threshold: 0.6,
            words: String::new(),
            least_score: 0.1,
            opacity: 0.55,
            size: USUAL_SIZE,
            background: Behind::default(),
            has_outline: false,
            is_beside: false,
            options: TrackingOptions::default(),
        }
    }
}
