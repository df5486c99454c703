use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::approximate::Graph;
use super::query::mean_direction;
use super::*;
use crate::features::{FeatureGrid, Features, Geometry, Patch};
use crate::image::SizeRule;
use crate::probe::vectors::PictureKey;
use crate::{Cancel, Result};

const DIM: usize = 4;
const NEVER: usize = usize::MAX;

fn recipe() -> Recipe {
    Recipe { model: "demo".to_owned(), weights: "ab12".to_owned(), size: SizeRule::ShortSide(32), dim: DIM }
}

/// Features of a picture of 2 by 3 patches, all but one of which are `cls`.
fn features(cls: [f32; DIM], odd: [f32; DIM]) -> Features {
    let value = |(patch, number): (usize, usize)| if patch == 4 { odd[number] } else { cls[number] };
    let patch = FeatureGrid { rows: 2, cols: 3, data: Array2::from_shape_fn((6, DIM), value) };
    Features { cls: cls.to_vec(), registers: Array2::zeros((0, DIM)), patch }
}

fn geometry() -> Geometry {
    Geometry { picture: (60, 40), covered: (60, 40), grid: (2, 3) }
}

fn picture(folder: &Path, name: &str, content: &str) -> PictureKey {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    PictureKey::of(&path).unwrap()
}

fn names(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| hit.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// Pictures "0", "1", ... whose CLS tokens turn away from the first axis, each with an odd patch of its own.
fn three(pictures: &Path, folder: &Path) -> (Index, Vec<PictureKey>) {
    let mut index = Index::create(folder, &recipe()).unwrap();
    let mut keys = Vec::new();
    for (name, (cls, odd)) in [
        ([2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]),
        ([2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]),
        ([2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0]),
    ]
    .into_iter()
    .enumerate()
    {
        keys.push(picture(pictures, &name.to_string(), "content"));
        index.push(keys[name].clone(), &features(cls, odd), &geometry()).unwrap();
    }
    (index, keys)
}

#[test]
fn pictures_and_regions_are_ranked_by_their_cosine() {
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    three(pictures.path(), folder.path());
    let mut index = Index::open(folder.path(), &recipe()).unwrap();
    let direction = mean_direction(&[vec![0.0, 7.0, 0.0, 0.0]]).unwrap();
    let found = index.search(&direction, 2, NEVER, &Cancel::default()).unwrap();
    assert_eq!((names(&found), found.is_approximate), (vec!["2".to_owned(), "1".to_owned()], false));
    assert!((found.hits[0].score - 4.0 / 20f32.sqrt()).abs() < 1e-6 && found.hits[0].place.is_none());

    let found = index.search_regions(&[0.0, 0.0, 1.0, 0.0], 2, &Cancel::default()).unwrap();
    assert_eq!(names(&found), ["0", "1"]);
    assert!((found.hits[1].score - 0.5f32.sqrt()).abs() < 1e-3, "in half precision");
    assert_eq!(found.hits[0].place, Some((Patch { row: 1, col: 1 }, (30.0, 30.0))));
    // Several queries: the lengths do not count.
    assert_eq!(mean_direction(&[vec![9.0, 0.0], vec![0.0, 2.0]]).unwrap(), [0.5f32.sqrt(); 2]);
}

#[test]
fn what_has_changed_or_gone_is_not_found() {
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut index, keys) = three(pictures.path(), folder.path());
    let direction = [1.0, 0.0, 0.0, 0.0];
    std::fs::remove_file(&keys[0].path).unwrap();
    let changed = picture(pictures.path(), "1", "other content");
    index.prepare(1, &Cancel::default()).unwrap();
    for approximate_from in [NEVER, 1] {
        let found = index.search(&direction, 5, approximate_from, &Cancel::default()).unwrap();
        assert_eq!((names(&found), found.is_approximate), (vec!["2".to_owned()], approximate_from == 1));
        assert_eq!(found.changed.iter().collect::<Vec<_>>(), [&keys[1].path]);
        assert_eq!(found.gone.iter().collect::<Vec<_>>(), [&keys[0].path]);
    }
    assert!(!index.has(&changed));
    index.push(changed, &features([0.0, 1.0, 0.0, 0.0], [1.0; 4]), &geometry()).unwrap();
    let found = index.search(&direction, 5, NEVER, &Cancel::default()).unwrap();
    assert_eq!(names(&found), ["2", "1"]);
    assert!(found.changed.is_empty());
    assert_eq!(found.hits[1].score, 0.0, "as it is now");
}

