//! The chips of the menu bar and the models panel, with a hub on this machine.

#[path = "../../engine/tests/hub/server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "other tests use the rest; a failed unwrap fails the test")]
mod server;

use std::path::Path;
use std::time::Duration;

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::hub::HubConfig;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tempfile::TempDir;

use self::server::{Reply, Request, Server};
use super::support::{Window, launch, open, project, wait_until};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: usize = 3_000_000;

/// A hub with every repository, which lets nobody at `facebook`'s without the right token; contents come slowly.
fn hub(pause: Duration) -> Server {
    Server::start(move |request| {
        let token = request.headers.get("authorization").map(String::as_str);
        if request.path.contains("facebook/") && token != Some("Bearer right") {
            return Reply::new(403, "");
        }
        if request.path.starts_with("/api/") {
            let files = ["config.json", "preprocessor_config.json", "model.safetensors"];
            let siblings = files.map(|name| serde_json::json!({"rfilename": name}));
            return Reply::new(200, serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string());
        }
        let body = if request.path.ends_with(".json") { b"{}".to_vec() } else { vec![7; WEIGHTS] };
        let (len, etag) = (body.len(), format!("\"{:040x}\"", body.len()));
        let reply = match start(request) {
            Some(start) => {
                Reply::new(206, &body[start..]).header("content-range", format!("bytes {start}-{}/{len}", len - 1))
            }
            None => Reply::new(200, body),
        };
        Reply { pause, ..reply.header("x-repo-commit", COMMIT).header("etag", etag) }
    })
}

