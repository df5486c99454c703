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
