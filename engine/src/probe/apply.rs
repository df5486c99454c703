//! What a probe says of a picture: probabilities, classes, and pictures of them.

use ndarray::{Array2, Array3, Axis, Zip};

use super::Probe;
use crate::Result;
use crate::analysis::edges::follow_edges;
use crate::analysis::foreground::{PatchMask, median_3x3};
use crate::classes::Labels;
use crate::draw::classes::{ClassStyle, class_colour, classes_with_legend};
use crate::draw::overlay::{Interpolation, OverlayStyle, map_over_picture};
use crate::draw::sample::Sampler;
use crate::features::{FeatureGrid, Geometry};
use crate::image::Picture;

/// What is done with the probabilities of patches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// A median over 3×3 patches, as in the reference's notebook.
    pub has_median: bool,
    /// Brought to pixels along the picture's edges.
    pub follows_edges: bool,
}

/// Probabilities of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// `[rows, cols, classes]`, of patches, or where edges were followed of pixels.
    pub probabilities: Array3<f32>,
    /// How they lie over the picture.
    pub geometry: Geometry,
    interpolation: Interpolation,
}

impl Probe {
    /// Patches that are likelier something else than the first class, cleaned by a 3×3 median: `[rows, cols]`.
    ///
    /// # Errors
    /// [`super::ProbeError::Dimension`]
    pub fn foreground(&self, grid: &FeatureGrid) -> Result<PatchMask> {
        let probabilities = self.probabilities(grid)?;
        let first = median_3x3(&probabilities.index_axis(Axis(2), 0).mapv(|first| 1.0 - first));
        let least = 1.0 - 1.0 / probabilities.dim().2 as f32;
        Ok(first.mapv(|rest| rest > least))
    }

    /// Probabilities of a picture's patches, or pixels.
    ///
    /// # Errors
    /// [`super::ProbeError::Dimension`]
    pub fn apply(
        &self,
        grid: &FeatureGrid,
        picture: &Picture,
        geometry: &Geometry,
        options: ApplyOptions,
    ) -> Result<Applied> {
        let mut probabilities = self.probabilities(grid)?;
        if options.has_median {
            each_class(&mut probabilities, median_3x3);
        }
        if !options.follows_edges {
            return Ok(Applied { probabilities, geometry: *geometry, interpolation: Interpolation::Bilinear });
        }
        let (width, height) = geometry.covered;
        let mut fine = Array3::zeros((height, width, probabilities.dim().2));
        for (class, mut to) in fine.axis_iter_mut(Axis(2)).enumerate() {
            let map = probabilities.index_axis(Axis(2), class).to_owned();
            to.assign(&follow_edges(&map, picture, geometry));
        }
        let geometry = Geometry { grid: (height, width), ..*geometry };
        Ok(Applied { probabilities: fine, geometry, interpolation: Interpolation::Patches })
    }
}

/// Changes the map of each class; of two classes the first is what the second is not.
fn each_class(probabilities: &mut Array3<f32>, change: impl Fn(&Array2<f32>) -> Array2<f32>) {
    let classes = probabilities.dim().2;
    for class in usize::from(classes == 2)..classes {
        let changed = change(&probabilities.index_axis(Axis(2), class).to_owned());
        probabilities.index_axis_mut(Axis(2), class).assign(&changed);
    }
    if classes == 2 {
        let (mut rest, one) = probabilities.view_mut().split_at(Axis(2), 1);
        Zip::from(&mut rest).and(&one).for_each(|rest, one| *rest = 1.0 - one);
    }
}

impl Applied {
    /// The likeliest class of every pixel of the picture; what no patch covers is class 0.
    pub fn labels(&self) -> Labels {
        self.labels_from(0.0)
    }

    /// As [`Self::labels`]; class 0 too where no class is at least as probable as `least`.
    fn labels_from(&self, least: f32) -> Labels {
        let ((width, height), (across, down)) = (self.geometry.picture, self.geometry.covered);
        let sampler = Sampler::new(&self.geometry, self.interpolation);
        let classes = self.probabilities.dim().2;
        let likeliest = |x: usize, y: usize| {
            let mut best = (0, f32::NEG_INFINITY);
            for class in 0..classes {
                let value = sampler.at(x, y, |row, col| self.probabilities[[row, col, class]]);
                best = if value > best.1 { (class, value) } else { best };
            }
            if best.1 < least { 0 } else { best.0 as u16 }
        };
        let label = |i: usize| {
            let (x, y) = (i % width, i / width);
            if x < across && y < down { likeliest(x, y) } else { 0 }
        };
        Labels { width, height, data: (0..width * height).map(label).collect() }
    }

