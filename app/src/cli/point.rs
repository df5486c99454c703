//! Points of a picture on the command line.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use dinoscope_engine::features::{Geometry, Patch};

/// `X,Y` in pixels of the original picture, from the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        text.split_once(',')
            .and_then(|(x, y)| Some(Self { x: number(x)?, y: number(y)? }))
            .ok_or_else(|| "expected X,Y in pixels of the picture, as in 320,200".to_owned())
    }
}

impl Point {
    /// The patch under the point.
    ///
    /// # Errors
    /// Where the point lies outside of the picture, or in what `--size native` cropped.
    pub fn patch(self, geometry: &Geometry, file: &Path) -> Result<Patch> {
        geometry.patch_from_pixel(self.x, self.y).with_context(|| {
            let (width, height) = geometry.picture;
            let cropped = if geometry.covered == geometry.picture {
                String::new()
            } else {
                format!(", of which the first {}x{} are used", geometry.covered.0, geometry.covered.1)
            };
            format!(
                "point {},{} lies outside of {}, which has {width}x{height} pixels{cropped}",
                self.x,
                self.y,
                file.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing() {
        assert_eq!("3,4.5".parse(), Ok(Point { x: 3.0, y: 4.5 }));
        for wrong in ["", "3", "3;4", "3,x", "nan,1", "1,inf", "1,2,3"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }
}
