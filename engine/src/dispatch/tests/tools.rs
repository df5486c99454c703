//! The bundled model from opening a picture to files.

use std::fs;
use std::path::Path;

use super::support::*;
use super::*;
use crate::Cancel;
use crate::analysis::clustering::ClusterOptions;
use crate::analysis::matching::{self, MatchOptions};
use crate::analysis::pca::Basis;
use crate::analysis::similarity::{MapQuery, unit_direction};
use crate::cache::CachedFeatures;
use crate::draw::overlay::{Interpolation, OverlayStyle};
use crate::encoder::DEMO;
use crate::features::Patch;

struct Session {
    window: Window,
    left: Selected,
    right: Selected,
}

fn encode(window: &mut Window, jobs: Vec<EncodeJob>) -> Vec<Arc<CachedFeatures>> {
    let id = window.send(Command::Encode(jobs));
    let outcomes = window.finish(id);
    let features = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Encoded { features, .. } => Some(Arc::clone(features)),
        _ => None,
    });
    features.collect()
}

fn session() -> Session {
    let mut window = Window::new(Dispatcher::new(None, Arc::new(|| ())));
    let id = window.send(Command::LoadModel(choice(DEMO)));
    window.wait(|event| event.id == id && is_last(&event.outcome));
    let outcomes = window.take(id);
    assert!(matches!(&outcomes[..], [Outcome::Progress(_), .., Outcome::ModelReady(info)] if info.depth == 12));
    let (mut first, mut second) = (job(1, DEMO, 96), job(2, DEMO, 96));
    let loaded = |width, height| PixelSource::Loaded(Arc::new(picture(width, height)));
    (first.pixels, second.pixels) = (loaded(120, 90), loaded(90, 100));
    let features = encode(&mut window, vec![first, second]);
    let [left, right] = [1, 2].map(|id| {
        let features = Arc::clone(&features[id - 1]);
        Selected { picture: PictureId(id as u64), features, foreground: None }
    });
    Session { window, left, right }
}

