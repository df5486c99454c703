//! One model of the table.

use dinoscope_engine::backend::Residency;
use dinoscope_engine::dispatch::StoredModel;
use dinoscope_engine::doctor::{Fit, Need};
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::hub::{HubModel, Source, size_text};
use dinoscope_engine::model::zoo::{ZooModel, ZooSource};
use egui::{Align, Frame, Layout, Margin, RichText, Ui, vec2};

use super::form::{self, Answer, Form};
use super::{Models, download_size};
use crate::gui::panels::{chips, controls};
use crate::gui::reveal;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;

/// Headings and widths, in points; what can be done takes the rest.
const COLUMNS: [(&str, f32); 6] =
    [("Name", 116.0), ("Parameters", 76.0), ("Dim", 44.0), ("Patch", 44.0), ("Size", 64.0), ("Licence", 104.0)];

const MARGIN: Margin = Margin::symmetric(8, 3);

/// The table's first line.
pub fn heading(ui: &mut Ui) {
    Frame::NONE.inner_margin(MARGIN).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (index, (title, _)) in COLUMNS.iter().enumerate() {
                cell(ui, index, |ui| ui.label(RichText::new(*title).small().weak()));
            }
        });
    });
}

/// Shows a model, with what is asked or running below it.
pub fn show(ui: &mut Ui, shared: &mut Shared, models: &mut Models, model: &'static ZooModel) {
    let is_chosen = shared.model.choice.source == ModelSource::Named(model.name.to_owned());
    let accent = theme::accent(ui.ctx().theme());
    let fill = if is_chosen { accent.gamma_multiply(0.16) } else { egui::Color32::TRANSPARENT };
    let frame = Frame::NONE.inner_margin(MARGIN).corner_radius(4).fill(fill).show(ui, |ui| {
        ui.horizontal(|ui| {
            cells(ui, model, models.stored(model.name).map(|stored| &stored.fit));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| actions(ui, shared, models, model, is_chosen));
        });
        below(ui, shared, models, model, is_chosen);
    });
    if models.scroll_to == Some(model.name) {
        models.scroll_to = None;
        frame.response.scroll_to_me(Some(Align::Center));
    }
}

fn cell(ui: &mut Ui, index: usize, content: impl FnOnce(&mut Ui) -> egui::Response) {
    let size = vec2(COLUMNS[index].1, ui.spacing().interact_size.y);
    // Numbers stand one below the other at the right.
    let layout = match index {
        1..=4 => Layout::right_to_left(Align::Center),
        _ => Layout::left_to_right(Align::Center),
    };
    if index == COLUMNS.len() - 1 {
        ui.add_space(8.0);
    }
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_size(size);
        content(ui);
    });
}

fn cells(ui: &mut Ui, model: &ZooModel, fit: Option<&Fit>) {
    let config = model.config();
    cell(ui, 0, |ui| {
        let hint = match (model.note(), model.satellite) {
            (Some(note), _) => note,
            (None, true) => "Trained on satellite pictures",
            (None, false) => "Trained on pictures of the web",
        };
        ui.strong(model.name).on_hover_text(hint)
    });
    cell(ui, 1, |ui| ui.label(format!("{} M", model.parameters_millions)));
    cell(ui, 2, |ui| ui.label(config.dim().to_string()));
    cell(ui, 3, |ui| ui.label(config.stride().to_string()));
    cell(ui, 4, |ui| {
        let size = ui.label(download_size(model));
        match fit {
            Some(fit) => size.on_hover_text(needs(fit)),
            None => size,
        }
    });
    cell(ui, 5, |ui| match HubModel::from_zoo(model).and_then(|on_hub| on_hub.licence) {
        Some(licence) => controls::link(ui, model.licence, licence.url),
        None => ui.label(model.licence),
    });
}

/// What a model takes in the processor's memory.
fn needs(fit: &Fit) -> String {
    let line = |(form, need): (&str, Need)| {
        let streams =
            if need.residency == Some(Residency::Streaming) { ", more than is free: read block by block" } else { "" };
        format!("{form}: {}{streams}", size_text(need.bytes))
    };
    let lines: Vec<String> = fit.forms().into_iter().map(line).collect();
    format!("In memory, on the processor\n{}", lines.join("\n"))
}

