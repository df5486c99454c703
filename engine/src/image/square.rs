//! The middle of a picture, as classifiers are evaluated on it.

use super::size::short_side_truncated;
use super::{Filter, Picture, PictureError, Pixels, resample};

/// Resizes the short side to `short` pixels and cuts out the `side` × `side` pixels in the middle, as torchvision's `Resize`
/// and `CenterCrop`; values are 0..=1.
///
/// # Errors
/// As [`short_side_truncated`].
///
/// # Panics
/// Where `side` is greater than `short`.
pub fn centre_square(picture: &Picture, short: usize, side: usize, filter: Filter) -> Result<Pixels, PictureError> {
    assert!(side <= short, "the square lies within the picture");
    let (width, height) = short_side_truncated(short, (picture.width, picture.height))?;
    let whole = resample::resize(picture, width, height, filter);
    let (left, top) = (middle(width - side), middle(height - side));
    let mut square = Pixels { width: side, height: side, data: Vec::with_capacity(3 * side * side) };
    for plane in whole.data.chunks_exact(width * height) {
        for line in plane.chunks_exact(width).skip(top).take(side) {
            square.data.extend_from_slice(&line[left..left + side]);
        }
    }
    Ok(square)
}

/// Half of it, rounded as Python rounds: to the even one of two.
fn middle(rest: usize) -> usize {
    let half = rest / 2;
    if rest.is_multiple_of(2) || half.is_multiple_of(2) { half } else { half + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_torchvisions() {
        // torchvision.transforms.CenterCrop: round((length - side) / 2.0)
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(middle), [0, 0, 1, 2, 2, 2, 4]);
        let rgb = (0..10 * 4).flat_map(|i| [(i % 10 * 20) as u8; 3]).collect();
        let picture = Picture { width: 10, height: 4, rgb };
        let square = centre_square(&picture, 4, 2, Filter::Bicubic).expect("it is small");
        assert_eq!((square.width, square.height, square.data.len()), (2, 2, 12));
        assert_eq!(square.data[..2], [80.0 / 255.0, 100.0 / 255.0]);
        let square = centre_square(&picture, 8, 8, Filter::Bilinear).expect("it is small");
        assert_eq!(square.data.len(), 3 * 64);
        let line = Picture { width: 60_000, height: 1, rgb: vec![0; 180_000] };
        assert!(centre_square(&line, 256, 224, Filter::Bilinear).is_err(), "it would be 15 million pixels long");
    }
}
