//! Recordings, read back by ffmpeg and by this program.

use std::fs;
use std::path::Path;
use std::process::Command;

use dinoscope_engine::Cancel;
use dinoscope_engine::image::Picture;
use dinoscope_engine::video::record::create;
use dinoscope_engine::video::{Quality, RecordingFormat, SoundSource, Timeline};

use crate::support::{decoded_by_ffmpeg, ffmpeg, ffprobe, frames, mean_difference, open, probed_times};

/// Frames that move.
fn moving(folder: &Path, width: usize, height: usize, len: usize) -> Vec<Picture> {
    let source = format!("-f lavfi -i testsrc=size={width}x{height}:rate=30 -frames:v {len}");
    decoded_by_ffmpeg(folder, &source, width, height)
}

fn record(path: &Path, format: RecordingFormat, frames: &[Picture]) {
    let mut sink = create(path, format).unwrap_or_else(|error| panic!("{error}"));
    for frame in frames {
        sink.push(frame, None).unwrap_or_else(|error| panic!("{error}"));
    }
    sink.finish().unwrap_or_else(|error| panic!("{error}"));
}

/// Of brightness, in decibels: colour has half the resolution in a recording.
fn psnr(a: &Picture, b: &Picture) -> f64 {
    let luma = |&[r, g, b]: &[u8; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
    let pixels = a.rgb.as_chunks().0.iter().zip(b.rgb.as_chunks().0);
    let squares = pixels.map(|(a, b)| (luma(a) - luma(b)).powi(2));
    10.0 * (255.0 * 255.0 * (a.width * a.height) as f64 / squares.sum::<f64>().max(1e-3)).log10()
}

/// Count, times, size and content, as ffmpeg and this program read them.
fn check(path: &Path, timeline: &Timeline, expected: &[Picture]) {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let times = probed_times(path);
    assert_eq!(times.len(), expected.len(), "{name}");
    let mut video = open(path);
    let info = video.info().clone();
    assert_eq!(info.timeline, *timeline, "{name}");
    for (index, time) in times.iter().enumerate() {
        let start = timeline.start_secs(index);
        assert!((start - time).abs() < 1e-5, "{name}: frame {index} starts at {start}, ffprobe says {time}");
    }
    let (width, height) = (expected[0].width, expected[0].height);
    assert_eq!((info.width, info.height), (width, height), "{name}");
    for (index, (got, expected)) in frames(&mut video).iter().zip(expected).enumerate() {
        let psnr = psnr(got, expected);
        assert!(psnr > 34.0, "{name}: frame {index} has {psnr} dB");
    }
    // ffmpeg reads the same, but does not know that not all of it is shown.
    let (even_width, even_height) = (width.next_multiple_of(2).max(16), height.next_multiple_of(2).max(16));
    let size = ffprobe(path, "-select_streams v:0 -show_entries stream=width,height");
    assert_eq!(size, [format!("{even_width},{even_height}")], "{name}");
    if (even_width, even_height) == (width, height) {
        let theirs = decoded_by_ffmpeg(path.parent().expect("a folder"), &format!("-i {name}"), width, height);
        for (index, (got, theirs)) in frames(&mut video).iter().zip(&theirs).enumerate() {
            let difference = mean_difference(got, theirs);
            assert!(difference < 0.6, "{name}: frame {index} differs by {difference}");
        }
    }
}

#[test]
fn frames_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, timeline) in [
        ("film.mp4", Timeline::constant(70, 24.0)),
        ("broadcast.mov", Timeline::constant(70, 29.97)),
        ("slow.m4v", Timeline::constant(4, 0.5)),
        ("one.mp4", Timeline::constant(1, 25.0)),
        // Uneven, and not from the start.
        (
            "uneven.mp4",
            Timeline::new(90_000, &(0..40).map(|i| 4500 + i * 3003 + i % 3 * 700).collect::<Vec<_>>(), 1500),
        ),
    ] {
        let pictures = moving(folder.path(), 192, 112, timeline.len());
        let path = folder.path().join(name);
        record(&path, RecordingFormat::new(192, 112, timeline.clone()), &pictures);
        check(&path, &timeline, &pictures);
        let duration = ffprobe(&path, "-show_entries format=duration");
        let duration: f64 = duration[0].parse().expect("seconds");
        assert!((duration - timeline.end_secs()).abs() < 1e-3, "{name}: {duration}, not {}", timeline.end_secs());
    }
}

