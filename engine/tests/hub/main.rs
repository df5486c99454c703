//! Downloads from a hub on this machine that misbehaves in every way a network does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod server;

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use dinoscope_engine::hub::{Hub, HubConfig, HubError, HubModel, Licence, Repo, Source, Token};
use dinoscope_engine::model::zoo::zoo;
use dinoscope_engine::{Cancel, Error, Progress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use server::{Reply, Request, Server};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPO: &str = "org/model";
const CONFIG: &[u8] = b"{\"architecture\": \"test\"}";

/// A well-behaved hub with one repository.
#[derive(Clone)]
struct Files(Vec<(&'static str, Vec<u8>)>);

impl Files {
    fn model() -> Self {
        Self(vec![("config.json", CONFIG.to_vec()), ("model.safetensors", weights())])
    }

    fn answer(&self, request: &Request) -> Reply {
        if request.path == format!("/api/models/{REPO}/revision/main") {
            let siblings: Vec<_> = self.0.iter().map(|(name, _)| serde_json::json!({"rfilename": name})).collect();
            return Reply::new(200, serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string());
        }
        let prefix = format!("/{REPO}/resolve/{COMMIT}/");
        let file = request.path.strip_prefix(&prefix).and_then(|name| self.0.iter().find(|(n, _)| *n == name));
        let Some((name, body)) = file else { return Reply::new(404, "no such file") };
        let etag = if name.ends_with(".safetensors") { sha256(body) } else { format!("{:040x}", body.len()) };
        let reply = match range_of(request) {
            Some(start) if start >= body.len() => Reply::new(416, ""),
            Some(start) => Reply::new(206, &body[start..])
                .header("content-range", format!("bytes {start}-{}/{}", body.len() - 1, body.len())),
            None => Reply::new(200, body.clone()),
        };
        reply.header("x-repo-commit", COMMIT).header("etag", format!("\"{etag}\""))
    }
}

fn range_of(request: &Request) -> Option<usize> {
    let range = request.headers.get("range")?;
    Some(range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap())
}

/// 3 MB without a period.
fn weights() -> Vec<u8> {
    (0..750_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn is_weights(request: &Request) -> bool {
    request.method == "GET" && request.path.ends_with("model.safetensors")
}

fn config(endpoint: &str, cache: &TempDir) -> HubConfig {
    HubConfig {
        endpoint: endpoint.to_owned(),
        connect_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_millis(500),
        retries: 2,
        backoff: Duration::from_millis(10),
        ..HubConfig::new(cache.path().join("hub"))
    }
}

fn with_token(config: HubConfig) -> HubConfig {
    HubConfig { token: Some(Token { value: "hf_secret".to_owned(), source: "HF_TOKEN".to_owned() }), ..config }
}

fn repo() -> Repo {
    Repo::timm(REPO)
}

fn download(hub: &Hub) -> Result<PathBuf, Error> {
    hub.download_repo(&repo(), &|_| (), &Cancel::default())
}

fn hub_error(result: Result<PathBuf, Error>) -> HubError {
    match result {
        Err(Error::Hub(error)) => error,
        other => panic!("expected a hub error, got {other:?}"),
    }
}

fn blobs(hub: &Hub) -> PathBuf {
    hub.path().join("models--org--model/blobs")
}

fn partial(hub: &Hub) -> PathBuf {
    blobs(hub).join(format!("{}.incomplete", sha256(&weights())))
}

fn assert_complete(snapshot: &Path) {
    assert_eq!(fs::read(snapshot.join("config.json")).unwrap(), CONFIG);
    assert!(fs::read(snapshot.join("model.safetensors")).unwrap() == weights());
}

/// Neither the weights nor a part of them are in the cache, and nobody finds the model.
fn assert_nothing_in_place(hub: &Hub) {
    assert!(!blobs(hub).join(sha256(&weights())).exists());
    assert!(!partial(hub).exists());
    assert_eq!(hub.locate_repo(&repo()), None);
}

#[test]
fn a_download_fills_the_cache_as_huggingface_hub_does() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    assert_eq!(hub.locate_repo(&repo()), None);

    let reports = Mutex::new(Vec::new());
    let snapshot =
        hub.download_repo(&repo(), &|report| reports.lock().unwrap().push(report), &Cancel::default()).unwrap();
    let folder = hub.path().join("models--org--model");
    assert_eq!(snapshot, folder.join("snapshots").join(COMMIT));
    assert_complete(&snapshot);
    assert_eq!(fs::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    let total = weights().len() as u64;
    let last = Progress { stage: "downloading model.safetensors".to_owned(), done: total, total: Some(total) };
    assert_eq!(reports.into_inner().unwrap().last(), Some(&last));
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(snapshot.join("model.safetensors")).unwrap(),
        Path::new("../../blobs").join(sha256(&weights()))
    );

    let requests = server.requests().len();
    assert_eq!(download(&hub).unwrap(), snapshot);
    assert_eq!(server.requests().len(), requests, "what is present is not asked for again");
}

#[test]
fn sharded_weights_come_whole() {
    let cache = TempDir::new().unwrap();
    let index = serde_json::json!({"weight_map": {"a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}});
    let files = Files(vec![
        ("config.json", CONFIG.to_vec()),
        ("model.safetensors.index.json", index.to_string().into_bytes()),
        ("model-00001-of-00002.safetensors", b"one".to_vec()),
        ("model-00002-of-00002.safetensors", b"two".to_vec()),
    ]);
    let server = Server::start(move |request| files.answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    let snapshot = download(&hub).unwrap();
    assert_eq!(fs::read(snapshot.join("model-00002-of-00002.safetensors")).unwrap(), b"two");
    assert_eq!(hub.locate_repo(&repo()), Some(snapshot.clone()));
    fs::remove_file(snapshot.join("model-00002-of-00002.safetensors")).unwrap();
    assert_eq!(hub.locate_repo(&repo()), None, "a missing shard");
}

#[test]
fn an_index_cannot_name_files_outside() {
    let cache = TempDir::new().unwrap();
    let index = serde_json::json!({"weight_map": {"a": "../../../../escaped"}}).to_string().into_bytes();
    let files = Files(vec![("config.json", CONFIG.to_vec()), ("model.safetensors.index.json", index)]);
    let server = Server::start(move |request| files.answer(request));
    let error = hub_error(download(&Hub::new(config(&server.address, &cache))));
    assert!(matches!(error, HubError::NoWeights { .. }), "{error}");
}

#[test]
fn a_cut_connection_is_resumed() {
    let cache = TempDir::new().unwrap();
    let cuts = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let mut reply = Files::model().answer(request);
        if is_weights(request) && cuts.fetch_add(1, Ordering::Relaxed) < 3 {
            reply.cut_after = Some(700_000);
        }
        reply
    });
    // Three cuts and two retries: only attempts that bring nothing count.
    let hub = Hub::new(config(&server.address, &cache));
    assert_complete(&download(&hub).unwrap());
    let ranges = server.ranges("model.safetensors");
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[..2], [None, Some("bytes=700000-".to_owned())]);
}

#[test]
fn a_stalled_connection_is_resumed() {
    let cache = TempDir::new().unwrap();
    let stalls = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let mut reply = Files::model().answer(request);
        if is_weights(request) && stalls.fetch_add(1, Ordering::Relaxed) == 0 {
            reply.pause = Duration::from_secs(3);
        }
        reply
    });
    assert_complete(&download(&Hub::new(config(&server.address, &cache))).unwrap());
    assert_eq!(server.ranges("model.safetensors").len(), 2);
}

#[test]
fn a_wrong_checksum_leaves_nothing_in_place() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| {
        let mut reply = Files::model().answer(request);
        if is_weights(request) {
            *reply.body.last_mut().unwrap() ^= 1;
        }
        reply
    });
    let hub = Hub::new(config(&server.address, &cache));
    let error = hub_error(download(&hub));
    assert!(matches!(&error, HubError::Checksum { expected, .. } if *expected == sha256(&weights())), "{error}");
    assert_nothing_in_place(&hub);
}

#[test]
fn a_damaged_part_is_downloaded_anew() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    fs::write(partial(&hub), vec![7; 100_000]).unwrap();
    assert_complete(&download(&hub).unwrap());
    assert_eq!(server.ranges("model.safetensors"), [Some("bytes=100000-".to_owned()), None]);
}