/// First byte that is asked for.
fn start(request: &Request) -> Option<usize> {
    request.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

fn with_hub(server: &Server, cache: &Path) -> Launch {
    let hub = HubConfig { endpoint: server.address.clone(), retries: 0, ..HubConfig::new(cache.to_path_buf()) };
    Launch { hub: Some(hub), ..launch(&[]) }
}

fn wait_for(window: &mut Window, label: &str) {
    wait_until(window, label, |window| window.query_by_label(label).is_some());
}

fn wait_for_part(window: &mut Window, part: &str) {
    wait_until(window, part, |window| window.query_all_by_label_contains(part).next().is_some());
}

/// Until the model's chip says how long a picture took: "12 ms", "1.2 s".
fn wait_for_a_time(window: &mut Window) {
    let is_time = |name: &str| name.ends_with(" ms") || name.ends_with(" s");
    wait_until(window, "the time of a picture", |window| {
        let chips = window.query_all_by_label_contains("Model: demo, ");
        chips.filter_map(|chip| chip.accesskit_node().label()).any(|name| is_time(&name))
    });
}

fn press(window: &mut Window, label: &str) {
    wait_for(window, label);
    window.get_by_label(label).scroll_to_me();
    // Scrolling begins a frame later and takes some; a person waits for its end too.
    window.run_steps(6);
    window.get_by_label(label).click();
    window.step();
}

/// The chip whose name begins so.
fn press_chip(window: &mut Window, start: &str) {
    wait_for_part(window, start);
    window.get_by_label_contains(start).click();
    window.step();
}

/// Once the model is ready and the sample encoded.
fn open_panel(window: &mut Window) {
    wait_for_a_time(window);
    press_chip(window, "Model: ");
    press(window, "All models…");
    wait_for(window, "Download vits16");
}

#[test]
fn chips_choose_size_device_and_precision() {
    let mut window = open(launch(&[]));
    wait_for_a_time(&mut window);
    press_chip(&mut window, "Size: 224");
    press(&mut window, "256");
    wait_for(&mut window, "Size: 256");

    press_chip(&mut window, "Device: CPU");
    wait_for_part(&mut window, "Runs on CPU, f32");
    press(&mut window, "Precision bf16");
    wait_for_part(&mut window, "Runs on CPU, bf16");
    wait_for(&mut window, "Device: CPU, bf16");
}

#[test]
fn models_run_on_the_windows_own_device() {
    let mut window = open(launch(&[]));
    wait_for_a_time(&mut window);
    press_chip(&mut window, "Device: CPU");
    wait_for_part(&mut window, "Runs on CPU, f32");
    press(&mut window, "Precision f32");
    press(&mut window, "Device wgpu");
    wait_for_part(&mut window, "Runs on wgpu (");
    wait_for(&mut window, "Device: wgpu, f32");
    wait_for_a_time(&mut window);
}

#[test]
fn a_typed_size_is_taken_or_refused_with_a_sentence() {
    let mut window = open(launch(&[]));
    wait_for_a_time(&mut window);
    press_chip(&mut window, "Size: 224");
    wait_for(&mut window, "Other size");
    window.get_by_label("Other size").focus();
    window.step();
    window.get_by_label("Other size").type_text("12.5");
    wait_for_part(&mut window, "\"12.5\" is no size");
    window.key_press(egui::Key::Backspace);
    window.key_press(egui::Key::Backspace);
    window.step();
    window.get_by_label("Other size").type_text("8");
    wait_for_part(&mut window, "patches");
    window.key_press(egui::Key::Enter);
    wait_for(&mut window, "Size: 128");
}

#[test]
fn a_download_is_accepted_watched_stopped_resumed_and_deleted() {
    let cache = TempDir::new().expect("a folder");
    let server = hub(Duration::from_millis(40));
    let mut window = open(with_hub(&server, cache.path()));
    open_panel(&mut window);
    press(&mut window, "Download vits16");
    press(&mut window, "Download 86.4 MB");
    assert!(server.requests().is_empty(), "nothing is asked for before the licence is accepted");
    press(&mut window, "I accept the DINOv3 License");
    press(&mut window, "Download 86.4 MB");
    wait_for(&mut window, "Progress of vits16");
    wait_for_part(&mut window, "/s · ");
    press(&mut window, "Cancel downloading vits16");
    wait_for_part(&mut window, " % here");
    assert!(window.query_by_label("Use vits16").is_none());

    press(&mut window, "Download vits16");
    press(&mut window, "I accept the DINOv3 License");
    wait_for_part(&mut window, "Resume, ");
    window.get_by_label_contains("Resume, ").click();
    wait_for(&mut window, "Use vits16");
    let ranges = server.ranges("model.safetensors");
    assert!(matches!(&ranges[..], [None, Some(_)]), "{ranges:?}");

    press(&mut window, "Delete vits16");
    press(&mut window, "Delete");
    wait_for(&mut window, "Download vits16");
    let left = walk(cache.path());
    assert_eq!(left, 0, "files are left");
}

/// Files below a folder.
fn walk(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_refusal_says_how_to_get_in() {
    let cache = TempDir::new().expect("a folder");
    let server = hub(Duration::ZERO);
    let mut window = open(with_hub(&server, cache.path()));
    open_panel(&mut window);
    press(&mut window, "Download vits16");
    press(&mut window, "Meta's own repository");
    press(&mut window, "I accept the DINOv3 License");
    wait_for_part(&mut window, "No token was found in HF_TOKEN");
    press(&mut window, "Download 86.4 MB");
    wait_for_part(&mut window, "is gated: ask for access at");
    wait_for_part(&mut window, "Meta has to let you in");
    wait_for(&mut window, "Open the repository's page");
    wait_for(&mut window, "Make a token");
    window.get_by_label("Token").focus();
    window.step();
    window.get_by_label("Token").type_text("right");
    window.step();
    press(&mut window, "Retry");
    wait_for(&mut window, "Use vits16");
}

#[test]
fn a_model_that_fails_leaves_a_way_back() {
    let cache = TempDir::new().expect("a folder");
    let server = hub(Duration::ZERO);
    let mut window = open(with_hub(&server, cache.path()));
    open_panel(&mut window);
    press(&mut window, "Download vits16");
    press(&mut window, "I accept the DINOv3 License");
    press(&mut window, "Download 86.4 MB");
    press(&mut window, "Use vits16");
    wait_for_part(&mut window, "demo is used again");
    wait_for_part(&mut window, "Model: demo, ");
    wait_for_a_time(&mut window);
}

#[test]
fn a_model_that_is_not_here_is_offered_and_used_once_it_is() {
    let cache = TempDir::new().expect("a folder");
    let server = hub(Duration::ZERO);
    let source = Some(ModelSource::Named("vits16".to_owned()));
    let mut window = open(Launch { source, ..with_hub(&server, cache.path()) });
    wait_for(&mut window, "Model: vits16, failed");
    press(&mut window, "Download vits16…");
    press(&mut window, "I accept the DINOv3 License");
    press(&mut window, "Download 86.4 MB");
    // The hub's file is no model: that it is tried shows that it is used.
    wait_for_part(&mut window, "safetensors");
    wait_for(&mut window, "Model: vits16, failed");
}

#[test]
fn a_file_of_ones_own_is_used_and_remembered() {
    let path = project("assets/dinoscope-demo-vitt16.safetensors");
    let answer = path.clone();
    let ask = AskPerson::new(move |_| Ok(vec![answer.clone()]));
    let mut window = open(Launch { ask, ..launch(&[]) });
    open_panel(&mut window);
    press(&mut window, "Use a file…");
    wait_for_part(&mut window, "Model: dinoscope-demo-vitt16.safetensors, ");
    let forget = format!("Forget {}", path.display());
    wait_for(&mut window, &forget);
    press(&mut window, "Use demo");
    press(&mut window, &format!("Use {}", path.display()));
    press(&mut window, &forget);
    wait_until(&mut window, "the file is forgotten", |window| window.query_by_label(&forget).is_none());
}
