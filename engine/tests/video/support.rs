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

/// All frames of `input` (ffmpeg's arguments for it) as ffmpeg decodes them. Its default conversion to RGB rounds down,
/// by more than a step of 255 in the mean; these flags make it exact.
pub fn decoded_by_ffmpeg(folder: &Path, input: &str, width: usize, height: usize) -> Vec<Picture> {
    let exact = "-sws_flags accurate_rnd+full_chroma_int+neighbor";
    let raw = ffmpeg(folder, &format!("{input} {exact} -fps_mode passthrough -f rawvideo -pix_fmt rgb24 -"));
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

/// Mean absolute difference of two frames, in steps of 255.
pub fn mean_difference(a: &Picture, b: &Picture) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a.rgb.iter().zip(&b.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgb.len() as f64
}

/// What ffprobe says in its compact form, a line for each entry.
pub fn ffprobe(path: &Path, arguments: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    assert!(output.status.success(), "ffprobe {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// When ffprobe says that each frame is shown, in seconds.
pub fn probed_times(path: &Path) -> Vec<f64> {
    let lines = ffprobe(path, "-select_streams v:0 -show_entries frame=best_effort_timestamp_time");
    let mut times: Vec<f64> = Vec::new();
    for line in lines {
        // ffprobe knows no time of the last frame out of some decoders.
        let next = || times[times.len() - 1] * 2.0 - times[times.len() - 2];
        times.push(line.split(',').next().and_then(|time| time.parse().ok()).unwrap_or_else(next));
    }
    times
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