#[test]
fn a_cancelled_download_goes_on_later() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    let cancel = Cancel::default();
    let stop = |report: Progress| {
        if report.stage.ends_with("model.safetensors") && report.done > 0 {
            cancel.cancel();
        }
    };
    let stopped = hub.download_repo(&repo(), &stop, &cancel);
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let present = fs::metadata(partial(&hub)).unwrap().len();
    assert!(present > 0 && present < weights().len() as u64);
    assert_eq!(hub.locate_repo(&repo()), None);

    assert_complete(&download(&hub).unwrap());
    assert_eq!(server.ranges("model.safetensors"), [None, Some(format!("bytes={present}-"))]);
}

#[test]
fn a_whole_part_needs_no_second_download() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    fs::write(partial(&hub), weights()).unwrap();
    assert_complete(&download(&hub).unwrap());
    assert_eq!(server.ranges("model.safetensors"), []);
}

#[test]
fn a_part_that_is_too_long_is_replaced() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    fs::write(partial(&hub), [weights(), vec![1, 2, 3]].concat()).unwrap();
    assert_complete(&download(&hub).unwrap());
}

/// A hub that does not tell sizes, so that only the 416 says that the part does not fit.
#[test]
fn a_range_past_the_end_starts_over() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| {
        let reply = Files::model().answer(request);
        if request.method == "HEAD" { reply.header("content-length", "") } else { reply }
    });
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    fs::write(partial(&hub), [weights(), vec![1, 2, 3]].concat()).unwrap();
    assert_complete(&download(&hub).unwrap());
    assert_eq!(server.ranges("model.safetensors"), [Some("bytes=3000003-".to_owned()), None]);
}

