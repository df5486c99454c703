//! Cameras: choosing one, and what can be done while it is looked through.

use dinoscope_engine::camera::CameraInfo;
use dinoscope_engine::dispatch::PictureId;
use egui::{Context, Ui, Window};
use egui_material_icons::icons;

use super::controls::icon_button;
use crate::gui::actions::{self, Action};
use crate::gui::shared::Shared;

/// Height of the strip below the canvas, in points.
pub const HEIGHT: f32 = 36.0;

/// What the strip asks for.
pub enum Asked {
    /// Switch the camera on or off.
    Switch,
    /// Keep the frame on the canvas.
    Keep,
}

/// Shows the cameras to choose from, where there are some; empty once one is chosen.
pub fn choose(context: &Context, cameras: &mut Vec<CameraInfo>) -> Option<CameraInfo> {
    let (mut is_open, mut chosen) = (!cameras.is_empty(), None);
    Window::new("Cameras").open(&mut is_open).collapsible(false).resizable(false).show(context, |ui| {
        ui.set_width(280.0);
        for camera in cameras.iter() {
            if ui.button(&camera.name).on_hover_text(&camera.id).clicked() {
                chosen = Some(camera.clone());
            }
        }
    });
    if chosen.is_some() || !is_open {
        cameras.clear();
    }
    chosen
}

/// The strip for `picture`, a frame of a camera.
pub fn strip(ui: &mut Ui, shared: &Shared, picture: PictureId) -> Option<Asked> {
    let document = shared.documents.get(picture)?;
    let live = document.live.as_ref()?;
    let mut asked = None;
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let key = actions::shortcut_text(ui.ctx(), Action::Play);
        let (icon, name) = if live.is_on() {
            (icons::ICON_PAUSE, "Stop: the frame stays, the camera is off")
        } else {
            (icons::ICON_PLAY_ARROW, "Look through the camera")
        };
        if icon_button(ui, icon, &format!("{name} ({key})")).clicked() {
            asked = Some(Asked::Switch);
        }
        let keep = ui.add_enabled(document.loaded().is_some(), egui::Button::new("Keep this frame"));
        if keep.on_hover_text("Opens the frame as a picture of its own").clicked() {
            asked = Some(Asked::Keep);
        }
        if let Some(loaded) = document.loaded() {
            let (width, height) = (loaded.pixels.width, loaded.pixels.height);
            ui.weak(format!("frame {} · {width} × {height}", document.id.frame()));
        }
    });
    asked
}
