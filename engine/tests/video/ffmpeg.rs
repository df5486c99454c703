//! Codecs and containers that an ffmpeg beside this program decodes.

use std::fs;
use std::path::{Path, PathBuf};

use dinoscope_engine::Cancel;
use dinoscope_engine::video::{Video, VideoOptions, is_video};

use crate::support::{decoded_by_ffmpeg, ffmpeg, ffprobe, frame, frames, largest_difference, open, probed_times};

const SOURCE: &str = "-f lavfi -i testsrc2=size=130x98:rate=30000/1001:duration=2";

fn make(folder: &Path, name: &str, arguments: &str) -> PathBuf {
    ffmpeg(folder, &format!("{SOURCE} {arguments} {name}"));
    folder.join(name)
}

/// Count, times and every frame, in order and at random places, are those of ffmpeg.
fn check(path: &Path) -> Video {
    let folder = path.parent().expect("a folder");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut video = open(path);
    let info = video.info().clone();
    assert!(is_video(path), "{name}");
    let expected = decoded_by_ffmpeg(folder, &format!("-i {name}"), info.width, info.height);
    let times = probed_times(path);
    assert_eq!((info.timeline.len(), times.len()), (expected.len(), expected.len()), "{name}");
    for (index, time) in times.iter().enumerate() {
        // The clip begins at 0 wherever the container's clock does.
        let (start, time) = (info.timeline.start_secs(index) - info.timeline.start_secs(0), time - times[0]);
        assert!((start - time).abs() < 1e-5, "{name}: frame {index} starts at {start}, ffprobe says {time}");
    }
    assert_eq!(largest_difference(&frames(&mut video), &expected), 0, "{name}");
    let mut jumping = open(path);
    for index in [50, 49, 48, 5, 30, 59, 0, 58].into_iter().filter(|&index| index < expected.len()) {
        let got = frame(&mut jumping, index);
        assert_eq!(largest_difference(&[got], &expected[index..=index]), 0, "{name}: frame {index}");
    }
    video
}

#[test]
fn what_ffmpeg_decodes_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, codec, arguments) in [
        ("hevc.mp4", "HEVC", "-c:v libx265 -x265-params log-level=error:keyint=20 -pix_fmt yuv420p"),
        ("vp9.webm", "VP9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -auto-alt-ref 1 -lag-in-frames 10"),
        ("vp8.webm", "VP8", "-c:v libvpx -g 20 -auto-alt-ref 1 -lag-in-frames 10"),
        ("h264.mkv", "H.264", "-c:v libx264 -g 20 -bf 3 -pix_fmt yuv420p"),
        ("ts.ts", "H.264", "-c:v libx264 -g 20 -bf 3 -pix_fmt yuv420p"),
        ("mpeg4.avi", "MPEG-4 part 2", "-c:v mpeg4 -bf 2 -g 20"),
        ("ten.mp4", "H.264", "-c:v libx264 -g 20 -pix_fmt yuv420p10le"),
        ("full.mp4", "H.264", "-c:v libx264 -g 20 -pix_fmt yuv444p"),
        ("fields.mp4", "H.264", "-vf scale=128:96 -c:v libx264 -g 20 -flags +ilme+ildct -pix_fmt yuv420p"),
    ] {
        let video = check(&make(folder.path(), name, arguments));
        assert_eq!(video.info().codec, codec, "{name}");
        assert!((video.info().timeline.mean_fps() - 30_000.0 / 1001.0).abs() < 0.03, "{name}");
    }
}

#[test]
fn sound_and_rotation_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = "-f lavfi -i sine=duration=2:sample_rate=48000 -c:a libopus -ac 2";
    let video = check(&make(folder.path(), "sound.mkv", &format!("{sound} -c:v libx264 -pix_fmt yuv420p")));
    let sound = video.info().sound.clone().expect("sound");
    assert_eq!((sound.codec.as_str(), sound.sample_rate, sound.channels), ("Opus", 48_000, 2));
    make(folder.path(), "lying.mp4", "-c:v libx265 -x265-params log-level=error -pix_fmt yuv420p");
    ffmpeg(folder.path(), "-i lying.mp4 -c copy -metadata:s:v:0 rotate=90 turned.mp4");
    let video = check(&folder.path().join("turned.mp4"));
    assert_eq!((video.info().width, video.info().height), (98, 130));
}