#[test]
fn a_server_that_ignores_ranges_sends_all_again() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| {
        let mut request = request.clone();
        request.headers.remove("range");
        Files::model().answer(&request)
    });
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    fs::write(partial(&hub), &weights()[..1_000_000]).unwrap();
    assert_complete(&download(&hub).unwrap());
    assert_eq!(server.ranges("model.safetensors"), [Some("bytes=1000000-".to_owned())]);
}

#[test]
fn refusals_say_what_to_do() {
    let refuse = |status: u16, code: &'static str, token: bool| {
        let cache = TempDir::new().unwrap();
        let server = Server::start(move |request| match request.path.starts_with("/api/") {
            true => Files::model().answer(request),
            false => Reply::new(status, "").header("x-error-code", code),
        });
        let config = config(&server.address, &cache);
        let error = hub_error(download(&Hub::new(if token { with_token(config) } else { config })));
        (error.to_string().replace(&server.address, "HUB").replace(&server.address[7..], "HUB"), error)
    };

    let (text, error) = refuse(401, "", true);
    assert!(matches!(error, HubError::Unauthorized { .. }), "{text}");
    assert!(text.contains("token from HF_TOKEN is not valid") && !text.contains("hf_secret"), "{text}");
    let (text, error) = refuse(401, "RepoNotFound", false);
    assert!(matches!(error, HubError::Unauthorized { .. }), "{text}");
    assert!(text.contains("HUB/settings/tokens and set HF_TOKEN"), "{text}");

    for (status, token) in [(401, false), (403, true)] {
        let (text, error) = refuse(status, "GatedRepo", token);
        assert!(matches!(error, HubError::Gated { .. }), "{text}");
        assert!(text.contains("org/model is gated: ask for access at HUB/org/model, then"), "{text}");
        assert!(text.contains("HF_TOKEN"), "{text}");
    }

    let (text, error) = refuse(404, "EntryNotFound", false);
    assert!(matches!(error, HubError::NotFound { .. }), "{text}");
    assert!(text.contains(&format!("HUB/org/model/resolve/{COMMIT}/config.json")), "{text}");

    let (text, error) = refuse(503, "", false);
    assert!(matches!(error, HubError::Server { status: 503, .. }), "{text}");
}

#[test]
fn a_busy_hub_is_asked_again() {
    let cache = TempDir::new().unwrap();
    let busy = AtomicUsize::new(0);
    let server = Server::start(move |request| match busy.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Reply::new(503, ""),
        _ => Files::model().answer(request),
    });
    assert_complete(&download(&Hub::new(config(&server.address, &cache))).unwrap());
}

#[test]
fn no_network_is_one_sentence() {
    let cache = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let hub = Hub::new(config(&format!("http://{host}"), &cache));
    let error = hub_error(download(&hub));
    assert!(matches!(&error, HubError::Unreachable { host: h, .. } if *h == host), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot reach {host} (")), "{error}");
    assert!(hub.ping().is_err());
    assert!(!hub.path().exists(), "nothing is written before the hub answers");
}

#[test]
fn something_that_is_no_hub_is_named() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|_| Reply::new(200, "<html>Please log in to the hotel's network</html>"));
    let error = hub_error(download(&Hub::new(config(&server.address, &cache))));
    assert!(matches!(error, HubError::BadReply { .. }), "{error}");
}

