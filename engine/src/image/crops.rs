//! Random parts of a picture, as classifiers are trained on them.

use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::{Filter, Picture, Pixels, resample};
use crate::checkpoint::hash;

/// Shares of the picture that a part may have.
const AREAS: [f64; 2] = [0.08, 1.0];

/// Widths by heights that a part may have.
const RATIOS: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// How often a part is drawn that may not fit.
const ATTEMPTS: usize = 10;

/// The part of that number, resized to `side` × `side` pixels and turned over in half of all cases, as torchvision's
/// `RandomResizedCrop` and `RandomHorizontalFlip` with their own ranges; values are 0..=1. The same picture gives the same
/// parts each time.
pub fn random_square(picture: &Picture, number: usize, side: usize, filter: Filter) -> Pixels {
    let digest = hash::of_bytes(&picture.rgb);
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_add(number as u64);
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let region = region((picture.width, picture.height), &mut random);
    let mut square = resample::resize(&part(picture, region), side, side, filter);
    if uniform(&mut random) < 0.5 {
        square.data.chunks_exact_mut(side).for_each(<[f32]>::reverse);
    }
    square
}

/// A part of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

fn region((width, height): (usize, usize), random: &mut Xoshiro256Plus) -> Region {
    let area = (width * height) as f64;
    let [least, most] = RATIOS.map(f64::ln);
    for _ in 0..ATTEMPTS {
        let wanted = area * (AREAS[0] + (AREAS[1] - AREAS[0]) * uniform(random));
        let ratio = (least + (most - least) * uniform(random)).exp();
        let (w, h) = ((wanted * ratio).sqrt().round() as usize, (wanted / ratio).sqrt().round() as usize);
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let mut place = |rest: usize| ((uniform(random) * (rest + 1) as f64) as usize).min(rest);
            let (top, left) = (place(height - h), place(width - w));
            return Region { left, top, width: w, height: h };
        }
    }
    let ratio = (width as f64 / height as f64).clamp(RATIOS[0], RATIOS[1]);
    let w = ((height as f64 * ratio).round() as usize).clamp(1, width);
    let h = ((width as f64 / ratio).round() as usize).clamp(1, height);
    Region { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

fn part(picture: &Picture, region: Region) -> Picture {
    let Region { left, top, width, height } = region;
    let lines = picture.rgb.chunks_exact(3 * picture.width).skip(top).take(height);
    let rgb = lines.flat_map(|line| &line[3 * left..3 * (left + width)]).copied().collect();
    Picture { width, height, rgb }
}

/// At least 0 and less than 1.
fn uniform(random: &mut Xoshiro256Plus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_within_the_picture_and_are_of_the_right_size() {
        let mut random = Xoshiro256Plus::seed_from_u64(1);
        for (width, height) in [(640, 480), (1, 1), (1000, 3), (2, 900)] {
            for _ in 0..200 {
                let Region { left, top, width: w, height: h } = region((width, height), &mut random);
                assert!(w > 0 && h > 0 && left + w <= width && top + h <= height);
                if width == 640 {
                    let (share, ratio) = ((w * h) as f64 / (640.0 * 480.0), w as f64 / h as f64);
                    assert!((0.079..=1.0).contains(&share) && (0.74..=1.35).contains(&ratio), "{w}x{h}");
                }
            }
        }
    }

    #[test]
    fn a_number_means_the_same_part_each_time() {
        let picture = Picture { width: 40, height: 30, rgb: (0..3600).map(|i| (i * 7 % 256) as u8).collect() };
        let square = |number| random_square(&picture, number, 16, Filter::Bicubic);
        assert_eq!(square(3), square(3));
        let different = (0..8).filter(|&number| square(number) != square(number + 1)).count();
        assert_eq!(different, 8);
    }

    #[test]
    fn half_of_all_parts_are_turned_over() {
        // Grows to the right.
        let rgb = (0..64 * 64).flat_map(|i| [(i % 64 * 4) as u8; 3]).collect();
        let picture = Picture { width: 64, height: 64, rgb };
        let is_turned = |&number: &usize| {
            let line = &random_square(&picture, number, 8, Filter::Bilinear).data[..8];
            line[0] > line[7]
        };
        let turned = (0..200).filter(is_turned).count();
        assert!((70..=130).contains(&turned), "{turned} of 200");
    }
}
