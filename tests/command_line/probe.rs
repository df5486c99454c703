//! `dinoscope probe`: trained from masks, applied to pictures and clips.

use ndarray::Array3;

use super::support::Workplace;

/// Pictures with their square, and masks of it.
fn labelled(work: &Workplace, names: &[&str]) {
    std::fs::create_dir_all(work.path("masks")).expect("a folder");
    for (i, name) in names.iter().enumerate() {
        let (width, height) = (256 + 64 * i as u32, 192);
        work.picture(&format!("pictures/{name}.png"), width, height);
        let inside = |x, y| (width / 4..width / 2).contains(&x) && (height / 4..height / 2).contains(&y);
        let mask = image::GrayImage::from_fn(width, height, |x, y| image::Luma([255 * u8::from(inside(x, y))]));
        mask.save(work.path(format!("masks/{name}.png"))).expect("a mask");
    }
}

const SMALL: [&str; 4] = ["--size", "192", "--device", "cpu"];

fn train<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    let start = ["probe", "train", "--images", "pictures", "--masks", "masks", "-o", "square.safetensors"];
    [&start[..], &SMALL, extra].concat()
}

#[test]
fn a_probe_learns_from_masks_and_finds_the_same_elsewhere() {
    let work = Workplace::new();
    labelled(&work, &["a", "b", "c"]);
    let arguments = ["--cv", "leave-one-out", "--c", "1e-5:10:4", "--plot", "curves.png", "--name", "square", "--json"];
    let json = work.run(&train(&arguments)).succeeded().json();
    assert_eq!(json["pictures"].as_array().expect("names").len(), 3);
    let means: Vec<f64> =
        json["mean_average_precision"].as_array().expect("means").iter().filter_map(|mean| mean.as_f64()).collect();
    assert_eq!(means.len(), 4);
    let greatest = means.iter().copied().fold(0.0, f64::max);
    assert!(greatest > 0.9, "{means:?}");
    assert_eq!(json["c"], json["cs"][means.iter().rposition(|mean| *mean == greatest).expect("the best")]);
    assert_eq!(work.picture_size("curves.png"), (840, 840));

    work.picture("new.png", 320, 192);
    let apply = ["probe", "apply", "square.safetensors", "new.png", "-o", "found", "--masks", "--npy", "--median"];
    let json = work.run(&[&apply[..], &["--device", "cpu", "--json"]].concat()).succeeded().json();
    let classes = &json["images"][0]["classes"];
    assert_eq!(classes[1]["name"], "square");
    // The square is a sixteenth of the picture.
    let share = classes[1]["share"].as_f64().expect("a share");
    assert!((0.03..0.10).contains(&share), "{share}");
    let probabilities: Array3<f32> = ndarray_npy::read_npy(work.path("found/new.probe.npy")).expect("probabilities");
    assert_eq!(probabilities.dim(), (12, 20, 2));
    assert!(probabilities[[4, 7, 1]] > 0.9 && probabilities[[10, 18, 1]] < 0.1);
    let mask = image::open(work.path("found/new.mask.png")).expect("a mask").into_luma8();
    assert_eq!((mask.get_pixel(120, 70).0, mask.get_pixel(300, 180).0), ([1], [0]));
    assert_eq!(work.picture_size("found/new.probe.png"), (320, 192));

    // A folder, with edges.
    let apply = ["probe", "apply", "square.safetensors", "pictures", "-o", "edges", "--edges", "--device", "cpu"];
    work.run(&apply).succeeded();
    assert_eq!(work.names("edges"), ["a.probe.png", "b.probe.png", "c.probe.png"]);
}

#[test]
fn a_clip_is_coloured_by_a_probe() {
    let work = Workplace::new();
    labelled(&work, &["a"]);
    work.run(&train(&[])).succeeded();
    for frame in 0..3 {
        work.picture(&format!("frames/{frame}.png"), 64, 64);
    }
    let apply = ["probe", "apply", "square.safetensors", "frames", "-o", "out.mp4", "--size", "64", "--device", "cpu"];
    let json = work.run(&[&apply[..], &["--json"]].concat()).succeeded().json();
    assert_eq!(json["frames"], 3);
    work.run(&[&apply[..], &["--npy"]].concat()).failed(2, &["for pictures"]);
}

#[test]
fn labels_that_do_not_match_are_named() {
    let work = Workplace::new();
    labelled(&work, &["a", "b"]);
    work.picture("pictures/alone.png", 64, 64);
    std::fs::copy(work.path("masks/a.png"), work.path("masks/stray.png")).expect("copied");
    std::fs::copy(work.path("masks/b.png"), work.path("masks/a.png")).expect("copied");
    let ran = work.run(&train(&[]));
    assert_eq!(ran.status, 1);
    for words in ["alone.png has no mask alone.png", "stray.png has no picture", "a.png is 320x192"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(work.path("square.safetensors").exists(), "trained on the rest");
    work.run(&train(&["--strict"])).failed(1, &["alone.png"]);
}

#[test]
fn what_cannot_be_trained_or_applied_is_told() {
    let work = Workplace::new();
    labelled(&work, &["a"]);
    work.run(&train(&["--cv", "leave-one-out"])).failed(1, &["at least two"]);
    work.run(&train(&["--c", "1:2:3"])).failed(2, &["--cv"]);
    work.run(&train(&[])).succeeded();
    let apply = |probe: &str, extra: &[&str]| {
        let start = ["probe", "apply", probe, "pictures/a.png", "-o", "out", "--device", "cpu"];
        work.run(&[&start[..], extra].concat())
    };
    apply("square.safetensors", &["--model", "vits16", "--random-weights"])
        .failed(1, &["trained with demo", "--model"]);
    apply("pictures/a.png", &[]).failed(1, &["a.png is no probe", "probe train"]);
    std::fs::remove_dir_all(work.path("masks")).expect("removed");
    std::fs::create_dir(work.path("masks")).expect("a folder");
    work.run(&train(&[])).failed(1, &["holds no pictures"]);
}
