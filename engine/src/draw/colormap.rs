//! Perceptually uniform colour maps.
//!
//! Each is 52 colours, evenly spaced, read off at 8 bits from the map of that name and joined by straight lines (within 1/255 of the
//! original, cividis within 4/255). Magma, inferno and viridis are by S. van der Walt and N. Smith, CC0; cividis by J. Nuñez,
//! C. Anderton and R. Renslow, doi:10.1371/journal.pone.0199239; turbo by A. Mikhailov.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A colour for every number in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Colormap {
    /// Black, purple, orange, pale yellow.
    #[default]
    Magma,
    /// Black, red, yellow.
    Inferno,
    /// Purple, green, yellow.
    Viridis,
    /// Blue, grey, yellow; reads the same with most colour vision deficiencies.
    Cividis,
    /// Rainbow of many distinct hues; not uniform in lightness.
    Turbo,
}

impl Colormap {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Colormap); 5] = [
        ("magma", Self::Magma),
        ("inferno", Self::Inferno),
        ("viridis", Self::Viridis),
        ("cividis", Self::Cividis),
        ("turbo", Self::Turbo),
    ];

    /// RGB in 0..=255 at `t`, which is clamped to 0..=1; NaN gives mid-grey, a colour of no map.
    pub fn color(self, t: f32) -> [f32; 3] {
        if t.is_nan() {
            return [128.0; 3];
        }
        let knots = self.knots();
        let position = t.clamp(0.0, 1.0) * (KNOTS - 1) as f32;
        let index = (position as usize).min(KNOTS - 2);
        let (low, high, weight) = (rgb(knots[index]), rgb(knots[index + 1]), position - index as f32);
        std::array::from_fn(|channel| low[channel] + (high[channel] - low[channel]) * weight)
    }

    fn knots(self) -> &'static [u32; KNOTS] {
        match self {
            Self::Magma => &MAGMA,
            Self::Inferno => &INFERNO,
            Self::Viridis => &VIRIDIS,
            Self::Cividis => &CIVIDIS,
            Self::Turbo => &TURBO,
        }
    }
}

impl FromStr for Colormap {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, map)| map);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(known, _)| *known).collect();
            format!("there is no colour map {name}; choose one of {}", names.join(", "))
        })
    }
}

/// From 0xRRGGBB.
fn rgb(hex: u32) -> [f32; 3] {
    let [_, r, g, b] = hex.to_be_bytes();
    [r, g, b].map(f32::from)
}

/// Colours of a map.
const KNOTS: usize = 52;

