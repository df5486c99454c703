//! `dinoscope retrieve` on folders of patterns.

use serde_json::Value;

use super::support::{Ran, Workplace};

/// A pattern in a colour: stripes or checks of 8 pixels.
fn pattern(work: &Workplace, name: &str, checks: bool, tone: u8) {
    let path = work.path(name);
    std::fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
    image::RgbImage::from_fn(96, 64, |x, y| {
        let bright = if checks { (x / 8 + y / 8) % 2 == 0 } else { x / 8 % 2 == 0 };
        if bright { image::Rgb([250, tone, 60]) } else { image::Rgb([20, tone / 2, 90]) }
    })
    .save(path)
    .expect("a picture");
}

/// Plain, but for a square of checks whose top left corner is at `x`, `y`.
fn square(work: &Workplace, name: &str, (x, y): (u32, u32)) {
    let path = work.path(name);
    std::fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
    image::RgbImage::from_fn(128, 64, |px, py| {
        let inside = (x..x + 32).contains(&px) && (y..y + 32).contains(&py);
        let value = if inside && (px / 4 + py / 4) % 2 == 0 { 240 } else { 70 };
        image::Rgb([value, 70, 255 - value])
    })
    .save(path)
    .expect("a picture");
}

fn index(work: &Workplace) -> Ran {
    work.run_small(&["retrieve", "index", "set", "-o", "set.index", "--json"])
}

fn search(work: &Workplace, extra: &[&str]) -> Value {
    let common = ["retrieve", "search", "set.index", "--device", "cpu", "--json"];
    work.run(&[&common[..], extra].concat()).succeeded().json()
}

/// Names of the results, best first.
fn names(found: &Value) -> Vec<String> {
    let results = found["results"].as_array().expect("results").iter();
    let name =
        |result: &Value| result["image"].as_str().and_then(|path| path.rsplit(['/', '\\']).next()).map(str::to_owned);
    results.map(|result| name(result).expect("a name")).collect()
}

fn score(found: &Value, place: usize) -> f64 {
    found["results"][place]["score"].as_f64().expect("a score")
}

fn set(work: &Workplace) {
    for (number, tone) in [40, 120, 200].into_iter().enumerate() {
        pattern(work, &format!("set/checks {number}.png"), true, tone);
        pattern(work, &format!("set/below/deep/stripes {number}.png"), false, tone);
    }
}

#[test]
fn pictures_are_found_by_one_and_by_several() {
    let work = Workplace::new();
    set(&work);
    std::fs::create_dir_all(work.path("set/.hidden")).expect("a folder");
    std::fs::copy(work.path("set/checks 0.png"), work.path("set/.hidden/checks 3.png")).expect("copied");
    let json = index(&work).succeeded().json();
    assert_eq!((&json["pictures"], &json["added"], &json["size"]), (&6.into(), &6.into(), &"64".into()));
    assert_eq!(index(&work).succeeded().json()["added"], 0);

    let found = search(&work, &["--image", "set/checks 1.png", "-k", "3", "-o", "found.png"]);
    assert_eq!(names(&found)[0], "checks 1.png");
    assert!((score(&found, 0) - 1.0).abs() < 1e-5 && score(&found, 1) < 0.9999, "{found}");
    assert!(names(&found).iter().all(|name| name.starts_with("checks")), "{found}");
    assert_eq!((&found["approximate"], &found["changed"]), (&false.into(), &0.into()));
    assert_eq!(work.picture_size("found.png"), (16 + 3 * 256, 32 + 2 * 300));

    // The mean of a picture and of one that is like it is nearer to it than the mean with an unlike one.
    let with = |other: &str| {
        let found = search(&work, &["--image", "set/checks 1.png", "--image", other]);
        let place = names(&found).iter().position(|name| name == "checks 1.png").expect("found");
        score(&found, place)
    };
    let (alike, unlike) = (with("set/checks 2.png"), with("set/below/deep/stripes 0.png"));
    assert!(alike > unlike && unlike > 0.0, "{alike} {unlike}");

    // The same by a graph, once one was made.
    let make = ["retrieve", "index", "set", "-o", "set.index", "--device", "cpu", "--approximate-from", "6"];
    work.run(&make).succeeded();
    let exact = search(&work, &["--image", "set/checks 2.png"]);
    let by_graph = search(&work, &["--image", "set/checks 2.png", "--approximate-from", "6"]);
    assert_eq!(by_graph["approximate"], true);
    assert_eq!(names(&by_graph), names(&exact));
    assert!(work.names("set.index").contains(&"graph.hnsw".to_owned()));

    let text = work.run(&["retrieve", "search", "set.index", "--image", "set/checks 1.png", "-k", "1"]).succeeded();
    assert!(text.stdout.starts_with("1.000  set") && text.stdout.contains("checks 1.png"), "{}", text.stdout);
}

