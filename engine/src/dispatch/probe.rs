//! A probe trained from what is painted, what it says of pictures, and files of that.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::PictureId;
use crate::Result;
use crate::cache::CachedFeatures;
use crate::draw::overlay::OverlayStyle;
use crate::features::Geometry;
use crate::image::write::write_picture;
use crate::image::{Filter, Picture, SizeRule, resample};
use crate::output::write_npy;
use crate::probe::apply::{Applied, ApplyOptions};
use crate::probe::logistic::{LogisticOptions, fit};
use crate::probe::{Probe, ProbeError};
use crate::{Cancel, analysis::AnalysisError};

/// Edges are looked for in pictures of at most so many pixels on a side: what is drawn in a window is no larger.
const LONGEST: usize = 1024;

/// A live probe: it may end a little before the minimum.
const TOLERANCE: f64 = 1e-9;

/// Train a probe and apply it.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// Where the probe comes from.
    pub source: ProbeSource,
    /// Pictures that it is applied to.
    pub pictures: Vec<ProbedPicture>,
    /// What is done with its probabilities.
    pub options: ApplyOptions,
}

/// Features of a picture, and some of its patches, row by row, with their class.
pub type TaughtPicture = (Arc<CachedFeatures>, Arc<Vec<(usize, usize)>>);

/// Where a probe comes from.
#[derive(Clone, Debug)]
pub enum ProbeSource {
    /// It is there.
    Known(Arc<Probe>),
    /// It is trained.
    Labels {
        /// Names; at least two.
        classes: Vec<String>,
        /// What is to be learned.
        labelled: Vec<TaughtPicture>,
        /// See [`LogisticOptions::c`].
        c: f64,
        /// Size of the model's input.
        size: SizeRule,
        /// Where training starts: the probe of a stroke ago.
        start: Option<Arc<Probe>>,
    },
}

/// A picture that a probe is applied to.
#[derive(Clone, Debug)]
pub struct ProbedPicture {
    /// Which.
    pub picture: PictureId,
    /// Its features.
    pub features: Arc<CachedFeatures>,
    /// Its pixels, for its edges.
    pub pixels: Arc<Picture>,
}

/// What came of a [`ProbeRequest`].
#[derive(Clone, Debug)]
pub struct Probed {
    /// The probe.
    pub probe: Arc<Probe>,
    /// What it says of each picture.
    pub pictures: Vec<(PictureId, Arc<Applied>)>,
    /// How long training took; nothing where the probe was there.
    pub training: Duration,
}

/// For [`super::Command::Probe`].
pub fn run(request: &ProbeRequest, cancel: &Cancel) -> Result<Probed> {
    let start = Instant::now();
    let probe = match &request.source {
        ProbeSource::Known(probe) => Arc::clone(probe),
        source @ ProbeSource::Labels { .. } => Arc::new(train(source, cancel)?),
    };
    let training = if matches!(request.source, ProbeSource::Known(_)) { Duration::ZERO } else { start.elapsed() };
    let pictures = request.pictures.iter().map(|ProbedPicture { picture, features, pixels }| {
        cancel.check()?;
        check_model(&probe, features)?;
        let geometry = features.geometry;
        let small = request.options.follows_edges.then(|| reduced(pixels, &geometry));
        let (pixels, geometry) = small.as_ref().map_or((&**pixels, geometry), |(small, geometry)| (small, *geometry));
        Ok((*picture, Arc::new(probe.apply(&features.features.patch, pixels, &geometry, request.options)?)))
    });
    Ok(Probed { pictures: pictures.collect::<Result<_>>()?, probe, training })
}

