//! Animated GIF, PNG and WebP, and folders of pictures.

use std::fs;

use dinoscope_engine::Cancel;
use dinoscope_engine::video::{Video, VideoOptions, is_video};

use crate::support::{decoded_by_ffmpeg, ffmpeg, frame, frames, largest_difference, open, times_ms};

const SOURCE: &str = "-f lavfi -i testsrc=size=61x35:rate=10:duration=1";

#[test]
fn frames_are_those_of_ffmpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, arguments) in [
        ("clip.gif", "-f gif"),
        ("clip.png", "-f apng -pix_fmt rgb24"),
        ("clip.webp", "-pix_fmt bgra -c:v libwebp_anim -lossless 1"),
    ] {
        ffmpeg(folder.path(), &format!("{SOURCE} {arguments} {name}"));
        let path = folder.path().join(name);
        assert!(is_video(&path), "{name}");
        let mut video = open(&path);
        assert_eq!((video.info().width, video.info().height), (61, 35));
        assert_eq!(times_ms(&video), (0..=10).map(|i| i * 100).collect::<Vec<_>>(), "{name}");
        // This ffmpeg reads no animated WebP; it was written without loss, but for the colour under alpha.
        let input = if name == "clip.webp" { format!("{SOURCE} -pix_fmt bgra") } else { format!("-i {name}") };
        let expected = decoded_by_ffmpeg(folder.path(), &input, 61, 35);
        // The WebP decoder rounds down where it blends a frame over the one before.
        let tolerance = if name == "clip.webp" { 1 } else { 0 };
        assert!(largest_difference(&frames(&mut video), &expected) <= tolerance, "{name}");
        // The small clip lies in the cache by now; another reader has to start over for each step back.
        let mut backwards = open(&path);
        for index in (0..10).rev().step_by(3) {
            let difference = largest_difference(&[frame(&mut backwards, index)], &expected[index..=index]);
            assert!(difference <= tolerance, "{name}: frame {index}");
        }
    }
}

#[test]
fn delays_vary_and_nobody_hurries() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clip.gif");
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for (index, delay_ms) in [70, 0, 250].into_iter().enumerate() {
            let picture = image::RgbaImage::from_pixel(4, 3, image::Rgba([90 * index as u8, 0, 0, 255]));
            let delay = image::Delay::from_numer_denom_ms(delay_ms, 1);
            encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).expect("encoded");
        }
    }
    fs::write(&path, bytes).expect("written");
    let mut video = open(&path);
    assert_eq!(times_ms(&video), [0, 70, 170, 420]);
    assert!(video.info().timeline.is_variable());
    assert_eq!(frame(&mut video, 2).rgb[..3], [180, 0, 0]);
}

#[test]
fn a_still_picture_is_no_clip() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["still.png", "still.gif", "still.webp"] {
        ffmpeg(folder.path(), &format!("{SOURCE} -frames:v 1 {name}"));
        assert!(!is_video(&folder.path().join(name)), "{name}");
    }
    let path = folder.path().join("still.png");
    let error = Video::open(&path, &VideoOptions::default()).err().expect("a still picture").to_string();
    assert!(error.contains("still.png") && error.contains("still picture"), "{error}");
    fs::write(folder.path().join("notes.txt"), "no clip").expect("written");
    assert!(!is_video(&folder.path().join("notes.txt")) && !is_video(&folder.path().join("nothing")));
}

#[test]
fn what_a_cut_animation_still_has_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, arguments) in [("clip.gif", ""), ("clip.png", "-f apng"), ("clip.webp", "-c:v libwebp_anim")] {
        ffmpeg(folder.path(), &format!("{SOURCE} -vf noise=alls=40:allf=t {arguments} {name}"));
        let path = folder.path().join(name);
        let whole = fs::read(&path).expect("read");
        let expected = frames(&mut open(&path));
        fs::write(&path, &whole[..whole.len() / 2]).expect("written");
        let Ok(mut video) = Video::open(&path, &VideoOptions::default()) else {
            panic!("{name}: half of it is not nothing");
        };
        let mut given = 0;
        let promised = video.info().timeline.len();
        for (index, expected) in expected.iter().enumerate().take(promised) {
            match video.frame(index, &Cancel::default()) {
                Ok(frame) => assert!(*frame == *expected, "{name}: frame {index}"),
                Err(error) => {
                    assert!(error.to_string().contains(name), "{error}");
                    break;
                }
            }
            given += 1;
        }
        assert!((3..10).contains(&given), "{name}: {given} frames");
    }
}

#[test]
fn a_folder_is_a_clip_in_the_order_of_its_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    ffmpeg(folder.path(), &format!("{SOURCE} -start_number 7 frame%d.png"));
    assert!(is_video(folder.path()));
    let mut video =
        Video::open(folder.path(), &VideoOptions { folder_fps: 25.0, ..VideoOptions::default() }).expect("opened");
    assert_eq!((video.info().timeline.len(), video.info().timeline.mean_fps()), (10, 25.0));
    assert!(frames(&mut video) == decoded_by_ffmpeg(folder.path(), &format!("{SOURCE} -pix_fmt rgb24"), 61, 35));

    // A picture of another size, one that is missing, and a folder of anything else.
    ffmpeg(folder.path(), "-f lavfi -i testsrc=size=30x20 -frames:v 1 -update 1 frame16.png");
    fs::remove_file(folder.path().join("frame15.png")).expect("removed");
    let mut video = open(folder.path());
    let error = video.frame(8, &Cancel::default()).expect_err("another size").to_string();
    assert!(error.contains("30x20") && error.contains("61x35"), "{error}");
    let error = video.frame(9, &Cancel::default()).expect_err("no such frame").to_string();
    assert!(error.contains("9 frames"), "{error}");
    fs::write(folder.path().join("cover.jpg"), "").expect("written");
    assert!(!is_video(folder.path()));
}
