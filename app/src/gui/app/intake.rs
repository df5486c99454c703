//! Files that come in: dropped, pasted, chosen in a dialog, named on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::camera::CameraInfo;
use dinoscope_engine::dispatch::{Command, Export, PictureId, PictureSource};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::tracking::{LabelMap, TrackingError};
use egui::{Context, Event};

use super::App;
use crate::gui::dialogs::{Answer, Purpose, folder_of};
use crate::gui::documents::Origin;
use crate::gui::errands::{Errand, Report, Start};
use crate::gui::files::{Circumstances, Found};
use crate::gui::masks::PaintedMap;
use crate::gui::panels::drop_zone::Hovering;
use crate::gui::tools::{Collection, ToolKind, foreground};

impl App {
    pub(super) fn open_sample(&mut self, place: usize) {
        if let Some(id) = self.shared.open_sample(place) {
            self.shared.documents.activate_once_read(id);
        }
    }

    fn circumstances(&self, is_mask_meant: bool) -> Circumstances {
        let searches_folders = self.tools.active == ToolKind::Retrieval;
        let active = self.shared.documents.active().and_then(|document| document.loaded());
        let active_size = active.map(|loaded| (loaded.pixels.width, loaded.pixels.height));
        Circumstances { active_size, is_mask_meant, searches_folders }
    }

    /// Finds out what paths are, and opens them then.
    pub(super) fn look_at(&mut self, paths: Vec<PathBuf>, is_mask_meant: bool) {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let paths = paths.into_iter().map(absolute).collect();
        self.errands.send(Errand::Open(paths, self.circumstances(is_mask_meant)));
    }

    /// Files that hover or were dropped, and what was pasted.
    pub(super) fn take_input(&mut self, context: &Context) {
        let (dropped, hovered, is_mask_meant) = context.input(|input| {
            let dropped: Vec<PathBuf> = input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect();
            let hovered: Vec<PathBuf> = input.raw.hovered_files.iter().filter_map(|file| file.path.clone()).collect();
            (dropped, (!input.raw.hovered_files.is_empty()).then_some(hovered), input.modifiers.shift)
        });
        if !dropped.is_empty() {
            self.look_at(dropped, is_mask_meant);
        }
        match hovered {
            None => self.hovering = None,
            Some(paths) => {
                let circumstances = self.circumstances(is_mask_meant);
                if self.hovering.as_ref().is_none_or(|now| now.paths != paths || now.circumstances != circumstances) {
                    self.errands.send(Errand::Announce(paths.clone(), circumstances));
                    self.hovering = Some(Hovering { paths, circumstances, found: None });
                }
            }
        }
        if !context.text_edit_focused() {
            let pasted = context.input(|input| {
                let pasted =
                    input.events.iter().filter(|event| matches!(event, Event::Paste(_) | Event::PasteImage(_)));
                pasted.cloned().collect::<Vec<_>>()
            });
            for event in pasted {
                match event {
                    Event::PasteImage(image) => self.errands.send(Errand::Paste(image)),
                    Event::Paste(text) => self.errands.send(Errand::OpenText(text, self.circumstances(false))),
                    _ => {}
                }
            }
        }
    }

    /// What the errands' thread and the dialogs have brought.
    pub(super) fn take_reports(&mut self) {
        for report in self.errands.reports() {
            match report {
                Report::Found(found) => self.open_found(found),
                Report::Announced(paths, found) => {
                    if let Some(now) = self.hovering.as_mut().filter(|now| now.paths == paths) {
                        now.found = Some(found);
                    }
                }
                Report::Workspace(path, start, read) => self.workspace_read(&path, start, read),
                Report::Basis(name, Ok(basis)) => self.tools.use_basis(&mut self.shared, name, basis),
                Report::Basis(_, Err(sentence)) => self.shared.notices.error(&sentence, None),
                Report::Probe(Ok(probe)) => self.tools.use_probe(&mut self.shared, *probe),
                Report::Probe(Err(sentence)) => self.shared.notices.error(&sentence, None),
                Report::Labels(picture, Ok(labels)) => self.use_labels(picture, labels),
                Report::Labels(_, Err(sentence)) => self.shared.notices.error(&sentence, None),
                Report::Pasted(picture) => {
                    self.pasted += 1;
                    let name = format!("Pasted picture {}", self.pasted);
                    let id = self.shared.open(name, Origin::Clipboard, PictureSource::Pixels(Arc::new(picture)));
                    self.shared.documents.activate_once_read(id);
                }
                Report::Sample(place, image) => self.filmstrip.take_sample(place, image),
                Report::Cameras(Ok(found)) => match found.as_slice() {
                    [] => {
                        self.shared.notices.error("No camera was found: connect one, then choose Camera… again", None)
                    }
                    [only] => self.look_through(only.clone()),
                    _ => self.cameras = found,
                },
                Report::Cameras(Err(sentence)) => self.shared.notices.error(&sentence, None),
                Report::NotWritten(sentence) => self.shared.notices.error(&sentence, None),
            }
        }
        if let Some((purpose, answer)) = self.dialogs.answer() {
            self.answered(purpose, answer);
        }
    }

    pub(super) fn look_through(&mut self, camera: CameraInfo) {
        let id = self.shared.open_camera(camera);
        self.shared.documents.activate_once_read(id);
    }

