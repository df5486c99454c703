use super::support::Workplace;

#[test]
fn json_has_the_parts_asked_for() {
    let work = Workplace::new();
    let arguments = ["bench", "--iters", "3", "--what", "all", "--json", "--threads", "1", "--random-weights=7"];
    let json = work.run_small(&arguments).succeeded().json();
    assert_eq!((&json["model"], &json["size"]), (&"demo".into(), &"64x64".into()));
    assert_eq!((&json["device"], &json["dtype"], &json["threads"]), (&"cpu".into(), &"f32".into(), &1.into()));
    for part in ["backbone", "similarity", "similarity_gpu", "pca", "propagate"] {
        let number = |key: &str| json[part][key].as_f64().expect(key);
        assert!(number("min_ms") > 0.0 && number("min_ms") <= number("median_ms"), "{json}");
        assert!(number("median_ms") <= number("max_ms") && number("images_per_s") > 0.0, "{json}");
    }
    assert!(json["backbone"]["gflops"].as_f64().expect("a number") > 0.0);
    assert!(!json["similarity_gpu"]["adapter"].as_str().expect("a name").is_empty());
    if cfg!(target_os = "linux") {
        assert!(json["peak_memory_mb"].as_f64().expect("a number") > 1.0);
        assert!(json["propagate"]["extra_memory_mb"].as_f64().expect("a number") >= 0.0);
    }

    let json = work.run_small(&["bench", "--iters", "1", "--what", "similarity", "--json"]).succeeded().json();
    assert!(json.get("backbone").is_none() && json.get("similarity").is_some(), "{json}");

    let json = work.run_small(&["bench", "--iters", "1", "--what", "propagate", "--json"]).succeeded().json();
    assert!(json.get("similarity").is_none() && json["propagate"]["median_ms"].as_f64().expect("a number") > 0.0);
}

#[test]
fn kernels_are_measured_one_by_one() {
    let work = Workplace::new();
    let arguments = ["bench", "--what", "kernels", "--iters", "1", "--size", "32", "--json"];
    let json = work.run(&[&arguments[..], &["--device", "wgpu", "--dtype", "f32"]].concat()).succeeded().json();
    assert_eq!((&json["model"], &json["size"], &json["dtype"]), (&"demo".into(), &"32x32".into(), &"f32".into()));
    assert!(json["device"].as_str().expect("a name").starts_with("wgpu:"));
    assert_eq!(json["kernels"]["gemm"]["shape"], "9×192×768", "4 patches and 5 other tokens");
    assert_eq!(json["kernels"]["attention"]["shape"], "3 heads × 9 × 64");
    for part in ["peak", "gemm", "attention"] {
        let number = |key: &str| json["kernels"][part][key].as_f64().expect(key);
        assert!(number("median_ms") > 0.0 && number("gflops") > 0.0, "{json}");
    }
    work.run_small(&["bench", "--what", "kernels"]).failed(2, &["--device wgpu"]);
    let convnext = [&arguments[..], &["--device", "wgpu", "--model", "convnext_tiny"]].concat();
    work.run(&convnext).failed(2, &["vision transformer"]);
}

#[test]
fn what_is_searched_is_remembered() {
    let work = Workplace::new();
    let arguments = ["bench", "--iters", "1", "--size", "32", "--device", "wgpu", "--json"];
    let json = work.run(&[&arguments[..], &["--tune"]].concat()).succeeded().json();
    let fastest = json["tune"][0]["tile"].as_str().expect("a name");
    assert!(json["tune"].as_array().expect("several").len() > 1 && fastest.contains('×'), "{json}");
    let remembered = std::fs::read_to_string(work.path("cache/dinoscope/tiles.json")).expect("written");
    let is_method = ["Plain", "Broadcast", "Cooperative"].iter().any(|method| remembered.contains(method));
    assert!(is_method, "{remembered}");
    let again = work.run(&[&arguments[..], &["--what", "kernels"]].concat()).succeeded().json();
    assert_eq!(again["method"], fastest);
    work.run_small(&["bench", "--tune"]).failed(2, &["--device wgpu"]);
}
