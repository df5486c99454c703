//! Opening, writing and downloading.

use std::fs;
use std::path::{Path, PathBuf};

use super::server::{Reply, Server};
use super::support::*;
use super::*;
use crate::hub::Source;
use crate::image::write::write_picture;

fn open(window: &Window, id: u64, path: &Path) -> RequestId {
    window.send(Command::Open { picture: PictureId(id), source: PictureSource::File(path.to_path_buf()) })
}

fn plain_window() -> Window {
    Window::with_loader(|choice, _| Ok(Fake::new(&Gate::open()).encoder(choice)))
}

fn failure(outcomes: &[Outcome]) -> &Failure {
    match outcomes {
        [Outcome::Failed(failure)] => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_pictures_open_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    write_picture(&path, &picture(600, 301), &[]).unwrap();
    let mut window = plain_window();
    let ids: Vec<_> = (0..200).map(|id| open(&window, id, &path)).collect();
    let mut last = ids[0];
    for (number, id) in ids.into_iter().enumerate() {
        let outcomes = window.finish(id);
        let [Outcome::Opened { picture: opened, pixels, texture, thumbnail, clip: None }] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert_eq!(*opened, PictureId(number as u64));
        assert_eq!((pixels.as_ref(), texture.is_none()), (&picture(600, 301), true));
        assert_eq!((thumbnail.width, thumbnail.height, thumbnail.rgb.len()), (256, 129, 3 * 256 * 129));
        assert!(id >= last);
        last = id;
    }
}

#[test]
fn small_and_thin_pictures_have_thumbnails() {
    let mut window = plain_window();
    for (size, expected) in [((3, 2), (3, 2)), ((1, 5000), (1, 256)), ((512, 256), (256, 128))] {
        let source = PictureSource::Pixels(Arc::new(picture(size.0, size.1)));
        let id = window.send(Command::Open { picture: PictureId(1), source });
        let outcomes = window.finish(id);
        let [Outcome::Opened { thumbnail, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((thumbnail.width, thumbnail.height), expected);
    }
}

#[test]
fn what_is_no_picture_is_said_and_the_next_one_opens() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text.png"), "no picture").unwrap();
    // Header of a PNG of 100000 x 100000 pixels.
    let huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0\x27\x30\x9c\x9f\0\0\0\0IDAT\x35\xaf\x06\x1e";
    fs::write(at("huge.png"), huge).unwrap();
    write_picture(&at("good.png"), &picture(4, 4), &[]).unwrap();
    write_picture(&at("gone.png"), &picture(4, 4), &[]).unwrap();
    fs::remove_file(at("gone.png")).unwrap();
    let mut window = plain_window();
    for (name, reason) in [("text.png", "not a JPEG"), ("huge.png", "100000"), ("gone.png", "gone.png"), ("", "read")] {
        let id = open(&window, 1, &at(name));
        let outcomes = window.finish(id);
        let message = &failure(&outcomes).message;
        assert!(message.contains(reason) && !message.contains('\n'), "{message}");
    }
    let source = PictureSource::Embedded { name: "sample", bytes: b"GIF87a" };
    let id = window.send(Command::Open { picture: PictureId(1), source });
    assert!(failure(&window.finish(id)).message.contains("sample"));
    let id = open(&window, 1, &at("good.png"));
    assert!(matches!(window.finish(id)[..], [Outcome::Opened { .. }]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_the_lane_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("a.txt");
    let mut window = plain_window();
    let text = || Export::Text("label,area\n".repeat(10_000));
    let export = |path: &Path| Command::Export { what: text(), path: path.to_path_buf(), metadata: Vec::new() };
    let full = window.send(export(Path::new("/dev/full")));
    let fits = window.send(export(&good));
    assert!(failure(&window.finish(full)).message.contains("/dev/full"));
    let outcomes = window.finish(fits);
    assert!(matches!(&outcomes[..], [Outcome::Exported(path)] if *path == good));
    assert_eq!(fs::read_to_string(&good).unwrap(), "label,area\n".repeat(10_000));
}

#[test]
fn only_pictures_are_drawn() {
    let mut window = plain_window();
    let id = window.send(Command::Draw(Export::Text("text".into())));
    assert!(failure(&window.finish(id)).message.contains("only pictures"));
    let drawn = Arc::new(picture(4, 3));
    let id = window.send(Command::Draw(Export::Picture(Arc::clone(&drawn))));
    assert!(matches!(&window.finish(id)[..], [Outcome::Drawn(picture)] if *picture == drawn));
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub that has every repository, or refuses `facebook`'s without the right token; contents come slowly.
fn hub(pause: Duration) -> Server {
    Server::start(move |request| {
        let token = request.headers.get("authorization").map(String::as_str);
        if request.path.contains("facebook/") && token != Some("Bearer right") {
            return Reply::new(401, "");
        }
        if request.path.starts_with("/api/") {
            let files = ["config.json", "preprocessor_config.json", "model.safetensors"];
            let siblings = files.map(|name| serde_json::json!({"rfilename": name}));
            return Reply::new(200, serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string());
        }
        let body = if request.path.ends_with(".json") { b"{}".to_vec() } else { vec![7; 3_000_000] };
        let etag = format!("\"{:040x}\"", body.len());
        let reply = Reply::new(200, body).header("x-repo-commit", COMMIT).header("etag", etag);
        Reply { pause, ..reply }
    })
}

fn window_with_hub(server: &Server, cache: PathBuf) -> Window {
    let hub = HubConfig { endpoint: server.address.clone(), retries: 0, ..HubConfig::new(cache) };
    Window::new(Dispatcher::with_config(DispatcherConfig { hub, ..DispatcherConfig::new(None, Arc::new(|| ())) }))
}

fn download(source: Source, token: Option<&str>) -> Command {
    let token = token.map(str::to_owned);
    Command::Download { name: "vits16".into(), source, token, licence_accepted: true }
}

fn models(outcomes: Vec<Outcome>) -> Vec<StoredModel> {
    match outcomes.into_iter().next() {
        Some(Outcome::Models(models)) => models,
        other => panic!("{other:?}"),
    }
}

#[test]
fn models_come_are_listed_and_go() {
    let cache = tempfile::tempdir().unwrap();
    let server = hub(Duration::ZERO);
    let mut window = window_with_hub(&server, cache.path().to_path_buf());
    let id = window.send(Command::ListModels);
    let listed = models(window.finish(id));
    assert_eq!(listed.len(), crate::model::zoo::zoo().len() - 1, "the demo is no download");
    assert!(listed.iter().all(|model| model.bytes == 0 && model.path.is_none()));

    let id = window.send(Command::Download {
        name: "vits16".into(),
        source: Source::Public,
        token: None,
        licence_accepted: false,
    });
    assert!(failure(&window.finish(id)).message.contains("DINOv3 License"));
    assert!(server.requests().is_empty(), "nothing is asked of the hub before the licence is accepted");
    let id = window.send(download(Source::Public, None));
    window.wait(|event| event.id == id && is_last(&event.outcome));
    let outcomes = window.take(id);
    let Some(Outcome::Downloaded { name, path }) = outcomes.last() else { panic!("{outcomes:?}") };
    assert!(name == "vits16" && path.join("model.safetensors").is_file());
    let mut bytes = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Progress(progress) => Some((progress.done, progress.total)),
        _ => None,
    });
    assert_eq!(bytes.next_back(), Some((3_000_000, Some(3_000_000))), "the last report is never left out");

    let id = window.send(Command::ListModels);
    let listed = models(window.finish(id));
    let here: Vec<_> = listed.iter().filter(|model| model.bytes > 0).collect();
    assert!(matches!(here[..], [model] if model.name == "vits16" && model.path.is_some() && model.bytes > 3_000_000));
    let id = window.send(Command::RemoveModel { name: "vits16".into() });
    assert!(models(window.finish(id)).iter().all(|model| model.bytes == 0 && model.path.is_none()));
    let id = window.send(Command::RemoveModel { name: "nothing".into() });
    assert!(failure(&window.finish(id)).message.contains("nothing"));
}

#[test]
fn a_token_that_is_missing_is_asked_for() {
    let cache = tempfile::tempdir().unwrap();
    let server = hub(Duration::ZERO);
    let mut window = window_with_hub(&server, cache.path().to_path_buf());
    for token in [None, Some("wrong")] {
        let id = window.send(download(Source::Gated, token));
        let outcomes = window.finish(id);
        assert_eq!(failure(&outcomes).remedy, Some(Remedy::GiveToken("vits16".into())), "{outcomes:?}");
    }
    let id = window.send(download(Source::Gated, Some("right")));
    assert!(matches!(window.finish(id)[..], [Outcome::Downloaded { .. }]));
}

#[test]
fn a_slow_download_keeps_nobody_waiting() {
    let cache = tempfile::tempdir().unwrap();
    let server = hub(Duration::from_millis(200));
    let mut window = window_with_hub(&server, cache.path().to_path_buf());
    let slow = window.send(download(Source::Public, None));
    window
        .wait(|event| event.id == slow && matches!(&event.outcome, Outcome::Progress(p) if p.stage.contains("model")));
    let source = PictureSource::Pixels(Arc::new(picture(3, 3)));
    let opened = window.send(Command::Open { picture: PictureId(1), source });
    assert!(matches!(window.finish(opened)[..], [Outcome::Opened { .. }]));
    window.dispatcher.cancel(slow);
    assert!(matches!(window.finish(slow)[..], [Outcome::Cancelled]));
}
