//! Files with wrong bytes: an error or frames, but no panic, no endless work and no huge memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dinoscope_engine::Cancel;
use dinoscope_engine::video::{Video, VideoOptions, is_video};

use crate::support::ffmpeg;

/// Small numbers that look random (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Opens a file and reads what it has, without the help of ffmpeg.
fn read_all(path: &Path) -> usize {
    is_video(path);
    let options = VideoOptions { ffmpeg: PathBuf::from("/nowhere/ffmpeg"), ..VideoOptions::default() };
    let Ok(mut video) = Video::open(path, &options) else { return 0 };
    let frames = video.info().timeline.len();
    (0..frames.min(40)).filter(|&index| video.frame(index, &Cancel::default()).is_ok()).count()
}

#[test]
fn wrong_bytes_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "-f lavfi -i testsrc=size=48x32:rate=10:duration=2";
    let sound = "-f lavfi -i sine=duration=2 -c:a aac";
    for (name, arguments) in [
        ("clip.mp4", "-c:v libx264 -g 7 -bf 2 -pix_fmt yuv420p -movflags faststart"),
        ("fragments.mp4", "-c:v libx264 -g 7 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov"),
        ("clip.gif", ""),
        ("clip.png", "-f apng"),
        ("clip.webp", "-c:v libwebp_anim"),
    ] {
        let sound = if name.ends_with("mp4") { sound } else { "" };
        ffmpeg(folder.path(), &format!("{source} {sound} {arguments} {name}"));
        let whole = fs::read(folder.path().join(name)).expect("read");
        let path = folder.path().join(format!("damaged-{name}"));
        assert_eq!(read_all(&folder.path().join(name)), 20, "{name}");
        let mut numbers = Numbers(7);
        let mut readable = 0;
        for round in 0..400 {
            let mut bytes = whole.clone();
            if round % 4 == 0 {
                bytes.truncate(numbers.below(whole.len()));
            } else {
                // The structure is mostly at the beginning.
                let end = if round % 2 == 0 { whole.len() } else { whole.len().min(3000) };
                for _ in 0..=numbers.below(3) {
                    let at = numbers.below(end);
                    bytes[at] =
                        [0, 0xFF, bytes[at] ^ 1 << numbers.below(8), numbers.below(256) as u8][numbers.below(4)];
                }
            }
            fs::write(&path, &bytes).expect("written");
            let begun = Instant::now();
            readable += usize::from(read_all(&path) > 0);
            assert!(begun.elapsed() < Duration::from_secs(20), "{name}, round {round}: {:?}", begun.elapsed());
        }
        assert!((20..400).contains(&readable), "{name}: {readable} of 400 files still have frames");
    }
}

/// Tables of a few bytes that promise billions of samples.
#[test]
fn promises_are_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    ffmpeg(folder.path(), "-f lavfi -i testsrc=size=48x32 -frames:v 5 -c:v libx264 -pix_fmt yuv420p clip.mp4");
    let whole = fs::read(folder.path().join("clip.mp4")).expect("read");
    let path = folder.path().join("promises.mp4");
    // Bytes behind the name of the box: version and flags, then counts.
    for (name, offset) in [
        (b"stsz", 4),
        (b"stsz", 8),
        (b"stts", 4),
        (b"stts", 8),
        (b"stsc", 4),
        (b"stsc", 12),
        (b"stco", 4),
        (b"elst", 4),
    ] {
        let at = whole.windows(4).position(|window| window == name).expect("a table") + 4 + offset;
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
        fs::write(&path, &bytes).expect("written");
        let begun = Instant::now();
        read_all(&path);
        assert!(begun.elapsed() < Duration::from_secs(5), "{}: {:?}", String::from_utf8_lossy(name), begun.elapsed());
    }
}