fn train(source: &ProbeSource, cancel: &Cancel) -> Result<Probe> {
    let ProbeSource::Labels { classes, labelled, c, size, start } = source else {
        return Err(ProbeError::OneClass.into());
    };
    let Some((first, _)) = labelled.first() else { return Err(ProbeError::OneClass.into()) };
    let (dim, provenance) = (first.features.patch.dim(), &first.provenance);
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for (features, patches) in labelled {
        let grid = &features.features.patch;
        if grid.dim() != dim {
            return Err(AnalysisError::Dimension { expected: dim, got: grid.dim() }.into());
        }
        for &(patch, class) in patches.iter() {
            rows.extend(grid.data.row(patch));
            labels.push(class);
        }
    }
    let features = ndarray::Array2::from_shape_vec((labels.len(), dim), rows).expect("dim numbers per label");
    let options = LogisticOptions { c: *c, tolerance: TOLERANCE, ..LogisticOptions::default() };
    let start = start.as_ref().map(|probe| &probe.classifier);
    let classifier = fit(features.view(), &labels, classes.len(), &options, start, cancel)?;
    Ok(Probe {
        classifier,
        classes: classes.clone(),
        model: provenance.model.clone(),
        weights: provenance.weights.clone(),
        size: *size,
        layer: None,
    })
}

/// Features of other weights mean something else.
pub(super) fn check_model(probe: &Probe, features: &CachedFeatures) -> Result<(), ProbeError> {
    let provenance = &features.provenance;
    if provenance.weights == probe.weights {
        return Ok(());
    }
    Err(ProbeError::Model { probe: probe.model.clone(), features: provenance.model.clone() })
}

/// A picture that is small enough for its edges to be found while somebody waits.
fn reduced(picture: &Picture, geometry: &Geometry) -> (Picture, Geometry) {
    let longest = picture.width.max(picture.height);
    if longest <= LONGEST {
        return (picture.clone(), *geometry);
    }
    let side = |side: usize| (side * LONGEST / longest).max(1);
    let (width, height) = (side(picture.width), side(picture.height));
    let small = resample::resize_picture(picture, width, height, Filter::Bilinear);
    let covered = (side(geometry.covered.0), side(geometry.covered.1));
    (small, Geometry { picture: (width, height), covered, grid: geometry.grid })
}

/// A file of what a probe says of a picture.
#[derive(Clone, Debug)]
pub struct ProbeExport {
    /// Which part of it.
    pub kind: ProbeExportKind,
    /// The probe.
    pub probe: Arc<Probe>,
    /// The picture.
    pub picture: ProbedPicture,
    /// What is done with its probabilities.
    pub options: ApplyOptions,
    /// How it looks.
    pub style: OverlayStyle,
    /// Written into pictures.
    pub metadata: Vec<(String, String)>,
}

/// A part of what a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeExportKind {
    /// Over the picture, as PNG.
    Picture,
    /// The class of every pixel, as a grey PNG.
    Labels,
    /// `[rows, cols, classes]`, or of pixels, as `.npy`.
    Probabilities,
}

impl ProbeExport {
    fn applied(&self) -> Result<Applied> {
        let ProbedPicture { features, pixels, .. } = &self.picture;
        self.probe.apply(&features.features.patch, pixels, &features.geometry, self.options)
    }

    /// Over the picture.
    ///
    /// # Errors
    /// [`ProbeError::Dimension`]
    pub fn draw(&self) -> Result<Picture> {
        Ok(self.applied()?.over_picture(&self.picture.pixels, &self.probe.classes, &self.style))
    }

