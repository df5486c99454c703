//! Pictures divided among phrases, as far as that goes without dino.txt.

use std::path::PathBuf;

use super::support::*;
use super::*;
use crate::image::SizeRule;
use crate::text::{Mode, Templates, WEIGHTS_FILE};

fn words(weights: &str) -> WordsRequest {
    WordsRequest { weights: Some(PathBuf::from(weights)), model: Arc::new(choice("fake")) }
}

fn request(weights: &str, detail: Detail) -> Command {
    Command::Segment(Box::new(SegmentRequest {
        picture: PictureId(1),
        pixels: PixelSource::Loaded(Arc::new(picture(20, 20))),
        words: words(weights),
        phrases: vec!["a cat".to_owned()],
        templates: Templates::none(),
        size: SizeRule::ShortSide(32),
        mode: Mode::Whole,
        background: None,
        detail,
    }))
}

fn failure(outcomes: &[Outcome]) -> &str {
    let [Outcome::Failed(failure)] = outcomes else { panic!("{outcomes:?}") };
    &failure.message
}

#[test]
fn what_is_wrong_with_a_file_is_one_sentence() {
    let mut window = Window::with_fake(&Gate::open());
    let id = window.send(Command::LoadWords(words("nowhere.pth")));
    assert!(failure(&window.finish(id)).contains("nowhere.pth"));
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/text/dinotxt.pth");
    let id = window.send(Command::LoadWords(words(golden)));
    assert!(failure(&window.finish(id)).contains("reads 64 numbers per patch, but the model has 8"));
    let id = window.send(request(golden, Detail::Screen));
    assert!(failure(&window.finish(id)).contains("reads 64"));
    let other = WordsRequest { model: Arc::new(choice("other")), ..words(golden) };
    let id = window.send(Command::LoadWords(other));
    assert!(failure(&window.finish(id)).contains("another model"));
}

#[test]
fn the_window_speaks_of_no_options() {
    let dinotxt = crate::checkpoint::CheckpointError::Dinotxt { path: PathBuf::new() };
    assert!(!failure::message(&dinotxt.into()).contains("--"));
    let sentences = [
        crate::text::TextError::NoWeights { folder: PathBuf::new() },
        crate::text::TextError::NoTransformer,
        crate::text::TextError::Tokens { path: PathBuf::new(), tokens: 2, known: 1 },
    ]
    .map(|error| failure::message(&error.into()));
    assert!(sentences[0].contains(WEIGHTS_FILE));
    assert!(sentences.iter().all(|sentence| !sentence.contains("--")), "{sentences:?}");
}

#[test]
fn a_newer_request_of_its_detail_takes_the_place_of_an_older_one() {
    let (first, second) = (request("a.pth", Detail::Screen), request("b.pth", Detail::Screen));
    assert!(second.replaces(&first));
    assert!(!request("b.pth", Detail::Full).replaces(&first));
    assert!(Command::LoadModel(choice("other")).replaces(&first));
    assert!(Command::LoadModel(choice("other")).replaces(&Command::LoadWords(words("a.pth"))));
}
