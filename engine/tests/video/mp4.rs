//! MP4 and MOV with H.264, against ffmpeg's own decoder.

use std::fs;
use std::path::{Path, PathBuf};

use dinoscope_engine::Cancel;
use dinoscope_engine::image::Picture;
use dinoscope_engine::video::{Video, VideoOptions, is_video};

use crate::support::{decoded_by_ffmpeg, ffmpeg, ffprobe, frame, frames, mean_difference, open, probed_times};

/// Ninety moving frames; neighbours differ by more than 2 steps of 255 in the mean.
const SOURCE: &str = "-f lavfi -i testsrc2=size=192x112:rate=30:duration=3";
/// Key frames every second, up to three B-frames that refer to each other.
const X264: &str = "-c:v libx264 -preset fast -crf 12 -g 30 -bf 3 -pix_fmt yuv420p";
/// Mean difference of two conversions that round a little differently.
const SAME: f64 = 0.6;

fn make(folder: &Path, name: &str, arguments: &str) -> PathBuf {
    ffmpeg(folder, &format!("{SOURCE} {arguments} {name}"));
    folder.join(name)
}

/// Count, times, and every frame in order, backwards and at random places are those of ffmpeg.
fn check(path: &Path) -> Video {
    let folder = path.parent().expect("a folder");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut video = open(path);
    let info = video.info().clone();
    let expected = decoded_by_ffmpeg(folder, &format!("-i {name}"), info.width, info.height);
    let times = probed_times(path);
    assert_eq!((info.timeline.len(), times.len()), (expected.len(), expected.len()), "{name}");
    for (index, time) in times.iter().enumerate() {
        let start = info.timeline.start_secs(index);
        assert!((start - time).abs() < 1e-5, "{name}: frame {index} starts at {start}, ffprobe says {time}");
    }
    let same = |got: &Picture, index: usize| {
        let difference = mean_difference(got, &expected[index]);
        assert!(difference <= SAME, "{name}: frame {index} differs by {difference}");
    };
    for (index, got) in frames(&mut video).iter().enumerate() {
        same(got, index);
    }
    let mut jumping = open(path);
    let len = expected.len();
    for index in (0..len).rev().step_by(7).chain((0..12).map(|i| i * 37 % len)) {
        same(&frame(&mut jumping, index), index);
    }
    video
}

#[test]
fn b_frames_come_in_the_order_they_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = make(folder.path(), "b.mp4", X264);
    let kinds = ffprobe(&path, "-select_streams v:0 -show_entries frame=pict_type");
    assert!(kinds.iter().filter(|kind| kind.starts_with('B')).count() > 30, "{kinds:?}");
    let video = check(&path);
    assert!(is_video(&path) && !video.info().timeline.is_variable());
    assert_eq!((video.info().codec.as_str(), video.info().timeline.mean_fps()), ("H.264", 30.0));
    check(&make(folder.path(), "baseline.mov", "-c:v libx264 -profile:v baseline -g 30 -pix_fmt yuv420p"));
}

#[test]
fn key_frames_that_others_reach_across() {
    let folder = tempfile::tempdir().expect("a folder");
    let open_gop = format!("{X264} -x264-params open-gop=1:b-pyramid=normal:scenecut=0");
    let path = make(folder.path(), "open.mp4", &open_gop);
    let keys = ffprobe(&path, "-select_streams v:0 -show_entries packet=flags");
    assert!(keys.iter().filter(|flags| flags.starts_with('K')).count() > 1, "{keys:?}");
    check(&path);
    check(&make(folder.path(), "refresh.mp4", "-c:v libx264 -intra-refresh 1 -g 20 -bf 0 -pix_fmt yuv420p"));
}

#[test]
fn fragments_and_late_indices_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, flags) in [
        ("fragments.mp4", "frag_keyframe+empty_moov+default_base_moof"),
        ("offsets.mp4", "frag_every_frame+empty_moov"),
        ("hybrid.mp4", "frag_keyframe"),
        ("front.mp4", "faststart"),
    ] {
        check(&make(folder.path(), name, &format!("{X264} -movflags {flags}")));
    }
}

#[test]
fn variable_rates_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let uneven = "-vf setpts='(N+floor(N/7)+mod(N\\,3)/3)/30/TB' -fps_mode vfr -video_track_timescale 90000";
    let video = check(&make(folder.path(), "uneven.mp4", &format!("{uneven} {X264}")));
    assert!(video.info().timeline.is_variable());
}

#[test]
fn edit_lists_cut_and_delay() {
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "whole.mp4", X264);
    // Cut without encoding: frames before the cut are in the file, but not shown.
    ffmpeg(folder.path(), "-ss 0.5 -i whole.mp4 -c copy cut.mp4");
    let packets = ffprobe(&folder.path().join("cut.mp4"), "-show_entries packet=pts").len();
    let video = check(&folder.path().join("cut.mp4"));
    assert!(video.info().timeline.len() < packets, "{packets} packets");
    // Pictures that begin a while after the sound.
    ffmpeg(
        folder.path(),
        "-f lavfi -i sine=duration=3 -itsoffset 0.4 -i whole.mp4 -map 1:v -map 0:a -c:v copy -c:a aac late.mp4",
    );
    let video = check(&folder.path().join("late.mp4"));
    assert!((video.info().timeline.start_secs(0) - 0.4).abs() < 0.01);
    let sound = video.info().sound.clone().expect("sound");
    assert_eq!((sound.codec.as_str(), sound.sample_rate, sound.channels), ("AAC", 44_100, 1));
}

