//! The canvas with what the tool draws on it, or what stands there instead of a picture.

use dinoscope_engine::dispatch::PictureId;
use egui::{Align, Layout, Rect, RichText, Ui, UiBuilder, Vec2, vec2};
use egui_material_icons::icons;

use super::App;
use crate::gui::actions::{self, Action, Held};
use crate::gui::canvas::{Pointer, View, caption};
use crate::gui::documents::Content;
use crate::gui::overlay::{Layer, LayerContent};
use crate::gui::panels::not_encoded;
use crate::gui::theme;

/// Width of sentences on the canvas, in points.
const TEXT_WIDTH: f32 = 420.0;

/// What a button on the canvas asks for.
enum Asked {
    Open,
    Close(PictureId),
    TryAgain(PictureId),
}

impl App {
    /// Shows it; the part of it that pictures have.
    pub(super) fn canvas(&mut self, ui: &mut Ui) -> Rect {
        let area = ui.max_rect();
        ui.painter().rect_filled(area, 0.0, theme::canvas_colour(ui.ctx().theme()));
        self.shared.canvas.is_layer_hidden = actions::is_held(ui.ctx(), Held::HideOverlay);
        self.tools.rest(&mut self.shared);
        let tool = self.tools.current();
        self.shown = tool.shown(&self.shared);
        let needs_features = tool.needs_features();
        let mut wanted = if needs_features { self.shown.clone() } else { Vec::new() };
        let coming = if needs_features { self.shared.coming_frames(&self.shown) } else { Vec::new() };
        wanted.extend(&coming);
        wanted.extend(tool.wanted(&self.shared));
        self.shared.show(&self.shown);
        if let Some(wait) = self.shared.play(&self.shown, needs_features) {
            ui.ctx().request_repaint_after(wait);
        }
        let visible: Vec<PictureId> = self.shown.iter().copied().chain(coming).collect();
        self.shared.want(&wanted, &visible);

        let mut pictures = Vec::new();
        for &id in &self.shown {
            let geometry = self.shared.features(id).map(|features| features.geometry);
            let Some(document) = self.shared.documents.get(id) else { continue };
            let Some(loaded) = document.loaded() else { continue };
            let size = Vec2::new(loaded.pixels.width as f32, loaded.pixels.height as f32);
            pictures.push((id, document.name.clone(), size, geometry));
        }
        let mut canvas = std::mem::take(&mut self.shared.canvas);
        let area = self.tools.current().beside(ui, &mut self.shared, area);
        let views = canvas.views(ui, area, self.tools.current().columns(), &pictures);
        self.shared.canvas = canvas;
        let tool = self.tools.current();
        tool.update(ui, &mut self.shared, &views);
        self.shared.canvas.pointer = views.iter().find_map(|view| {
            let pixel = view.hovered?;
            let readout = tool.readout(&self.shared, view);
            Some(Pointer { picture: view.picture, pixel, patch: view.patch_at(pixel), readout })
        });
        for view in &views {
            let painter = ui.painter().with_clip_rect(view.transform.rect);
            let layer = self.layer(view);
            let Some(document) = self.shared.documents.get(view.picture) else { continue };
            let Some(loaded) = document.loaded() else { continue };
            // Where pixels are drawn as patches, their lines would hide them.
            let is_of_patches = layer.as_ref().is_some_and(|layer| Some(layer.geometry) == view.geometry);
            let has_grid = self.shared.canvas.has_patch_grid && is_of_patches;
            self.shared.painter.paint(&painter, &view.transform, &loaded.texture, layer.as_ref(), has_grid);
            if views.len() > 1 {
                let is_active = self.shared.documents.active_id() == Some(view.picture);
                caption::paint_name(&painter, view.transform.rect, &document.name, is_active);
            }
            if !self.shared.canvas.is_layer_hidden {
                self.tools.current().paint(&painter, &self.shared, view);
            }
        }
        if !self.shared.canvas.is_layer_hidden {
            let painter = ui.painter().with_clip_rect(area);
            self.tools.current().paint_across(&painter, &self.shared, &views);
        }
        not_encoded::show(ui.ctx(), &mut self.shared, &views);
        if views.is_empty() {
            self.instead_of_a_picture(ui, area);
        }
        area
    }

    /// The tool's layer, or an empty one that carries the patch grid.
    fn layer(&mut self, view: &View) -> Option<Layer> {
        let empty = |geometry| Layer { geometry, content: LayerContent::Empty, opacity: 0.0, is_smooth: false };
        if self.shared.canvas.is_layer_hidden {
            return view.geometry.map(empty);
        }
        self.tools.current().layer(&self.shared, view).or_else(|| view.geometry.map(empty))
    }

    /// What may be dropped, that a picture is being read, or why it could not be.
    fn instead_of_a_picture(&mut self, ui: &mut Ui, area: Rect) {
        let middle = Rect::from_center_size(area.center(), vec2(TEXT_WIDTH.min(area.width() - 32.0), 160.0));
        let mut asked = None;
        let builder = UiBuilder::new().max_rect(middle).layout(Layout::top_down(Align::Center));
        ui.scope_builder(builder, |ui| match self.shared.documents.active() {
            None => {
                ui.label(icons::ICON_ADD_PHOTO_ALTERNATE.rich_text().size(40.0).weak());
                ui.heading("Drop pictures here");
                ui.weak("Folders, checkpoints, masks and workspaces work too.");
                if ui.button("Open…").on_hover_text("Choose files (O)").clicked() {
                    asked = Some(Asked::Open);
                }
            }
            Some(document) => match &document.content {
                Content::Loading | Content::Resting(_) => {
                    ui.add_space(48.0);
                    ui.spinner();
                    ui.weak(format!("Opening {}", document.name));
                }
                Content::Failed(sentence) => {
                    let colour = theme::danger(ui.ctx().theme());
                    ui.label(icons::ICON_BROKEN_IMAGE.rich_text().size(40.0).color(colour));
                    ui.label(RichText::new(sentence).color(colour));
                    ui.add_space(4.0);
                    if ui.button("Try again").on_hover_text("Read the file once more").clicked() {
                        asked = Some(Asked::TryAgain(document.id));
                    }
                    if ui.button("Close").on_hover_text("Close this picture (Ctrl+W)").clicked() {
                        asked = Some(Asked::Close(document.id));
                    }
                }
                Content::Ready(_) => {}
            },
        });
        match asked {
            Some(Asked::Open) => self.act(&ui.ctx().clone(), Action::Open),
            Some(Asked::Close(id)) => self.shared.close(id),
            Some(Asked::TryAgain(id)) => self.shared.reopen(id),
            None => {}
        }
    }
}
