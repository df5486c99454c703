//! Recording through an `ffmpeg` beside this program: the containers and codecs that this one does not write.
//!
//! Frames reach it as uncompressed MP4 through a pipe, which carries their times.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::thread::{self, JoinHandle};

use mp4_atom::{Encode, Visual};

use super::muxer::{Muxer, NewSample, TrackFormat, write_box};
use super::partial::Partial;
use super::{FrameSink, Quality, RecordingFormat, SoundSource, check_frame};
use crate::Result;
use crate::image::Picture;
use crate::video::VideoError;
use crate::video::ffmpeg::{Program, last_line, url};
use crate::video::mp4::track::Media;

/// Feeds an ffmpeg.
pub struct FfmpegSink {
    format: RecordingFormat,
    partial: Partial,
    child: Child,
    muxer: Option<Muxer<ChildStdin>>,
    messages: Option<JoinHandle<Vec<u8>>>,
    pushed: usize,
    is_over: bool,
}

impl FfmpegSink {
    /// `None` where there is no ffmpeg.
    ///
    /// # Errors
    /// Where it cannot be started, or the file not be created.
    pub fn create(path: &Path, format: RecordingFormat) -> Result<Option<Self>> {
        let failed = |error: io::Error| VideoError::not_written_io(path, &error);
        let program = Program::new(&format.ffmpeg);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        let sound = format.sound.as_ref().map(|source| sound(source, &ending, &program)).transpose()?.flatten();
        let partial = Partial::create(path).map_err(failed)?;

        let mut command = program.command();
        command.args(["-itsoffset", &format!("{:.6}", format.timeline.start_secs(0)), "-f", "mp4", "-i", "pipe:0"]);
        if let (Some(source), Some(codec)) = (&format.sound, sound) {
            if let Some(part) = &source.part {
                command.args(["-ss", &format!("{:.6}", part.start), "-t", &format!("{:.6}", part.end - part.start)]);
            }
            command.arg("-i").arg(url(&source.path)).args(["-map", "0:v:0", "-map", "1:a:0"]).args(codec);
        }
        command.args(pictures(&ending, format.quality)).args(program.passthrough());
        // Times stay as they are, even where sound begins with packets before the first moment.
        command.args(["-avoid_negative_ts", "disabled", "-y"]).arg(url(partial.path()));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                partial.remove();
                return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(failed(error).into()) };
            }
        };
        let (Some(stdin), Some(mut stderr)) = (child.stdin.take(), child.stderr.take()) else {
            unreachable!("both were asked for")
        };
        let messages = thread::spawn(move || {
            let mut said = Vec::new();
            // What is lost here is only a reason.
            _ = stderr.read_to_end(&mut said);
            said
        });
        let mut sink =
            Self { format, partial, child, muxer: None, messages: Some(messages), pushed: 0, is_over: false };
        let track = track(&sink.format).map_err(failed)?;
        let timescale = sink.format.timeline.timescale();
        sink.muxer = Some(Muxer::new(stdin, timescale, vec![track]).map_err(|error| sink.fail(&error))?);
        Ok(Some(sink))
    }

    fn try_push(&mut self, frame: &Picture) -> io::Result<()> {
        let duration = u32::try_from(self.format.timeline.duration(self.pushed)).map_err(io::Error::other)?;
        let data = rows(frame);
        let muxer = self.muxer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        muxer.push(0, &NewSample { data: &data, duration, is_sync: true });
        muxer.write_fragment()?;
        self.pushed += 1;
        Ok(())
    }

    /// Closes the pipe and waits for ffmpeg to write what it has.
    fn close(&mut self) -> io::Result<()> {
        self.muxer = None;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(self.reason()))
    }

    /// What ffmpeg says went wrong.
    fn reason(&mut self) -> String {
        let said = self.messages.take().and_then(|messages| messages.join().ok()).unwrap_or_default();
        let line = last_line(&said);
        if String::from_utf8_lossy(&said).contains("No space left") { "the disk is full".into() } else { line }
    }

    fn fail(&mut self, error: &io::Error) -> VideoError {
        self.is_over = true;
        self.muxer = None;
        // ffmpeg gives up by itself when its pipe ends or breaks.
        _ = self.child.wait();
        let error = if error.kind() == io::ErrorKind::BrokenPipe { &io::Error::other(self.reason()) } else { error };
        let len = self.partial.file().metadata().map(|metadata| metadata.len()).ok();
        let kept = self.partial.keep(len.filter(|&len| len > 0 && self.pushed > 0));
        VideoError::not_written_io(self.partial.target(), error).keeping(kept.map(|path| (path, self.pushed)))
    }
}

