//! The models: what there is, what is on this machine, which one runs.

mod current;
mod download;
mod form;
mod local;
mod meter;
mod row;

use std::collections::BTreeMap;
use std::time::Instant;

use dinoscope_engine::backend::DeviceChoice;
use dinoscope_engine::backend::device_choices;
use dinoscope_engine::dispatch::{Command, Event, Outcome, Remedy, RequestId, StoredModel};
use dinoscope_engine::doctor::Fit;
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::hub::{HubConfig, Source, size_text};
use dinoscope_engine::model::zoo::{self, ZooModel, ZooSource};
use egui::{Context, Rect, ScrollArea, Window};

use self::download::{Download, DownloadState};
use self::form::Form;
use crate::gui::shared::Shared;

/// Height at which the whole list is seen, in points.
const HEIGHT: f32 = 880.0;

/// What the panel asks of the window.
pub enum Asked {
    /// Mend what has failed.
    Mend(Remedy),
    /// Ask for a checkpoint.
    PickFile,
    /// Ask for a folder with one.
    PickFolder,
}

/// The panel's state.
pub struct Models {
    /// Whether it is shown.
    pub is_open: bool,
    hub: HubConfig,
    devices: Vec<DeviceChoice>,
    /// As the worker last listed them; `None` before the first list.
    stored: Option<BTreeMap<&'static str, StoredModel>>,
    listing: Option<RequestId>,
    downloads: BTreeMap<&'static str, Download>,
    removals: BTreeMap<RequestId, &'static str>,
    /// The model whose files could not be deleted, and why.
    not_removed: Option<(&'static str, String)>,
    /// The row that asks what to download.
    form: Option<Form>,
    /// The row that asks whether to delete.
    confirmed: Option<&'static str>,
    /// For gated repositories; kept as long as the window.
    token: String,
    scroll_to: Option<&'static str>,
}

impl Models {
    /// Nothing is asked for before the first frame.
    pub fn new(hub: HubConfig) -> Self {
        Self {
            is_open: false,
            hub,
            devices: device_choices(),
            stored: None,
            listing: None,
            downloads: BTreeMap::new(),
            removals: BTreeMap::new(),
            not_removed: None,
            form: None,
            confirmed: None,
            token: String::new(),
            scroll_to: None,
        }
    }

    /// What a person can choose to run on.
    pub fn devices(&self) -> &[DeviceChoice] {
        &self.devices
    }

    /// The models that are on this machine, that of the program first.
    pub fn present(&self) -> impl Iterator<Item = &'static ZooModel> + '_ {
        zoo::zoo().iter().filter(|model| self.is_present(model))
    }

    /// Opens the panel where a model can be downloaded; it is used once it is here.
    pub fn ask_download(&mut self, name: &str) {
        self.ask(name, Source::Public, true);
    }

    /// Opens the panel where a token can be given for a model's gated repository.
    pub fn ask_token(&mut self, name: &str) {
        let use_after = self.downloads.get(name).is_some_and(|download| download.use_after);
        self.ask(name, Source::Gated, use_after);
    }

    fn ask(&mut self, name: &str, source: Source, use_after: bool) {
        self.is_open = true;
        if let Some(model) = zoo::find(name).filter(|model| model.source != ZooSource::Embedded) {
            self.form = Some(Form::new(model.name, source, use_after, &self.hub));
            self.scroll_to = Some(model.name);
        }
    }

