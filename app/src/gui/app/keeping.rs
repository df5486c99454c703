//! What is remembered: settings and the last workspace, written when they have changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::PictureId;
use egui::Context;

use super::App;
use crate::gui::documents::Origin;
use crate::gui::errands::{Errand, Start};
use crate::gui::placed::History;
use crate::gui::settings::{self, Settings};
use crate::gui::workspace::{self, Workspace};

/// How long changes gather before they are written.
const GATHERED: Duration = Duration::from_secs(2);

/// What was written last.
pub(super) struct Keeper {
    /// Folder of both files; `None`: nothing is remembered.
    folder: Option<PathBuf>,
    settings: Settings,
    workspace: Option<Workspace>,
    checked: Instant,
    /// Whether the last workspace is still being read.
    is_restoring: bool,
}

impl Keeper {
    /// Settings as they were read.
    pub(super) fn new(folder: Option<PathBuf>, settings: Settings) -> Self {
        Self { folder, settings, workspace: None, checked: Instant::now(), is_restoring: false }
    }
}

impl App {
    /// Opens what was open when the program ended.
    pub(super) fn restore_last(&mut self) {
        match &self.keeper.folder {
            Some(folder) => {
                self.keeper.is_restoring = true;
                self.errands.send(Errand::ReadWorkspace(folder.join(workspace::LAST_FILE), Start::Program));
            }
            None => self.open_sample(0),
        }
    }

    /// Writes what has changed, at most every two seconds.
    pub(super) fn keep(&mut self, context: &Context) {
        self.remember_window(context);
        let since = self.keeper.checked.elapsed();
        if self.keeper.folder.is_none() {
            return;
        }
        if since < GATHERED {
            context.request_repaint_after(GATHERED - since);
        } else {
            self.keep_now();
        }
    }

    fn remember_window(&mut self, context: &Context) {
        let settings = &mut self.shared.settings;
        settings.zoom = context.zoom_factor();
        let (size, is_maximized) = context.input(|input| {
            let viewport = input.viewport();
            (viewport.inner_rect.map(|rect| rect.size()), viewport.maximized.unwrap_or(false))
        });
        settings.is_maximized = is_maximized;
        if let Some(size) = size.filter(|size| !is_maximized && size.x > 1.0 && size.y > 1.0) {
            settings.window = (size * settings.zoom).into();
        }
    }

    /// Writes what has changed.
    pub(super) fn keep_now(&mut self) {
        self.keeper.checked = Instant::now();
        let Some(folder) = self.keeper.folder.clone() else { return };
        let workspace = self.workspace();
        let settings = &mut self.shared.settings;
        settings.model.clone_from(&workspace.model);
        settings.size = workspace.size;
        settings.tool = workspace.tool;
        settings.tools.clone_from(&workspace.tools);
        if *settings != self.keeper.settings {
            self.keeper.settings = settings.clone();
            let settings = settings.clone();
            let text = move || serde_json::to_string_pretty(&settings).unwrap_or_default();
            self.errands.send(Errand::Write(folder.join(settings::FILE), Box::new(text)));
        }
        if !self.keeper.is_restoring && self.keeper.workspace.as_ref() != Some(&workspace) {
            self.keeper.workspace = Some(workspace.clone());
            let path = folder.join(workspace::LAST_FILE);
            self.errands.send(Errand::Write(path, Box::new(move || workspace.to_text())));
        }
    }

    /// Everything that is open now.
    pub(super) fn workspace(&mut self) -> Workspace {
        let shared = &self.shared;
        let canvas = &shared.canvas;
        Workspace {
            has_patch_grid: canvas.has_patch_grid,
            model: Some((*shared.model.choice).clone()),
            size: Some(shared.size),
            tool: self.tools.active,
            tools: self.tools.settings(),
            ..Workspace::of(&shared.documents, shared.placed.now(), &canvas.camera)
        }
    }

    pub(super) fn workspace_read(
        &mut self,
        path: &Path,
        start: Start,
        read: Result<Option<Box<workspace::Read>>, String>,
    ) {
        if start == Start::Program {
            self.keeper.is_restoring = false;
        }
        match read {
            Ok(Some(read)) => self.open_workspace(path, start, &read),
            Ok(None) => {}
            Err(sentence) => self.shared.notices.error(&sentence, None),
        }
        if start == Start::Program && self.shared.documents.is_empty() {
            self.open_sample(0);
        }
    }

    /// Opens a workspace instead of what is open now. The model of the last start was chosen already when the program
    /// started, where the command line may have asked for another one.
    fn open_workspace(&mut self, path: &Path, start: Start, read: &workspace::Read) {
        let workspace = &read.workspace;
        let open: Vec<_> = self.shared.documents.iter().map(|document| document.id).collect();
        open.into_iter().for_each(|id| self.shared.close(id));
        let mut names = Vec::new();
        for (place, origin) in workspace.pictures.iter().enumerate() {
            let name = match origin {
                Origin::File(path) | Origin::Clip(path) => {
                    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
                }
                Origin::Sample(name) => name.clone(),
                Origin::Clipboard | Origin::Camera => String::new(),
            };
            let is_there = !read.vanished.contains(&place);
            let id = is_there.then(|| self.shared.documents.add(name, origin.clone()));
            if let Some(position) = workspace.clips.get(&place)
                && let Some(document) = id.and_then(|id| self.shared.documents.get_mut(id))
            {
                document.id = document.id.at_frame(position.frame);
                document.span = position.span;
            }
            names.push(id);
        }
        let named = |place: Option<usize>| names.get(place?).copied().flatten();
        // What a person looks at is read first.
        let (active, partner) = (named(workspace.active), named(workspace.partner));
        let is_first = |id: &PictureId| Some(*id) == active || Some(*id) == partner;
        let others = names.iter().copied().flatten().filter(|id| !is_first(id));
        active.into_iter().chain(partner).chain(others).for_each(|id| self.shared.reopen(id));
        if let Some(id) = named(workspace.active) {
            self.shared.documents.activate(id);
        }
        if let Some(id) = named(workspace.partner).filter(|&id| Some(id) != self.shared.documents.active_id()) {
            self.shared.documents.set_partner(id);
        }
        self.shared.placed = History::new(workspace.on_pictures(&names));
        self.shared.canvas.camera = workspace.camera();
        self.shared.canvas.has_patch_grid = workspace.has_patch_grid;
        self.tools.active = workspace.tool;
        self.tools.restore(&workspace.tools);
        if start == Start::Person {
            self.shared.settings.remember(path);
            if let Some(size) = workspace.size {
                self.shared.set_size(size);
            }
            if let Some(model) = workspace.model.clone().filter(|model| *model != *self.shared.model.choice) {
                self.shared.load_model(model);
            }
        }
        if let Some(sentence) = read.missing() {
            self.shared.notices.error(&sentence, None);
        }
    }
}
