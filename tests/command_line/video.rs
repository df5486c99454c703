//! Clips: objects that are tracked, and features as colours.

use std::fs;

use dinoscope_engine::Cancel;
use dinoscope_engine::tracking::LabelMap;
use dinoscope_engine::video::{Video, VideoOptions};

use super::support::Workplace;

/// Frames of the clip.
const FRAMES: u32 = 6;

/// Numbered pictures of a square that moves to the right, and its mask in the first one.
fn clip(place: &Workplace) {
    fs::create_dir(place.path("frames")).expect("a folder");
    let is_square = |x: u32, y: u32, frame: u32| (16 + 8 * frame..48 + 8 * frame).contains(&x) && (24..56).contains(&y);
    for frame in 0..FRAMES {
        let pixel = |x, y| {
            if is_square(x, y, frame) {
                image::Rgb([250, 240, 20])
            } else {
                image::Rgb([(x * 2) as u8, (y * 2) as u8, 90])
            }
        };
        image::RgbImage::from_fn(128, 96, pixel).save(place.path(format!("frames/{frame:03}.png"))).expect("a picture");
    }
    let value = |x, y| image::Luma([if is_square(x, y, 0) { 7 } else { 0 }]);
    image::GrayImage::from_fn(128, 96, value).save(place.path("mask.png")).expect("a mask");
}

fn open(place: &Workplace, name: &str) -> Video {
    Video::open(&place.path(name), &VideoOptions::default()).expect("a clip")
}

#[test]
fn an_object_is_tracked_into_every_kind_of_file() {
    let place = Workplace::new();
    clip(&place);
    let outputs =
        "-o out.mp4 --masks masks --soft-masks soft --cut-outs cut --coco out.json --table out.csv --side-by-side";
    let arguments = format!("track frames --mask mask.png {outputs} --fps 30 --size 192 --device cpu --json");
    let ran = place.run(&arguments.split(' ').collect::<Vec<_>>()).succeeded();
    let json = ran.json();
    assert_eq!(
        (&json["frames"], &json["objects"]),
        (&FRAMES.into(), &serde_json::json!([1])),
        "a single value is object 1"
    );

    let mut video = open(&place, "out.mp4");
    let info = video.info().clone();
    assert_eq!((info.width, info.height, info.timeline.len()), (256, 96, FRAMES as usize));
    assert!((info.timeline.mean_fps() - 30.0).abs() < 1e-9);
    video.frame(5, &Cancel::default()).expect("the last frame");

    let names: Vec<String> = (0..FRAMES).map(|frame| format!("{frame:05}.png")).collect();
    assert_eq!(
        (place.names("masks"), place.names("soft/1"), place.names("cut")),
        (names.clone(), names.clone(), names)
    );
    let mask = |frame: u32| LabelMap::read(&place.path(format!("masks/{frame:05}.png")), None).expect("a mask");
    let expected = LabelMap::read(&place.path("mask.png"), None).expect("a mask");
    assert_eq!(mask(0), expected, "the first frame repeats the input");
    for frame in 1..FRAMES {
        let map = mask(frame);
        assert_eq!((map.width, map.height), (128, 96));
        let centre = 40 * 128 + 32 + 8 * frame as usize;
        assert_eq!((map.ids[centre], map.ids[10 * 128 + 5]), (1, 0), "frame {frame}");
    }
    let cut = image::open(place.path("cut/00000.png")).expect("a picture").into_rgba8();
    assert_eq!((cut.get_pixel(32, 40)[3], cut.get_pixel(4, 4)[3]), (255, 0));
    let coco: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("out.json")).expect("JSON")).expect("JSON");
    assert_eq!(coco["annotations"][0]["bbox"], serde_json::json!([16, 24, 32, 32]));
    let table = fs::read_to_string(place.path("out.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + FRAMES as usize);
    assert!(
        table.lines().nth(1).is_some_and(|line| line.starts_with("0,0.000000,1,object 1,1024,16,24,32,32")),
        "{table}"
    );
}

#[test]
fn a_clip_has_one_basis() {
    let place = Workplace::new();
    clip(&place);
    let ran = place.run_small(&["pca", "frames", "-o", "out.mp4", "--json"]).succeeded();
    let json = ran.json();
    let shares = json["explained_variance"].as_array().expect("shares");
    assert!(shares.len() == 3 && shares.iter().all(|share| (0.0..=1.0).contains(&share.as_f64().expect("a number"))));
    let info = open(&place, "out.mp4").info().clone();
    assert_eq!((info.width, info.height, info.timeline.len()), (128, 96, FRAMES as usize));
}

#[test]
fn what_cannot_be_tracked_is_told() {
    let place = Workplace::new();
    clip(&place);
    place.picture("small.png", 20, 10);
    image::GrayImage::from_pixel(128, 96, image::Luma([0])).save(place.path("empty.png")).expect("a mask");
    image::GrayImage::from_pixel(64, 96, image::Luma([1])).save(place.path("narrow.png")).expect("a mask");
    let track = |mask: &str, more: &[&str]| place.run_small(&[&["track", "frames", "--mask", mask], more].concat());
    track("empty.png", &["-o", "out.mp4"]).failed(1, &["empty.png", "no object"]);
    track("small.png", &["-o", "out.mp4"]).failed(1, &["small.png", "indexed or grey"]);
    track("narrow.png", &["-o", "out.mp4"]).failed(1, &["64x96", "128x96"]);
    track("missing.png", &["-o", "out.mp4"]).failed(1, &["missing.png"]);
    track("mask.png", &["-o", "no/out.mp4"]).failed(1, &["no/out.mp4", "create it"]);
    track("mask.png", &["-o", "mask.png"]).failed(1, &["mask.png", "one of the inputs"]);
    track("mask.png", &["--masks", "m", "--soft-masks", "m"]).failed(2, &["two outputs"]);
    place.run_small(&["track", "small.png", "--mask", "mask.png", "-o", "o.mp4"]).failed(1, &["small.png"]);
    assert!(!place.path("out.mp4").exists() && !place.path("out.partial.mp4").exists());
    fs::write(place.path("broken.mp4"), b"\0\0\0\x20ftypisom no more").expect("written");
    place.run_small(&["track", "broken.mp4", "--mask", "mask.png", "-o", "o.mp4"]).failed(1, &["broken.mp4"]);
}