#[test]
fn without_ffmpeg_the_codec_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = VideoOptions { ffmpeg: PathBuf::from("/nowhere/ffmpeg"), ..VideoOptions::default() };
    for (name, named, arguments) in [
        ("hevc.mp4", "HEVC", "-c:v libx265 -x265-params log-level=error -pix_fmt yuv420p"),
        ("clip.mkv", "Matroska", "-c:v libx264 -pix_fmt yuv420p"),
        ("ten.mp4", "H.264 with 10 bits", "-c:v libx264 -pix_fmt yuv420p10le"),
        ("full.mp4", "H.264 with 4:4:4", "-c:v libx264 -pix_fmt yuv444p"),
        ("fields.mp4", "interlaced", "-vf scale=128:96 -c:v libx264 -flags +ilme+ildct -pix_fmt yuv420p"),
        ("clip.avi", "AVI", "-c:v mpeg4"),
    ] {
        let path = make(folder.path(), name, &format!("{arguments} -frames:v 3"));
        let error = Video::open(&path, &options).err().expect("no ffmpeg").to_string();
        assert!(error.contains(name) && error.contains(named) && error.contains("install ffmpeg"), "{error}");
    }
}

#[test]
fn broken_files_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("noise.mkv");
    fs::write(&path, [b"\x1A\x45\xDF\xA3".as_slice(), &[7; 5000]].concat()).expect("written");
    let error = Video::open(&path, &VideoOptions::default()).err().expect("noise").to_string();
    assert!(error.contains("noise.mkv") && error.contains("ffmpeg"), "{error}");

    let path = make(folder.path(), "cut.mkv", "-c:v libx264 -g 20 -pix_fmt yuv420p");
    let expected = decoded_by_ffmpeg(folder.path(), "-i cut.mkv", 130, 98);
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let mut video = open(&path);
    let len = video.info().timeline.len();
    assert!((10..50).contains(&len), "{len} frames");
    for (index, expected) in expected.iter().enumerate().take(len - 4) {
        assert_eq!(largest_difference(&[frame(&mut video, index)], std::slice::from_ref(expected)), 0);
    }
}

#[test]
fn a_size_that_changes_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, scale) in [("a.264", "192:112"), ("b.264", "128:64")] {
        make(folder.path(), name, &format!("-vf scale={scale} -frames:v 25 -c:v libx264 -bf 0 -pix_fmt yuv420p"));
    }
    let mut joined = fs::read(folder.path().join("a.264")).expect("read");
    joined.extend(fs::read(folder.path().join("b.264")).expect("read"));
    fs::write(folder.path().join("joined.264"), joined).expect("written");
    ffmpeg(folder.path(), "-i joined.264 -c copy changes.mkv");
    let path = folder.path().join("changes.mkv");
    assert_eq!(ffprobe(&path, "-show_entries packet=pts").len(), 50);
    let mut video = open(&path);
    assert_eq!((frame(&mut video, 24).width, video.info().timeline.len()), (192, 50));
    for index in [25, 49, 30] {
        let error = video.frame(index, &Cancel::default()).expect_err("another size").to_string();
        assert!(error.contains("128x64") && error.contains("192x112"), "{error}");
    }
    assert_eq!(frame(&mut video, 3).width, 192);
}

/// Every ffmpeg that was started for a clip ends with it.
#[cfg(target_os = "linux")]
#[test]
fn child_processes_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = make(folder.path(), "long.mkv", "-c:v libx264 -pix_fmt yuv420p -vf scale=960:720");
    let children = || {
        let mine = format!("/proc/{}/task", std::process::id());
        let tasks = fs::read_dir(mine).expect("tasks").flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<String> =
            lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let reads_this = |child: &String| {
            fs::read(format!("/proc/{child}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*path.to_string_lossy()))
        };
        children.into_iter().filter(reads_this).count()
    };
    let mut video = open(&path);
    frame(&mut video, 0);
    assert_eq!(children(), 1);
    frame(&mut video, 50);
    assert_eq!(children(), 1);
    drop(video);
    assert_eq!(children(), 0);
}
