//! What is recorded is read back, by this program and by ffmpeg.

use std::fs;
use std::path::Path;

use dinoscope_engine::image::Picture;
use dinoscope_engine::video::{FrameSink, RecordingFormat, Timeline, create};

use super::support::{
    decoded_by_ffmpeg, ffmpeg, ffprobe, frame, frames, mean_difference, open, probed_times, times_ms,
};

/// A square that moves over a gradient.
fn drawn(width: usize, height: usize, index: usize) -> Picture {
    let pixel = |x: usize, y: usize| {
        let left = 4 + 3 * index;
        let is_square = (left..left + 16).contains(&x) && (8..24).contains(&y);
        if is_square { [220, 60, 30] } else { [(x * 200 / width) as u8, (y * 200 / height) as u8, 120] }
    };
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    Picture::from_rgb(width, height, rgb).expect("a picture")
}

fn begin(path: &Path, format: RecordingFormat) -> Box<dyn FrameSink> {
    create(path, format).unwrap_or_else(|error| panic!("{error}"))
}

fn record(path: &Path, format: RecordingFormat) -> Vec<Picture> {
    let (width, height, len) = (format.width, format.height, format.timeline.len());
    let pictures: Vec<Picture> = (0..len).map(|index| drawn(width, height, index)).collect();
    let mut sink = begin(path, format);
    pictures.iter().for_each(|picture| sink.push(picture).unwrap_or_else(|error| panic!("{error}")));
    sink.finish().unwrap_or_else(|error| panic!("{error}"));
    pictures
}

fn only_entry(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn frames_come_back_at_their_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let timeline = Timeline::constant(40, 30_000.0 / 1001.0);
    let written = record(&path, RecordingFormat::new(96, 64, timeline.clone()));
    assert_eq!(only_entry(folder.path()), ["out.mp4"], "nothing else is left");

    let mut video = open(&path);
    let info = video.info().clone();
    assert_eq!((info.width, info.height, &*info.codec), (96, 64, "H.264"));
    assert_eq!(info.timeline, timeline, "to the tick");
    for (index, (read, written)) in frames(&mut video).iter().zip(&written).enumerate() {
        let difference = mean_difference(read, written);
        assert!(difference < 6.0, "frame {index} differs by {difference}");
    }
    let other = mean_difference(&frame(&mut video, 0), &written[20]);
    assert!(other > mean_difference(&frame(&mut video, 20), &written[20]) * 1.5, "frames are told apart");
    // A seek gives what reading in order gives.
    assert_eq!(frame(&mut open(&path), 35), frames(&mut open(&path))[35]);

    let stream = ffprobe(
        &path,
        "-select_streams v:0 -count_frames -show_entries stream=width,height,nb_read_frames,avg_frame_rate",
    );
    assert_eq!(stream, ["96,64,30000/1001,40"]);
    let duration: f64 = ffprobe(&path, "-show_entries format=duration")[0].parse().expect("seconds");
    assert!((duration - 40.0 * 1001.0 / 30_000.0).abs() < 0.002, "{duration}");
    let decoded = decoded_by_ffmpeg(folder.path(), "-i out.mp4", 96, 64);
    assert_eq!(decoded.len(), 40);
    for (read, decoded) in frames(&mut video).iter().zip(&decoded) {
        assert!(mean_difference(read, decoded) < 1.0);
    }
}

#[test]
fn variable_rates_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let timeline = Timeline::new(1000, &[0, 40, 50, 250, 1000, 1033], 67);
    record(&path, RecordingFormat::new(64, 48, timeline));
    assert_eq!(times_ms(&open(&path)), [0, 40, 50, 250, 1000, 1033, 1100]);
    let probed: Vec<u64> = probed_times(&path).iter().map(|secs| (secs * 1000.0).round() as u64).collect();
    assert_eq!(probed, [0, 40, 50, 250, 1000, 1033]);
}

