//! The size's chip: how large the model's input is, what that gives and what it costs.

use std::time::Duration;

use dinoscope_engine::dispatch::ModelInfo;
use dinoscope_engine::encoder::ModelSource;
use dinoscope_engine::image::{PictureError, SizeRule};
use dinoscope_engine::model::{flops, zoo};
use egui::{Id, RichText, TextEdit, Ui};

use super::{Chip, name, option};
use crate::gui::shared::{ModelState, Shared};
use crate::gui::theme;
use crate::gui::words;

const SHORT_SIDES: [usize; 6] = [256, 384, 512, 768, 1024, 1536];

pub fn show(ui: &mut Ui, shared: &mut Shared) {
    let hint = match Scene::new(shared).map(|scene| scene.remark(shared.size)) {
        Some(remark) => format!("Size of the model's input\n{remark}"),
        None => "Size of the model's input".to_owned(),
    };
    let chip = Chip { name: "Size", value: shared.size.to_string(), state: None, hint };
    chip.show(ui, |ui| panel(ui, shared));
}

fn panel(ui: &mut Ui, shared: &mut Shared) {
    let scene = Scene::new(shared);
    let remark = |size| scene.as_ref().map(|scene| scene.remark(size)).unwrap_or_default();
    ui.label(RichText::new("Short side of the model's input, in pixels").small());
    let mut chosen = None;
    for size in SHORT_SIDES.map(SizeRule::ShortSide).into_iter().chain([SizeRule::Native]) {
        if option(ui, shared.size == size, &size.to_string(), &remark(size)) {
            chosen = Some(size);
        }
    }
    ui.separator();
    chosen = custom(ui, &remark).or(chosen);
    if let Some(size) = chosen {
        shared.set_size(size);
        ui.close();
    }
}

/// A size that is typed, taken with Enter.
fn custom(ui: &mut Ui, remark: &dyn Fn(SizeRule) -> String) -> Option<SizeRule> {
    let id = Id::unique("custom size");
    let mut text: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let edit = ui.horizontal(|ui| {
        ui.weak("Other");
        let edit = TextEdit::singleline(&mut text).desired_width(144.0).hint_text("640 or 1024x768");
        let edit = ui.add(edit).on_hover_text("Short side, or width x height; Enter takes it");
        name(&edit, "Other size");
        edit
    });
    ui.data_mut(|data| data.insert_temp(id, text.clone()));
    if text.trim().is_empty() {
        return None;
    }
    match text.trim().parse::<SizeRule>() {
        Ok(size) => {
            ui.label(RichText::new(remark(size)).small());
            let is_entered = edit.inner.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            is_entered.then_some(size)
        }
        Err(error) => {
            ui.colored_label(theme::danger(ui.ctx().theme()), RichText::new(error.to_string()).small());
            None
        }
    }
}

/// What a size means is told by the active picture and the model's last run.
struct Scene {
    width: usize,
    height: usize,
    info: ModelInfo,
    last: Option<((usize, usize), Duration)>,
}

impl Scene {
    fn new(shared: &Shared) -> Option<Self> {
        let pixels = &shared.documents.active()?.loaded()?.pixels;
        let ModelState::Ready(info) = &shared.model.state else { return None };
        let last = shared.last_encode().map(|last| (last.grid, last.time));
        Some(Self { width: pixels.width, height: pixels.height, info: info.clone(), last })
    }

    /// "48 × 64 patches, about 0.5 s", or why the size does not work.
    fn remark(&self, size: SizeRule) -> String {
        match self.grid(size) {
            Ok((rows, cols)) => match self.time((rows, cols)) {
                Some(time) => format!("{rows} × {cols} patches, about {}", words::duration(time)),
                None => format!("{rows} × {cols} patches"),
            },
            Err(error) => error.to_string(),
        }
    }

    fn grid(&self, size: SizeRule) -> Result<(usize, usize), PictureError> {
        let (width, height) = size.resolve(self.width, self.height, self.info.stride)?;
        Ok((height / self.info.stride, width / self.info.stride))
    }

    /// The last run's time, scaled by the arithmetic of the model, or by patches where its architecture has no name.
    fn time(&self, grid: (usize, usize)) -> Option<Duration> {
        let (known, time) = self.last?;
        let config = match &self.info.choice.source {
            ModelSource::Named(name) | ModelSource::Random { name, .. } => zoo::find(name).map(|model| model.config()),
            ModelSource::Path(_) => None,
        };
        let work = |(rows, cols): (usize, usize)| match &config {
            Some(config) => flops::flops(config, rows, cols) as f64,
            None => (rows * cols) as f64,
        };
        Duration::try_from_secs_f64(time.as_secs_f64() * work(grid) / work(known)).ok()
    }
}
