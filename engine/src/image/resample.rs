//! Antialiased resizing as torchvision does it.

/// Interpolation of the resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Triangle, the models' default.
    Bilinear,
    /// Cubic with a = -0.5, as Pillow and torchvision use it when antialiasing.
    Bicubic,
}