impl Session {
    fn run(&mut self, command: Command) -> Outcome {
        let id = self.window.send(command);
        let mut outcomes = self.window.finish(id);
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    fn pca(&self) -> PcaRequest {
        let both = vec![self.left.clone(), self.right.clone()];
        PcaRequest {
            project: both.iter().map(|s| (s.picture, Arc::clone(&s.features))).collect(),
            fit: both,
            components: 3,
            basis: None,
            align_to: None,
        }
    }
}

#[test]
fn every_tool_answers() {
    let mut session = session();
    let grid = session.left.features.geometry.grid;
    assert_eq!(grid, (6, 8));

    let Outcome::Pca { basis, scores } = session.run(Command::Pca(session.pca())) else { panic!("no scores") };
    assert_eq!(scores.iter().map(|(id, map)| (id.0, map.dim())).collect::<Vec<_>>(), [(1, (6, 8, 3)), (2, (7, 6, 3))]);
    let mut flipped = (*basis).clone();
    flipped.components[0].iter_mut().for_each(|v| *v = -*v);
    let flipped = Arc::new(flipped);
    let aligned = PcaRequest { align_to: Some(Arc::clone(&flipped)), ..session.pca() };
    let Outcome::Pca { basis: aligned, .. } = session.run(Command::Pca(aligned)) else { panic!("no scores") };
    assert_eq!(aligned, flipped);
    let given = PcaRequest { fit: Vec::new(), basis: Some(Arc::clone(&flipped)), ..session.pca() };
    let Outcome::Pca { basis: given, scores } = session.run(Command::Pca(given)) else { panic!("no scores") };
    assert!(given == flipped && scores.len() == 2);

    let pictures = [&session.left, &session.right].map(|s| (s.picture, Arc::clone(&s.features))).to_vec();
    let request = ClusterRequest { pictures, options: ClusterOptions { clusters: 3, ..ClusterOptions::default() } };
    let Outcome::Clusters(labels) = session.run(Command::Cluster(request.clone())) else { panic!("no labels") };
    assert_eq!((labels[0].0, labels[0].1.dim(), labels[1].1.dim()), (PictureId(1), (6, 8), (7, 6)));
    let request = ClusterRequest { options: ClusterOptions { clusters: 1000, ..request.options }, ..request };
    let Outcome::Failed(failure) = session.run(Command::Cluster(request)) else { panic!("1000 of 90 patches") };
    assert!(failure.message.contains("1000"));

    let request =
        MatchRequest { left: session.left.clone(), right: session.right.clone(), options: MatchOptions::default() };
    let Outcome::Matches(result) = session.run(Command::Match(request)) else { panic!("no pairs") };
    assert_eq!((result.pairs.len(), result.nearest.left_of_right.len()), (48, 42));
    let patches = [&session.left, &session.right].map(|s| &s.features.features.patch);
    assert_eq!(result.nearest, matching::nearest(patches[0], patches[1], &Cancel::default()).unwrap());

    let request = ForegroundRequest {
        picture: PictureId(1),
        features: Arc::clone(&session.left.features),
        source: ForegroundSource::Automatic,
    };
    match session.run(Command::Foreground(request)) {
        Outcome::Foreground { picture, mask } => assert_eq!((picture, mask.dim()), (PictureId(1), grid)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_foreground_comes_from_a_mask_file() {
    let mut session = session();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let mut read = |width, height, filled: u32| {
        let mask = ::image::GrayImage::from_fn(width, height, |x, _| ::image::Luma([if x < filled { 255 } else { 0 }]));
        mask.save(&path).unwrap();
        let features = Arc::clone(&session.left.features);
        let request =
            ForegroundRequest { picture: PictureId(1), features, source: ForegroundSource::Mask(path.clone()) };
        session.run(Command::Foreground(request))
    };
    let Outcome::Failed(failure) = read(90, 120, 90) else { panic!("another size") };
    assert!(failure.message.contains("the mask is 90x120 where 120x90 is needed"), "{}", failure.message);
    let Outcome::Failed(failure) = read(120, 90, 0) else { panic!("nothing in it") };
    assert!(failure.message.contains("mask.png covers no patch"), "{}", failure.message);
    let Outcome::Foreground { mask, .. } = read(120, 90, 15) else { panic!("no mask") };
    assert!(mask.indexed_iter().all(|((_, col), &inside)| inside == (col == 0)), "{mask}");

    let left = Selected { foreground: Some(mask), ..session.left.clone() };
    let request = PcaRequest { fit: vec![left], components: 10, ..session.pca() };
    let Outcome::Pca { basis, scores } = session.run(Command::Pca(request)) else { panic!("no scores") };
    assert_eq!((basis.components.len(), scores[1].1.dim()), (5, (7, 6, 5)), "six patches have five components");
}

#[test]
fn every_file_is_written() {
    let mut session = session();
    let folder = tempfile::tempdir().unwrap();
    let features = Arc::clone(&session.left.features);
    let geometry = features.geometry;
    let shown = Arc::new(picture(120, 90));
    let direction = unit_direction(&features.features.patch, &[Patch { row: 2, col: 3 }]).unwrap();
    let query = MapQuery { positive: vec![direction], excluded: vec![8], ..MapQuery::default() };
    let colours = Arc::new(ndarray::Array3::from_elem((6, 8, 3), 0.5));
    let style = OverlayStyle::default();
    let metadata = vec![("model".to_owned(), "demo".to_owned())];
    let mut export = |name: &str, what: Export| {
        let path = folder.path().join(name);
        let command = Command::Export { what, path: path.clone(), metadata: metadata.clone() };
        assert!(matches!(session.run(command), Outcome::Exported(written) if written == path));
        path
    };
    let size = |path: &Path| crate::image::read(path).map(|p| (p.width, p.height)).unwrap();
    let over = Export::MapPicture {
        picture: Arc::clone(&shown),
        features: Arc::clone(&features),
        query: query.clone(),
        style,
    };
    assert_eq!(size(&export("map.png", over)), (120, 90));
    let interpolation = Interpolation::default();
    let over = Export::ColourPicture { picture: Arc::clone(&shown), geometry, colours, interpolation, opacity: 0.5 };
    assert_eq!(size(&export("colours.png", over)), (120, 90));
    assert_eq!(size(&export("plain.png", Export::Picture(shown))), (120, 90));
    let path = export("map.npy", Export::Map { features: Arc::clone(&features), query });
    let map: ndarray::Array2<f32> = ndarray_npy::read_npy(path).unwrap();
    assert_eq!(map.dim(), geometry.grid);
    assert!(map[[1, 0]].is_nan() && map.iter().filter(|value| value.is_nan()).count() == 1);
    assert!((map[[2, 3]] - 1.0).abs() < 1e-6);
    let scores = Arc::new(ndarray::Array3::from_elem((6, 8, 4), 1.5));
    let path = export("scores.npy", Export::Scores(Arc::clone(&scores)));
    assert_eq!(ndarray_npy::read_npy::<_, ndarray::Array3<f32>>(path).unwrap(), *scores);
    let labels = Arc::new(ndarray::Array2::from_shape_fn((6, 8), |(row, col)| row * col));
    let path = export("labels.npy", Export::Labels(Arc::clone(&labels)));
    assert_eq!(ndarray_npy::read_npy::<_, ndarray::Array2<i64>>(path).unwrap(), labels.mapv(|label| label as i64));
    let basis = Basis { mean: vec![0.5], components: vec![vec![1.0]], variances: vec![2.0], total_variance: 2.0 };
    let path = export("basis.json", Export::Basis(Arc::new(basis.clone())));
    assert_eq!(Basis::from_json(&fs::read_to_string(path).unwrap()), Ok(basis));
    let path = export("a.safetensors", Export::Features(features));
    let bytes = fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    assert_eq!((shape("patch"), shape("cls")), (vec![6, 8, 192], vec![192]));
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["model"], "demo");
}

#[test]
fn matches_are_coloured_thinned_drawn_and_listed() {
    let mut session = session();
    let request =
        MatchRequest { left: session.left.clone(), right: session.right.clone(), options: MatchOptions::default() };
    let Outcome::Matches(result) = session.run(Command::Match(request.clone())) else { panic!("no pairs") };
    let [left, right] = result.colours.clone().expect("48 pairs are enough");
    assert_eq!((left.dim(), right.dim()), ((6, 8, 3), (7, 6, 3)));
    let nothing = Some(Arc::new(ndarray::Array2::from_elem((6, 8), false)));
    let request = MatchRequest { left: Selected { foreground: nothing, ..request.left.clone() }, ..request };
    let Outcome::Matches(none) = session.run(Command::Match(request)) else { panic!("no answer") };
    assert!(none.pairs.is_empty() && none.colours.is_none(), "too few for colours is no failure");

    let pairs = Arc::new(result.pairs.clone());
    let thin = ThinRequest { pairs: Arc::clone(&pairs), distance: 40.0 };
    let Outcome::Thinned(lines) = session.run(Command::Thin(thin)) else { panic!("no lines") };
    assert_eq!(lines, matching::thin(&pairs, 40.0, &Cancel::default()).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let mut export = |name: &str, what: Export| {
        let path = folder.path().join(name);
        let command = Command::Export { what, path: path.clone(), metadata: Vec::new() };
        assert!(matches!(session.run(command), Outcome::Exported(written) if written == path));
        fs::read(path).unwrap()
    };
    let listed = |format| {
        let (left, right) = ("a.png".to_owned(), "b.png".to_owned());
        Export::Pairs { left, right, pairs: Arc::clone(&pairs), format }
    };
    let json: serde_json::Value = serde_json::from_slice(&export("pairs.json", listed(PairFormat::Json))).unwrap();
    assert_eq!((json["left"].as_str(), json["pairs"].as_array().map(Vec::len)), (Some("a.png"), Some(48)));
    let csv = String::from_utf8(export("pairs.csv", listed(PairFormat::Csv))).unwrap();
    assert_eq!(csv.lines().count(), 49);
    let side =
        |width, height, colours, geometry| MatchSide { picture: Arc::new(picture(width, height)), geometry, colours };
    let geometry = |selected: &Selected| selected.features.geometry;
    let (left_geometry, right_geometry) = (geometry(&session.left), geometry(&session.right));
    let (left, right) = (side(120, 90, left, left_geometry), side(90, 100, right, right_geometry));
    let what = Export::MatchPicture { left, right, lines: Arc::new(lines) };
    let Outcome::Drawn(drawn) = session.run(Command::Draw(what)) else { panic!("nothing drawn") };
    assert_eq!((drawn.width, drawn.height), (480 + 6 + 324, 360 + 6 + 360));
}
