//! The model's chip: those on this machine are a click away.

use dinoscope_engine::encoder::ModelSource;
use egui::Ui;

use super::{Chip, option};
use crate::gui::panels::models::Models;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;
use crate::gui::words;

pub fn show(ui: &mut Ui, shared: &mut Shared, models: &mut Models) {
    let weak = ui.visuals().weak_text_color();
    let (state, colour, hint) = match &shared.model.state {
        ModelState::Loading => {
            let percent = shared.loading().and_then(|progress| {
                let total = progress.total.filter(|&total| total > 0)?;
                Some(100 * progress.done.min(total) / total)
            });
            let state = percent.map_or("loading".to_owned(), |percent| format!("loading {percent} %"));
            (state, weak, "Its weights are being read".to_owned())
        }
        ModelState::Ready(info) => match shared.last_encode() {
            Some(last) => {
                let time = words::duration(last.time);
                let (rows, cols) = last.grid;
                let hint = format!("{time} for the last picture, {rows} × {cols} patches\n{}", words::runs_on(info));
                (time, weak, hint)
            }
            None => ("ready".to_owned(), weak, words::runs_on(info)),
        },
        ModelState::Failed(failure) => ("failed".to_owned(), theme::danger(ui.ctx().theme()), failure.message.clone()),
    };
    let value = words::model(&shared.model.choice.source);
    let chip = Chip { name: "Model", value, state: Some((state, colour)), hint };
    chip.show(ui, |ui| panel(ui, shared, models));
}

fn panel(ui: &mut Ui, shared: &mut Shared, models: &mut Models) {
    let choice = shared.model.choice.clone();
    if let ModelState::Failed(failure) = &shared.model.state {
        ui.colored_label(theme::danger(ui.ctx().theme()), &failure.message);
        ui.separator();
    }
    let mut chosen = None;
    for model in models.present() {
        let source = ModelSource::Named(model.name.to_owned());
        let remark = match model.note() {
            Some(_) => "stand-in, not Meta's".to_owned(),
            None => format!("{} M parameters", model.parameters_millions),
        };
        if option(ui, choice.source == source, model.name, &remark) {
            chosen = Some(source);
        }
    }
    for path in &shared.settings.checkpoints {
        let source = ModelSource::Path(path.clone());
        let folder = path.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_string_lossy();
        if option(ui, choice.source == source, &words::model(&source), &format!("in {folder}")) {
            chosen = Some(source);
        }
    }
    ui.separator();
    if option(ui, false, "All models…", "download, import, delete") {
        models.is_open = true;
        ui.close();
    }
    if let Some(source) = chosen {
        shared.use_source(source);
        ui.close();
    }
}
