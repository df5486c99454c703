use ndarray::{Array2, Array3};

use super::support::Workplace;

#[test]
fn similarity_is_one_at_the_query_and_the_picture_has_the_original_size() {
    let work = Workplace::new();
    work.picture("a.png", 120, 60);
    let arguments = ["similarity", "a.png", "--point", "38,20", "-o", "s.png", "--npy", "s.npy", "--json"];
    let json = work.run_small(&arguments).succeeded().json();
    let map: Array2<f32> = ndarray_npy::read_npy(work.path("s.npy")).expect("an array");
    assert_eq!((map.dim(), work.picture_size("s.png")), ((4, 8), (120, 60)));
    assert!((map[[1, 2]] - 1.0).abs() < 1e-5, "{map}");
    assert!(map.iter().all(|cosine| (-1.0..=1.00001).contains(cosine)));
    assert_eq!(json["best"][0]["patch"], serde_json::json!([1, 2]));
    assert_eq!(json["points"][0]["patch"], serde_json::json!([1, 2]));
    assert_eq!(json["grid"], serde_json::json!([4, 8]));
}

#[test]
fn negatives_lower_the_map_and_another_picture_has_its_own_grid() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.picture("b.png", 64, 128);
    let map = |extra: &[&str]| -> Array2<f32> {
        let arguments = [&["similarity", "a.png", "--point", "20,20", "--npy", "s.npy"], extra].concat();
        work.run_small(&arguments).succeeded();
        ndarray_npy::read_npy(work.path("s.npy")).expect("an array")
    };
    let plain = map(&[]);
    let less = map(&["--negative", "60,60"]);
    assert!((plain[[3, 3]] - less[[3, 3]] - 1.0).abs() < 1e-4, "{plain} {less}");
    assert_eq!(map(&["--to", "b.png"]).dim(), (8, 4));
}

#[test]
fn pca_alone_and_joint() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.picture("b.png", 96, 64);
    let ran = work.run_small(&["pca", "a.png", "-o", "one", "--npy"]).succeeded();
    assert!(ran.stdout.contains("explained variance"), "{}", ran.stdout);
    assert_eq!(work.names("one"), ["a.pca.npy", "a.pca.png"]);
    let components: Array3<f32> = ndarray_npy::read_npy(work.path("one/a.pca.npy")).expect("an array");
    assert_eq!((components.dim(), work.picture_size("one/a.pca.png")), ((4, 4, 3), (64, 64)));
    // Whitened: every component has variance 1 over the patches it was fitted on.
    for channel in 0..3 {
        let variance = components.index_axis(ndarray::Axis(2), channel).var(1.0);
        assert!((variance - 1.0).abs() < 1e-3, "{variance}");
    }

    let json = work.run_small(&["pca", "a.png", "b.png", "-o", "two", "--joint", "--json"]).succeeded().json();
    assert_eq!(work.names("two"), ["a.pca.png", "b.pca.png"]);
    assert_eq!(json["images"][0]["explained_variance"], json["images"][1]["explained_variance"]);
}

#[test]
fn pca_by_a_mask_is_black_outside() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    let mask = image::GrayImage::from_fn(64, 64, |x, _| image::Luma([if x < 32 { 255 } else { 0 }]));
    mask.save(work.path("mask.png")).expect("a mask");
    work.run_small(&["pca", "a.png", "-o", "out", "--foreground", "mask.png"]).succeeded();
    let drawn = image::open(work.path("out/a.pca.png")).expect("a picture").to_rgb8();
    assert_eq!(drawn.get_pixel(60, 30).0, [0; 3]);
    assert_ne!(drawn.get_pixel(4, 30).0, [0; 3]);
    work.picture("small.png", 32, 32);
    work.run_small(&["pca", "small.png", "-o", "out", "--foreground", "mask.png"])
        .failed(1, &["mask.png", "64x64", "32x32"]);
}

#[test]
fn a_mask_without_patches_is_named() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    image::GrayImage::new(64, 64).save(work.path("mask.png")).expect("a mask");
    let words = ["mask.png", "covers no patch"];
    work.run_small(&["pca", "a.png", "-o", "out", "--foreground", "mask.png"]).failed(1, &words);
    work.run_small(&["match", "a.png", "a.png", "-o", "m.png", "--mask-right", "mask.png"]).failed(1, &words);
}

#[test]
fn lines_suit_the_size_of_the_drawing() {
    let work = Workplace::new();
    work.picture("small.png", 48, 48);
    work.picture("large.png", 3000, 3000);
    for picture in ["small.png", "large.png"] {
        let ran = work.run(&["match", picture, picture, "-o", "m.png", "--size", "256", "--device", "cpu"]).succeeded();
        let lines = ran.stdout.split(", ").nth(1).and_then(|text| text.split(' ').next()?.parse().ok());
        assert!(lines.is_some_and(|lines: usize| (5..100).contains(&lines)), "{picture}: {}", ran.stdout);
    }
}

#[test]
fn a_picture_matches_itself() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.run_small(&["match", "a.png", "a.png", "-o", "m.png", "--mutual", "--json-out", "m.json"]).succeeded();
    assert!(work.picture_size("m.png").0 > 128);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(work.path("m.json")).expect("the file")).expect("JSON");
    assert_eq!(json.as_object().expect("an object").keys().collect::<Vec<_>>(), ["left", "right", "pairs"]);
    let pairs = json["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 16);
    assert_eq!(pairs[1]["left"], serde_json::json!([24.0, 8.0]));
    for pair in pairs {
        assert_eq!(pair["left"], pair["right"]);
        assert!(pair["score"].as_f64().expect("a number") > 0.999);
    }
    let ran = work.run_small(&["match", "a.png", "a.png", "-o", "m.png", "--stratify", "20", "--json"]).succeeded();
    assert!(ran.json()["pairs"].as_array().expect("pairs").len() < 16);
}

#[test]
fn pictures_carry_their_origin() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.run_small(&["pca", "a.png", "-o", "out"]).succeeded();
    let bytes = std::fs::read(work.path("out/a.pca.png")).expect("the file");
    for text in ["model\0demo", "weights\0", "size\x0064x64", "device\0cpu", "dtype\0f32"] {
        assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}