    fn answered(&mut self, purpose: Purpose, answer: Answer) {
        let paths = match answer {
            Ok(paths) => paths,
            Err(sentence) => {
                self.shared.notices.error(&sentence, None);
                return;
            }
        };
        let Some(first) = paths.first().cloned() else { return };
        match purpose {
            Purpose::Open => self.look_at(paths, false),
            Purpose::UseCheckpoint => self.shared.use_source(ModelSource::Path(first)),
            Purpose::Dinotxt => self.shared.use_dinotxt(&first),
            Purpose::Head(task) => self.shared.use_head(task, &first),
            Purpose::OpenWorkspace => self.errands.send(Errand::ReadWorkspace(first, Start::Person)),
            Purpose::SaveWorkspace => {
                let text = self.workspace().to_text();
                self.write(first, Export::Text(text), Vec::new());
            }
            Purpose::Mask(picture) => foreground::take_file(&mut self.shared, picture, first),
            Purpose::Labels(picture) => self.errands.send(Errand::ReadLabels(picture, first)),
            Purpose::Basis => self.errands.send(Errand::ReadBasis(first)),
            Purpose::Collection => {
                let circumstances = Circumstances { searches_folders: true, ..Circumstances::default() };
                self.errands.send(Errand::Open(paths, circumstances));
            }
            Purpose::IndexFolder => self.tools.keep_index_in(&self.shared, &first),
            Purpose::Probe => self.errands.send(Errand::ReadProbe(first)),
            Purpose::Export(what, metadata) => self.write(first, *what, metadata),
        }
    }

    fn write(&mut self, path: PathBuf, what: Export, metadata: Vec<(String, String)>) {
        self.shared.settings.folder = folder_of(&path);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        self.shared.send(Command::Export { what, path, metadata }, format!("writing {name}"));
    }

    fn open_found(&mut self, found: Found) {
        match found.refused.as_slice() {
            [] => {}
            few @ ([_] | [_, _]) => few.iter().for_each(|sentence| self.shared.notices.error(sentence, None)),
            [first, rest @ ..] => {
                let sentence = format!("{first}; {} more files cannot be opened either", rest.len());
                self.shared.notices.error(&sentence, None);
            }
        }
        if let Some(path) = found.workspace {
            self.errands.send(Errand::ReadWorkspace(path, Start::Person));
            return;
        }
        if let Some(path) = found.checkpoint {
            self.shared.use_source(ModelSource::Path(path));
        }
        if let Some(path) = found.dinotxt {
            self.shared.use_dinotxt(&path);
            self.tools.active = ToolKind::Words;
        }
        if let Some((task, path)) = found.head {
            self.shared.use_head(task, &path);
            self.tools.active = ToolKind::of_head(task);
        }
        if let Some(path) = found.probe {
            self.errands.send(Errand::ReadProbe(path));
        }
        if let Some(path) = found.mask {
            self.use_mask(path);
        }
        if let Some(folder) = found.searched {
            self.tools.search_in(&self.shared, Collection::of_folder(&folder));
        }
        if let Some(index) = found.index {
            self.tools.search_in(&self.shared, Collection::of_index(&index));
        }
        let pictures = found.pictures.into_iter().map(|path| (path, false));
        let clips = found.clips.into_iter().map(|path| (path, true));
        let mut first = None;
        for (path, is_clip) in pictures.chain(clips) {
            let id = self.shared.documents.of_file(&path).unwrap_or_else(|| self.open_file(path, is_clip));
            first.get_or_insert(id);
        }
        if let Some(id) = first {
            self.shared.documents.activate_once_read(id);
        }
    }

    fn open_file(&mut self, path: PathBuf, is_clip: bool) -> PictureId {
        self.shared.settings.remember(&path);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if is_clip {
            self.shared.open(name, Origin::Clip(path.clone()), PictureSource::Clip(path))
        } else {
            self.shared.open(name, Origin::File(path.clone()), PictureSource::File(path))
        }
    }

    fn use_mask(&mut self, path: PathBuf) {
        let Some(picture) = self.shared.documents.active_id() else {
            self.shared.notices.error("A mask needs a picture: open the picture first", None);
            return;
        };
        if self.shared.player_mut(picture).is_some() {
            self.errands.send(Errand::ReadLabels(picture, path));
            self.tools.active = ToolKind::Tracking;
        } else {
            let mask = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let name = self.shared.documents.get(picture).map_or("", |document| &document.name);
            let sentence = format!("{mask} is the foreground of {name} now, in PCA and matching");
            self.shared.notices.info(sentence);
            foreground::take_file(&mut self.shared, picture, path);
        }
    }

    /// The objects of a frame, from a file.
    fn use_labels(&mut self, picture: PictureId, labels: LabelMap) {
        let Some(player) = self.shared.player_mut(picture) else { return };
        let (expected, got) = ((player.clip.info.width, player.clip.info.height), (labels.width, labels.height));
        if expected != got {
            let error = TrackingError::Size { expected, got };
            self.shared.notices.error(&error.to_string(), None);
            return;
        }
        self.shared.placed.edit("import mask", |placed| {
            let masks = placed.clips.entry(picture.document()).or_default();
            masks.add_objects_of(&labels);
            masks.painted.insert(picture.frame(), PaintedMap(Arc::new(labels)));
        });
    }
}
