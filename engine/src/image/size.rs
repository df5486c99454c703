//! The size of the model's input.

/// `--size`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
