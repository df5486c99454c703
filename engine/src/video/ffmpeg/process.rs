//! ffmpeg and ffprobe as child processes.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::probe::Probe;
use crate::image::Picture;
use crate::video::VideoError;
use crate::{Cancel, Error, Result};

/// How often a request to stop is looked at while ffmpeg decodes.
const POLL: Duration = Duration::from_millis(50);

/// Lines of ffmpeg's messages that are kept.
const LOG_LINES: usize = 20;

/// ffmpeg, and the ffprobe beside it.
pub(in crate::video) struct Program {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
}

impl Program {
    /// `ffmpeg` is a name to be looked for on the PATH, or a path.
    pub fn new(ffmpeg: &Path) -> Self {
        let name = ffmpeg.file_name().unwrap_or_default().to_string_lossy().replace("ffmpeg", "ffprobe");
        Self { ffmpeg: ffmpeg.to_path_buf(), ffprobe: ffmpeg.with_file_name(name) }
    }

    /// A command that says nothing but errors.
    pub fn command(&self) -> Command {
        let mut command = hidden(&self.ffmpeg);
        command.args(["-hide_banner", "-nostats", "-loglevel", "error"]);
        command
    }

    /// ffprobe's answer as JSON; `None` where it is not installed.
    ///
    /// # Errors
    /// [`VideoError::Ffmpeg`]
    pub fn probe(&self, path: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>> {
        let mut command = hidden(&self.ffprobe);
        command.args(["-v", "error", "-of", "json"]).args(arguments).arg("-i").arg(url(path));
        let output = match command.stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VideoError::ffmpeg(path, error.to_string()).into()),
        };
        if !output.status.success() {
            return Err(VideoError::ffmpeg(path, last_line(&output.stderr)).into());
        }
        Ok(Some(output.stdout))
    }

    /// The first sound track as MP4: as it is where MP4 can hold it, else as AAC. `None` where there is no ffmpeg, or no
    /// sound.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where there is no room for it.
    pub fn extract_sound(&self, path: &Path) -> Result<Option<NamedTempFile>> {
        let target =
            tempfile::Builder::new().suffix(".mp4").tempfile().map_err(Error::io("create", Path::new("sound")))?;
        for codec in ["copy", "aac"] {
            let mut command = self.command();
            command.args(["-nostdin", "-y", "-i"]).arg(url(path));
            command.args(["-map", "0:a:0", "-vn", "-c:a", codec, "-f", "mp4"]).arg(url(target.path()));
            match command.stdin(Stdio::null()).output() {
                Ok(output) if output.status.success() => return Ok(Some(target)),
                Ok(_) => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Frames are given as they are, none twice and none left out. Version 5.1 renamed the option.
    pub fn passthrough(&self) -> [&'static str; 2] {
        let text = hidden(&self.ffmpeg).arg("-version").stdin(Stdio::null()).output().map(|output| output.stdout);
        let text = text.unwrap_or_default();
        let version = String::from_utf8_lossy(&text).split_whitespace().nth(2).unwrap_or_default().to_owned();
        let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => ["-vsync", "passthrough"],
            _ => ["-fps_mode", "passthrough"],
        }
    }
}

fn hidden(program: &Path) -> Command {
    #[allow(unused_mut, reason = "changed on Windows")]
    let mut command = Command::new(program);
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    command
}

/// A path that is taken for nothing else, whatever characters it has.
pub(in crate::video) fn url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// The last thing a program said, for people.
pub(in crate::video) fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("it says nothing more").trim().to_owned()
}

/// An ffmpeg that decodes from some frame on, to RGB through a pipe. It ends with this value.
pub struct Decoding {
    path: PathBuf,
    child: Child,
    frames: ChildStdout,
    notes: Receiver<Note>,
    log: Arc<Mutex<VecDeque<String>>>,
    /// The frame that it was started for.
    started_at: usize,
    /// What is known of the frame that comes out of the pipe next.
    note: Option<Note>,
    /// Frames taken.
    taken: usize,
}

