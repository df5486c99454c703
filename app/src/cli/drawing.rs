//! How maps are drawn: options that several subcommands share.

use clap::ValueEnum;
use dinoscope_engine::draw::overlay::Interpolation;

/// `--draw`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Draw {
    /// Interpolated between the centres of patches
    Smooth,
    /// Every pixel as its patch
    Patch,
}

impl From<Draw> for Interpolation {
    fn from(draw: Draw) -> Self {
        match draw {
            Draw::Smooth => Self::Bilinear,
            Draw::Patch => Self::Patches,
        }
    }
}

/// A number from 0 to 1.
pub fn parse_share(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "expected a number from 0 to 1".into())
}
