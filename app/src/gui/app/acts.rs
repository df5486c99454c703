//! What keys, menus and buttons do.

use std::sync::Arc;

use dinoscope_engine::backend::DeviceChoice;
use dinoscope_engine::dispatch::{Command, ModelChoice, PictureId, Remedy};
use dinoscope_engine::image::Picture;
use egui::{ColorImage, Context, ViewportCommand};

use super::App;
use crate::gui::actions::Action;
use crate::gui::canvas::CameraRequest;
use crate::gui::dialogs::{Purpose, Question, QuestionKind, folder_of};
use crate::gui::errands::Errand;
use crate::gui::files;
use crate::gui::notices::Offer;
use crate::gui::panels::{export, filmstrip, menu, models};
use crate::gui::reveal;
use crate::gui::settings::ThemeChoice;
use crate::gui::tools::Exportable;
use crate::gui::workspace;

impl App {
    pub(super) fn act(&mut self, context: &Context, action: Action) {
        let shared = &mut self.shared;
        match action {
            Action::Use(kind) => self.tools.active = kind,
            Action::Undo => shared.placed.undo(),
            Action::Redo => shared.placed.redo(),
            Action::Fit => shared.canvas.request = Some(CameraRequest::Fit),
            Action::FullSize => shared.canvas.request = Some(CameraRequest::FullSize),
            Action::ZoomIn => shared.canvas.request = Some(CameraRequest::Zoom(1.25)),
            Action::ZoomOut => shared.canvas.request = Some(CameraRequest::Zoom(0.8)),
            Action::PatchGrid => shared.canvas.has_patch_grid ^= true,
            Action::NextPicture => shared.documents.step(1),
            Action::PreviousPicture => shared.documents.step(-1),
            Action::CloseAll => {
                let all: Vec<PictureId> = shared.documents.iter().map(|document| document.id).collect();
                all.into_iter().for_each(|id| shared.close(id));
            }
            Action::Close => shared.documents.active_id().into_iter().for_each(|id| shared.close(id)),
            Action::Help => self.is_help_open ^= true,
            Action::About => self.is_about_open ^= true,
            Action::Models => self.models.is_open ^= true,
            Action::Record => {
                let exports = self.tools.current().exports(&self.shared);
                match exports.into_iter().find(|what| what.file_name.ends_with(".mp4")) {
                    Some(what) => self.export(context, what),
                    None => self.shared.notices.info("There is nothing to record yet"),
                }
            }
            Action::Play if shared.toggle_camera() => {}
            Action::Play
            | Action::NextFrame
            | Action::PreviousFrame
            | Action::FirstFrame
            | Action::LastFrame
            | Action::SetIn
            | Action::SetOut => shared.active_player().into_iter().for_each(|player| player.act(action)),
            Action::SwapSides => shared.documents.swap_sides(),
            Action::ToggleTheme => {
                let is_dark = context.theme() == egui::Theme::Dark;
                shared.settings.theme = if is_dark { ThemeChoice::Light } else { ThemeChoice::Dark };
                context.set_theme(shared.settings.theme);
            }
            Action::Quit => context.send_viewport_cmd(ViewportCommand::Close),
            Action::Open => self.ask_for_files(context),
            Action::OpenWorkspace => self.ask_for_workspace(context),
            Action::SaveWorkspace => self.ask_where_to_save(context),
            Action::Paste => context.send_viewport_cmd(ViewportCommand::RequestPaste),
            Action::Copy => self.copy(),
            Action::Export => {
                let exports = export::offered(self.tools.current(), &mut self.shared);
                match exports.into_iter().next() {
                    Some(what) => self.export(context, what),
                    None => self.shared.notices.info("There is nothing to export yet"),
                }
            }
        }
    }

    pub(super) fn chosen_in_menu(&mut self, context: &Context, asked: menu::Asked) {
        match asked {
            menu::Asked::Act(action) => self.act(context, action),
            menu::Asked::OpenRecent(path) => self.look_at(vec![path], false),
            menu::Asked::ForgetRecent => self.shared.settings.recent.clear(),
            menu::Asked::OpenSample(place) => self.open_sample(place),
            menu::Asked::Camera => {
                let port = self.shared.cameras.as_ref();
                port.into_iter().for_each(|port| self.errands.send(Errand::Cameras(Arc::clone(&port.cameras))));
            }
            menu::Asked::Export(what) => self.export(context, what),
        }
    }

    pub(super) fn chosen_in_filmstrip(&mut self, context: &Context, asked: filmstrip::Asked) {
        let shared = &mut self.shared;
        match asked {
            filmstrip::Asked::Activate(id) => shared.documents.activate(id),
            filmstrip::Asked::Close(id) => shared.close(id),
            filmstrip::Asked::CloseOthers(id) => {
                let others: Vec<PictureId> =
                    shared.documents.iter().map(|document| document.id).filter(|&other| other != id).collect();
                others.into_iter().for_each(|other| shared.close(other));
            }
            filmstrip::Asked::Partner(id) => shared.documents.set_partner(id),
            filmstrip::Asked::TryAgain(id) => shared.reopen(id),
            filmstrip::Asked::ShowFile(path) => reveal::show(&path),
            filmstrip::Asked::OpenSample(place) => self.open_sample(place),
            filmstrip::Asked::OpenRecent(path) => self.look_at(vec![path], false),
            filmstrip::Asked::Open => self.ask_for_files(context),
        }
    }