#[test]
fn offline_uses_the_cache_alone() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let online = config(&server.address, &cache);
    let offline = Hub::new(HubConfig { offline: true, ..online.clone() });
    let error = hub_error(download(&offline));
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    assert_eq!(server.requests().len(), 0);

    download(&Hub::new(online)).unwrap();
    let requests = server.requests().len();
    assert_complete(&download(&offline).unwrap());
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn the_token_does_not_follow_a_redirect_to_another_host() {
    let cache = TempDir::new().unwrap();
    let storage = Server::start(|request| {
        let mut request = request.clone();
        request.path = format!("/{REPO}/resolve/{COMMIT}/model.safetensors");
        Files::model().answer(&request)
    });
    let away = format!("{}/signed?key=1", storage.address);
    let hub = Server::start(move |request| {
        let reply = Files::model().answer(request);
        if !request.path.ends_with("model.safetensors") {
            return reply;
        }
        // As the hub does: a step on its own host, then away, with the size and hash beside.
        if request.path.starts_with("/org/model/") {
            return Reply::new(307, "").header("location", "/moved/model.safetensors");
        }
        let linked = Reply::new(302, "").header("location", &away);
        linked.header("x-linked-etag", format!("\"{}\"", sha256(&weights()))).header("x-linked-size", weights().len())
    });
    let client = Hub::new(with_token(config(&hub.address, &cache)));
    assert_complete(&download(&client).unwrap());

    let bearer = |request: &Request| request.headers.get("authorization").cloned();
    assert!(hub.requests().iter().all(|request| bearer(request).as_deref() == Some("Bearer hf_secret")));
    let stored = storage.requests();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(bearer(&stored[0]), None);
}

#[test]
fn two_downloads_at_once_share_one_cache() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| {
        let mut reply = Files::model().answer(request);
        reply.pause = Duration::from_millis(5);
        reply
    });
    let waited = AtomicUsize::new(0);
    let run = || {
        let progress = |report: Progress| {
            if report.stage.starts_with("waiting") {
                waited.fetch_add(1, Ordering::Relaxed);
            }
        };
        let hub = Hub::new(config(&server.address, &cache));
        assert_complete(&hub.download_repo(&repo(), &progress, &Cancel::default()).unwrap());
    };
    thread::scope(|scope| {
        scope.spawn(run);
        scope.spawn(run);
    });
    assert_eq!(server.ranges("model.safetensors"), [None], "the second waits and finds it done");
    assert!(waited.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_disk_that_is_too_small_is_told_before() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| match request.path.ends_with("model.safetensors") {
        true => Reply::new(200, "").header("etag", sha256(&weights())).header("x-linked-size", 1u64 << 60),
        false => Files::model().answer(request),
    });
    let error = hub_error(download(&Hub::new(config(&server.address, &cache))));
    assert!(matches!(error, HubError::DiskFull { needed, free: Some(_), .. } if needed == 1 << 60), "{error}");
    assert_eq!(server.ranges("model.safetensors"), []);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_is_told() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    fs::create_dir_all(blobs(&hub)).unwrap();
    std::os::unix::fs::symlink("/dev/full", partial(&hub)).unwrap();
    let error = hub_error(download(&hub));
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("free some, or set HF_HOME to another disk"), "{error}");
    assert_eq!(hub.locate_repo(&repo()), None);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    fs::write(cache.path().join("hub"), "a file where the folder should be").unwrap();
    let error = hub_error(download(&Hub::new(config(&server.address, &cache))));
    assert!(matches!(&error, HubError::Cache { path, .. } if path.starts_with(cache.path())), "{error}");
}