/// What ffmpeg's `showinfo` filter says about a frame before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    /// In `time_base`.
    time: i64,
    /// Seconds a tick, as a fraction.
    time_base: (i64, i64),
    /// In pixels.
    size: (usize, usize),
}

impl Decoding {
    /// `None` where ffmpeg is not installed.
    ///
    /// # Errors
    /// [`VideoError::Ffmpeg`]
    pub fn start(path: &Path, program: &Program, probe: &Probe, index: usize) -> Result<Option<Self>> {
        let mut command = hidden(&program.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-copyts"]);
        if index > 0 {
            // Between two frames, so that no rounding takes the wrong one.
            let (before, at) = (probe.times[index - 1] as f64, probe.times[index] as f64);
            let secs = (before + at) / 2.0 * probe.time_base.0 as f64 / probe.time_base.1 as f64 - probe.start_secs;
            command.arg("-ss").arg(format!("{secs:.6}"));
        }
        command.arg("-i").arg(url(path)).args(["-map", "0:V:0", "-vf", "showinfo=checksum=0"]);
        // Rounded, and each chroma sample for its own pixels alone, as in this program's own conversion.
        command.args(["-sws_flags", "accurate_rnd+full_chroma_int+neighbor"]);
        command.args(program.passthrough()).args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VideoError::ffmpeg(path, error.to_string()).into()),
        };
        let (Some(frames), Some(messages)) = (child.stdout.take(), child.stderr.take()) else {
            unreachable!("both were asked for")
        };
        let (sender, notes) = mpsc::channel();
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&log);
        thread::spawn(move || listen(messages, &sender, &kept));
        let path = path.to_path_buf();
        Ok(Some(Self { path, child, frames, notes, log, started_at: index, note: None, taken: 0 }))
    }

    /// The frame that it was started for.
    pub fn started_at(&self) -> usize {
        self.started_at
    }

    /// Whether no frame was taken yet.
    pub fn is_first(&self) -> bool {
        self.taken == 0
    }

    /// Width and height of the next frame, upright.
    ///
    /// # Errors
    /// [`VideoError::Ffmpeg`] where there is none, [`crate::Error::Cancelled`].
    pub fn size(&mut self, cancel: &Cancel) -> Result<(usize, usize)> {
        Ok(self.note(cancel)?.size)
    }

    /// Passes over frames before `index`; whether that frame is the next one.
    ///
    /// # Errors
    /// As [`Self::size`].
    pub fn advance_to(&mut self, probe: &Probe, index: usize, cancel: &Cancel) -> Result<bool> {
        loop {
            let Note { time, time_base, size } = self.note(cancel)?;
            let time = rescale(time, time_base, probe.time_base);
            let frame = probe.times.partition_point(|&other| other < time);
            if frame >= index {
                return Ok(frame == index);
            }
            self.take(size, false)?;
        }
    }

    /// Takes the next frame out of the pipe.
    ///
    /// # Errors
    /// [`VideoError::Ffmpeg`]
    pub fn take(&mut self, size: (usize, usize), wanted: bool) -> Result<Option<Picture>> {
        let (width, height) = size;
        let len = width * height * 3;
        self.note = None;
        self.taken += 1;
        let result = if wanted {
            let mut rgb = vec![0; len];
            self.frames.read_exact(&mut rgb).map(|()| Some(rgb))
        } else {
            io::copy(&mut (&mut self.frames).take(len as u64), &mut io::sink()).map(|_| None)
        };
        let rgb = result.map_err(|_| self.ended())?;
        Ok(rgb.map(|rgb| Picture::from_rgb(width, height, rgb)).transpose()?)
    }

    fn note(&mut self, cancel: &Cancel) -> Result<Note> {
        while self.note.is_none() {
            cancel.check()?;
            match self.notes.recv_timeout(POLL) {
                Ok(note) => self.note = Some(note),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended().into()),
            }
        }
        self.note.ok_or_else(|| self.ended().into())
    }

    fn ended(&self) -> VideoError {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let said = log.iter().rev().find(|line| !line.trim().is_empty());
        VideoError::ffmpeg(&self.path, said.map_or("it ends before that frame", |line| line.trim()))
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Reads ffmpeg's messages until it ends.
fn listen(messages: ChildStderr, notes: &Sender<Note>, log: &Mutex<VecDeque<String>>) {
    let mut time_base = (1, 1);
    for line in BufReader::new(messages).split(b'\n').map_while(io::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Some((_, said)) = line.split_once("Parsed_showinfo") {
            if let Some(base) = field(said, "config in time_base:").and_then(fraction) {
                time_base = base;
            }
            if let Some(note) = note(said, time_base)
                && notes.send(note).is_err()
            {
                return;
            }
            continue;
        }
        // Only what went wrong is of interest; the rest is about streams and settings.
        let lower = line.to_lowercase();
        if ["error", "invalid", "fail", "unsupported", "not ", "no such"].iter().any(|word| lower.contains(word)) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.len() == LOG_LINES {
                log.pop_front();
            }
            log.push_back(line.into_owned());
        }
    }
}