/// From the right: what can be done, then the state.
fn actions(ui: &mut Ui, shared: &mut Shared, models: &mut Models, model: &'static ZooModel, is_chosen: bool) {
    let name = model.name;
    let button = |ui: &mut Ui, text: &str, hint: &str, accessible: &str| {
        let response = ui.button(text).on_hover_text(hint);
        chips::name(&response, &format!("{accessible} {name}"));
        response.clicked()
    };
    let is_running = models.downloads.get(name).is_some_and(|download| download.failure().is_none());
    if is_running {
        ui.weak("downloading");
        return;
    }
    let stored = models.stored(name).cloned();
    let folder = stored.as_ref().and_then(|stored| stored.path.clone());
    if model.source != ZooSource::Embedded && folder.is_none() {
        let percent = models.partial_percent(model);
        let text = if percent.is_some() { "Resume…" } else { "Download…" };
        if button(ui, text, "Asks for the licence first", "Download") {
            models.form = Some(Form::new(name, Source::Public, false, &models.hub));
            models.scroll_to = Some(name);
        }
        if let Some(percent) = percent {
            if button(ui, "Delete…", "Deletes the part that is here", "Delete") {
                models.confirmed = Some(name);
            }
            ui.weak(format!("{percent} % here"));
        }
        warn_of_streaming(ui, stored.as_ref());
        return;
    }
    let is_used = is_chosen && !matches!(shared.model.state, ModelState::Failed(_));
    if is_used {
        ui.colored_label(theme::accent(ui.ctx().theme()), "in use");
    } else if button(ui, "Use", "Encodes pictures with this model from now on", "Use") {
        shared.use_source(ModelSource::Named(name.to_owned()));
    }
    match (folder, &stored) {
        (Some(folder), Some(stored)) => {
            if button(ui, "Delete…", "Deletes its files from this machine", "Delete") {
                models.confirmed = Some(name);
            }
            if button(ui, "Show", "Opens its folder in the file manager", "Show folder of") {
                reveal::show(&folder);
            }
            ui.weak(format!("{} on disk", size_text(stored.bytes)));
            warn_of_streaming(ui, Some(stored));
        }
        _ => {
            ui.weak("in the program");
        }
    }
}

/// Says beforehand that a model is larger than the memory.
fn warn_of_streaming(ui: &mut Ui, stored: Option<&StoredModel>) {
    if let Some(stored) = stored.filter(|stored| stored.fit.f32.residency == Some(Residency::Streaming)) {
        ui.weak("larger than memory").on_hover_text(needs(&stored.fit));
    }
}

/// A question, a download or what went wrong.
fn below(ui: &mut Ui, shared: &mut Shared, models: &mut Models, model: &'static ZooModel, is_chosen: bool) {
    let name = model.name;
    if let Some((failed, message)) = &models.not_removed
        && *failed == name
    {
        ui.colored_label(theme::danger(ui.ctx().theme()), message);
    }
    if models.confirmed == Some(name) {
        confirmation(ui, shared, models, name, is_chosen);
    }
    let mut failure = None;
    if let Some(download) = models.downloads.get(name) {
        match download.failure() {
            Some(why) => failure = Some(why.clone()),
            None => {
                if download.show(ui) {
                    shared.cancel(download.request);
                }
                return;
            }
        }
    }
    match models.form.take() {
        Some(mut form) if form.name == name => match form::show(ui, models, &mut form, model, failure.as_ref()) {
            Some(Answer::Download) => models.start_download(shared, form),
            Some(Answer::Close) => {
                models.downloads.remove(name);
            }
            None => models.form = Some(form),
        },
        other => {
            models.form = other;
            if let Some(failure) = failure {
                ui.colored_label(theme::danger(ui.ctx().theme()), &failure.message);
            }
        }
    }
}

fn confirmation(ui: &mut Ui, shared: &mut Shared, models: &mut Models, name: &'static str, is_chosen: bool) {
    let bytes = models.stored(name).map_or(0, |stored| stored.bytes);
    ui.horizontal_wrapped(|ui| {
        let more = if is_chosen { " It stays in memory until another model is chosen." } else { "" };
        ui.label(format!("Delete {name}, {}, from this machine?{more}", size_text(bytes)));
        if ui.button("Delete").on_hover_text("It can be downloaded again").clicked() {
            models.confirmed = None;
            models.remove(shared, name);
        }
        if ui.button("Keep").on_hover_text("Deletes nothing").clicked() {
            models.confirmed = None;
        }
    });
}