#[test]
fn odd_and_tiny_sizes_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (width, height) in [(61, 35), (62, 35), (17, 16), (5, 3)] {
        // Grey waves; the usual picture is noise at such sizes.
        let wave = |i: usize, x: usize, y: usize| {
            let [i, x, y] = [i, x, y].map(|n| n as f64);
            (128.0 + 100.0 * (x / 3.0 + i / 2.0).sin() * (y / 4.0).cos()) as u8
        };
        let pixels = |i| (0..width * height).flat_map(move |at| [wave(i, at % width, at / width); 3]).collect();
        let pictures: Vec<_> =
            (0..5).map(|i| Picture::from_rgb(width, height, pixels(i)).expect("a picture")).collect();
        let (path, timeline) = (folder.path().join(format!("{width}x{height}.mp4")), Timeline::constant(5, 25.0));
        record(&path, RecordingFormat::new(width, height, timeline.clone()), &pictures);
        check(&path, &timeline, &pictures);
    }
}

#[test]
fn quality_is_a_matter_of_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures = moving(folder.path(), 192, 112, 30);
    let recorded = |quality| {
        let path = folder.path().join("clip.mp4");
        let timeline = Timeline::constant(30, 30.0);
        record(&path, RecordingFormat { quality, ..RecordingFormat::new(192, 112, timeline) }, &pictures);
        let worst = frames(&mut open(&path)).iter().zip(&pictures).map(|(a, b)| psnr(a, b)).fold(f64::MAX, f64::min);
        (fs::metadata(&path).expect("written").len(), worst)
    };
    let [small, good, best] = [Quality::Small, Quality::Good, Quality::Best].map(recorded);
    assert!(small.0 < good.0 && good.0 < best.0, "{small:?} {good:?} {best:?}");
    assert!(small.1 < good.1 && good.1 < best.1 && good.1 > 35.5, "{small:?} {good:?} {best:?}");
}

/// A digest of the sound's packets.
fn sound_digest(folder: &Path, input: &str) -> Vec<u8> {
    ffmpeg(folder, &format!("-i {input} -map 0:a -c copy -f md5 -"))
}

/// When the first packet of sound is heard, and how long the track is.
fn sound_times(path: &Path) -> (f64, f64) {
    let line = &ffprobe(path, "-select_streams a:0 -show_entries stream=start_time,duration")[0];
    let (start, duration) = line.split_once(',').expect("two numbers");
    (start.parse().expect("seconds"), duration.parse().expect("seconds"))
}

#[test]
fn sound_is_copied_packet_by_packet() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures = moving(folder.path(), 64, 48, 60);
    let source = "-f lavfi -i testsrc=size=64x48:rate=30:duration=2";
    for (name, arguments) in [
        ("aac.mp4", "-f lavfi -i aevalsrc=sin(440*t*t):s=44100:d=2.2 -c:a aac -c:v libx264"),
        ("late.mp4", "-itsoffset 0.3 -f lavfi -i sine=duration=1:sample_rate=48000 -c:a aac -c:v libx264"),
        ("fragments.mp4", "-f lavfi -i sine=duration=2 -c:a aac -c:v libx264 -movflags frag_keyframe+empty_moov"),
        ("opus.mp4", "-f lavfi -i sine=duration=2:sample_rate=48000 -c:a libopus -c:v libx264"),
        ("ac3.mov", "-f lavfi -i sine=duration=2:sample_rate=48000 -c:a ac3 -c:v libx264"),
        ("opus.mkv", "-f lavfi -i sine=duration=2:sample_rate=48000 -c:a libopus -c:v libx264"),
    ] {
        ffmpeg(folder.path(), &format!("{source} {arguments} -pix_fmt yuv420p {name}"));
        let original = folder.path().join(name);
        let timeline = Timeline::constant(60, 30.0);
        let sound = Some(SoundSource { path: original.clone(), part: None });
        let path = folder.path().join(format!("recorded-{}.mp4", name.replace('.', "-")));
        record(&path, RecordingFormat { sound, ..RecordingFormat::new(64, 48, timeline.clone()) }, &pictures);
        check(&path, &timeline, &pictures);
        let recorded = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(sound_digest(folder.path(), &recorded), sound_digest(folder.path(), name), "{name}");
        let codec = |path| ffprobe(path, "-select_streams a:0 -show_entries stream=codec_name,sample_rate,channels");
        assert_eq!(codec(&path), codec(&original), "{name}");
        if !name.ends_with("mkv") {
            let (got, expected) = (sound_times(&path), sound_times(&original));
            let off = (got.0 - expected.0).abs().max((got.1 - expected.1).abs());
            assert!(off < 0.002, "{name}: {got:?}, not {expected:?}");
        }
        assert_eq!(open(&path).info().sound, open(&original).info().sound, "{name}");
    }
}