impl FrameSink for FfmpegSink {
    fn push(&mut self, frame: &Picture, alpha: Option<&[u8]>) -> Result<()> {
        check_frame(self.partial.target(), &self.format, self.pushed, frame, alpha)?;
        self.try_push(frame).map_err(|error| self.fail(&error).into())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.pushed == 0 {
            return Err(self.fail(&io::Error::other("no frame was recorded")).into());
        }
        let finished = self.close().and_then(|()| self.partial.finish());
        finished.map_err(|error| self.fail(&error))?;
        self.is_over = true;
        Ok(())
    }

    fn abandon(mut self: Box<Self>) {
        self.is_over = true;
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
        self.partial.remove();
    }
}

impl Drop for FfmpegSink {
    fn drop(&mut self) {
        if !self.is_over {
            self.fail(&io::Error::other("it was not finished"));
        }
    }
}

/// ffmpeg's options for the pictures.
fn pictures(ending: &str, quality: Quality) -> Vec<&'static str> {
    let [small, good, best] = match ending {
        "webm" => ["36", "24", "12"],
        "avi" => ["8", "4", "2"],
        _ => ["28", "18", "10"],
    };
    let level = match quality {
        Quality::Small => small,
        Quality::Good => good,
        Quality::Best => best,
    };
    // Colours as in this program's own recordings.
    let colours = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p";
    let named = ["-vf", colours, "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"];
    let codec = match ending {
        "webm" => vec!["-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-crf", level],
        "mkv" | "mp4" | "m4v" | "mov" => vec!["-c:v", "libx264", "-crf", level],
        "avi" => vec!["-c:v", "mpeg4", "-q:v", level],
        // A palette for each frame; one for all of them would keep the whole clip in memory.
        "gif" => {
            let palettes = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1";
            return vec!["-filter_complex", palettes];
        }
        _ => Vec::new(),
    };
    codec.into_iter().chain(named).collect()
}

/// ffmpeg's options for the sound; `None` where there is none, or no room for it.
fn sound(source: &SoundSource, ending: &str, program: &Program) -> Result<Option<Vec<&'static str>>> {
    if ending == "gif" {
        return Ok(None);
    }
    let what = ["-select_streams", "a:0", "-show_entries", "stream=codec_name"];
    let said = program.probe(&source.path, &what)?.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let is = |codecs: &[&str]| codecs.iter().any(|codec| said.contains(&format!("\"{codec}\"")));
    Ok(if !said.contains("codec_name") {
        None
    } else if ending == "mkv"
        || (ending == "webm" && is(&["opus", "vorbis"]))
        || (ending == "avi" && is(&["mp3", "ac3"]))
    {
        // Packets before the first moment only prepare the decoder.
        Some(vec!["-c:a", "copy", "-copypriorss:a", "0"])
    } else {
        Some(Vec::new())
    })
}

/// Uncompressed pictures.
fn track(format: &RecordingFormat) -> io::Result<TrackFormat> {
    let side = |side: usize| u16::try_from(side).map_err(io::Error::other);
    let size = (side(format.width)?, side(format.height)?);
    // Version and flags, and the number of descriptions.
    let mut descriptions = [0u32, 1].map(u32::to_be_bytes).as_flattened().to_vec();
    write_box(&mut descriptions, b"raw ", |entry| {
        let visual = Visual { data_reference_index: 1, width: size.0, height: size.1, depth: 24, ..Visual::default() };
        visual.encode(entry).map_err(io::Error::other)
    })?;
    let (media, timescale) = (Media::Video, format.timeline.timescale());
    Ok(TrackFormat { media, timescale, descriptions, edits: Vec::new(), size })
}

/// Rows of RGB, each of an even number of bytes, as QuickTime has them.
fn rows(frame: &Picture) -> std::borrow::Cow<'_, [u8]> {
    let row = frame.width * 3;
    if row.is_multiple_of(2) {
        return (&frame.rgb).into();
    }
    let mut rows = Vec::with_capacity((row + 1) * frame.height);
    for line in frame.rgb.chunks_exact(row) {
        rows.extend_from_slice(line);
        rows.push(0);
    }
    rows.into()
}