/// `n: 0 pts: 512 pts_time:0.033 … s:192x112 …`
fn note(line: &str, time_base: (i64, i64)) -> Option<Note> {
    field(line, " n:")?;
    let time = field(line, " pts:")?.parse().ok()?;
    let (width, height) = field(line, " s:")?.split_once('x')?;
    Some(Note { time, time_base, size: (width.parse().ok()?, height.parse().ok()?) })
}

/// The word behind `name`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(name)?.1.split_whitespace().next().map(|word| word.trim_end_matches(','))
}

fn fraction(text: &str) -> Option<(i64, i64)> {
    let (numerator, denominator) = text.split_once('/')?;
    let fraction = (numerator.parse().ok()?, denominator.parse().ok()?);
    (fraction.0 > 0 && fraction.1 > 0).then_some(fraction)
}

/// Rounded to nearest.
fn rescale(time: i64, from: (i64, i64), to: (i64, i64)) -> i64 {
    if from == to {
        return time;
    }
    let numerator = i128::from(time) * i128::from(from.0) * i128::from(to.1);
    let denominator = i128::from(from.1) * i128::from(to.0);
    let rounded = (2 * numerator + denominator).div_euclid(2 * denominator);
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read() {
        let line = "_0 @ 0x5581] n:   7 pts:   3584 pts_time:0.233333 duration:    512 duration_time:0.0333333 \
                    fmt:yuv420p cl:left sar:1/1 s:192x112 i:P iskey:0 type:B";
        assert_eq!(note(line, (1, 15_360)), Some(Note { time: 3584, time_base: (1, 15_360), size: (192, 112) }));
        assert_eq!(note("_0 @ 0x5581] color_range:tv color_space:bt709", (1, 1)), None);
        let config = "_0 @ 0x5581] config in time_base: 1/15360, frame_rate: 30/1";
        assert_eq!(field(config, "config in time_base:").and_then(fraction), Some((1, 15_360)));
    }

    #[test]
    fn times_are_rescaled_to_the_nearest() {
        assert_eq!(rescale(1, (1, 3), (1, 10)), 3);
        assert_eq!(rescale(5, (1, 30), (1, 90_000)), 15_000);
        assert_eq!(rescale(-1, (1, 3), (1, 10)), -3);
    }

    #[test]
    fn the_probe_is_beside_the_program() {
        let program = Program::new(Path::new("/opt/tools/ffmpeg.exe"));
        assert_eq!(program.ffprobe, Path::new("/opt/tools/ffprobe.exe"));
        assert_eq!(Program::new(Path::new("ffmpeg")).ffprobe, Path::new("ffprobe"));
    }
}