    /// Writes it.
    ///
    /// # Errors
    /// As [`Self::draw`] and [`crate::output::write_atomically`].
    pub fn write(&self, path: &Path) -> Result<()> {
        match self.kind {
            ProbeExportKind::Picture => {
                let metadata: Vec<_> = self.metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
                write_picture(path, &self.draw()?, &metadata)
            }
            ProbeExportKind::Labels => self.applied()?.labels().write_png(path, self.probe.classes.len()),
            ProbeExportKind::Probabilities => write_npy(path, self.applied()?.probabilities.view()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::encoder::Provenance;
    use crate::features::{FeatureGrid, Features};

    /// Two halves of 8 × 8 patches that differ in their first number.
    fn features(weights: &str) -> Arc<CachedFeatures> {
        let data = Array2::from_shape_fn((64, 4), |(i, k)| {
            let noise = ((i * 31 + k * 17) % 13) as f32 / 13.0 - 0.5;
            noise + if k == 0 && i % 8 >= 4 { 3.0 } else { 0.0 }
        });
        let patch = FeatureGrid { rows: 8, cols: 8, data };
        let text = |text: &str| text.to_owned();
        let provenance =
            Provenance { model: text("demo"), weights: text(weights), device: text("cpu"), dtype: text("f32") };
        Arc::new(CachedFeatures {
            features: Features { cls: vec![0.0; 4], registers: Array2::zeros((0, 4)), patch },
            geometry: Geometry { picture: (2048, 2048), covered: (2048, 2048), grid: (8, 8) },
            provenance: Arc::new(provenance),
            resident: None,
        })
    }

    fn picture(features: Arc<CachedFeatures>) -> ProbedPicture {
        let rgb = (0..2048 * 2048).flat_map(|i| [if i % 2048 < 1024 { 20 } else { 200 }; 3]).collect();
        let pixels = Arc::new(Picture { width: 2048, height: 2048, rgb });
        ProbedPicture { picture: PictureId(1), features, pixels }
    }

    fn labels(features: &Arc<CachedFeatures>, start: Option<Arc<Probe>>) -> ProbeSource {
        ProbeSource::Labels {
            classes: vec!["left".to_owned(), "right".to_owned()],
            labelled: vec![(Arc::clone(features), Arc::new(vec![(0, 0), (9, 0), (17, 0), (7, 1), (14, 1), (22, 1)]))],
            c: 1.0,
            size: SizeRule::ShortSide(128),
            start,
        }
    }

    #[test]
    fn a_few_labels_tell_the_halves_apart() {
        let features = features("a");
        for follows_edges in [false, true] {
            let options = ApplyOptions { follows_edges, has_median: false };
            let pictures = vec![picture(Arc::clone(&features))];
            let request = ProbeRequest { source: labels(&features, None), pictures, options };
            let probed = run(&request, &Cancel::default()).unwrap();
            let applied = &probed.pictures[0].1;
            let (rows, cols, _) = applied.probabilities.dim();
            assert_eq!((rows, cols), if follows_edges { (1024, 1024) } else { (8, 8) });
            assert!(
                applied.probabilities[[rows / 2, 0, 1]] < 0.3 && applied.probabilities[[rows / 2, cols - 1, 1]] > 0.7
            );
            assert!(probed.training > Duration::ZERO);
            // What is known is only applied; from there training ends where it was.
            let known = ProbeRequest { source: ProbeSource::Known(Arc::clone(&probed.probe)), ..request.clone() };
            let again = run(&known, &Cancel::default()).unwrap();
            assert!(again.training.is_zero() && *again.pictures[0].1 == **applied);
            let warm = ProbeRequest { source: labels(&features, Some(probed.probe)), ..request };
            let warm = run(&warm, &Cancel::default()).unwrap();
            let difference = &warm.pictures[0].1.probabilities - &applied.probabilities;
            assert!(difference.iter().all(|d| d.abs() < 1e-3));
        }
    }

    #[test]
    fn features_of_another_model_are_refused() {
        let ours = features("a");
        let request =
            |pictures| ProbeRequest { source: labels(&ours, None), pictures, options: ApplyOptions::default() };
        let error = run(&request(vec![picture(features("b"))]), &Cancel::default()).unwrap_err();
        assert!(matches!(error, crate::Error::Probe(ProbeError::Model { .. })), "{error}");
        let probed = run(&request(Vec::new()), &Cancel::default()).unwrap();
        assert_eq!((probed.probe.weights.as_str(), probed.probe.size), ("a", SizeRule::ShortSide(128)));
    }
}