    pub(super) fn chosen_in_models(&mut self, context: &Context, asked: models::Asked) {
        match asked {
            models::Asked::Mend(remedy) => self.mend(remedy),
            models::Asked::PickFile => self.ask_for_checkpoint(context, QuestionKind::OpenOne),
            models::Asked::PickFolder => self.ask_for_checkpoint(context, QuestionKind::OpenFolder),
        }
    }

    pub(super) fn accept(&mut self, offer: Offer) {
        match offer {
            Offer::Mend(remedy) => self.mend(remedy),
            Offer::ShowFile(path) => reveal::show(&path),
        }
    }

    fn mend(&mut self, remedy: Remedy) {
        match remedy {
            Remedy::UseCpu => {
                let choice = ModelChoice { device: DeviceChoice::Cpu, ..(*self.shared.model.choice).clone() };
                self.shared.load_model(choice);
            }
            Remedy::Download(name) => self.models.ask_download(&name),
            Remedy::GiveToken(name) => self.models.ask_token(&name),
        }
    }

    /// Draws the first picture that the tool offers, for the clipboard.
    fn copy(&mut self) {
        let exports = export::offered(self.tools.current(), &mut self.shared);
        match exports.into_iter().find(|what| what.is_picture) {
            Some(Exportable { what, .. }) => {
                self.copying = Some(self.shared.send(Command::Draw(what), "copying the picture"));
            }
            None => self.shared.notices.info("There is no picture to copy yet"),
        }
    }

    pub(super) fn copied(&mut self, context: &Context, picture: &Arc<Picture>) {
        context.copy_image(ColorImage::from_rgb([picture.width, picture.height], &picture.rgb));
        self.shared.notices.info(format!("Copied {} × {} pixels", picture.width, picture.height));
    }

    /// Asks where to write something.
    pub(super) fn export(&mut self, context: &Context, Exportable { file_name, what, .. }: Exportable) {
        let picture = self.shown.first().copied();
        let metadata = picture.map(|id| self.shared.metadata(id)).unwrap_or_default();
        // Folders have no ending.
        let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_owned());
        let question = Question {
            kind: QuestionKind::Save,
            title: "Export",
            filter: ending.map(|ending| ("File", vec![ending])),
            folder: self.folder_to_write(),
            file_name,
        };
        self.ask(context, Purpose::Export(Box::new(what), metadata), question);
    }

    fn ask_for_files(&mut self, context: &Context) {
        let endings = files::PICTURE_ENDINGS.iter().chain(&files::VIDEO_ENDINGS);
        let endings = endings.chain(&files::CHECKPOINT_ENDINGS).chain(&["json"]);
        let question = Question {
            kind: QuestionKind::OpenMany,
            title: "Open pictures, videos, a checkpoint or a workspace",
            filter: Some((
                "Pictures, videos, checkpoints, workspaces",
                endings.map(|&ending| ending.to_owned()).collect(),
            )),
            folder: self.folder_to_read(),
            file_name: String::new(),
        };
        self.ask(context, Purpose::Open, question);
    }

    fn ask_for_checkpoint(&mut self, context: &Context, kind: QuestionKind) {
        let endings = files::CHECKPOINT_ENDINGS.map(str::to_owned).to_vec();
        let question = Question {
            kind,
            title: "Use a checkpoint",
            filter: Some(("Checkpoints", endings)),
            folder: self.shared.settings.checkpoints.first().and_then(|path| folder_of(path)),
            file_name: String::new(),
        };
        self.ask(context, Purpose::UseCheckpoint, question);
    }

    fn ask_for_workspace(&mut self, context: &Context) {
        let question = Question {
            kind: QuestionKind::OpenOne,
            title: "Open workspace",
            filter: Some(("Workspaces", vec!["json".to_owned()])),
            folder: self.folder_to_write(),
            file_name: String::new(),
        };
        self.ask(context, Purpose::OpenWorkspace, question);
    }

    fn ask_where_to_save(&mut self, context: &Context) {
        let question = Question {
            kind: QuestionKind::Save,
            title: "Save workspace",
            filter: Some(("Workspaces", vec!["json".to_owned()])),
            folder: self.folder_to_write(),
            file_name: workspace::suggested_name(&self.shared.documents),
        };
        self.ask(context, Purpose::SaveWorkspace, question);
    }

    /// Opens the dialogs that tools have asked for.
    pub(super) fn ask_for_tools(&mut self, context: &Context) {
        for (purpose, mut question) in std::mem::take(&mut self.shared.questions) {
            question.folder =
                if question.kind == QuestionKind::Save { self.folder_to_write() } else { self.folder_to_read() };
            self.ask(context, purpose, question);
        }
    }

    fn ask(&mut self, context: &Context, purpose: Purpose, question: Question) {
        if self.dialogs.is_open() {
            self.shared.notices.info("Another dialog is open already");
            return;
        }
        let context = context.clone();
        self.dialogs.ask(purpose, question, move || context.request_repaint());
    }

    /// Beside the active picture, or the file that was opened last.
    fn folder_to_read(&self) -> Option<std::path::PathBuf> {
        let active = self.shared.documents.active().and_then(|document| folder_of(document.origin.path()?));
        active.or_else(|| folder_of(self.shared.settings.recent.first()?))
    }

    fn folder_to_write(&self) -> Option<std::path::PathBuf> {
        self.shared.settings.folder.clone().or_else(|| self.folder_to_read())
    }
}
