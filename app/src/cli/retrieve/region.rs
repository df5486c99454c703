//! Regions of a picture on the command line.

use std::str::FromStr;

use dinoscope_engine::retrieval::Region;

/// `X,Y,W,H` in pixels of the original picture, from the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionArg(pub Region);

impl FromStr for RegionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> =
            text.split(',').map(|part| part.trim().parse().ok().filter(|value: &f64| value.is_finite())).collect();
        match numbers.as_deref() {
            Some(&[x, y, width, height]) if width > 0.0 && height > 0.0 => Ok(Self(Region { x, y, width, height })),
            _ => Err("expected X,Y,W,H in pixels of the picture, as in 320,200,90,60".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing() {
        let region = Region { x: -3.0, y: 4.5, width: 10.0, height: 2.0 };
        assert_eq!("-3,4.5, 10,2".parse(), Ok(RegionArg(region)));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,0,4", "1,2,3,-4", "1,2,nan,4", "1,2,3,x"] {
            assert!(wrong.parse::<RegionArg>().is_err(), "{wrong}");
        }
    }
}