#[test]
fn a_region_is_found_where_it_is() {
    let work = Workplace::new();
    square(&work, "query.png", (16, 16));
    square(&work, "set/right.png", (80, 32));
    square(&work, "set/left.png", (0, 0));
    work.picture("set/other.png", 128, 64);
    index(&work).succeeded();
    let found = search(&work, &["--image", "query.png", "--region", "16,16,32,32", "-o", "found.png"]);
    let mut best = names(&found);
    assert_eq!(best.pop().as_deref(), Some("other.png"), "{found}");
    assert_eq!(work.picture_size("found.png"), (16 + 3 * 256, 32 + 2 * 300));
    for (name, corner) in [("right.png", (80.0, 32.0)), ("left.png", (0.0, 0.0))] {
        let place = names(&found).iter().position(|it| it == name).expect("found");
        let pixel = &found["results"][place]["pixel"];
        let (x, y) = (pixel[0].as_f64().expect("x"), pixel[1].as_f64().expect("y"));
        let inside = |v: f64, low: f64| (low..low + 32.0).contains(&v);
        assert!(inside(x, corner.0) && inside(y, corner.1), "{name}: {pixel}");
    }
    let common = ["retrieve", "search", "set.index", "--image", "query.png", "--region"];
    work.run(&[&common[..], &["200,0,5,5"]].concat()).failed(1, &["outside", "query.png", "128x64"]);
    work.run(&[&common[..], &["1,1,5,5", "--region", "1,1,6,6"]].concat()).failed(2, &["2 regions for 1 pictures"]);
}

#[test]
fn changed_gone_and_broken_pictures() {
    let work = Workplace::new();
    set(&work);
    std::fs::write(work.path("set/broken.png"), b"no picture").expect("written");
    let ran = index(&work);
    assert_eq!((ran.status, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("broken.png"), "{}", ran.stderr);
    assert_eq!((&ran.json()["added"], &ran.json()["failed"]), (&6.into(), &1.into()));
    std::fs::remove_file(work.path("set/broken.png")).expect("removed");

    std::fs::remove_file(work.path("set/checks 0.png")).expect("removed");
    pattern(&work, "set/checks 1.png", false, 121);
    let found = search(&work, &["--image", "set/checks 2.png"]);
    assert_eq!((names(&found).len(), &found["changed"]), (4, &1.into()));
    assert_eq!(index(&work).succeeded().json()["added"], 1);
    let found = search(&work, &["--image", "set/checks 1.png"]);
    assert_eq!((names(&found).len(), &found["changed"]), (5, &0.into()));
    assert!(names(&found)[0] == "checks 1.png" && names(&found)[1].starts_with("stripes"), "as it is now: {found}");
}

#[test]
fn what_does_not_fit_an_index_is_refused() {
    let work = Workplace::new();
    pattern(&work, "set/a.png", true, 99);
    index(&work).succeeded();
    let query = ["retrieve", "search", "set.index", "--image", "set/a.png", "--device", "cpu"];
    let other = ["--model", "vits16", "--random-weights"];
    work.run(&[&query[..], &other].concat()).failed(1, &["set.index", "made with demo", "not with vits16", "--model"]);
    let again = ["retrieve", "index", "set", "-o", "set.index", "--device", "cpu"];
    work.run(&[&again[..], &other].concat()).failed(1, &["set.index", "not with vits16"]);
    work.run(&[&again[..], &["--size", "96"]].concat()).failed(1, &["--size 64, not 96"]);
    work.run(&["retrieve", "index", "set", "-o", "set"]).failed(1, &["is no index", "other files"]);
    work.run(&["retrieve", "search", "nowhere", "--image", "set/a.png"]).failed(1, &["nowhere", "retrieve index"]);
    std::fs::create_dir(work.path("empty")).expect("a folder");
    work.run(&["retrieve", "index", "empty", "-o", "new.index"]).failed(1, &["empty", "no pictures"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_index_goes_on_where_it_stopped() {
    let work = Workplace::new();
    for number in 0..150 {
        pattern(&work, &format!("set/{number}.png"), number % 2 == 0, number);
    }
    let arguments = ["retrieve", "index", "set", "-o", "set.index", "--size", "160", "--device", "cpu"];
    // Of the demo model: 10 by 15 patches of 192 numbers, and a CLS token.
    let bytes = |name: &str| std::fs::metadata(work.path("set.index").join(name)).map_or(0, |metadata| metadata.len());
    let (patches, vector) = (10 * 15 * 192 * 2, 192 * 4);
    let mut child = work.start_until(&arguments, || bytes("vectors.f32") >= 5 * vector);
    // Without a word of warning.
    child.kill().expect("killed");
    child.wait().expect("ends");
    assert!(bytes("vectors.f32") < 150 * vector, "it was interrupted");
    work.run(&arguments).succeeded();
    assert_eq!((bytes("vectors.f32"), bytes("patches.f16")), (150 * vector, 150 * patches), "each once");
    let keys = std::fs::read_to_string(work.path("set.index/pictures.jsonl")).expect("lines");
    assert_eq!(keys.lines().collect::<std::collections::HashSet<_>>().len(), 150);
}