#[test]
fn odd_sizes_gain_a_row_and_a_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let written = record(&path, RecordingFormat::new(65, 47, Timeline::constant(1, 25.0)));
    let mut video = open(&path);
    assert_eq!((video.info().width, video.info().height, video.info().timeline.len()), (66, 48, 1));
    let read = frame(&mut video, 0);
    let cut: Vec<u8> = read.rgb.chunks(3 * 66).take(47).flat_map(|row| row[..3 * 65].to_vec()).collect();
    let cut = Picture::from_rgb(65, 47, cut).expect("a picture");
    assert!(mean_difference(&cut, &written[0]) < 6.0);
}

#[test]
fn sound_is_copied_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "-f lavfi -i testsrc=size=64x48:rate=10:duration=2 -f lavfi -i sine=frequency=440:duration=2";
    ffmpeg(folder.path(), &format!("{source} -c:v libx264 -pix_fmt yuv420p -c:a aac -shortest in.mp4"));
    let from = folder.path().join("in.mp4");
    let path = folder.path().join("out.mp4");
    let timeline = open(&from).info().timeline.clone();
    record(&path, RecordingFormat { sound_from: Some(from.clone()), ..RecordingFormat::new(64, 48, timeline) });
    assert_eq!(open(&path).info().sound, open(&from).info().sound);
    let packets =
        |path: &Path| ffprobe(path, "-select_streams a:0 -show_entries packet=pts_time,size -show_data_hash md5");
    assert!(packets(&from).len() > 50 && packets(&from) == packets(&path), "every packet, at its time");
    let samples = |name: &str| ffmpeg(folder.path(), &format!("-i {name} -vn -f s16le -"));
    assert_eq!(samples("in.mp4"), samples("out.mp4"));
}

#[test]
fn what_is_given_up_leaves_nothing_and_older_files_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    fs::write(&path, "older").expect("written");
    let mut sink = begin(&path, RecordingFormat::new(64, 48, Timeline::constant(90, 30.0)));
    (0..80).for_each(|index| sink.push(&drawn(64, 48, index)).expect("room"));
    drop(sink);
    assert_eq!(only_entry(folder.path()), ["out.mp4"]);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "older");
}

#[test]
fn what_a_crash_leaves_can_be_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let long = Timeline::constant(90, 30.0);
    let mut sink = begin(&path, RecordingFormat::new(64, 48, long.clone()));
    (0..80).for_each(|index| sink.push(&drawn(64, 48, index)).expect("room"));
    // What the disk holds while it is being written: two whole seconds.
    let partial = folder.path().join("out.partial.mp4");
    let left = folder.path().join("left.mp4");
    fs::copy(&partial, &left).expect("copied");
    drop(sink);
    let mut video = open(&left);
    assert_eq!(video.info().timeline, long.part(0..60));
    assert!(mean_difference(&frame(&mut video, 45), &drawn(64, 48, 45)) < 6.0);
    assert_eq!(ffprobe(&left, "-select_streams v:0 -count_frames -show_entries stream=nb_read_frames"), ["60"]);
}

#[test]
fn what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let mut sink = begin(&path, RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    let message = sink.push(&drawn(64, 40, 0)).expect_err("another size").to_string();
    assert!(message.contains("64x40") && message.contains("64x48") && message.contains("out.mp4"), "{message}");
    sink.push(&drawn(64, 48, 0)).expect("it fits");
    let message = sink.push(&drawn(64, 48, 1)).expect_err("one too many").to_string();
    assert!(message.contains("more than"), "{message}");
    let missing = folder.path().join("no such folder").join("out.mp4");
    let refused = create(&missing, RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    assert!(refused.err().expect("no folder").to_string().contains("no such folder"));
    let empty = begin(&folder.path().join("empty.mp4"), RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    assert!(empty.finish().expect_err("no frames").to_string().contains("no frames"));
}

#[test]
fn other_formats_are_ffmpegs_and_folders_are_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mkv");
    record(&path, RecordingFormat::new(64, 48, Timeline::constant(12, 24.0)));
    assert_eq!(ffprobe(&path, "-select_streams v:0 -count_frames -show_entries stream=nb_read_frames"), ["12"]);
    let pictures = folder.path().join("pictures");
    let written = record(&pictures, RecordingFormat::new(64, 48, Timeline::constant(3, 24.0)));
    assert_eq!(frames(&mut open(&pictures)), written, "without loss");
}