#[test]
fn pictures_are_turned_upright() {
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "lying.mp4", X264);
    for (degrees, size) in [(90, (112, 192)), (180, (192, 112)), (270, (112, 192))] {
        let name = format!("turned{degrees}.mp4");
        ffmpeg(folder.path(), &format!("-i lying.mp4 -c copy -metadata:s:v:0 rotate={degrees} {name}"));
        let video = check(&folder.path().join(name));
        assert_eq!((video.info().width, video.info().height), size);
    }
}

#[test]
fn colours_are_those_that_the_file_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let named = |space: &str, range: &str| {
        format!(
            "-vf scale=out_color_matrix={space}:out_range={range},format=yuv420p \
             -colorspace {space} -color_range {range} {X264}"
        )
    };
    let bt709 = make(folder.path(), "bt709.mp4", &named("bt709", "tv"));
    check(&bt709);
    check(&make(folder.path(), "full.mp4", &named("bt709", "pc")));
    check(&make(folder.path(), "bt601.mp4", &named("smpte170m", "tv")));
    // All of them show the same picture, which nothing but the right conversion of each gives.
    let first = frame(&mut open(&bt709), 0);
    for name in ["full.mp4", "bt601.mp4"] {
        let difference = mean_difference(&first, &frame(&mut open(&folder.path().join(name)), 0));
        assert!(difference < 2.0, "{name}: {difference}");
    }
}

#[test]
fn one_frame_is_a_clip() {
    let folder = tempfile::tempdir().expect("a folder");
    let video = check(&make(folder.path(), "one.mp4", &format!("{X264} -frames:v 1")));
    assert_eq!((video.info().timeline.len(), video.info().timeline.end_secs()), (1, 1.0 / 30.0));
}

#[test]
fn sizes_that_are_no_multiple_of_a_block() {
    let folder = tempfile::tempdir().expect("a folder");
    for size in ["18x34", "130x98", "2x2"] {
        let path = make(folder.path(), &format!("{size}.mp4"), &format!("-vf scale={} {X264}", size.replace('x', ":")));
        let video = check(&path);
        assert_eq!(format!("{}x{}", video.info().width, video.info().height), size);
    }
}

#[test]
fn what_a_cut_file_still_has_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = make(folder.path(), "cut.mp4", &format!("{X264} -movflags faststart"));
    let expected = decoded_by_ffmpeg(folder.path(), "-i cut.mp4", 192, 112);
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() * 6 / 10]).expect("written");
    let mut video = open(&path);
    assert_eq!(video.info().timeline.len(), 90);
    let given = (0..90)
        .take_while(|&index| match video.frame(index, &Cancel::default()) {
            Ok(frame) => {
                assert!(mean_difference(&frame, &expected[index]) <= SAME, "frame {index}");
                true
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("cut.mp4") && error.contains("partial copy"), "{error}");
                false
            }
        })
        .count();
    assert!((40..70).contains(&given), "{given} frames");
    assert!(video.frame(89, &Cancel::default()).is_err());
    assert!(mean_difference(&frame(&mut video, 3), &expected[3]) <= SAME);

    // An index at the end is lost with it.
    let path = make(folder.path(), "late.mp4", X264);
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() * 6 / 10]).expect("written");
    let error = Video::open(&path, &VideoOptions::default()).err().expect("no index").to_string();
    assert!(error.contains("late.mp4") && error.contains("partial copy"), "{error}");
}

#[test]
fn damage_costs_frames_up_to_the_next_key_frame_and_moves_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = make(folder.path(), "damaged.mp4", X264);
    let expected = decoded_by_ffmpeg(folder.path(), "-i damaged.mp4", 192, 112);
    let packets = ffprobe(&path, "-select_streams v:0 -show_entries packet=pos,size");
    let (size, position) = packets[40].split_once(',').expect("size and position");
    let (size, position): (usize, usize) = (size.parse().expect("bytes"), position.parse().expect("bytes"));
    let mut bytes = fs::read(&path).expect("read");
    bytes[position + 4..position + size].fill(0xA5);
    fs::write(&path, &bytes).expect("written");
    let mut video = open(&path);
    let mut lost = Vec::new();
    for (index, expected) in expected.iter().enumerate() {
        match video.frame(index, &Cancel::default()) {
            Ok(frame) => assert!(mean_difference(&frame, expected) <= SAME, "frame {index}"),
            Err(error) => {
                assert!(error.to_string().contains("damaged.mp4"), "{error}");
                lost.push(index);
            }
        }
    }
    assert!(!lost.is_empty() && lost.iter().all(|frame| (30..60).contains(frame)), "{lost:?}");
}

#[test]
fn a_size_that_changes_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    // With the parameter sets inside, two clips of different sizes make one track.
    for (name, scale) in [("a.264", "192:112"), ("b.264", "128:64")] {
        make(folder.path(), name, &format!("-vf scale={scale} -frames:v 5 {X264} -bf 0"));
    }
    let mut joined = fs::read(folder.path().join("a.264")).expect("read");
    joined.extend(fs::read(folder.path().join("b.264")).expect("read"));
    fs::write(folder.path().join("joined.264"), joined).expect("written");
    ffmpeg(folder.path(), "-i joined.264 -c copy -tag:v avc3 changes.mp4");
    let mut video = open(&folder.path().join("changes.mp4"));
    assert_eq!(video.info().timeline.len(), 10);
    assert_eq!((frame(&mut video, 4).width, frame(&mut video, 4).height), (192, 112));
    let error = video.frame(5, &Cancel::default()).expect_err("another size").to_string();
    assert!(error.contains("128x64") && error.contains("192x112"), "{error}");
}

#[test]
fn a_stopped_seek_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut video = open(&make(folder.path(), "stop.mp4", X264));
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(matches!(video.frame(80, &cancel), Err(dinoscope_engine::Error::Cancelled)));
    assert!(video.frame(80, &Cancel::default()).is_ok());
}