#[test]
fn a_part_of_a_clip_has_its_part_of_the_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    // A click every half second, and silence between.
    ffmpeg(
        folder.path(),
        "-f lavfi -i testsrc=size=64x48:rate=30:duration=3 -f lavfi -i \
         aevalsrc=if(lt(mod(t\\,0.5)\\,0.01)\\,sin(6000*t)\\,0):s=48000:d=3 -c:a aac -b:a 192k -c:v libx264 -pix_fmt yuv420p \
         clicks.mp4",
    );
    let path = folder.path().join("part.mp4");
    let sound = Some(SoundSource { path: folder.path().join("clicks.mp4"), part: Some(0.75..2.25) });
    let format = RecordingFormat { sound, ..RecordingFormat::new(64, 48, Timeline::constant(45, 30.0)) };
    record(&path, format, &moving(folder.path(), 64, 48, 45));
    let raw = ffmpeg(folder.path(), "-i part.mp4 -map 0:a -f s16le -ac 1 -");
    let samples: Vec<i16> = raw.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect();
    assert!((samples.len() as f64 / 48_000.0 - 1.5).abs() < 0.03, "{} samples", samples.len());
    let loud = |from: f64, to: f64| {
        let range = (from * 48_000.0) as usize..((to * 48_000.0) as usize).min(samples.len());
        samples[range].iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
    };
    // 1.0, 1.5 and 2.0 of the clip.
    for click in [0.25, 0.75, 1.25] {
        assert!(loud(click, click + 0.01) > 8000, "no click at {click}");
        assert!(
            loud(click - 0.2, click - 0.03) < 1000 && loud(click + 0.05, click + 0.2) < 1000,
            "noise around {click}"
        );
    }
}

#[test]
fn a_recording_that_stops_keeps_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    ffmpeg(
        folder.path(),
        "-f lavfi -i testsrc=size=64x48:rate=30 -f lavfi -i sine -t 5 -c:a aac -c:v libx264 -pix_fmt yuv420p in.mp4",
    );
    let pictures = moving(folder.path(), 64, 48, 100);
    let path = folder.path().join("out.mp4");
    fs::write(&path, "an older recording").expect("written");
    let format = || {
        let sound = Some(SoundSource { path: folder.path().join("in.mp4"), part: None });
        RecordingFormat { sound, ..RecordingFormat::new(64, 48, Timeline::constant(150, 30.0)) }
    };
    let begin = || {
        let mut sink = create(&path, format()).expect("created");
        pictures.iter().for_each(|frame| sink.push(frame, None).expect("pushed"));
        sink
    };
    let playable = |name: &str| {
        let path = folder.path().join(name);
        let len = probed_times(&path).len();
        let mut video = open(&path);
        assert_eq!(video.info().timeline.len(), len, "{name}");
        for (got, expected) in frames(&mut video).iter().zip(&pictures) {
            assert!(psnr(got, expected) > 34.0, "{name}");
        }
        let packets = ffprobe(&path, "-select_streams a:0 -show_entries packet=pts").len();
        assert!(packets as f64 * 1024.0 / 44_100.0 > len as f64 / 30.0, "{name}: {packets} packets of sound");
        len
    };
    // As after a crash: nobody closes the file.
    std::mem::forget(begin());
    assert_eq!(playable("out.partial.mp4"), 90);
    // Dropped after a failure elsewhere; the other one stays.
    drop(begin());
    assert_eq!(playable("out.partial-2.mp4"), 100);
    assert_eq!(playable("out.partial.mp4"), 90);
    // Unwanted.
    begin().abandon();
    assert!(!folder.path().join("out.partial-3.mp4").exists());
    assert_eq!(fs::read_to_string(&path).expect("still there"), "an older recording");
    // Stopped early, but finished.
    begin().finish().expect("finished");
    assert_eq!(playable("out.mp4"), 100);
    let (_, sound) = sound_times(&path);
    assert!((sound - 100.0 / 30.0).abs() < 0.05, "{sound} s of sound");
}

