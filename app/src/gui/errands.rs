//! Small work on files that must not keep the window waiting: what is dropped, pasted or remembered.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use dinoscope_engine::analysis::pca::Basis;
use dinoscope_engine::camera::{CameraInfo, Cameras};
use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::image::Picture;
use dinoscope_engine::output::write_atomically;
use dinoscope_engine::probe::Probe;
use dinoscope_engine::tracking::LabelMap;
use egui::ColorImage;

use super::files::{self, Circumstances, Found};
use super::samples;
use super::workspace::{self, Workspace};

/// What is to be done.
pub enum Errand {
    /// Find out what these paths are, to open them.
    Open(Vec<PathBuf>, Circumstances),
    /// Find out what this text from the clipboard names, to open it.
    OpenText(String, Circumstances),
    /// Find out what these paths are, which hover over the window.
    Announce(Vec<PathBuf>, Circumstances),
    /// Read a workspace.
    ReadWorkspace(PathBuf, Start),
    /// Read a PCA basis.
    ReadBasis(PathBuf),
    /// Read a probe.
    ReadProbe(PathBuf),
    /// Read the objects of a frame.
    ReadLabels(PictureId, PathBuf),
    /// Turn what was pasted into a picture.
    Paste(Arc<ColorImage>),
    /// Thumbnails of the sample pictures.
    Samples,
    /// List the cameras.
    Cameras(Arc<dyn Cameras>),
    /// Write a file of this text, which is made there.
    Write(PathBuf, Box<dyn FnOnce() -> String + Send>),
}

/// Whether a workspace is opened because the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The program starts: nothing is said where there is none.
    Program,
    /// A person has chosen it.
    Person,
}

/// What has been done.
pub enum Report {
    /// [`Errand::Open`] and [`Errand::OpenText`]
    Found(Found),
    /// [`Errand::Announce`], with the paths.
    Announced(Vec<PathBuf>, Found),
    /// [`Errand::ReadWorkspace`]; nothing where the program starts for the first time.
    Workspace(PathBuf, Start, Result<Option<Box<workspace::Read>>, String>),
    /// [`Errand::ReadBasis`]: the file's name, and what it holds or why nothing.
    Basis(String, Result<Basis, String>),
    /// [`Errand::ReadProbe`]
    Probe(Result<Box<Probe>, String>),
    /// [`Errand::ReadLabels`]
    Labels(PictureId, Result<LabelMap, String>),
    /// [`Errand::Paste`]
    Pasted(Picture),
    /// [`Errand::Samples`]: the sample's place, and its thumbnail.
    Sample(usize, ColorImage),
    /// [`Errand::Cameras`]: those there are, or why none can be listed.
    Cameras(Result<Vec<CameraInfo>, String>),
    /// [`Errand::Write`] failed: one sentence.
    NotWritten(String),
}

/// The thread that does errands, one after the other. Dropping it waits for what is to be written.
pub struct Errands {
    sender: Option<Sender<Errand>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
}

impl Errands {
    /// Starts the thread; `wake` is called after every report.
    pub fn new(wake: impl Fn() + Send + 'static) -> Self {
        let (sender, errands) = mpsc::channel::<Errand>();
        let (report, reports) = mpsc::channel();
        let work = move || {
            for errand in errands {
                done(errand, &mut |done| {
                    // The window may be closed by now; what is left to write is written all the same.
                    let _ = report.send(done);
                    wake();
                });
            }
        };
        let thread = std::thread::Builder::new().name("errands".to_owned()).spawn(work);
        let thread = thread.inspect_err(|error| log::error!("no thread for errands: {error}")).ok();
        Self { sender: Some(sender), reports, thread }
    }

    /// Queues an errand.
    pub fn send(&self, errand: Errand) {
        if let Some(sender) = &self.sender
            && sender.send(errand).is_err()
        {
            log::error!("the thread for errands has ended");
        }
    }

    /// What has been done since the last call.
    pub fn reports(&self) -> Vec<Report> {
        self.reports.try_iter().collect()
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread for errands has panicked");
        }
    }
}