    /// Two classes: the probability of the second as a map; more: each pixel in the colour of its class, the first without.
    /// What is less probable than the style's threshold is not drawn.
    pub fn over_picture(&self, picture: &Picture, classes: &[String], style: &OverlayStyle) -> Picture {
        if classes.len() == 2 {
            let map = self.probabilities.index_axis(Axis(2), 1).to_owned();
            let style = OverlayStyle { interpolation: self.interpolation, ..style.clone() };
            return map_over_picture(picture, &self.geometry, &map, &style);
        }
        let style_of = |(class, name): (usize, &String)| ClassStyle {
            name: name.clone(),
            colour: class_colour(class.saturating_sub(1), classes.len() - 1),
            opacity: if class > 0 { style.opacity } else { 0.0 },
        };
        let labels = self.labels_from(style.threshold.unwrap_or_default());
        classes_with_legend(picture, &labels, &classes.iter().enumerate().map(style_of).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::image::SizeRule;
    use crate::probe::logistic::Classifier;

    fn probe(weights: Array2<f32>) -> Probe {
        let classes = if weights.nrows() == 1 { 2 } else { weights.nrows() };
        Probe {
            classifier: Classifier { intercept: ndarray::Array1::zeros(weights.nrows()), weights },
            classes: (0..classes).map(|class| format!("class {class}")).collect(),
            model: "demo".to_owned(),
            weights: String::new(),
            size: SizeRule::ShortSide(32),
            layer: None,
        }
    }

    /// 3 × 4 patches of 8 pixels over a picture of 35 × 24: three columns of it lie outside.
    fn scene() -> (FeatureGrid, Picture, Geometry) {
        let data = Array2::from_shape_fn((12, 2), |(i, k)| if (i % 4 < 2) == (k == 0) { 9.0 } else { -9.0 });
        let geometry = Geometry { picture: (35, 24), covered: (32, 24), grid: (3, 4) };
        let rgb = (0..35 * 24).flat_map(|i| [if i % 35 < 16 { 30 } else { 220 }; 3]).collect();
        (FeatureGrid { rows: 3, cols: 4, data }, Picture { width: 35, height: 24, rgb }, geometry)
    }

    #[test]
    fn classes_of_pixels_with_and_without_edges() {
        let (grid, picture, geometry) = scene();
        for follows_edges in [false, true] {
            let options = ApplyOptions { follows_edges, has_median: false };
            let applied = probe(array![[0.0, 1.0]]).apply(&grid, &picture, &geometry, options).unwrap();
            let labels = applied.labels();
            let row = &labels.data[12 * 35..][..35];
            let expected: Vec<u16> = (0..35).map(|x| u16::from((16..32).contains(&x))).collect();
            assert_eq!(row, expected, "edges {follows_edges}");
            let drawn = applied.over_picture(&picture, &["a".to_owned(), "b".to_owned()], &OverlayStyle::default());
            assert_eq!((drawn.width, drawn.height), (35, 24));
        }
    }

    #[test]
    fn a_lonely_patch_is_no_match_for_its_neighbours() {
        let (mut grid, picture, geometry) = scene();
        grid.data.row_mut(4 + 1).assign(&array![-9.0, 9.0]);
        let apply = |has_median| {
            let options = ApplyOptions { has_median, follows_edges: false };
            probe(array![[0.0, 1.0]]).apply(&grid, &picture, &geometry, options).unwrap().probabilities
        };
        assert!(apply(false)[[1, 1, 1]] > 0.99 && apply(true)[[1, 1, 1]] < 0.01);
        assert!((apply(true)[[1, 1, 0]] + apply(true)[[1, 1, 1]] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn of_three_classes_the_first_stays_the_picture() {
        let (grid, picture, geometry) = scene();
        let three = probe(array![[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]);
        let applied = three.apply(&grid, &picture, &geometry, ApplyOptions::default()).unwrap();
        let drawn = applied.over_picture(&picture, &three.classes, &OverlayStyle::default());
        let pixel = |picture: &Picture, x: usize| picture.rgb[3 * (20 * 35 + x)..][..3].to_vec();
        assert_eq!(pixel(&drawn, 2), pixel(&picture, 2));
        assert_ne!(pixel(&drawn, 28), pixel(&picture, 28));
        assert_eq!(pixel(&drawn, 34), pixel(&picture, 34), "beyond the patches");
        let style = OverlayStyle { threshold: Some(1.1), ..OverlayStyle::default() };
        let drawn = applied.over_picture(&picture, &three.classes, &style);
        assert_eq!(pixel(&drawn, 28), pixel(&picture, 28), "below the threshold");
    }
}