#[test]
fn what_an_interruption_cut_off_is_completed_and_nothing_repeated() {
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (index, keys) = three(pictures.path(), folder.path());
    drop(index);
    let bytes = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    let whole: Vec<u64> = ["patches.f16", "vectors.f32"].map(bytes).to_vec();
    // The vector of the last picture, then its patches too.
    for (cut, off) in [("vectors.f32", 3), ("patches.f16", 1)] {
        let file = OpenOptions::new().write(true).open(folder.path().join(cut)).unwrap();
        file.set_len(bytes(cut) - off).unwrap();
        let mut index = Index::create(folder.path(), &recipe()).unwrap();
        assert_eq!(keys.iter().map(|key| index.has(key)).collect::<Vec<_>>(), [true, true, false], "{cut}");
        index.push(keys[2].clone(), &features([2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0]), &geometry()).unwrap();
        assert!(index.has(&keys[2]));
        assert_eq!(["patches.f16", "vectors.f32"].map(bytes).to_vec(), whole, "{cut}");
        let found = index.search_regions(&[0.0, 0.0, 0.0, 1.0], 1, &Cancel::default()).unwrap();
        assert_eq!(names(&found), ["2"]);
    }
}

#[test]
fn other_models_sizes_and_folders_are_refused() {
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    three(pictures.path(), folder.path());
    let message = |result: Result<Index>| result.err().map(|error| error.to_string()).unwrap_or_default();
    let other = Recipe { model: "vits16".to_owned(), weights: "cd34".to_owned(), ..recipe() };
    for result in [Index::open(folder.path(), &other), Index::create(folder.path(), &other)] {
        let message = message(result);
        assert!(message.contains("made with demo (weights ab12), not with vits16 (cd34)"), "{message}");
    }
    let larger = Recipe { size: SizeRule::ShortSide(64), ..recipe() };
    let refused = message(Index::create(folder.path(), &larger));
    assert!(refused.contains("--size 32, not 64"), "{refused}");
    Index::open(folder.path(), &larger).unwrap();
    let refused = message(Index::create(pictures.path(), &recipe()));
    assert!(refused.contains("it holds other files"), "{refused}");
    assert!(message(Index::open(&pictures.path().join("nowhere"), &recipe())).contains("there is nothing"));
    std::fs::write(folder.path().join("index.json"), "{}").unwrap();
    assert!(message(Index::open(folder.path(), &recipe())).contains("is no index"));
}

#[test]
fn a_region_has_the_patches_with_their_centres_inside() {
    let region = |x, y, width, height| Region { x, y, width, height }.patches(&geometry());
    assert_eq!(region(0.0, 0.0, 35.0, 20.0), [Patch { row: 0, col: 0 }, Patch { row: 0, col: 1 }]);
    assert_eq!(region(50.5, 31.0, 2.0, 2.0), [Patch { row: 1, col: 2 }], "smaller than a patch");
    assert_eq!(region(61.0, 0.0, 5.0, 5.0), []);
}

/// `[n, dim]` of length 1, uniform over all directions.
fn random(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut generator = Xoshiro256Plus::seed_from_u64(seed);
    let mut number = || {
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (a, b) = (uniform(generator.next_u64()), uniform(generator.next_u64()));
        ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()) as f32
    };
    let rows = (0..n).map(|_| mean_direction(&[(0..dim).map(|_| number()).collect()]).unwrap());
    rows.collect::<Vec<_>>().concat()
}

