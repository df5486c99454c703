//! Indexes made, added to and searched beside a model.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::support::*;
use super::*;
use crate::image::write::write_picture;
use crate::image::{Filter, SizeRule};
use crate::retrieval::{Index, Recipe, Region};

/// A folder with pictures of that size, and where its index goes.
fn pictures(names: &[&str]) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("set");
    std::fs::create_dir(&pictures).unwrap();
    names.iter().for_each(|name| write_picture(&pictures.join(name), &picture(20, 20), &[]).unwrap());
    let index = folder.path().join("set.index");
    (folder, pictures, index)
}

fn index(pictures: IndexedPictures, index: &Path, size: usize) -> Command {
    let (index, size) = (index.to_path_buf(), SizeRule::ShortSide(size));
    Command::Index(IndexRequest { pictures, index, size, filter: Filter::Bilinear, model: Arc::new(choice("fake")) })
}

fn search(index: &Path, region: Option<Region>) -> Command {
    let pixels = PixelSource::Loaded(Arc::new(picture(20, 20)));
    let whole = SearchQuery { picture: PictureId(1), pixels, region: None };
    let other = SearchQuery { picture: PictureId(2), region, ..whole.clone() };
    let (index, queries, model) = (index.to_path_buf(), vec![whole, other], Arc::new(choice("fake")));
    Command::Search(SearchRequest { index, queries, most: 10, filter: Filter::Bilinear, model })
}

fn indexed(outcomes: &[Outcome]) -> Arc<Indexed> {
    let [Outcome::Indexed(indexed)] = outcomes else { panic!("{outcomes:?}") };
    Arc::clone(indexed)
}

fn searched(outcomes: &[Outcome]) -> Arc<Searched> {
    let [Outcome::Searched(searched)] = outcomes else { panic!("{outcomes:?}") };
    Arc::clone(searched)
}

fn names(searched: &Searched) -> Vec<&str> {
    searched.found.hits.iter().map(|hit| hit.path.file_name().unwrap().to_str().unwrap()).collect()
}

#[test]
fn an_indexing_gives_way_between_two_pictures_and_goes_on() {
    let (_folder, set, target) = pictures(&["a.png", "b.png", "c.png"]);
    let gate = Gate::closed();
    let mut window = Window::with_fake(&gate);
    let id = window.send(index(IndexedPictures::Below(set), &target, 32));
    gate.wait_for_arrivals(1);
    let encode = window.send(Command::Encode(vec![job(1, "fake", 32)]));
    let search = window.send(search(&target, None));
    // The first picture, what is encoded, and the two that are searched for.
    gate.allow(4 * Fake::DEPTH);
    assert!(matches!(window.finish(encode)[..], [Outcome::Encoded { .. }, Outcome::Finished]));
    let found = searched(&window.finish(search));
    assert_eq!((names(&found), found.pictures), (vec!["a.png"], 1), "what is there by then");
    assert!(!window.take(id).iter().any(is_last));
    gate.allow(100);
    let indexed = indexed(&window.finish(id));
    assert_eq!((indexed.pictures, indexed.added, indexed.failed.len()), (3, 3, 0));
    assert_eq!(indexed.recipe.size, SizeRule::ShortSide(32));
}

#[test]
fn a_stopped_indexing_repeats_nothing() {
    let (_folder, set, target) = pictures(&["a.png", "b.png", "c.png"]);
    let gate = Gate::closed();
    let mut window = Window::with_fake(&gate);
    let command = || index(IndexedPictures::Below(set.clone()), &target, 32);
    let id = window.send(command());
    gate.wait_for_arrivals(1);
    gate.allow(Fake::DEPTH);
    gate.wait_for_arrivals(Fake::DEPTH + 1);
    window.dispatcher.cancel(id);
    gate.allow(1);
    assert!(matches!(window.finish(id)[..], [Outcome::Cancelled]));
    // Where it waits behind another command, it is stopped at once.
    let second = window.send(command());
    gate.wait_for_arrivals(Fake::DEPTH + 2);
    let encode = window.send(Command::Encode(vec![job(1, "fake", 32)]));
    gate.allow(Fake::DEPTH);
    gate.wait_for_arrivals(2 * Fake::DEPTH + 2);
    window.dispatcher.cancel(second);
    assert!(matches!(window.finish(second)[..], [Outcome::Cancelled]));
    gate.allow(100);
    window.finish(encode);
    let third = window.send(command());
    let indexed = indexed(&window.finish(third));
    assert_eq!((indexed.pictures, indexed.added), (3, 1));
}

