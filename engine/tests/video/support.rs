//! ffmpeg's clips and frames.

use std::path::Path;
use std::process::Command;

use dinoscope_engine::Cancel;
use dinoscope_engine::image::Picture;
use dinoscope_engine::video::{Video, VideoOptions};

/// Runs ffmpeg in `folder`; gives what it writes to its standard output.
pub fn ffmpeg(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .current_dir(folder)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// All frames of `input` (ffmpeg's arguments for it) as ffmpeg decodes them.
pub fn decoded_by_ffmpeg(folder: &Path, input: &str, width: usize, height: usize) -> Vec<Picture> {
    let raw = ffmpeg(folder, &format!("{input} -fps_mode passthrough -f rawvideo -pix_fmt rgb24 -"));
    let frames = raw.chunks(width * height * 3).map(<[u8]>::to_vec);
    frames.map(|rgb| Picture::from_rgb(width, height, rgb).expect("whole frames of that size")).collect()
}

/// Opens a clip with the defaults.
pub fn open(path: &Path) -> Video {
    Video::open(path, &VideoOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// One frame.
pub fn frame(video: &mut Video, index: usize) -> Picture {
    (*video.frame(index, &Cancel::default()).unwrap_or_else(|error| panic!("{error}"))).clone()
}

/// All frames, in order.
pub fn frames(video: &mut Video) -> Vec<Picture> {
    (0..video.info().timeline.len()).map(|index| frame(video, index)).collect()
}

/// Start of each frame, in milliseconds, and the end of the last one.
pub fn times_ms(video: &Video) -> Vec<u64> {
    let timeline = &video.info().timeline;
    let ms = |secs: f64| (secs * 1000.0).round() as u64;
    (0..timeline.len()).map(|i| ms(timeline.start_secs(i))).chain([ms(timeline.end_secs())]).collect()
}

/// Over all samples of all frames, in steps of 255.
pub fn largest_difference(a: &[Picture], b: &[Picture]) -> u8 {
    assert_eq!(a.len(), b.len());
    let frames = a.iter().zip(b).flat_map(|(a, b)| {
        assert_eq!((a.width, a.height), (b.width, b.height));
        a.rgb.iter().zip(&b.rgb)
    });
    frames.map(|(a, b)| a.abs_diff(*b)).max().expect("frames")
}