#[test]
fn the_licence_comes_first_and_remove_takes_all() {
    let cache = TempDir::new().unwrap();
    let server = Server::start(|request| Files::model().answer(request));
    let hub = Hub::new(config(&server.address, &cache));
    let licence = Licence { name: "Test License", url: "https://example.org/terms", summary: "Terms." };
    let model =
        HubModel { name: "test".to_owned(), public: Some(repo()), gated: None, fallback: None, licence: Some(licence) };
    let fetch = |source, accepted| hub.download(&model, source, accepted, &|_| (), &Cancel::default());

    let error = hub_error(fetch(Source::Public, false));
    assert!(error.to_string().contains("Test License (https://example.org/terms)"), "{error}");
    assert_eq!(server.requests().len(), 0);
    assert!(matches!(hub_error(fetch(Source::Gated, true)), HubError::NoRepository { .. }));
    let snapshot = fetch(Source::Public, true).unwrap();
    assert_eq!(hub.locate(&model), Some(snapshot));

    assert!(hub.remove(&model).unwrap());
    assert_eq!(hub.locate(&model), None);
    assert!(!hub.path().join("models--org--model").exists());
    assert!(!hub.remove(&model).unwrap());
}

#[test]
fn a_fallback_counts_where_nothing_better_is_there() {
    let cache = TempDir::new().unwrap();
    let hub = Hub::new(config("http://127.0.0.1:1", &cache));
    let model = HubModel::from_zoo(zoo().iter().find(|model| model.name == "vits16").unwrap()).unwrap();
    let put = |repo: &Repo| {
        let folder = format!("models--{}", repo.id.replace('/', "--"));
        let snapshot = hub.path().join(folder).join("snapshots").join("c0ffee");
        fs::create_dir_all(&snapshot).unwrap();
        for file in repo.companions.iter().chain(&["model.safetensors"]) {
            fs::write(snapshot.join(file), "{}").unwrap();
        }
        snapshot
    };
    assert_eq!(hub.locate(&model), None);
    for repo in [&model.fallback, &model.public, &model.gated] {
        let snapshot = put(repo.as_ref().unwrap());
        assert_eq!(hub.locate(&model), Some(snapshot));
    }
    assert!(hub.remove(&model).unwrap());
    assert_eq!(hub.locate(&model), None);
}

#[test]
fn the_zoo_is_on_the_hub() {
    let on_hub: Vec<HubModel> = zoo().iter().filter_map(HubModel::from_zoo).collect();
    assert_eq!(on_hub.len(), zoo().len() - 1, "all but the demo");
    assert!(on_hub.iter().all(|model| model.licence.is_some()));
    let satellite = on_hub.iter().find(|model| model.name == "vitl16_sat").unwrap();
    let repos = [Source::Public, Source::Gated].map(|source| satellite.repo(source).unwrap().clone());
    assert_eq!(repos[0], Repo::timm("timm/vit_large_patch16_dinov3_qkvb.sat493m"));
    assert_eq!(repos[1], Repo::transformers("facebook/dinov3-vitl16-pretrain-sat493m"));
}

#[test]
fn the_environment_is_read_as_huggingface_hub_reads_it() {
    let home = TempDir::new().unwrap();
    let from = |pairs: &[(&str, &str)]| {
        let pairs: HashMap<String, String> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        HubConfig::from_lookup(move |name| pairs.get(name).cloned(), Some(home.path().to_path_buf()))
    };

    let plain = from(&[]);
    assert_eq!(plain.endpoint, "https://huggingface.co");
    assert_eq!(plain.cache, home.path().join(".cache/huggingface/hub"));
    assert!(plain.token.is_none() && !plain.offline);

    assert_eq!(from(&[("XDG_CACHE_HOME", "/x")]).cache, Path::new("/x/huggingface/hub"));
    assert_eq!(from(&[("HF_HOME", "~/models")]).cache, home.path().join("models/hub"));
    assert_eq!(from(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]).cache, Path::new("/c"));
    assert_eq!(from(&[("HF_HOME", "")]).cache, plain.cache);
    assert_eq!(from(&[("HF_ENDPOINT", "https://mirror.example/")]).endpoint, "https://mirror.example");
    for (value, offline) in [("1", true), ("true", true), ("YES", true), ("0", false), ("", false)] {
        assert_eq!(from(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value:?}");
    }

    let folder = home.path().join("h");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("token"), "hf_file\n").unwrap();
    let token = |pairs: &[(&str, &str)]| from(pairs).token.unwrap().value;
    assert_eq!(token(&[("HF_HOME", "~/h")]), "hf_file");
    assert_eq!(token(&[("HF_HOME", "~/h"), ("HF_TOKEN", " hf_variable ")]), "hf_variable");
    let shown = format!("{:?}", from(&[("HF_TOKEN", "hf_variable")]));
    assert!(!shown.contains("hf_variable"), "{shown}");
}