#[test]
fn the_graph_finds_nearly_all_and_what_came_later_too() {
    let dim = 32;
    let (rows, queries) = (random(3000, dim, 1), random(100, dim, 2));
    let pictures = tempfile::tempdir().unwrap();
    let path = pictures.path().join("graph.hnsw");
    Graph::build(&rows, dim).save(&path).unwrap();
    let graph = Graph::load(&path).unwrap();
    let mut hits = 0;
    for query in queries.chunks_exact(dim) {
        let mut exact: Vec<(f32, usize)> =
            rows.chunks_exact(dim).map(|row| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>()).zip(0..).collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = graph.search(query);
        assert!(
            (found[0].0 - rows[found[0].1 * dim..][..dim].iter().zip(query).map(|(a, b)| a * b).sum::<f32>()).abs()
                < 1e-5
        );
        let found: Vec<usize> = found.into_iter().take(10).map(|it| it.1).collect();
        hits += exact[..10].iter().filter(|it| found.contains(&it.1)).count();
    }
    assert!(hits >= 950, "recall at 10 of {} %", hits as f64 / 10.0);

    // A broken file is no graph.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(Graph::load(&path).is_none() && Graph::load(&pictures.path().join("none")).is_none());
}

#[test]
fn searching_by_a_graph_gives_what_exact_search_gives() {
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut index = Index::create(folder.path(), &recipe()).unwrap();
    let add = |index: &mut Index, numbers: std::ops::Range<usize>| {
        let rows = random(numbers.end, DIM, 3);
        for number in numbers {
            let key = picture(pictures.path(), &number.to_string(), "content");
            let cls = *rows[number * DIM..].first_chunk().unwrap();
            index.push(key, &features(cls, cls), &geometry()).unwrap();
        }
    };
    let graph: PathBuf = folder.path().join("graph.hnsw");
    add(&mut index, 0..80);
    index.prepare(81, &Cancel::default()).unwrap();
    assert!(!graph.exists());
    index.prepare(80, &Cancel::default()).unwrap();
    let bytes = || std::fs::read(&graph).unwrap();
    let first = bytes();
    let query = random(1, DIM, 4);
    let compare = |index: &mut Index, most: usize, is_approximate: bool| {
        let by_graph = index.search(&query, most, 80, &Cancel::default()).unwrap();
        let exact = index.search(&query, most, NEVER, &Cancel::default()).unwrap();
        assert_eq!((by_graph.is_approximate, exact.is_approximate), (is_approximate, false));
        assert_eq!(names(&by_graph), names(&exact));
    };
    compare(&mut index, 10, true);
    // A few more: the graph stays, and they are found. Many more: it counts no more until it is made again.
    add(&mut index, 80..100);
    compare(&mut index, 90, true);
    let mut opened = Index::open(folder.path(), &recipe()).unwrap();
    compare(&mut opened, 10, true);
    index.prepare(80, &Cancel::default()).unwrap();
    assert!(bytes() == first);
    add(&mut index, 100..130);
    compare(&mut index, 10, false);
    index.prepare(80, &Cancel::default()).unwrap();
    assert!(bytes() != first);
    compare(&mut index, 10, true);
    compare(&mut index, 1000, false);
    // Who opens the index again has the graph already.
    let mut again = Index::open(folder.path(), &recipe()).unwrap();
    again.take_graph(index);
    std::fs::remove_file(&graph).unwrap();
    compare(&mut again, 10, true);
    // A graph of other vectors.
    std::fs::write(&graph, first).unwrap();
    std::fs::remove_file(folder.path().join("vectors.f32")).unwrap();
    std::fs::remove_file(folder.path().join("pictures.jsonl")).unwrap();
    let mut index = Index::create(folder.path(), &recipe()).unwrap();
    add(&mut index, 50..130);
    compare(&mut index, 10, false);
    index.prepare(80, &Cancel::default()).unwrap();
    compare(&mut index, 10, true);
}