    /// Takes what concerns the panel; whether the event was told of here, and needs no notice.
    pub fn receive(&mut self, shared: &mut Shared, event: &Event) -> bool {
        if self.listing == Some(event.id) {
            self.listing = None;
        }
        let removed = self.removals.remove(&event.id);
        let downloaded =
            self.downloads.iter().find(|(_, download)| download.request == event.id).map(|(&name, _)| name);
        match &event.outcome {
            Outcome::Models(stored) => {
                self.stored = Some(stored.iter().map(|model| (model.name, model.clone())).collect());
                true
            }
            Outcome::Downloaded { path, .. } => {
                let Some(name) = downloaded else { return false };
                if let Some(model) = zoo::find(name) {
                    // How much memory there is comes with the list.
                    let fit = Fit::new(&model.config(), None);
                    let stored = StoredModel { name, path: Some(path.clone()), bytes: model.size_bytes(), fit };
                    self.stored.get_or_insert_default().insert(name, stored);
                }
                self.list(shared);
                let use_after = self.downloads.remove(name).is_some_and(|download| download.use_after);
                self.form = self.form.take().filter(|form| form.name != name);
                if use_after {
                    shared.use_source(ModelSource::Named(name.to_owned()));
                } else if !self.is_open {
                    shared.notices.info(format!("{name} is here: choose it under Model"));
                }
                true
            }
            Outcome::Cancelled => {
                let Some(name) = downloaded else { return false };
                self.downloads.remove(name);
                self.list(shared);
                true
            }
            Outcome::Failed(failure) => {
                if let Some(name) = removed {
                    self.not_removed = Some((name, failure.message.clone()));
                    return self.is_open;
                }
                let Some(download) = downloaded.and_then(|name| self.downloads.get_mut(name)) else { return false };
                download.state = DownloadState::Failed(failure.clone());
                if self.form.as_ref().is_none_or(|form| Some(form.name) == downloaded) {
                    let source = match failure.remedy {
                        Some(Remedy::GiveToken(_)) => Source::Gated,
                        _ => download.source,
                    };
                    let mut form = Form::new(download.name, source, download.use_after, &self.hub);
                    form.is_accepted = true;
                    self.form = Some(form);
                }
                self.list(shared);
                self.is_open
            }
            _ => false,
        }
    }

    /// Shows the panel while it is open, over the canvas; what else a button asked for.
    pub fn show(&mut self, context: &Context, shared: &mut Shared, canvas: Rect) -> Option<Asked> {
        if self.stored.is_none() && self.listing.is_none() {
            self.list(shared);
        }
        let now = Instant::now();
        for download in self.downloads.values_mut() {
            download.update(now, shared);
        }
        let mut is_open = self.is_open;
        let mut asked = None;
        Window::new("Models")
            .open(&mut is_open)
            .collapsible(false)
            .default_size([864.0, (canvas.height() - 32.0).min(HEIGHT)])
            .min_width(720.0)
            .default_pos(canvas.left_top() + egui::vec2(16.0, 16.0))
            .show(context, |ui| {
                ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
                    asked = current::show(ui, shared, self);
                    ui.add_space(8.0);
                    row::heading(ui);
                    ui.scope(|ui| {
                        ui.spacing_mut().item_spacing.y = 4.0;
                        zoo::zoo().iter().for_each(|model| row::show(ui, shared, self, model));
                    });
                    ui.add_space(8.0);
                    asked = local::show(ui, shared, self).or(asked.take());
                });
            });
        self.is_open &= is_open;
        asked
    }

    fn list(&mut self, shared: &mut Shared) {
        self.listing = Some(shared.send(Command::ListModels, "looking for models"));
    }

    fn is_present(&self, model: &ZooModel) -> bool {
        model.source == ZooSource::Embedded || self.stored(model.name).is_some_and(|stored| stored.path.is_some())
    }

    fn stored(&self, name: &str) -> Option<&StoredModel> {
        self.stored.as_ref()?.get(name)
    }

    /// Percent of a model whose download was interrupted.
    fn partial_percent(&self, model: &ZooModel) -> Option<u64> {
        let stored = self.stored(model.name).filter(|stored| stored.path.is_none() && stored.bytes > 0)?;
        Some((100 * stored.bytes / model.size_bytes().max(1)).min(99))
    }

    fn start_download(&mut self, shared: &mut Shared, form: Form) {
        let token = self.token.trim();
        let command = Command::Download {
            name: form.name.to_owned(),
            source: form.source,
            token: (form.source == Source::Gated && !token.is_empty()).then(|| token.to_owned()),
            licence_accepted: form.is_accepted,
        };
        let request = shared.send(command, format!("downloading {}", form.name));
        self.downloads.insert(form.name, Download::new(request, &form));
    }

    fn remove(&mut self, shared: &mut Shared, name: &'static str) {
        self.not_removed = None;
        self.downloads.remove(name);
        let request = shared.send(Command::RemoveModel { name: name.to_owned() }, format!("deleting {name}"));
        self.removals.insert(request, name);
    }
}

/// "86 MB" of a model of the zoo.
fn download_size(model: &ZooModel) -> String {
    size_text(model.size_bytes())
}
