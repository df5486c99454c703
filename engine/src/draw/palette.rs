//! Colours of objects.

/// A colour per object id; that of 0, the background, is black.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette(pub [[u8; 3]; 256]);

/// matplotlib's `tab10`.
pub(super) const TAB10: [u32; 10] =
    [0x1f77b4, 0xff7f0e, 0x2ca02c, 0xd62728, 0x9467bd, 0x8c564b, 0xe377c2, 0x7f7f7f, 0xbcbd22, 0x17becf];

/// What `tab20` has behind each colour of [`TAB10`].
const PALE: [u32; 10] =
    [0xaec7e8, 0xffbb78, 0x98df8a, 0xff9896, 0xc5b0d5, 0xc49c94, 0xf7b6d2, 0xc7c7c7, 0xdbdb8d, 0x9edae5];

/// matplotlib's `gist_rainbow`: places in 0..=1 and their RGB.
const RAINBOW: [(f32, [f32; 3]); 8] = [
    (0.0, [1.0, 0.0, 0.16]),
    (0.03, [1.0, 0.0, 0.0]),
    (0.215, [1.0, 1.0, 0.0]),
    (0.4, [0.0, 1.0, 0.0]),
    (0.586, [0.0, 1.0, 1.0]),
    (0.77, [0.0, 0.0, 1.0]),
    (0.954, [1.0, 0.0, 1.0]),
    (1.0, [1.0, 0.0, 0.75]),
];

impl Palette {
    /// The colours that the reference draws `largest` objects with (`mask_to_rgb` of
    /// `notebooks/segmentation_tracking.ipynb`): `tab10`, `tab20` from eleven on, `gist_rainbow` from twenty-one on.
    pub fn of_objects(largest: u8) -> Self {
        let colour = |object: u8| {
            let index = usize::from(object) - 1;
            match largest {
                0..=10 => rgb(TAB10[index % 10]),
                11..=20 => rgb([TAB10, PALE][index % 2][index / 2 % 10]),
                _ => rainbow(index as f32 / f32::from(largest - 1)),
            }
        };
        let mut colours = [[0; 3]; 256];
        (1..=u8::MAX).for_each(|object| colours[usize::from(object)] = colour(object));
        Self(colours)
    }

    /// The palette of the PASCAL VOC and DAVIS data sets: bits 0, 3 and 6 of an id are the highest of red, and so on.
    pub fn davis() -> Self {
        let bit = |id: usize, bit: usize| (id >> bit & 1) as u8;
        let channel = |id: usize, first: usize| {
            bit(id, first) << 7 | bit(id, first + 3) << 6 | if first < 2 { bit(id, first + 6) << 5 } else { 0 }
        };
        Self(std::array::from_fn(|id| std::array::from_fn(|first| channel(id, first))))
    }

    /// The colour of an object.
    pub fn colour(&self, object: u8) -> [u8; 3] {
        self.0[usize::from(object)]
    }
}

pub(super) fn rgb(hex: u32) -> [u8; 3] {
    let [_, r, g, b] = hex.to_be_bytes();
    [r, g, b]
}

/// In steps of 1/255, as matplotlib has them in its table.
fn rainbow(place: f32) -> [u8; 3] {
    let place = ((place * 256.0) as u8) as f32 / 255.0;
    let upper = RAINBOW.iter().position(|(at, _)| *at >= place).unwrap_or(RAINBOW.len() - 1).max(1);
    let ((low, from), (high, to)) = (RAINBOW[upper - 1], RAINBOW[upper]);
    let share = (place - low) / (high - low);
    std::array::from_fn(|channel| (255.0 * (from[channel] + share * (to[channel] - from[channel]))) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_the_colours_of_the_reference() {
        let ten = Palette::of_objects(3);
        assert_eq!([0, 1, 2, 10].map(|id| ten.colour(id)), [[0; 3], [31, 119, 180], [255, 127, 14], [23, 190, 207]]);
        let twenty = Palette::of_objects(11);
        assert_eq!(
            [1, 2, 3, 20].map(|id| twenty.colour(id)),
            [[31, 119, 180], [174, 199, 232], [255, 127, 14], [158, 218, 229]]
        );
        // Read off `mask_to_rgb` for 21 objects.
        let many = Palette::of_objects(21);
        let expected =
            [[255, 0, 40], [255, 23, 0], [255, 93, 0], [205, 255, 0], [0, 255, 139], [41, 0, 255], [255, 0, 191]];
        for (id, expected) in [1, 2, 3, 6, 11, 17, 21].into_iter().zip(expected) {
            let close = many.colour(id).iter().zip(expected).all(|(got, expected)| got.abs_diff(expected) <= 1);
            assert!(close, "{id}: {:?}, expected {expected:?}", many.colour(id));
        }
    }

    #[test]
    fn davis_counts_in_bits() {
        let davis = Palette::davis();
        let first = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]];
        assert_eq!(davis.0[..6], first);
        assert_eq!([8, 64, 128, 255].map(|id| davis.colour(id)), [[64, 0, 0], [32, 0, 0], [0, 32, 0], [224, 224, 192]]);
    }
}