#[test]
fn frames_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.mp4");
    let pictures = moving(folder.path(), 64, 48, 2);
    let mut sink = create(&path, RecordingFormat::new(64, 48, Timeline::constant(1, 30.0))).expect("created");
    let error = sink.push(&moving(folder.path(), 32, 48, 1)[0], None).expect_err("another size").to_string();
    assert!(error.contains("out.mp4") && error.contains("32x48") && error.contains("64x48"), "{error}");
    let error = sink.push(&pictures[0], Some(&[0; 64 * 48])).expect_err("transparent").to_string();
    assert!(error.contains("PNG"), "{error}");
    sink.push(&pictures[0], None).expect("pushed");
    assert!(sink.push(&pictures[1], None).is_err());
    sink.finish().expect("finished");
    check(&path, &Timeline::constant(1, 30.0), &pictures[..1]);

    let sink = create(&folder.path().join("empty.mp4"), RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    let error = sink.expect("created").finish().expect_err("no frame").to_string();
    assert!(error.contains("empty.mp4"), "{error}");
    let nowhere =
        create(&folder.path().join("no/folder.mp4"), RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    let error = nowhere.err().expect("no folder").to_string();
    assert!(error.contains("no/folder.mp4"), "{error}");
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["out.mp4"]);
}

#[test]
fn pictures_may_be_transparent() {
    let folder = tempfile::tempdir().expect("a folder");
    let pictures = moving(folder.path(), 61, 35, 3);
    let alpha: Vec<u8> = (0..61 * 35).map(|i| (i % 256) as u8).collect();
    let path = folder.path().join("masks");
    let record = |len: usize| {
        let mut sink = create(&path, RecordingFormat::new(61, 35, Timeline::constant(3, 30.0))).expect("created");
        pictures[..len].iter().for_each(|frame| sink.push(frame, Some(&alpha)).expect("pushed"));
        sink.finish()
    };
    record(3).expect("finished");
    for (index, picture) in pictures.iter().enumerate() {
        let read = image::open(path.join(format!("{index:05}.png"))).expect("a picture").into_rgba8();
        assert!(read.pixels().zip(&alpha).all(|(pixel, alpha)| pixel.0[3] == *alpha));
        assert!(read.pixels().zip(picture.rgb.as_chunks::<3>().0).all(|(pixel, rgb)| pixel.0[..3] == *rgb));
    }
    // A new recording takes the place of the older one; other files are not touched.
    record(2).expect("finished");
    assert_eq!(fs::read_dir(&path).expect("a folder").count(), 2);
    fs::write(path.join("notes.txt"), "mine").expect("written");
    let error = create(&path, RecordingFormat::new(61, 35, Timeline::constant(3, 30.0))).err().expect("not empty");
    assert!(error.to_string().contains("masks"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn other_kinds_of_files_are_written_by_ffmpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    ffmpeg(
        folder.path(),
        "-f lavfi -i testsrc=size=64x48:rate=30 -f lavfi -i sine -t 2 -c:a aac -c:v libx264 -pix_fmt yuv420p in.mp4",
    );
    let starts: Vec<u64> = (0..30).map(|i| i * 40 + i % 3 * 10).collect();
    let uneven = Timeline::new(1000, &starts, 40);
    for (name, timeline, codecs) in [
        ("out.mkv", uneven.clone(), "h264,aac"),
        ("out.webm", uneven, "vp9,opus"),
        ("out.avi", Timeline::constant(30, 25.0), "mpeg4,mp3"),
        ("out.gif", Timeline::constant(30, 25.0), "gif"),
    ] {
        // An odd size where the container has no need of even ones.
        let (width, height) = if name == "out.gif" { (61, 35) } else { (64, 48) };
        let pictures = moving(folder.path(), width, height, 30);
        let sound = Some(SoundSource { path: folder.path().join("in.mp4"), part: Some(0.0..1.2) });
        let path = folder.path().join(name);
        record(&path, RecordingFormat { sound, ..RecordingFormat::new(width, height, timeline.clone()) }, &pictures);
        assert_eq!(ffprobe(&path, "-show_entries stream=codec_name").join(","), codecs, "{name}");
        let mut video = open(&path);
        let info = video.info().clone();
        assert_eq!((info.width, info.height, info.timeline.len()), (width, height, 30), "{name}");
        for index in 0..30 {
            let (got, expected) = (info.timeline.start_secs(index), timeline.start_secs(index));
            assert!((got - expected).abs() < 0.0021, "{name}: frame {index} starts at {got}, not {expected}");
        }
        for (got, expected) in frames(&mut video).iter().zip(&pictures) {
            assert!(psnr(got, expected) > 28.0, "{name}: {} dB", psnr(got, expected));
        }
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 5);

    let ffmpeg = "/nowhere/ffmpeg".into();
    let format = RecordingFormat { ffmpeg, ..RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)) };
    let error = create(&folder.path().join("out.webm"), format).err().expect("no ffmpeg").to_string();
    assert!(error.contains("out.webm") && error.contains("install ffmpeg"), "{error}");
    let error = create(&folder.path().join("out.xyz"), RecordingFormat::new(64, 48, Timeline::constant(1, 30.0)));
    let error = error.and_then(|mut sink| {
        sink.push(&moving(folder.path(), 64, 48, 1)[0], None)?;
        sink.finish()
    });
    let error = error.expect_err("no such format").to_string();
    assert!(error.contains("out.xyz"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 5);
}

/// Records until it cannot go on, where [`a_disk_without_room_keeps_what_is_complete`] lets no file grow.
#[cfg(unix)]
#[test]
#[ignore = "needs the limit that the test below sets"]
fn records_until_there_is_no_room() {
    let folder = std::env::var_os("VIDEO_TEST_FOLDER").expect("the folder of the test below");
    let folder = Path::new(&folder);
    let mut sink = create(&folder.join("out.mp4"), RecordingFormat::new(192, 112, Timeline::constant(1000, 30.0)))
        .expect("created");
    let pictures: Vec<Picture> = (0..30)
        .map(|i| open(&folder.join("in.mp4")).frame(i, &Cancel::default()))
        .map(|frame| (*frame.expect("a frame")).clone())
        .collect();
    let error = (0..1000).find_map(|index| sink.push(&pictures[index % 30], None).err()).expect("no room");
    fs::write(folder.join("error.txt"), error.to_string()).expect("a short file");
    assert!(sink.push(&pictures[0], None).is_err() && sink.finish().is_err());
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_keeps_what_is_complete() {
    let folder = tempfile::tempdir().expect("a folder");
    ffmpeg(folder.path(), "-f lavfi -i testsrc2=size=192x112:rate=30 -frames:v 30 -pix_fmt yuv420p in.mp4");
    fs::write(folder.path().join("out.mp4"), "an older recording").expect("written");
    // In a process of its own, since the limit is for all its files: 256 blocks of 512 bytes.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["recordings::records_until_there_is_no_room", "--exact", "--ignored"])
        .env("VIDEO_TEST_FOLDER", folder.path())
        .output()
        .expect("a shell");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    let error = fs::read_to_string(folder.path().join("error.txt")).expect("an error");
    assert!(error.contains("out.mp4") && error.contains("out.partial.mp4"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("out.mp4")).expect("still there"), "an older recording");
    let path = folder.path().join("out.partial.mp4");
    let len = probed_times(&path).len();
    assert!(len >= 30 && error.contains(&format!("the first {len} frames")), "{len} frames, but {error}");
    let originals = frames(&mut open(&folder.path().join("in.mp4")));
    for (index, got) in frames(&mut open(&path)).iter().enumerate() {
        assert!(psnr(got, &originals[index % 30]) > 34.0, "frame {index}");
    }
}
