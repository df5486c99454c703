//! Between the Y'CbCr samples of a video and RGB.

use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use crate::image::Picture;

/// How samples stand for colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour {
    pub matrix: YuvStandardMatrix,
    pub range: YuvRange,
}

impl Colour {
    /// Of the code points of ITU-T H.273. What is not said is BT.601, however large the picture: so do ffmpeg and what
    /// is built on it, and models should see what other tools show them.
    pub fn new(matrix_coefficients: Option<u8>, is_full_range: bool) -> Self {
        let matrix = match matrix_coefficients {
            Some(1) => YuvStandardMatrix::Bt709,
            Some(4) => YuvStandardMatrix::Fcc,
            Some(7) => YuvStandardMatrix::Smpte240,
            Some(9 | 10) => YuvStandardMatrix::Bt2020,
            _ => YuvStandardMatrix::Bt601,
        };
        Self { matrix, range: if is_full_range { YuvRange::Full } else { YuvRange::Limited } }
    }
}

/// Planes with half as many rows and columns of chroma.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    pub width: usize,
    pub height: usize,
    /// Y', Cb and Cr, the last row of each perhaps shorter than the stride.
    pub data: [&'a [u8]; 3],
    /// Bytes a row of Y', and of Cb and Cr.
    pub strides: [usize; 2],
}

/// Each chroma sample stands for its four pixels.
///
/// # Errors
/// Where the planes are too short.
pub(super) fn to_rgb(planes: &Planes<'_>, colour: Colour) -> Result<Picture, String> {
    let [y_plane, u_plane, v_plane] = planes.data;
    let [y_stride, chroma_stride] = planes.strides.map(|stride| stride as u32);
    let (width, height) = (planes.width as u32, planes.height as u32);
    let image = YuvPlanarImage {
        y_plane,
        y_stride,
        u_plane,
        u_stride: chroma_stride,
        v_plane,
        v_stride: chroma_stride,
        width,
        height,
    };
    let mut rgb = vec![0; planes.width * planes.height * 3];
    yuv::yuv420_to_rgb(&image, &mut rgb, width * 3, colour.range, colour.matrix).map_err(|error| error.to_string())?;
    Picture::from_rgb(planes.width, planes.height, rgb).map_err(|error| error.to_string())
}
