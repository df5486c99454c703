//! Perceptually uniform colour maps.

/// A colour for every number in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colormap {
    /// Black, purple, orange, pale yellow.
    #[default]
    Magma,
    /// Black, red, yellow.
    Inferno,
    /// Purple, green, yellow.
    Viridis,
    /// Blue, grey, yellow; reads the same with colour vision deficiency.
    Cividis,
    /// Rainbow of even steps; not uniform in lightness.
    Turbo,
}