#[test]
fn broken_pictures_are_named_and_the_others_found() {
    let (_folder, set, target) = pictures(&["a.png", "b.png"]);
    std::fs::write(set.join("broken.png"), b"no picture").unwrap();
    write_picture(&set.join("panics.png"), &picture(30, 20), &[]).unwrap();
    let mut window = Window::with_fake(&Gate::open());
    let id = window.send(index(IndexedPictures::Below(set.clone()), &target, 32));
    let done = indexed(&window.finish(id));
    assert_eq!((done.pictures, done.added), (2, 2));
    let [(broken, why), (panics, panicked)] = &done.failed[..] else { panic!("{done:?}") };
    assert!(broken.ends_with("broken.png") && why.contains("broken.png"), "{why}");
    assert!(panics.ends_with("panics.png") && panicked.contains("breaks the model"), "{panicked}");

    let id = window.send(search(&target, None));
    let found = searched(&window.finish(id));
    assert_eq!((names(&found), found.pictures), (vec!["a.png", "b.png"], 2));
    assert!(found.found.hits.iter().all(|hit| hit.place.is_none() && hit.geometry.picture == (20, 20)));
    let region = Region { x: 12.0, y: 12.0, width: 6.0, height: 6.0 };
    let id = window.send(search(&target, Some(region)));
    let found = searched(&window.finish(id));
    let [first, ..] = &found.found.hits[..] else { panic!("{found:?}") };
    assert!((first.score - 1.0).abs() < 1e-3 && first.place.is_some());

    // What has changed or gone is named; then what is known is brought up to date.
    std::fs::remove_file(set.join("a.png")).unwrap();
    write_picture(&set.join("b.png"), &picture(20, 26), &[]).unwrap();
    let id = window.send(search(&target, None));
    let found = searched(&window.finish(id));
    assert!(found.found.hits.is_empty());
    assert!(found.found.gone.contains(&set.join("a.png")) && found.found.changed.contains(&set.join("b.png")));
    let id = window.send(index(IndexedPictures::OfIndex(target.clone()), &target, 32));
    assert_eq!(indexed(&window.finish(id)).added, 1);
    let id = window.send(search(&target, None));
    assert_eq!(names(&searched(&window.finish(id))), ["b.png"]);
}

#[test]
fn other_indexes_and_folders_without_pictures_are_refused() {
    let (folder, set, target) = pictures(&["a.png"]);
    let mut window = Window::with_fake(&Gate::open());
    let id = window.send(search(&target, None));
    let outcomes = window.finish(id);
    let [Outcome::Failed(failure)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(
        failure.message.contains("set.index is no index") && !failure.message.contains('\''),
        "{}",
        failure.message
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let id = window.send(index(IndexedPictures::Below(empty), &target, 32));
    let outcomes = window.finish(id);
    let [Outcome::Failed(failure)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(failure.message.contains("empty holds no pictures") && !target.exists(), "{}", failure.message);

    let recipe = Recipe { model: "vits16".into(), weights: "cd34".into(), size: SizeRule::ShortSide(384), dim: 8 };
    Index::create(&target, &recipe).unwrap();
    for command in [search(&target, None), index(IndexedPictures::Below(set.clone()), &target, 32)] {
        let id = window.send(command);
        let outcomes = window.finish(id);
        let [Outcome::OtherIndex { recipe: made_with, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(*made_with, recipe);
    }
    // Of the same model, it keeps its size.
    let own = folder.path().join("own.index");
    for size in [32, 64] {
        let id = window.send(index(IndexedPictures::Below(set.clone()), &own, size));
        assert_eq!(indexed(&window.finish(id)).recipe.size, SizeRule::ShortSide(32));
    }
}

#[test]
fn files_become_small_pictures_in_their_order() {
    let (_folder, set, _) = pictures(&["a.png"]);
    std::fs::write(set.join("broken.png"), b"no picture").unwrap();
    write_picture(&set.join("large.png"), &picture(600, 300), &[]).unwrap();
    let mut window = Window::with_fake(&Gate::open());
    let paths = ["large.png", "broken.png", "gone.png", "a.png"].map(|name| set.join(name));
    let id = window.send(Command::Thumbnails(paths.to_vec()));
    let outcomes = window.finish(id);
    let [thumbnails @ .., Outcome::Finished] = &outcomes[..] else { panic!("{outcomes:?}") };
    let sizes = thumbnails.iter().zip(&paths).map(|(outcome, expected)| match outcome {
        Outcome::Thumbnail { path, thumbnail } if path == expected => {
            thumbnail.as_ref().map(|small| (small.width, small.height)).map_err(|sentence| sentence.contains("png"))
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [Ok((256, 128)), Err(true), Err(true), Ok((20, 20))]);
}
