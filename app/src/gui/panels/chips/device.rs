//! The device's chip: where the model runs, and in which precision.

use dinoscope_engine::backend::{DeviceChoice, Dtype};
use dinoscope_engine::dispatch::ModelChoice;
use egui::{RichText, Ui};

use super::{Chip, name};
use crate::gui::panels::models::Models;
use crate::gui::shared::{ModelState, Shared};
use crate::gui::words;

const PRECISIONS: [(Option<Dtype>, &str); 4] = [
    (None, "f32 on the processor, f16 on a graphics processor"),
    (Some(Dtype::F32), "32 bits: exact, the most memory"),
    (Some(Dtype::F16), "16 bits, IEEE half precision"),
    (Some(Dtype::Bf16), "16 bits with the range of f32"),
];

pub fn show(ui: &mut Ui, shared: &mut Shared, models: &Models) {
    let choice = &shared.model.choice;
    let (value, hint) = match &shared.model.state {
        ModelState::Ready(info) => (words::running_device(info), format!("The model runs on {}", words::runs_on(info))),
        _ => (words::device(&choice.device), "Where the model runs".to_owned()),
    };
    let state = choice.dtype.map(|dtype| (dtype.name().to_owned(), ui.visuals().weak_text_color()));
    let chip = Chip { name: "Device", value, state, hint };
    chip.show(ui, |ui| {
        choices(ui, shared, models);
        if let ModelState::Ready(info) = &shared.model.state {
            ui.separator();
            ui.label(RichText::new(format!("Runs on {}", words::runs_on(info))).small());
        }
    });
}

/// Device and precision, to choose from; choosing loads the model anew.
pub fn choices(ui: &mut Ui, shared: &mut Shared, models: &Models) {
    let before = &shared.model.choice;
    let mut after: ModelChoice = (**before).clone();
    ui.horizontal_wrapped(|ui| {
        caption(ui, "Device");
        for device in models.devices() {
            let hint = match device {
                DeviceChoice::Auto => "A graphics processor where there is one, else the processor",
                DeviceChoice::Cpu => "This machine's processor",
                DeviceChoice::Cuda(_) => "NVIDIA graphics processor",
                DeviceChoice::Metal => "Apple graphics processor",
                DeviceChoice::Wgpu(_) => {
                    "The graphics processor that draws this window, whoever made it; not with bf16"
                }
            };
            let text = words::device(device);
            let response = ui.selectable_label(after.device == *device, &text).on_hover_text(hint);
            name(&response, &format!("Device {text}"));
            if response.clicked() {
                after.device = device.clone();
            }
        }
    });
    ui.horizontal_wrapped(|ui| {
        caption(ui, "Precision");
        for (dtype, hint) in PRECISIONS {
            let text = words::precision(dtype);
            let response = ui.selectable_label(after.dtype == dtype, text).on_hover_text(hint);
            name(&response, &format!("Precision {text}"));
            if response.clicked() {
                after.dtype = dtype;
            }
        }
    });
    if after != **before {
        shared.load_model(after);
    }
}

fn caption(ui: &mut Ui, text: &str) {
    let size = egui::vec2(64.0, ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_width(size.x);
        ui.weak(text);
    });
}