const MAGMA: [u32; KNOTS] = [
    0x000004, 0x02020b, 0x050416, 0x090720, 0x0e0b2b, 0x140e36, 0x1a1042, 0x21114e, 0x29115a, 0x311165, 0x390f6e,
    0x420f75, 0x4a1079, 0x52137c, 0x5a167e, 0x621980, 0x6a1c81, 0x721f81, 0x792282, 0x812581, 0x892881, 0x912b81,
    0x992d80, 0xa1307e, 0xaa337d, 0xb2357b, 0xba3878, 0xc23b75, 0xca3e72, 0xd2426f, 0xd9466b, 0xe04c67, 0xe75263,
    0xec5860, 0xf1605d, 0xf4695c, 0xf7725c, 0xf97b5d, 0xfb8560, 0xfc8e64, 0xfd9869, 0xfea16e, 0xfeaa74, 0xfeb47b,
    0xfebd82, 0xfec68a, 0xfecf92, 0xfed89a, 0xfde2a3, 0xfdebac, 0xfcf4b6, 0xfcfdbf,
];
const INFERNO: [u32; KNOTS] = [
    0x000004, 0x02020c, 0x050417, 0x0a0722, 0x10092d, 0x160b39, 0x1e0c45, 0x260c51, 0x2f0a5b, 0x380962, 0x400a67,
    0x490b6a, 0x510e6c, 0x59106e, 0x61136e, 0x69166e, 0x71196e, 0x781c6d, 0x801f6c, 0x88226a, 0x902568, 0x982766,
    0xa02a63, 0xa82e5f, 0xb0315b, 0xb73557, 0xbf3952, 0xc63d4d, 0xcc4248, 0xd34743, 0xd94d3d, 0xdf5337, 0xe45a31,
    0xe9612b, 0xed6925, 0xf1711f, 0xf47918, 0xf78212, 0xf98b0b, 0xfa9407, 0xfb9d07, 0xfca60c, 0xfcb014, 0xfbba1f,
    0xfac42a, 0xf8cd37, 0xf6d746, 0xf4e156, 0xf2ea69, 0xf2f27d, 0xf5f992, 0xfcffa4,
];
const VIRIDIS: [u32; KNOTS] = [
    0x440154, 0x46085c, 0x471063, 0x481769, 0x481d6f, 0x482475, 0x472a7a, 0x46307e, 0x453781, 0x433d84, 0x414287,
    0x3f4889, 0x3d4e8a, 0x3a538b, 0x38598c, 0x355e8d, 0x33638d, 0x31688e, 0x2e6d8e, 0x2c718e, 0x2a768e, 0x297b8e,
    0x27808e, 0x25848e, 0x23898e, 0x218e8d, 0x20928c, 0x1f978b, 0x1e9c89, 0x1fa188, 0x21a585, 0x24aa83, 0x28ae80,
    0x2eb37c, 0x35b779, 0x3dbc74, 0x46c06f, 0x50c46a, 0x5ac864, 0x65cb5e, 0x70cf57, 0x7cd250, 0x89d548, 0x95d840,
    0xa2da37, 0xb0dd2f, 0xbddf26, 0xcae11f, 0xd8e219, 0xe5e419, 0xf1e51d, 0xfde725,
];
const CIVIDIS: [u32; KNOTS] = [
    0x00224e, 0x002656, 0x002a5f, 0x002d68, 0x003070, 0x083370, 0x163770, 0x203a6f, 0x273e6e, 0x2e416d, 0x34456c,
    0x3a486c, 0x3f4c6c, 0x444f6c, 0x49536c, 0x4e566c, 0x535a6d, 0x575d6d, 0x5c616e, 0x60646f, 0x656870, 0x696b71,
    0x6d6f72, 0x727274, 0x767676, 0x7a7a78, 0x7e7d78, 0x838179, 0x888578, 0x8d8878, 0x928c78, 0x969077, 0x9b9476,
    0xa09875, 0xa59c74, 0xaaa073, 0xafa471, 0xb5a86f, 0xbaac6d, 0xbfb06b, 0xc4b468, 0xc9b965, 0xcfbd62, 0xd4c15f,
    0xdac65b, 0xdfca57, 0xe5cf52, 0xead34c, 0xf0d846, 0xf6dd3f, 0xfce236, 0xfee838,
];
const TURBO: [u32; KNOTS] = [
    0x30123b, 0x36215f, 0x3b2f80, 0x3f3e9c, 0x424bb5, 0x4559cb, 0x4666dd, 0x4773eb, 0x4680f6, 0x458cfd, 0x4099ff,
    0x38a5fb, 0x2fb2f4, 0x27bee9, 0x1fc9dd, 0x1ad4d0, 0x18ddc2, 0x1ae4b6, 0x22ebaa, 0x2ff19b, 0x3ff68a, 0x52fa7a,
    0x65fd69, 0x79fe59, 0x8bff4b, 0x9cfe40, 0xa9fb39, 0xb7f735, 0xc3f134, 0xd0ea34, 0xdbe236, 0xe5d938, 0xeecf3a,
    0xf5c53a, 0xfaba39, 0xfdae35, 0xfea130, 0xfe932a, 0xfc8423, 0xf9751d, 0xf46617, 0xef5811, 0xe84b0c, 0xe14109,
    0xd83706, 0xce2d04, 0xc32503, 0xb71d02, 0xa91601, 0x9b0f01, 0x8b0902, 0x7a0403,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_the_published_colours() {
        assert_eq!(Colormap::Magma.color(0.0), [0.0, 0.0, 4.0]);
        assert_eq!(Colormap::Magma.color(1.0), [252.0, 253.0, 191.0]);
        assert_eq!(Colormap::Viridis.color(-3.0), [68.0, 1.0, 84.0]);
        assert_eq!(Colormap::Viridis.color(7.0), [253.0, 231.0, 37.0]);
        assert_eq!(Colormap::Turbo.color(f32::NAN), [128.0; 3]);
    }

    #[test]
    fn lightness_rises() {
        for (name, map) in &Colormap::ALL[..4] {
            let lightness = |i: u16| {
                let [r, g, b] = map.color(f32::from(i) / 255.0);
                0.2126 * r + 0.7152 * g + 0.0722 * b
            };
            assert!((1..256).all(|i| lightness(i) > lightness(i - 1)), "{name}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for (name, map) in Colormap::ALL {
            assert_eq!(name.parse(), Ok(map));
        }
        assert!("jet".parse::<Colormap>().unwrap_err().contains("viridis"));
    }
}