fn done(errand: Errand, report: &mut dyn FnMut(Report)) {
    match errand {
        Errand::Open(paths, circumstances) => report(Report::Found(files::look(&paths, circumstances))),
        Errand::OpenText(text, circumstances) => {
            let paths = files::paths_of_text(&text);
            let mut found = files::look(&paths, circumstances);
            if paths.is_empty() {
                found.refused.push("The clipboard holds neither a picture nor paths of files".to_owned());
            }
            report(Report::Found(found));
        }
        Errand::Announce(paths, circumstances) => {
            let found = files::look(&paths, circumstances);
            report(Report::Announced(paths, found));
        }
        Errand::ReadWorkspace(path, start) => {
            let is_first = start == Start::Program && !path.exists();
            let read = if is_first { Ok(None) } else { Workspace::read(&path).map(|read| Some(Box::new(read))) };
            report(Report::Workspace(path, start, read));
        }
        Errand::ReadBasis(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            report(Report::Basis(name, read_basis(&path)));
        }
        Errand::ReadProbe(path) => {
            report(Report::Probe(Probe::load(&path).map(Box::new).map_err(|error| error.to_string())));
        }
        Errand::ReadLabels(picture, path) => {
            let labels = LabelMap::read(&path, Some(VOID)).map_err(|error| error.to_string());
            report(Report::Labels(picture, labels));
        }
        Errand::Paste(image) => {
            if let Some(picture) = on_white(&image) {
                report(Report::Pasted(picture));
            }
        }
        Errand::Samples => samples::thumbnails().for_each(|(place, image)| report(Report::Sample(place, image))),
        Errand::Cameras(cameras) => report(Report::Cameras(cameras.list().map_err(|error| error.to_string()))),
        Errand::Write(path, text) => {
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = made.map_err(|error| error.to_string()).and_then(|()| {
                write_atomically(&path, |writer| writer.write_all(text().as_bytes())).map_err(|error| error.to_string())
            });
            if let Err(error) = written {
                log::warn!("{}: {error}", path.display());
                report(Report::NotWritten(format!("Settings cannot be kept: {error}")));
            }
        }
    }
}

/// The id that data sets give to what belongs to no object and is not to be counted.
const VOID: u8 = 255;

/// Largest file that is read as a basis, in bytes.
const MOST_BASIS_BYTES: u64 = 64 << 20;

fn read_basis(path: &Path) -> Result<Basis, String> {
    let describe = |problem: &dyn std::fmt::Display| format!("Cannot read {}: {problem}", path.display());
    let bytes = std::fs::metadata(path).map_err(|error| describe(&error))?.len();
    if bytes > MOST_BASIS_BYTES {
        return Err(describe(&format!("a file of {} MB is no PCA basis", bytes >> 20)));
    }
    let text = std::fs::read_to_string(path).map_err(|error| describe(&error))?;
    Basis::from_json(&text).map_err(|error| describe(&error))
}

/// The clipboard's picture without its alpha. `None` where it has no pixels.
fn on_white(image: &ColorImage) -> Option<Picture> {
    let [width, height] = image.size;
    let over = |value: u8, alpha: u8| value.saturating_add(u8::MAX - alpha);
    let rgb = image.pixels.iter().flat_map(|pixel| {
        // Values of `Color32` are premultiplied.
        let [r, g, b, a] = pixel.to_array();
        [over(r, a), over(g, a), over(b, a)]
    });
    Picture::from_rgb(width, height, rgb.collect()).ok()
}

#[cfg(test)]
mod tests {
    use egui::Color32;

    use super::*;

    #[test]
    fn what_is_queued_is_written_before_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new").join("settings.json");
        let errands = Errands::new(|| {});
        errands.send(Errand::Write(path.clone(), Box::new(|| "first".to_owned())));
        errands.send(Errand::Write(path.clone(), Box::new(|| "second".to_owned())));
        drop(errands);
        assert_eq!(std::fs::read_to_string(path).expect("written"), "second");
    }

    #[test]
    fn a_file_that_is_no_basis_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("other.json");
        std::fs::write(&path, "[1, 2]").expect("written");
        let message = read_basis(&path).expect_err("no basis");
        assert!(message.contains("other.json") && message.contains("basis"), "{message}");
        let message = read_basis(&folder.path().join("missing.json")).expect_err("no file");
        assert!(message.contains("missing.json"), "{message}");
    }

    #[test]
    fn transparent_pixels_are_white() {
        let pixels =
            vec![Color32::TRANSPARENT, Color32::from_rgb(1, 2, 3), Color32::from_rgba_unmultiplied(0, 0, 0, 128)];
        let picture = on_white(&ColorImage::new([3, 1], pixels)).expect("a picture");
        assert_eq!(picture.rgb, [255, 255, 255, 1, 2, 3, 127, 127, 127]);
        assert!(on_white(&ColorImage::new([0, 0], Vec::new())).is_none());
    }
}
