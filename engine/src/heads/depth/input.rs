//! A picture's way to the backbone, and a map's way back to the picture.
//!
//! The reference pads pictures on all sides to whole patches (`CenterPadding` of `dinov3/eval/depth/models/embed.py`)
//! and later stretches the padded map over the picture, which moves it by up to half a patch. Here the padding is left
//! out on the way back, so that a value lies where it was seen; without padding the two are the same.

use ndarray::Array2;
use rayon::prelude::*;

use super::DepthOptions;
use crate::image::size::{check_pixels, short_side_truncated};
use crate::image::{Picture, PictureError, Pixels, SizeRule, resample};

/// Where the resized picture lies in the padded one. Widths first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// Of the original picture.
    picture: (usize, usize),
    resized: (usize, usize),
    pub(super) padded: (usize, usize),
}

/// Resizes, normalises and pads a picture for a backbone of that `stride`.
pub(super) fn prepare(
    picture: &Picture,
    options: &DepthOptions,
    stride: usize,
) -> Result<(Pixels, Placement), PictureError> {
    let size = (picture.width, picture.height);
    let resized = match options.size {
        SizeRule::ShortSide(side) => short_side_truncated(side, size)?,
        SizeRule::Exact { .. } => options.size.resolve(size.0, size.1, stride)?,
        SizeRule::Native => size,
    };
    let padded = (resized.0.next_multiple_of(stride), resized.1.next_multiple_of(stride));
    check_pixels(options.size, size, padded)?;
    let mut pixels = match options.size {
        SizeRule::Native => resample::crop(picture, resized.0, resized.1),
        _ => resample::resize(picture, resized.0, resized.1, options.filter),
    };
    options.normalisation.apply(&mut pixels);
    let placement = Placement { picture: size, resized, padded };
    Ok((placement.pad(pixels), placement))
}

impl Placement {
    /// Pixels of the padding to the left and above.
    fn first(&self) -> (usize, usize) {
        ((self.padded.0 - self.resized.0) / 2, (self.padded.1 - self.resized.1) / 2)
    }

    pub(super) fn pad(&self, pixels: Pixels) -> Pixels {
        let (width, height) = self.padded;
        if (pixels.width, pixels.height) == self.padded {
            return pixels;
        }
        let (left, top) = self.first();
        let mut data = vec![0.0; 3 * width * height];
        let planes = pixels.data.chunks_exact(pixels.width * pixels.height);
        for (plane, into) in planes.zip(data.chunks_exact_mut(width * height)) {
            let lines = into.chunks_exact_mut(width).skip(top);
            for (line, into) in plane.chunks_exact(pixels.width).zip(lines) {
                into[left..left + pixels.width].copy_from_slice(line);
            }
        }
        Pixels { width, height, data }
    }

    /// A map of the padded picture, of any fineness, at the original picture's size, `[height, width]`: bilinear
    /// between centres, as torch's `interpolate(align_corners=False)`.
    pub(super) fn on_picture(&self, map: &Array2<f32>) -> Array2<f32> {
        let ((width, height), (left, top), (rows, cols)) = (self.picture, self.first(), map.dim());
        let columns = taps(width, self.resized.0, left, self.padded.0, cols);
        let lines = taps(height, self.resized.1, top, self.padded.1, rows);
        let mut values = vec![0.0; width * height];
        values.par_chunks_exact_mut(width).zip(&lines).for_each(|(out, line)| {
            for (value, column) in out.iter_mut().zip(&columns) {
                let along = |row: usize| mix(map[[row, column.first]], map[[row, column.second]], column.share);
                *value = mix(along(line.first), along(line.second), line.share);
            }
        });
        Array2::from_shape_vec((height, width), values).expect("a value for each pixel")
    }
}

/// Two neighbours on an axis, and the share of the second.
struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

/// For each of `pixels` along an axis: `resized` of them lie from `start` in `padded`, over which `places` are spread
/// evenly.
fn taps(pixels: usize, resized: usize, start: usize, padded: usize, places: usize) -> Vec<Tap> {
    let (scale, fineness) = (resized as f64 / pixels as f64, places as f64 / padded as f64);
    let tap = |pixel: usize| {
        let position = ((start as f64 + (pixel as f64 + 0.5) * scale) * fineness - 0.5).max(0.0);
        let first = (position as usize).min(places - 1);
        Tap { first, second: (first + 1).min(places - 1), share: (position - first as f64) as f32 }
    };
    (0..pixels).map(tap).collect()
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Filter, Normalisation};

    #[test]
    fn a_picture_lies_in_the_middle_and_comes_back_to_its_place() {
        let normalisation = Normalisation { mean: [0.5; 3], std: [0.5; 3] };
        let options = DepthOptions { size: SizeRule::Native, filter: Filter::Bilinear, normalisation };
        let rgb = (0..19 * 16).flat_map(|i| [(i % 19 * 10) as u8; 3]).collect();
        let picture = Picture::from_rgb(19, 16, rgb).expect("a picture");
        let (pixels, placement) = prepare(&picture, &options, 16).expect("it fits");
        assert_eq!((pixels.width, pixels.height, placement.first()), (32, 16, (6, 0)));
        assert_eq!(pixels.data[..6], [0.0; 6], "the mean colour");
        assert_eq!((pixels.data[6], pixels.data[25]), (-1.0, 0.0));

        // A ramp along the padded picture.
        let map = Array2::from_shape_fn((16, 32), |(_, x)| x as f32);
        let back = placement.on_picture(&map);
        assert_eq!(back.dim(), (16, 19));
        assert_eq!((back[[0, 0]], back[[15, 18]]), (6.0, 24.0));
    }

    #[test]
    fn sizes_are_the_references() {
        let options = |size| DepthOptions { size, filter: Filter::Bilinear, normalisation: Normalisation::WEB };
        let picture = Picture::from_rgb(100, 60, vec![0; 18_000]).expect("a picture");
        let padded = |size| prepare(&picture, &options(size), 16).map(|(_, placement)| placement.padded);
        assert_eq!(padded(SizeRule::ShortSide(48)).ok(), Some((80, 48)));
        assert_eq!(padded(SizeRule::Exact { width: 32, height: 64 }).ok(), Some((32, 64)));
        assert_eq!(padded(SizeRule::Native).ok(), Some((112, 64)));
        assert!(padded(SizeRule::ShortSide(1_000_000)).is_err());
        assert!(padded(SizeRule::Exact { width: 33, height: 64 }).is_err());
    }
}
