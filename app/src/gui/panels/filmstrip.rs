//! The open pictures, below the canvas.

use dinoscope_engine::dispatch::PictureId;
use egui::{Image, ScrollArea, Ui, vec2};

use crate::gui::shared::Shared;

/// Height of a thumbnail in points.
pub const THUMBNAIL_HEIGHT: f32 = 72.0;

/// What was asked for.
pub enum Asked {
    /// Work on this picture.
    Activate(PictureId),
}

/// Shows the filmstrip.
pub fn show(ui: &mut Ui, shared: &Shared) -> Option<Asked> {
    let mut asked = None;
    ScrollArea::horizontal().show(ui, |ui| {
        ui.horizontal(|ui| {
            for document in shared.documents.iter() {
                let Some(loaded) = document.loaded() else {
                    ui.weak(&document.name);
                    continue;
                };
                let size = loaded.thumbnail.size_vec2();
                let size = vec2(size.x / size.y * THUMBNAIL_HEIGHT, THUMBNAIL_HEIGHT);
                let button = egui::Button::image(Image::new(&loaded.thumbnail).fit_to_exact_size(size))
                    .selected(shared.documents.active_id() == Some(document.id));
                if ui.add(button).on_hover_text(&document.name).clicked() {
                    asked = Some(Asked::Activate(document.id));
                }
            }
        });
    });
    asked
}
